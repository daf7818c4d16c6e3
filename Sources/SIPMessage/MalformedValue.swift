/// Why a range holds no value of its kind: the first rule that it breaks, and where.
package struct MalformedValue: Error, Equatable {
    /// The rule that is broken.
    package enum Rule: Equatable, Sendable {
        /// Nothing stands there, or not enough.
        case missing
        /// A byte that the grammar has no place for.
        case unexpected
        /// A number beyond what it may be.
        case outOfRange
        /// A quoted string or a comment that does not end.
        case unterminated
        /// A `;name=value` that is none.
        case parameter
    }

    /// The rule.
    package let rule: Rule
    /// Bytes from the start of the datagram.
    package let offset: Int
}
