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

    /// Letters, digits, `-` and `.` of a host name; `_` stands in names that exist all the same.
    static func isHost(_ byte: UInt8) -> Bool { ByteSet.host.contains(byte) }

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
        var (index, end) = (range.lowerBound, range.upperBound)
        guard index < end, end <= datagram.count else { return nil }
        while index &+ 1 < end, datagram[index] == UInt8(ascii: "0") { index &+= 1 }
        // Ten digits fit into 64 bits by far, and eleven are above every limit.
        let isLong = end &- index > 10
        if isLong { end = min(end, index &+ 10) }
        var value: UInt64 = 0
        while index < end {
            let digit = datagram[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value &* 10 &+ UInt64(digit)
            index &+= 1
        }
        return isLong || value > UInt64(limit) ? nil : UInt32(truncatingIfNeeded: value)
    }

    /// The index of the first such byte from `start` on; `end` when there is none.
    static func first(_ byte: UInt8, in datagram: Span<UInt8>, from start: Int, to end: Int) -> Int {
        let pattern = Word(repeating: byte)
        return first(in: datagram, from: start, to: end, where: { $0.places(equal: pattern) }, { $0 == byte })
    }

    /// The index of the first control character (below space) from `start` on; `end` when there is none.
    static func firstControl(in datagram: Span<UInt8>, from start: Int, to end: Int) -> Int {
        first(in: datagram, from: start, to: end, where: { $0.places(below: 0x20) }, { $0 < 0x20 })
    }

    /// The index of the first space, control character or DEL in the range; its end when there is none.
    static func firstOutsideOfWord(_ datagram: Span<UInt8>, _ range: ByteRange) -> Int {
        let delete = Word(repeating: 0x7F)
        return first(
            in: datagram, from: range.lowerBound, to: range.upperBound,
            where: { $0.places(below: 0x21) | $0.places(equal: delete) }, { $0 < 0x21 || $0 == 0x7F })
    }

    /// The index of the first byte from `start` on that both questions affirm; `end` when there is none.
    ///
    /// - Parameters:
    ///   - places: the highest bit of each byte of a word that is one; right up to the first one.
    ///   - isOne: the same of one byte.
    @inline(__always)
    static func first(
        in datagram: Span<UInt8>, from start: Int, to end: Int, where places: (Word) -> UInt64,
        _ isOne: (UInt8) -> Bool
    ) -> Int {
        precondition(end <= datagram.count, "a range is checked against its datagram before it is searched")
        var index = start
        let bytes = datagram.bytes
        while end &- index >= 8 {  // eight at a time
            let word = bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            let hit = places(Word(UInt64(littleEndian: word)))
            guard hit == 0 else { return index &+ hit.trailingZeroBitCount >> 3 }
            index &+= 8
        }
        while index < end, !isOne(datagram[index]) { index &+= 1 }
        return index
    }
}
