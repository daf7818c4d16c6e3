/// How the Request-URI of one target is made of the user part that came (API section 3): the one place where a number
/// is rewritten, for the look-up, for the redirect role's Contacts and for the proxy role's requests alike.
///
/// It is always made of the user part as it came, so no rewriting leaks into the next target. Good for as long as its
/// text is.
package struct TargetURI {
    private let text: UnsafeBufferPointer<UInt8>
    private let rewriting: TargetSet.Rewriting

    /// The URI of a target, with its text: digits to prepend, and behind them the end of the URI.
    package init(_ target: TargetSet.Target, text: UnsafeBufferPointer<UInt8>) {
        (rewriting, self.text) = (target.rewriting, text)
    }

    /// A URI of its parts: digits to prepend, so many bytes of the text, and behind them the end of the URI.
    package init(_ rewriting: NumberRewriting, prependCount: Int, text: UnsafeBufferPointer<UInt8>) {
        self.rewriting = TargetSet.Rewriting(rewriting, prependCount: min(prependCount, text.count))
        self.text = text
    }

    /// Gives the URI piece by piece to `write`. Without a user part there is no `@` (RFC 3261 section 25.1).
    @inline(__always)
    package func write(user: Span<UInt8>?, _ write: (Span<UInt8>) -> Void) {
        if rewriting.isWhole {
            write(text.span)
            return
        }
        Self.give("sip:", write)
        let suffix = text.dropFirst(Int(rewriting.prependCount))
        guard let user else {
            write(UnsafeBufferPointer(rebasing: suffix.dropFirst()).span)
            return
        }
        if rewriting.isIdentity { write(user) } else { writeRewritten(user, write) }
        write(UnsafeBufferPointer(rebasing: suffix).span)
    }

    /// A user part that is no number goes on as it came, and so does a number of which nothing would be left.
    private func writeRewritten(_ user: Span<UInt8>, _ write: (Span<UInt8>) -> Void) {
        let number = DialledNumber(user: user)
        let dropped = Int(rewriting.stripDigits)
        guard number.isNumber, rewriting.prependCount > 0 || dropped < number.digitCount else {
            write(user)
            return
        }
        let hasPlus = rewriting.plus == .add || rewriting.plus == .keep && number.hasPlus
        if hasPlus { Self.give("+", write) }
        write(UnsafeBufferPointer(rebasing: text.prefix(Int(rewriting.prependCount))).span)
        // Digits as they are written; plus and visual separators (RFC 3966 section 5.1.1) stay behind.
        var (index, digitCount, run) = (0, 0, 0)
        while index < user.count, user[index] != UInt8(ascii: ";"), user[index] != UInt8(ascii: ":") {
            let (byte, end) = DialledNumber.byte(of: user, at: index)
            let isDigit = DialledNumber.code(of: byte) != nil
            if isDigit { digitCount += 1 }
            if !isDigit || digitCount <= dropped {
                if run < index { write(user.extracting(run..<index)) }
                run = end
            }
            index = end
        }
        if run < index { write(user.extracting(run..<index)) }
        writeParameters(user, from: index, isGlobal: hasPlus, write)
    }

    /// What stands behind the number. A global number has no context (RFC 3966 section 5.1.5): one that says to whom a
    /// local number belonged is wrong where it has become global.
    private func writeParameters(
        _ user: Span<UInt8>, from start: Int, isGlobal: Bool, _ write: (Span<UInt8>) -> Void
    ) {
        var start = start
        while isGlobal, start < user.count, user[start] == UInt8(ascii: ";") {
            var end = start + 1
            while end < user.count, user[end] != UInt8(ascii: ";"), user[end] != UInt8(ascii: ":") { end += 1 }
            if !Self.isContext(user, start + 1, end) { write(user.extracting(start..<end)) }
            start = end
        }
        if start < user.count { write(user.extracting(start..<user.count)) }
    }

    private static func isContext(_ user: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        let name: StaticString = "phone-context"
        guard end - start >= name.utf8CodeUnitCount else { return false }
        for offset in 0..<name.utf8CodeUnitCount where user[start + offset] | 0x20 != name.utf8Start[offset] | 0x20 {
            return false
        }
        let behind = start + name.utf8CodeUnitCount
        return behind == end || user[behind] == UInt8(ascii: "=")
    }

    @inline(__always)
    private static func give(_ text: StaticString, _ write: (Span<UInt8>) -> Void) {
        write(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount).span)
    }
}
