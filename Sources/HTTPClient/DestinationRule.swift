package import Addressing

/// Which addresses may be sent to. It is asked with the very address of a connection, never with a name.
package enum DestinationRule: Sendable {
    /// Wherever the operator says: for destinations that only settings name.
    case anywhere
    /// Addresses of the public Internet over TLS; addresses of these networks with and without.
    case publicOr([Network])

    /// Why this address is not sent to, for a person; nil when it is.
    package func refusal(of address: IPAddress, isEncrypted: Bool) -> String? {
        // Nobody's and many hosts' addresses are never meant, whatever a list holds: 0.0.0.0 reaches this machine.
        if address.isUnspecified { return "\(address) is no host's address" }
        if address.isMulticast { return "\(address) is a multicast or broadcast address" }
        switch self {
        case .anywhere: return nil
        case .publicOr(let networks):
            let embedded = SpecialPurpose.translated(address)
            if networks.contains(where: { $0.contains(address) || (embedded.map($0.contains) ?? false) }) { return nil }
            if let what = SpecialPurpose.name(of: embedded ?? address) { return "\(address) is \(what)" }
            return isEncrypted ? nil : "\(address) is outside of the allowed networks, where https is needed"
        }
    }
}

/// Addresses that are not of the public Internet: IANA's registries of special-purpose addresses (RFC 6890 and its
/// updates), with what leads back into them.
enum SpecialPurpose {
    /// The IPv4 address that a translator (NAT64, RFC 6052) makes of an address with its well-known prefix.
    static func translated(_ address: IPAddress) -> IPAddress? {
        guard address.family == .ipv6, address.high == 0x0064_FF9B_0000_0000, address.low >> 32 == 0 else { return nil }
        return IPAddress(ipv4: UInt32(truncatingIfNeeded: address.low))
    }

    /// What an address is when it is not of the public Internet.
    static func name(of address: IPAddress) -> String? {
        if let match = blocks.first(where: { $0.network.contains(address) }) { return match.name }
        // Of IPv6 only 2000::/3 is given out; what lies outside and has no name yet may get any meaning.
        return address.family == .ipv6 && address.high >> 61 != 1 ? "not a global unicast address" : nil
    }

    static let blocks: [(network: Network, name: String)] = texts.compactMap { text, name in
        Network(text).map { ($0, name) }
    }

    static let texts: [(String, String)] = [
        ("0.0.0.0/8", "an address of this network"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address behind a carrier's NAT"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "an address of protocol assignments"),
        ("192.0.2.0/24", "a documentation address"),
        ("192.88.99.0/24", "an address of 6to4 relays"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "a benchmarking address"),
        ("198.51.100.0/24", "a documentation address"),
        ("203.0.113.0/24", "a documentation address"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::1/128", "a loopback address"),
        ("::/96", "an IPv4-compatible address"),
        ("64:ff9b:1::/48", "an address of local translation"),
        ("100::/64", "a discarded address"),
        ("2001::/23", "an address of protocol assignments, Teredo among them"),
        ("2001:db8::/32", "a documentation address"),
        ("2002::/16", "a 6to4 address, which leads to an IPv4 address"),
        ("3fff::/20", "a documentation address"),
        ("5f00::/16", "a segment routing address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a site-local address"),
        ("ff00::/8", "a multicast address"),
    ]
}
