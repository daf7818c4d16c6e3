import Crypto
import Foundation
import GRDB
package import Time

/// The first answer to a request that a client may send again (`Idempotency-Key`, API section 2).
package struct StoredAnswer: Equatable, Sendable {
    /// For how long the first answer is given again.
    package static let lifetime = Duration.seconds(86_400)

    /// What was asked: the same key of another path, or of somebody else, is another request.
    package let request: Request
    /// The status code of the answer, 200...299.
    package let status: Int
    /// The body of the answer, JSON text.
    package let body: String
    /// When it was given.
    package let at: WallTime

    /// A request as its key tells it from others.
    package struct Request: Hashable, Sendable {
        /// Who sends it, as the audit names it.
        package let who: String
        /// The client's key.
        package let key: String
        /// The path that it was sent to.
        package let path: String
        /// SHA-256 of its body.
        package let digest: [UInt8]

        /// The request with this key, path and body.
        package init(from who: String, key: String, path: String, body: [UInt8]) {
            (self.who, self.key, self.path) = (who, key, path)
            digest = [UInt8](SHA256.hash(data: Data(body)))
        }

        /// The request with this key and path, and a body that came in pieces.
        package init(from who: String, key: String, path: String, _ body: BodyDigest) {
            (self.who, self.key, self.path) = (who, key, path)
            digest = body.finished
        }
    }

    /// The digest of a body that comes in pieces.
    package struct BodyDigest: Sendable {
        private var hash = SHA256()

        /// Of nothing yet.
        package init() {}

        /// Takes the next piece in.
        package mutating func add(_ piece: [UInt8]) { piece.withUnsafeBytes { hash.update(bufferPointer: $0) } }

        /// SHA-256 of the pieces together.
        fileprivate var finished: [UInt8] { [UInt8](hash.finalize()) }
    }

    /// An answer of its parts.
    package init(to request: Request, status: Int, body: String, at time: WallTime) {
        (self.request, self.status, self.body, at) = (request, status, body, time)
    }
}

extension Schema {
    /// Beside the routing data: this node's own, no part of a change's digest.
    static let answers = """
        CREATE TABLE answers (
            key TEXT NOT NULL,
            path TEXT NOT NULL,
            digest BLOB NOT NULL,
            status INTEGER NOT NULL,
            body TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (path, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX answers_by_time ON answers (at);
        """

    /// A key counts for whoever sends it alone. The answers before name nobody: they are let go of, since to give them
    /// to anyone might be to give them to somebody else.
    static let answersByWho = """
        DROP TABLE answers;
        CREATE TABLE answers (
            who TEXT NOT NULL,
            key TEXT NOT NULL,
            path TEXT NOT NULL,
            digest BLOB NOT NULL,
            status INTEGER NOT NULL,
            body TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (who, path, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX answers_by_time ON answers (at);
        """
}

extension Store {
    /// The first answer to a request of the same sender with this key at this path, whatever its body was: the digest
    /// and the answer. Nil when there was none since `time`.
    package func answer(
        to request: StoredAnswer.Request, since time: WallTime
    ) throws(StoreError) -> (digest: [UInt8], answer: StoredAnswer)? {
        try reading { db in
            let statement = try db.cachedStatement(
                sql: "SELECT digest, status, body, at FROM answers WHERE who = ? AND path = ? AND key = ? AND at > ?")
            let row = try Row.fetchOne(
                statement, arguments: [request.who, request.path, request.key, time.milliseconds])
            return try row.map { row in
                let answer = StoredAnswer(
                    to: request, status: Int(clamping: try row.integer(1)), body: try row.text(2),
                    at: WallTime(milliseconds: try row.integer(3)))
                return (try row.bytes(0), answer)
            }
        }
    }

    /// Keeps an answer, and lets go of those that are too old.
    static func write(_ answer: StoredAnswer, _ db: Database) throws {
        let oldest = answer.at + (.zero - StoredAnswer.lifetime)
        try db.cachedStatement(sql: "DELETE FROM answers WHERE at <= ?").execute(arguments: [oldest.milliseconds])
        try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO answers (who, key, path, digest, status, body, at) VALUES (?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            answer.request.who, answer.request.key, answer.request.path, DatabaseValue(bytes: answer.request.digest),
            answer.status,
            answer.body, answer.at.milliseconds,
        ])
    }
}
