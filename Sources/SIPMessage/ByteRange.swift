/// Where some bytes lie in a datagram: offsets in bytes from its start.
package struct ByteRange: Hashable, Sendable, BitwiseCopyable {
    @usableFromInline let start: UInt32
    @usableFromInline let end: UInt32

    /// Nothing.
    package static let empty = ByteRange(0, 0)

    /// The bytes from `start` up to and without `end`; the other way round it is empty. Whoever reads by a range is
    /// held to its datagram's bounds, whatever stands in the range.
    @inlinable
    @inline(__always)
    package init(_ start: Int, _ end: Int) {
        self.start = UInt32(truncatingIfNeeded: start)
        self.end = UInt32(truncatingIfNeeded: max(start, end))
    }

    /// The first byte.
    @inlinable package var lowerBound: Int { Int(start) }
    /// The byte behind the last.
    @inlinable package var upperBound: Int { Int(end) }
    /// How many bytes.
    @inlinable package var count: Int { Int(end &- start) }
    /// True when there are none.
    @inlinable package var isEmpty: Bool { start == end }

    /// The range without white space and folds at both ends (RFC 3261 section 25.1, LWS).
    func trimmed(in datagram: Span<UInt8>) -> ByteRange {
        var (start, end) = (lowerBound, min(upperBound, datagram.count))
        if start < end, datagram[start] == UInt8(ascii: " ") { start &+= 1 }
        if start < end, datagram[start] > UInt8(ascii: " "), datagram[end &- 1] > UInt8(ascii: " ") {
            return ByteRange(start, end)
        }
        while start < end, Bytes.isWhitespace(datagram[start]) { start += 1 }
        while end > start, Bytes.isWhitespace(datagram[end - 1]) { end -= 1 }
        return ByteRange(start, end)
    }
}
