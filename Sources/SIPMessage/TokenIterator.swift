/// The tokens of a field that is a list of them, whatever stands between: `Require`, `Proxy-Require` (RFC 3261 section
/// 20.29 and 20.32), `Privacy` (RFC 3323 section 4.2).
package struct TokenIterator {
    private var position: Int
    private let end: Int

    /// The tokens in this range.
    package init(_ range: ByteRange) { (position, end) = (range.lowerBound, range.upperBound) }

    /// The next token; nil at the end.
    package mutating func next(in datagram: Span<UInt8>) -> ByteRange? {
        let end = min(end, datagram.count)
        while position < end, !Bytes.isToken(datagram[position]) { position += 1 }
        let start = position
        while position < end, Bytes.isToken(datagram[position]) { position += 1 }
        return start < position ? ByteRange(start, position) : nil
    }
}

extension ByteRange {
    /// True when the bytes are the text, whatever the case of ASCII letters in either.
    package func equalsIgnoringCase(_ text: StaticString, in datagram: Span<UInt8>) -> Bool {
        Bytes.equalIgnoringCase(datagram, self, text)
    }
}
