/// Text with `%HH` escapes, character by character. An escape stands for its character, but for one that is reserved,
/// which means something else where it stands alone (RFC 3261 section 19.1.4, RFC 2396 section 2.2).
struct EscapedText {
    private var position: Int
    private let end: Int

    init(_ range: ByteRange) { (position, end) = (range.lowerBound, range.upperBound) }

    /// The next character: 0...255, and 256 more for an escape of a reserved one. Nil at the end.
    mutating func next(in datagram: Span<UInt8>) -> UInt16? {
        guard end <= datagram.count, position < end else { return nil }
        let byte = datagram[position]
        guard byte == UInt8(ascii: "%"), position + 2 < end, let high = Self.digit(datagram[position + 1]),
            let low = Self.digit(datagram[position + 2])
        else {
            position += 1
            return UInt16(byte)
        }
        position += 3
        let character = high << 4 | low
        return Self.isReserved(character) ? 256 + UInt16(character) : UInt16(character)
    }

    /// True when both ranges say the same.
    ///
    /// - Parameter caseFolded: `a` is `A`.
    static func areEqual(
        _ left: ByteRange, in leftDatagram: Span<UInt8>, _ right: ByteRange, in rightDatagram: Span<UInt8>,
        caseFolded: Bool
    ) -> Bool {
        var (one, other) = (EscapedText(left), EscapedText(right))
        while true {
            let (character, otherCharacter) = (one.next(in: leftDatagram), other.next(in: rightDatagram))
            guard let character, let otherCharacter else { return character == nil && otherCharacter == nil }
            guard
                character == otherCharacter
                    || (caseFolded && folded(character) == folded(otherCharacter))
            else { return false }
        }
    }

    private static func folded(_ character: UInt16) -> UInt16 {
        character < 128 && Bytes.isLetter(UInt8(truncatingIfNeeded: character)) ? character | 0x20 : character
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        if Bytes.isDigit(byte) { return byte - UInt8(ascii: "0") }
        return Bytes.isHexadecimal(byte) ? (byte | 0x20) - UInt8(ascii: "a") + 10 : nil
    }

    private static func isReserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ";"), UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: ":"), UInt8(ascii: "@"),
            UInt8(ascii: "&"), UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "$"), UInt8(ascii: ","):
            true
        default: false
        }
    }
}
