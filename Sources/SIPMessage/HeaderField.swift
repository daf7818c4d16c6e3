/// The header fields that somebody here reads; all others pass through as `other`.
package enum HeaderName: UInt8, Sendable, BitwiseCopyable {
    case via, from, to, callID, cSeq, maxForwards, contact, route, recordRoute, contentLength, contentType
    case require, proxyRequire, supported, unsupported, retryAfter, reason, allow, server, userAgent, expires, date
    case maxBreadth, pAssertedIdentity, pPreferredIdentity, privacy, wwwAuthenticate, proxyAuthenticate
    case other

    /// Any case, long or compact form (RFC 3261 section 7.3.3).
    init(_ datagram: Span<UInt8>, _ range: ByteRange) {
        func names(_ text: StaticString) -> Bool { Bytes.equalIgnoringCase(datagram, range, text) }
        switch range.count {
        case 1: self = Self.compact(datagram[range.lowerBound])
        case 2: self = names("To") ? .to : .other
        case 3: self = names("Via") ? .via : .other
        case 4: self = names("From") ? .from : names("CSeq") ? .cSeq : names("Date") ? .date : .other
        case 5: self = names("Route") ? .route : names("Allow") ? .allow : .other
        case 6: self = names("Reason") ? .reason : names("Server") ? .server : .other
        case 7:
            self =
                names("Call-ID")
                ? .callID
                : names("Contact")
                    ? .contact
                    : names("Require")
                        ? .require
                        : names("Expires") ? .expires : names("Privacy") ? .privacy : .other
        case 9: self = names("Supported") ? .supported : .other
        case 10: self = names("User-Agent") ? .userAgent : .other
        case 11:
            self =
                names("Retry-After")
                ? .retryAfter
                : names("Unsupported")
                    ? .unsupported
                    : names("Max-Breadth") ? .maxBreadth : .other
        case 12:
            self =
                names("Max-Forwards")
                ? .maxForwards
                : names("Record-Route")
                    ? .recordRoute
                    : names("Content-Type") ? .contentType : .other
        case 13: self = names("Proxy-Require") ? .proxyRequire : .other
        case 14: self = names("Content-Length") ? .contentLength : .other
        case 16: self = names("WWW-Authenticate") ? .wwwAuthenticate : .other
        case 18: self = names("Proxy-Authenticate") ? .proxyAuthenticate : .other
        case 19: self = names("P-Asserted-Identity") ? .pAssertedIdentity : .other
        case 20: self = names("P-Preferred-Identity") ? .pPreferredIdentity : .other
        default: self = .other
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

/// One header field of a message.
package struct HeaderField: Sendable, BitwiseCopyable {
    /// Which.
    package let name: HeaderName
    /// The name as it was written.
    package let nameRange: ByteRange
    /// The value without white space around it; folds inside stay.
    package let value: ByteRange
    /// All of it: name, value, folds, and the CRLF at the end.
    package let line: ByteRange
}

/// The values of a field that may hold several, separated by commas outside quotes and angle brackets (RFC 3261 section
/// 7.3.1).
package struct ValueIterator {
    private var next: Int
    private let end: Int
    private var isAtEnd = false

    /// The values in this range.
    package init(_ range: ByteRange) { (next, end) = (range.lowerBound, range.upperBound) }

    /// The next value without white space around it, which may be empty; nil at the end.
    package mutating func next(in datagram: Span<UInt8>) -> ByteRange? {
        guard !isAtEnd, end <= datagram.count, next < end else { return nil }
        let start = next
        var (isQuoted, isBracketed) = (false, false)
        while next < end {
            switch datagram[next] {
            case UInt8(ascii: "\\") where isQuoted: next += 1
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: "<") where !isQuoted: isBracketed = true
            case UInt8(ascii: ">") where !isQuoted: isBracketed = false
            case UInt8(ascii: ",") where !isQuoted && !isBracketed:
                let value = ByteRange(start, next).trimmed(in: datagram)
                next += 1
                return value
            default: break
            }
            next += 1
        }
        isAtEnd = true
        return ByteRange(start, end).trimmed(in: datagram)
    }
}
