/// Eight received bytes at once, the first one lowest: names are compared and line ends are found by the word.
struct Word: Equatable, Sendable, BitwiseCopyable {
    let bits: UInt64

    @inline(__always)
    init(_ bits: UInt64) { self.bits = bits }

    /// The same byte eight times.
    @inline(__always)
    init(repeating byte: UInt8) { bits = UInt64(byte) &* Self.lowBits }

    /// Up to eight bytes of a text from an offset on; zeros behind its end.
    @inline(__always)
    init(_ text: StaticString, from offset: Int = 0) {
        var bits: UInt64 = 0
        for index in 0..<min(8, max(0, text.utf8CodeUnitCount - offset)) {
            bits |= UInt64(text.utf8Start[offset + index]) << UInt64(index * 8)
        }
        self.bits = bits
    }

    /// The first `count` bytes of a range from an offset on, 0...8 of them; zeros behind them and behind the datagram.
    @inline(__always)
    init(_ datagram: Span<UInt8>, at offset: Int, count: Int) {
        guard count > 0 else {
            bits = 0
            return
        }
        let unused = UInt64(8 &- min(count, 8)) &* 8
        guard offset >= 0, datagram.count &- offset >= 8 else {
            var bits: UInt64 = 0
            for index in 0..<min(8, count) where offset >= 0 && offset + index < datagram.count {
                bits |= UInt64(datagram[offset + index]) << UInt64(index * 8)
            }
            self.bits = bits
            return
        }
        let word = datagram.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        bits = (UInt64(littleEndian: word) << unused) >> unused
    }

    /// ASCII letters in lower case, and `@[\]^_` as the five characters that stand 32 places behind them: for comparing
    /// with what holds none of either.
    @inline(__always)
    var folded: Word { Word(bits | ((bits >> 1) & (0x20 &* Self.lowBits))) }

    /// The highest bit of each byte that equals the pattern's; right up to the first one, and 0 when there is none.
    @inline(__always)
    func places(equal pattern: Word) -> UInt64 {
        let rest = bits ^ pattern.bits
        return (rest &- Self.lowBits) & ~rest & Self.highBits
    }

    /// The highest bit of each byte below a bound of at most 128; right up to the first one, and 0 when there is none.
    @inline(__always)
    func places(below bound: UInt8) -> UInt64 {
        (bits &- UInt64(bound) &* Self.lowBits) & ~bits & Self.highBits
    }

    private static var lowBits: UInt64 { 0x0101_0101_0101_0101 }
    private static var highBits: UInt64 { 0x8080_8080_8080_8080 }
}
