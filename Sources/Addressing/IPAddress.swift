/// An IPv4 or IPv6 address as a value of 17 bytes, without a scope.
package struct IPAddress: Hashable, Sendable, BitwiseCopyable {
    /// Which of the two Internet protocols the address belongs to.
    package enum Family: UInt8, Sendable, BitwiseCopyable { case ipv4, ipv6 }

    /// The protocol.
    package let family: Family
    /// The first eight bytes in network order; 0 for IPv4.
    package let high: UInt64
    /// The last eight bytes in network order; an IPv4 address fills the low half.
    package let low: UInt64

    /// The IPv4 address with these 32 bits, most significant byte first.
    package init(ipv4 bits: UInt32) { self.init(.ipv4, high: 0, low: UInt64(bits)) }

    /// The IPv6 address with these 128 bits. A v4-mapped one (::ffff:0:0/96) becomes the IPv4 address that it stands
    /// for, so that a peer is one and the same over either socket.
    package init(ipv6High high: UInt64, low: UInt64) {
        if high == 0, low >> 32 == 0xFFFF {
            self.init(.ipv4, high: 0, low: low & 0xFFFF_FFFF)
        } else {
            self.init(.ipv6, high: high, low: low)
        }
    }

    /// True when both are the same address.
    @inlinable
    package static func == (left: IPAddress, right: IPAddress) -> Bool {
        left.low == right.low && left.high == right.high
            && unsafeBitCast(left.family, to: UInt8.self) == unsafeBitCast(right.family, to: UInt8.self)
    }

    private init(_ family: Family, high: UInt64, low: UInt64) {
        (self.family, self.high, self.low) = (family, high, low)
    }

    /// 32 or 128.
    package var bitCount: Int { family == .ipv4 ? 32 : 128 }

    /// 127.0.0.0/8 or ::1.
    package var isLoopback: Bool { family == .ipv4 ? low >> 24 == 127 : high == 0 && low == 1 }

    /// Many hosts: 224.0.0.0/4, ff00::/8, or 255.255.255.255, which is every host of a network.
    package var isMulticast: Bool {
        family == .ipv4 ? low >> 28 == 0xE || low == 0xFFFF_FFFF : high >> 56 == 0xFF
    }

    /// 0.0.0.0 or ::.
    package var isUnspecified: Bool { high == 0 && low == 0 }

    /// Reads a dotted quad, or an IPv6 address without brackets (RFC 4291 section 2.2, RFC 5118 for its corners).
    /// Nothing else: no name, no port, no scope, no octal.
    package init?(_ text: some StringProtocol) {
        var bytes = [UInt8](text.utf8)
        guard bytes.count <= 45 else { return nil }
        let parsed = bytes.withUnsafeMutableBufferPointer { IPAddress.parse($0.span) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// The same from received bytes.
    package static func parse(_ text: Span<UInt8>) -> IPAddress? {
        guard text.count >= 2, text.count <= 45 else { return nil }
        if let bits = parseIPv4(text, from: 0) { return IPAddress(ipv4: bits) }
        for index in text.indices where text[index] == UInt8(ascii: ":") { return parseIPv6(text) }
        return nil
    }

    /// Four decimal numbers of 0...255 from `start` to the end of the text.
    private static func parseIPv4(_ text: Span<UInt8>, from start: Int) -> UInt32? {
        var (bits, part): (UInt32, UInt32) = (0, 0)
        var (digits, parts) = (0, 0)
        var index = start
        while index < text.count {
            let byte = text[index]
            index &+= 1
            let digit = byte &- UInt8(ascii: "0")
            if digit < 10 {
                guard digits == 0 || (digits < 3 && part > 0) else { return nil }  // 01 may be meant octal
                part = part &* 10 &+ UInt32(digit)
                digits &+= 1
            } else {
                guard byte == UInt8(ascii: "."), digits > 0, parts < 3, part <= 255 else { return nil }
                bits = bits << 8 | part
                part = 0
                digits = 0
                parts &+= 1
            }
        }
        guard digits > 0, parts == 3, part <= 255 else { return nil }
        return bits << 8 | part
    }

    private static func parseIPv6(_ text: Span<UInt8>) -> IPAddress? {
        var groups = InlineArray<8, UInt16>(repeating: 0)
        var (count, index): (Int, Int) = (0, 0)
        var gap: Int?  // the group before which "::" stands
        while index < text.count {
            if text[index] == UInt8(ascii: ":") {
                let isDouble = index + 1 < text.count && text[index + 1] == UInt8(ascii: ":")
                if isDouble {
                    guard gap == nil else { return nil }
                    (gap, index) = (count, index + 2)
                    if index == text.count { break }
                } else {
                    guard index > 0, index + 1 < text.count else { return nil }
                    index += 1
                }
                guard text[index] != UInt8(ascii: ":") else { return nil }
            } else if index > 0 {
                return nil
            }
            guard count < 8 else { return nil }
            var (end, group): (Int, UInt16) = (index, 0)
            while end < text.count, let digit = hexDigit(text[end]) {
                guard end - index < 4 else { return nil }
                (group, end) = (group << 4 | digit, end + 1)
            }
            if end < text.count, text[end] == UInt8(ascii: ".") {
                guard count <= 6, let tail = parseIPv4(text, from: index) else { return nil }
                groups[count] = UInt16(truncatingIfNeeded: tail >> 16)
                groups[count + 1] = UInt16(truncatingIfNeeded: tail)
                (count, index) = (count + 2, text.count)
                break
            }
            guard end > index else { return nil }
            groups[count] = group
            (count, index) = (count + 1, end)
        }
        guard gap == nil ? count == 8 : count < 8 else { return nil }
        var (high, low): (UInt64, UInt64) = (0, 0)
        for position in 0..<8 {
            let moved = position - (8 - count)  // where a group behind the gap was read
            let group: UInt16
            if let gap, position >= gap {
                group = moved >= gap ? groups[moved] : 0
            } else {
                group = groups[position]
            }
            (high, low) = (high << 16 | low >> 48, low << 16 | UInt64(group))
        }
        return IPAddress(ipv6High: high, low: low)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}

extension IPAddress: CustomStringConvertible {
    /// The address as RFC 5952 writes it, without brackets.
    package var description: String {
        guard family == .ipv6 else {
            return "\(low >> 24 & 255).\(low >> 16 & 255).\(low >> 8 & 255).\(low & 255)"
        }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> UInt64(48 - $0 % 4 * 16)) }
        var longest = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(1, longest.count) { longest = start..<end }
            start = max(end, start + 1)
        }
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard !longest.isEmpty else { return text(groups[...]) }
        return text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
    }
}
