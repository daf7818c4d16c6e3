/// What a gateway wants done to the dialled number before it is sent there (API section 3).
package struct NumberRewriting: Equatable, Sendable {
    /// What becomes of the leading `+`.
    package enum Plus: String, Sendable, BitwiseCopyable, CaseIterable {
        /// As it came.
        case keep
        /// It stands there.
        case add
        /// It doesn't.
        case remove
    }

    /// So many leading digits are dropped, 0...32.
    package let stripDigits: UInt8
    /// Then these are put in front: up to 32 of `0-9 * #`.
    package let prepend: String
    /// And the `+`.
    package let plus: Plus

    /// Rewriting of its parts; nothing is rewritten by default.
    package init(stripDigits: UInt8 = 0, prepend: String = "", plus: Plus = .keep) {
        (self.stripDigits, self.prepend, self.plus) = (stripDigits, prepend, plus)
    }

    /// True when the number goes on as it came.
    package var isIdentity: Bool { stripDigits == 0 && prepend.isEmpty && plus == .keep }
}
