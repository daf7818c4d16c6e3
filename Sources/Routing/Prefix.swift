/// A dialled-number prefix of 1...32 digits, or the catch-all, which is the empty prefix and is written `any`.
package struct Prefix: Hashable, Sendable {
    /// The catch-all's reserved name.
    package static let catchAllName = "any"
    /// The prefix that every dialled number, and every user part that is none, begins with.
    package static let catchAll = Prefix(codes: [])

    /// The digits as `DialledNumber` codes them.
    let codes: [UInt8]

    /// How many digits; 0 for the catch-all.
    package var digitCount: Int { codes.count }

    /// Reads `44`, `0800*`, `any`; nil for the empty string, for more than 32 digits and for anything but `0-9 * #`.
    package init?(_ text: String) {
        if text == Self.catchAllName {
            self = .catchAll
            return
        }
        guard (1...DialledNumber.matchedDigitsLimit).contains(text.utf8.count) else { return nil }
        var codes: [UInt8] = []
        for byte in text.utf8 {
            guard let code = DialledNumber.code(of: byte) else { return nil }
            codes.append(code)
        }
        self.init(codes: codes)
    }

    init(codes: [UInt8]) { self.codes = codes }
}

extension Prefix: CustomStringConvertible {
    /// The digits, or `any`.
    package var description: String {
        codes.isEmpty ? Self.catchAllName : String(codes.map { Self.characters[Int($0)] })
    }

    private static let characters: [Character] = Array("0123456789*#")
}
