/// A dialled-number prefix of 1...32 digits, or the catch-all, which is the empty prefix and is written `any`.
package struct Prefix: Hashable, Sendable, BitwiseCopyable {
    /// The catch-all's reserved name.
    package static let catchAllName = "any"
    /// The prefix that every dialled number, and every user part that is none, begins with.
    package static let catchAll = Prefix(PackedDigits(bits: 0))

    let digits: PackedDigits

    /// How many digits; 0 for the catch-all.
    package var digitCount: Int { digits.count }

    /// The last digit, 0...9; nil for `*`, `#` and the catch-all.
    package var lastDigit: UInt8? {
        guard digitCount > 0 else { return nil }
        let code = digits.digit(at: digitCount - 1) - 1
        return code < 10 ? UInt8(truncatingIfNeeded: code) : nil
    }

    /// True when it begins with all digits of the other, or is the same; everything begins with the catch-all.
    package func begins(with other: Prefix) -> Bool { digits.prefix(other.digitCount) == other.digits }

    /// Reads `44`, `0800*`, `any`; nil for the empty string, for more than 32 digits and for anything but `0-9 * #`.
    package init?(_ text: String) {
        if text == Self.catchAllName {
            self = .catchAll
            return
        }
        guard (1...PackedDigits.limitCount).contains(text.utf8.count) else { return nil }
        var digits = PackedDigits(bits: 0)
        for (index, byte) in text.utf8.enumerated() {
            guard let code = DialledNumber.code(of: byte) else { return nil }
            digits = digits.setting(code, at: index)
        }
        self.init(digits)
    }

    /// The digits as `DialledNumber` codes them, at most 32.
    init(codes: [UInt8]) { self.init(PackedDigits(codes: codes)) }

    init(_ digits: PackedDigits) { self.digits = digits }
}

extension Prefix: CustomStringConvertible {
    /// The digits, or `any`.
    package var description: String {
        guard digitCount > 0 else { return Self.catchAllName }
        return String(
            decoding: (0..<digitCount).map { Self.characters[digits.digit(at: $0) - 1] }, as: UTF8.self)
    }

    private static let characters = Array("0123456789*#".utf8)
}
