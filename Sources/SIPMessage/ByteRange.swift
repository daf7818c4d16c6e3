/// Where some bytes lie in a datagram: offsets in bytes from its start.
package struct ByteRange: Hashable, Sendable, BitwiseCopyable {
    private let start: UInt32
    private let end: UInt32

    /// Nothing.
    package static let empty = ByteRange(0, 0)

    /// The bytes from `start` up to and without `end`; the other way round it is empty.
    package init(_ start: Int, _ end: Int) {
        self.start = UInt32(clamping: start)
        self.end = max(self.start, UInt32(clamping: end))
    }

    /// The first byte.
    package var lowerBound: Int { Int(start) }
    /// The byte behind the last.
    package var upperBound: Int { Int(end) }
    /// How many bytes.
    package var count: Int { Int(end - start) }
    /// True when there are none.
    package var isEmpty: Bool { start == end }

    /// The range without white space and folds at both ends (RFC 3261 section 25.1, LWS).
    func trimmed(in datagram: Span<UInt8>) -> ByteRange {
        var (start, end) = (lowerBound, min(upperBound, datagram.count))
        while start < end, Bytes.isWhitespace(datagram[start]) { start += 1 }
        while end > start, Bytes.isWhitespace(datagram[end - 1]) { end -= 1 }
        return ByteRange(start, end)
    }
}

/// Questions about received bytes that every reader of this room asks.
enum Bytes {
    /// Space, tab, and the CR and LF of a fold.
    static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
            || byte == UInt8(ascii: "\n")
    }

    /// A...Z, a...z, 0...9.
    static func isAlphanumeric(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) }

    /// 0...9.
    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    /// A...Z, a...z.
    static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }

    /// A hexadecimal digit.
    static func isHexadecimal(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 6 }

    /// A byte of a token (RFC 3261 section 25.1).
    static func isToken(_ byte: UInt8) -> Bool {
        ByteSet.token.contains(byte)
    }

    /// True when the range is not empty and all of it are bytes of a token.
    static func isToken(_ datagram: Span<UInt8>, _ range: ByteRange) -> Bool {
        guard !range.isEmpty, range.upperBound <= datagram.count else { return false }
        for index in range.lowerBound..<range.upperBound where !isToken(datagram[index]) { return false }
        return true
    }

    /// True when the bytes are the text, whatever the case of ASCII letters in either.
    static func equalIgnoringCase(_ datagram: Span<UInt8>, _ range: ByteRange, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount, range.upperBound <= datagram.count else { return false }
        return text.withUTF8Buffer { expected in
            for offset in 0..<expected.count {
                let (byte, wanted) = (datagram[range.lowerBound + offset], expected[offset])
                guard byte == wanted || (isLetter(byte) && byte | 0x20 == wanted | 0x20) else { return false }
            }
            return true
        }
    }

    /// True when the bytes are exactly the text.
    static func equal(_ datagram: Span<UInt8>, _ range: ByteRange, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount, range.upperBound <= datagram.count else { return false }
        return text.withUTF8Buffer { expected in
            for offset in 0..<expected.count where datagram[range.lowerBound + offset] != expected[offset] {
                return false
            }
            return true
        }
    }

    /// True when both ranges hold the same bytes.
    static func equal(_ datagram: Span<UInt8>, _ left: ByteRange, _ right: ByteRange) -> Bool {
        guard left.count == right.count, max(left.upperBound, right.upperBound) <= datagram.count else { return false }
        for offset in 0..<left.count
        where datagram[left.lowerBound + offset] != datagram[right.lowerBound + offset] {
            return false
        }
        return true
    }

    /// The decimal number that the whole range is; nil when it is none or above the limit.
    static func decimal(_ datagram: Span<UInt8>, _ range: ByteRange, limit: UInt32) -> UInt32? {
        guard !range.isEmpty, range.upperBound <= datagram.count else { return nil }
        var value: UInt64 = 0
        for index in range.lowerBound..<range.upperBound {
            guard isDigit(datagram[index]) else { return nil }
            value = value * 10 + UInt64(datagram[index] - UInt8(ascii: "0"))
            guard value <= UInt64(limit) else { return nil }
        }
        return UInt32(truncatingIfNeeded: value)
    }

    /// The index of the first such byte from `start` on; `end` when there is none.
    static func first(_ byte: UInt8, in datagram: Span<UInt8>, from start: Int, to end: Int) -> Int {
        precondition(end <= datagram.count, "a range is checked against its datagram before it is searched")
        var index = start
        let (bytes, pattern) = (datagram.bytes, UInt64(byte) &* Self.lowBits)
        while end - index >= 8 {  // eight at a time: a byte of `rest` is 0 where the wanted one stands
            let word = bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            let rest = UInt64(littleEndian: word) ^ pattern
            let hit = (rest &- Self.lowBits) & ~rest & Self.highBits
            guard hit == 0 else { return index + hit.trailingZeroBitCount >> 3 }
            index += 8
        }
        while index < end, datagram[index] != byte { index += 1 }
        return index
    }

    private static let lowBits: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080
}
