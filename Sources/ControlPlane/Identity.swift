package import Store
import Time

/// What a token allows (API section 2). Each role may do what the ones before it may.
package enum Role: String, Sendable, CaseIterable, Comparable {
    /// Reads.
    case reader
    /// Also changes routing data, sets status, probes.
    case `operator`
    /// Also has to do with tokens, settings, webhooks, backups, and putting earlier revisions back.
    case admin

    /// Whether a role may less than another.
    package static func < (left: Role, right: Role) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .reader: 0
        case .operator: 1
        case .admin: 2
        }
    }
}

/// Who sends a request, once that is known.
package struct Identity: Equatable, Sendable {
    /// What the identity rests on.
    package enum Ground: Equatable, Sendable {
        /// Nothing was asked for: an open loopback port.
        case open
        /// The token in the operator's file.
        case file(TokenDigest)
        /// A token of the API.
        case token(TokenDigest)
    }

    /// As the audit names it: the token's id, `admin-token-file`, or `anonymous@127.0.0.1`.
    package let who: String
    /// What it may do.
    package let role: Role
    /// What it rests on.
    package let ground: Ground

    /// An identity of its parts.
    package init(who: String, role: Role, ground: Ground) { (self.who, self.role, self.ground) = (who, role, ground) }
}
