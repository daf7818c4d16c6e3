/// A set of ASCII characters, asked in a few instructions: a bit for each. Written as numbers, since a set that is made
/// at run time would cost a check at each question; the tests hold them against the characters.
struct ByteSet: Sendable, BitwiseCopyable {
    private let low: UInt64
    private let high: UInt64

    private init(_ low: UInt64, _ high: UInt64) { (self.low, self.high) = (low, high) }

    /// Letters, digits and ``-.!%*_+`'~`` (RFC 3261 section 25.1, `token`).
    static let token = ByteSet(0x03FF_6CA2_0000_0000, 0x47FF_FFFF_87FF_FFFE)
    /// A token's bytes and what the values of URI parameters and hosts hold beside: `[]:/?&$@()`.
    static let parameterValue = ByteSet(0x87FF_EFF2_0000_0000, 0x47FF_FFFF_AFFF_FFFF)
    /// Letters, digits and `-._`.
    static let host = ByteSet(0x03FF_6000_0000_0000, 0x07FF_FFFE_87FF_FFFE)

    /// True for the bytes of the set; bytes above 127 are in none.
    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        byte < 128 && (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 == 1
    }
}
