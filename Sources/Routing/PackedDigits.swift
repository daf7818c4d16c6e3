/// Up to 32 digits in one number, four bits each from the top: a digit's code plus 1, and 0 behind the last. So numbers
/// stand in the order of the digits, and a prefix directly before what begins with it.
struct PackedDigits: Hashable, Comparable, Sendable, BitwiseCopyable {
    static let limitCount = DialledNumber.matchedDigitsLimit
    /// Two digits together: 12 x 12 of them.
    static let pairCount = 144

    let bits: UInt128

    init(bits: UInt128) { self.bits = bits }

    /// The first `limitCount` of these codes, each below 12.
    init(codes: some Sequence<UInt8>) {
        var digits = PackedDigits(bits: 0)
        for (index, code) in codes.prefix(Self.limitCount).enumerated() { digits = digits.setting(code, at: index) }
        self = digits
    }

    /// How many digits.
    var count: Int { 32 - bits.trailingZeroBitCount / 4 }

    static func < (left: PackedDigits, right: PackedDigits) -> Bool { left.bits < right.bits }

    /// The code plus 1 of the digit at `index` below 32; 0 behind the last.
    @inline(__always)
    func digit(at index: Int) -> Int {
        Int(truncatingIfNeeded: bits &>> UInt128(truncatingIfNeeded: 124 - 4 * index)) & 15
    }

    /// The number of the pair of digits at `index`, 0..<144; one that is missing counts as the lowest.
    @inline(__always)
    func pair(at index: Int) -> Int {
        let both = Int(truncatingIfNeeded: bits &>> UInt128(truncatingIfNeeded: 120 - 4 * index)) & 255
        return max(0, both >> 4 - 1) * 12 + max(0, both & 15 - 1)
    }

    /// The first `count` digits, 0 or more.
    func prefix(_ count: Int) -> PackedDigits {
        count >= 32 ? self : PackedDigits(bits: bits & ~(UInt128.max &>> UInt128(truncatingIfNeeded: 4 * count)))
    }

    /// What follows the first `count` digits.
    @inline(__always)
    func dropFirst(_ count: Int) -> PackedDigits {
        PackedDigits(bits: count >= 32 ? 0 : bits &<< UInt128(truncatingIfNeeded: 4 * count))
    }

    /// With a digit, given as its code, at `index` below 32, where nothing stands.
    @inline(__always)
    func setting(_ code: UInt8, at index: Int) -> PackedDigits {
        let digit = UInt128(truncatingIfNeeded: code &+ 1)
        return PackedDigits(bits: bits | digit &<< UInt128(truncatingIfNeeded: 124 &- 4 &* index))
    }

    /// With a pair of digits, given as its number, at `index` and behind, where nothing stands.
    func setting(pair: Int, at index: Int) -> PackedDigits {
        setting(UInt8(truncatingIfNeeded: pair / 12), at: index)
            .setting(UInt8(truncatingIfNeeded: pair % 12), at: index + 1)
    }
}
