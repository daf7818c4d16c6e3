import Crypto
import Foundation
package import Time

/// SHA-256 of a token: what is kept of it. The token itself is not stored anywhere.
package struct TokenDigest: Equatable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// The digest of a token's UTF-8 text.
    package init(of token: String) { self.init(SHA256.hash(data: Data(token.utf8))) }

    /// A stored digest; nil unless there are 32 bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.init(bytes)
    }

    private init(_ bytes: some Sequence<UInt8>) {
        var words: [UInt64] = [0, 0, 0, 0]
        for (index, byte) in bytes.prefix(32).enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
        self.words = (words[0], words[1], words[2], words[3])
    }

    /// The 32 bytes.
    package var bytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
    }

    /// Takes the same time whatever is equal.
    package static func == (left: TokenDigest, right: TokenDigest) -> Bool {
        let (a, b) = (left.words, right.words)
        return (a.0 ^ b.0) | (a.1 ^ b.1) | (a.2 ^ b.2) | (a.3 ^ b.3) == 0
    }
}

/// A token as the database holds it.
package struct StoredToken: Equatable, Sendable {
    /// The client's name for it: what the audit calls whoever uses it.
    package let id: String
    /// What it allows, by the name of the role.
    package var role: String
    /// What is known of the token itself.
    package let digest: TokenDigest
    /// For people.
    package var description: String?
    /// From when on it is good no longer; nil: it has no end.
    package var expiresAt: WallTime?
    /// When it was made.
    package let createdAt: WallTime
    /// When its role, description or end was last set.
    package var updatedAt: WallTime
    /// About when it was last used; nil: not that we know.
    package var lastUsedAt: WallTime?
    /// The audit entry that made it what it is; 0 before it is stored.
    package var entry: Int64 = 0

    /// A new token.
    package init(
        id: String, role: String, digest: TokenDigest, description: String?, expiresAt: WallTime?, createdAt: WallTime
    ) {
        (self.id, self.role, self.digest) = (id, role, digest)
        (self.description, self.expiresAt) = (description, expiresAt)
        (self.createdAt, updatedAt) = (createdAt, createdAt)
    }
}

/// Who did something that is no change of the routing data, when, and by which request.
package struct AuditEntry: Equatable, Sendable {
    /// When.
    package let at: WallTime
    /// The id of the token that was used, or whatever stands for it.
    package let who: String
    /// The request's id, also in the log; nil: no request asked for it.
    package let requestID: String?
    /// What was done: `put`, `delete`, `backup`.
    package let action: String
    /// To what: `tokens/oss`.
    package let subject: String

    /// An entry of its parts.
    package init(at: WallTime, who: String, requestID: String?, action: String, subject: String) {
        (self.at, self.who, self.requestID) = (at, who, requestID)
        (self.action, self.subject) = (action, subject)
    }
}
