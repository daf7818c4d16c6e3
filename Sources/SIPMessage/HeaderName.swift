/// The header fields that somebody here reads; all others pass through as `other`.
package enum HeaderName: UInt8, Sendable, BitwiseCopyable {
    case via, from, to, callID, cSeq, maxForwards, contact, route, recordRoute, contentLength, contentType
    case require, proxyRequire, supported, unsupported, retryAfter, reason, allow, server, userAgent, expires, date
    case maxBreadth, pAssertedIdentity, pPreferredIdentity, privacy, wwwAuthenticate, proxyAuthenticate, timestamp
    case other

    /// Compared by their bits: what the compiler makes for an enumeration of another module asks a table, and that for
    /// each field of each message.
    @inlinable
    @inline(__always)
    package static func == (left: HeaderName, right: HeaderName) -> Bool {
        unsafeBitCast(left, to: UInt8.self) == unsafeBitCast(right, to: UInt8.self)
    }

    /// Any case, long or compact form (RFC 3261 section 7.3.3).
    init(_ datagram: Span<UInt8>, _ range: ByteRange) {
        let (start, length) = (range.lowerBound, range.count)
        guard length > 1 else {
            self = length == 1 && start < datagram.count ? Self.compact(datagram[start]) : .other
            return
        }
        let first = Word(datagram, at: start, count: length).folded.bits
        guard length > 8 else {
            self = Self.short(first, length)
            return
        }
        let second = Word(datagram, at: start &+ 8, count: length &- 8).folded.bits
        let third = length > 16 ? Word(datagram, at: start &+ 16, count: length &- 16).folded.bits : 0
        self = Self.long(first, second, third, length)
    }

    // The words below are names in lower case, eight letters each and the first one lowest: written as numbers, since
    // words that are made of text at run time would cost more than the rest. The tests hold them against the names.

    /// Names of two to eight letters.
    @inline(__always)
    private static func short(_ word: UInt64, _ length: Int) -> HeaderName {
        switch length {
        case 2:
            switch word {
            case 0x0000_0000_0000_6F74: .to
            default: .other
            }
        case 3:
            switch word {
            case 0x0000_0000_0061_6976: .via
            default: .other
            }
        case 4:
            switch word {
            case 0x0000_0000_6D6F_7266: .from
            case 0x0000_0000_7165_7363: .cSeq
            case 0x0000_0000_6574_6164: .date
            default: .other
            }
        case 5:
            switch word {
            case 0x0000_0065_7475_6F72: .route
            case 0x0000_0077_6F6C_6C61: .allow
            default: .other
            }
        case 6:
            switch word {
            case 0x0000_6E6F_7361_6572: .reason
            case 0x0000_7265_7672_6573: .server
            default: .other
            }
        case 7:
            switch word {
            case 0x0064_692D_6C6C_6163: .callID
            case 0x0074_6361_746E_6F63: .contact
            case 0x0065_7269_7571_6572: .require
            case 0x0073_6572_6970_7865: .expires
            case 0x0079_6361_7669_7270: .privacy
            default: .other
            }
        default: .other
        }
    }

    /// Names of nine letters and more.
    private static func long(_ first: UInt64, _ second: UInt64, _ third: UInt64, _ length: Int) -> HeaderName {
        switch length {
        case 9:
            switch (first, second) {
            case (0x6574_726F_7070_7573, 0x0000_0000_0000_0064): .supported
            case (0x6D61_7473_656D_6974, 0x0000_0000_0000_0070): .timestamp
            default: .other
            }
        case 10:
            switch (first, second) {
            case (0x6567_612D_7265_7375, 0x0000_0000_0000_746E): .userAgent
            default: .other
            }
        case 11:
            switch (first, second) {
            case (0x6661_2D79_7274_6572, 0x0000_0000_0072_6574): .retryAfter
            case (0x726F_7070_7573_6E75, 0x0000_0000_0064_6574): .unsupported
            case (0x6165_7262_2D78_616D, 0x0000_0000_0068_7464): .maxBreadth
            default: .other
            }
        case 12:
            switch (first, second) {
            case (0x7772_6F66_2D78_616D, 0x0000_0000_7364_7261): .maxForwards
            case (0x722D_6472_6F63_6572, 0x0000_0000_6574_756F): .recordRoute
            case (0x2D74_6E65_746E_6F63, 0x0000_0000_6570_7974): .contentType
            default: .other
            }
        case 13:
            switch (first, second) {
            case (0x6572_2D79_786F_7270, 0x0000_0065_7269_7571): .proxyRequire
            default: .other
            }
        case 14:
            switch (first, second) {
            case (0x2D74_6E65_746E_6F63, 0x0000_6874_676E_656C): .contentLength
            default: .other
            }
        case 16:
            switch (first, second) {
            case (0x6874_7561_2D77_7777, 0x6574_6163_6974_6E65): .wwwAuthenticate
            default: .other
            }
        case 18:
            switch (first, second, third) {
            case (0x7561_2D79_786F_7270, 0x6163_6974_6E65_6874, 0x0000_0000_0000_6574): .proxyAuthenticate
            default: .other
            }
        case 19:
            switch (first, second, third) {
            case (0x7472_6573_7361_2D70, 0x746E_6564_692D_6465, 0x0000_0000_0079_7469): .pAssertedIdentity
            default: .other
            }
        case 20:
            switch (first, second, third) {
            case (0x7265_6665_7270_2D70, 0x6E65_6469_2D64_6572, 0x0000_0000_7974_6974): .pPreferredIdentity
            default: .other
            }
        default: .other
        }
    }

    private static func compact(_ byte: UInt8) -> HeaderName {
        switch byte | 0x20 {
        case UInt8(ascii: "v"): .via
        case UInt8(ascii: "f"): .from
        case UInt8(ascii: "t"): .to
        case UInt8(ascii: "i"): .callID
        case UInt8(ascii: "m"): .contact
        case UInt8(ascii: "l"): .contentLength
        case UInt8(ascii: "c"): .contentType
        case UInt8(ascii: "k"): .supported
        default: .other
        }
    }
}
