/// A block of addresses in CIDR notation (RFC 4632, RFC 4291 section 2.3).
package struct Network: Hashable, Sendable, BitwiseCopyable {
    /// The first address of the block: every bit behind the prefix is 0.
    package let address: IPAddress
    /// How many leading bits all addresses of the block share.
    package let prefixLength: Int

    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or an address alone, which is a block of one. Refuses bits that are set
    /// behind the prefix: whoever writes 192.0.2.77/24 may mean either.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(first) else { return nil }
        var length = address.bitCount
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let given = Int(parts[1]), given <= address.bitCount, String(given) == parts[1]
            else { return nil }
            length = given
        }
        guard Self.masked(address, length) == address else { return nil }
        (self.address, prefixLength) = (address, length)
    }

    /// True when the address lies in the block.
    package func contains(_ other: IPAddress) -> Bool {
        other.family == address.family && Self.masked(other, prefixLength) == address
    }

    private static func masked(_ address: IPAddress, _ length: Int) -> IPAddress {
        // Swift's `<<` on fixed-width integers yields 0 past the width, which is what a mask wants.
        switch address.family {
        case .ipv4: IPAddress(ipv4: UInt32(truncatingIfNeeded: address.low) & (UInt32.max << UInt32(32 - length)))
        case .ipv6:
            IPAddress(
                ipv6High: address.high & (UInt64.max << UInt64(max(0, 64 - length))),
                low: address.low & (UInt64.max << UInt64(min(64, 128 - length))))
        }
    }
}

extension Network: CustomStringConvertible {
    /// `192.0.2.0/24`.
    package var description: String { "\(address)/\(prefixLength)" }
}
