/// The digits that a call is routed by: the user part of its Request-URI without visual separators (RFC 3966 section
/// 5.1.1), parameters and a leading `+`.
///
/// A value without references. Digits are codes: 0...9 are themselves, 10 is `*`, 11 is `#`.
package struct DialledNumber: Equatable, Sendable, BitwiseCopyable {
    /// The longest prefix, so no more digits take part in matching.
    package static let matchedDigitsLimit = 32

    /// How many digits the whole number has; 0 when the user part is not a number.
    package private(set) var digitCount: Int = 0
    /// True when a `+` stood in front.
    package private(set) var hasPlus = false
    /// False for `alice`, for an empty user part, for one with a letter in it: those match only the catch-all.
    package var isNumber: Bool { digitCount > 0 }

    /// Those that take part in matching.
    private(set) var digits = PackedDigits(bits: 0)

    /// How many digits take part in matching, at most `matchedDigitsLimit`.
    package var matchedDigitCount: Int { min(digitCount, Self.matchedDigitsLimit) }

    /// The code of the digit at `index`, which must be below `matchedDigitCount`.
    package func code(at index: Int) -> UInt8 { UInt8(truncatingIfNeeded: digits.digit(at: index) - 1) }

    /// True when a route of that prefix may match: every user part, also one that is no number, begins with the
    /// catch-all.
    package func begins(with prefix: Prefix) -> Bool { digits.prefix(prefix.digitCount) == prefix.digits }

    /// The number of the first digits alone, as far as matching goes: no digits match the catch-all.
    func prefix(_ count: Int) -> DialledNumber {
        var shorter = self
        shorter.digitCount = min(digitCount, count)
        shorter.digits = digits.prefix(shorter.digitCount)
        return shorter
    }

    /// Reads the user part of a `sip:` URI or the subscriber of a `tel:` URI, escapes included.
    package init(user: Span<UInt8>) {
        var index = 0
        while index < user.count {
            let (byte, end) = Self.byte(of: user, at: index)
            index = end
            switch byte {
            case UInt8(ascii: "+") where digitCount == 0 && !hasPlus: hasPlus = true
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "("), UInt8(ascii: ")"): continue
            case UInt8(ascii: ";"), UInt8(ascii: ":"): return
            default:
                guard let code = Self.code(of: byte) else {
                    (digitCount, digits) = (0, PackedDigits(bits: 0))
                    return
                }
                if digitCount < Self.matchedDigitsLimit { digits = digits.setting(code, at: digitCount) }
                digitCount += 1
            }
        }
    }

    /// The same from text.
    package init(_ text: String) {
        var bytes = Array(text.utf8)
        self = bytes.withUnsafeMutableBufferPointer { DialledNumber(user: $0.span) }
    }

    /// The code of `0`...`9`, `*`, `#`; nil for anything else.
    @inlinable
    package static func code(of byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "*"): 10
        case UInt8(ascii: "#"): 11
        default: nil
        }
    }

    /// The byte that stands at `index`, read through its escape, and where the next one begins.
    @inline(__always)
    static func byte(of user: Span<UInt8>, at index: Int) -> (byte: UInt8, end: Int) {
        guard user[index] == UInt8(ascii: "%"), index + 2 < user.count, let high = hexDigit(user[index + 1]),
            let low = hexDigit(user[index + 2])
        else { return (user[index], index + 1) }
        return (high << 4 | low, index + 3)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
