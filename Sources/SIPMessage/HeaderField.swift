/// One header field of a message.
package struct HeaderField: Sendable, BitwiseCopyable {
    /// Which.
    package let name: HeaderName
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
        guard Bytes.first(UInt8(ascii: ","), in: datagram, from: next, to: end) < end else {
            isAtEnd = true
            return ByteRange(start, end).trimmed(in: datagram)
        }
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
