import Foundation
import GRDB
package import Time

extension Store {
    /// All tokens in the order of their ids.
    package func tokens() throws(StoreError) -> [StoredToken] {
        try reading { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT id, role, digest, description, expires_at, created_at, updated_at, last_used_at, entry
                    FROM tokens ORDER BY id
                    """
            ).map(Self.token)
        }
    }

    /// Stores a token in place of the one of that id, with its audit entry, in one transaction.
    ///
    /// - Returns: The token with the number of its entry.
    package func put(_ token: StoredToken, _ entry: AuditEntry) throws(StoreError) -> StoredToken {
        try writing { db in
            var token = token
            token.entry = try Self.append(entry, db)
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO tokens (id, role, digest, description, expires_at, created_at, updated_at,
                        last_used_at, entry)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    token.id, token.role, DatabaseValue(bytes: token.digest.bytes), token.description,
                    token.expiresAt?.milliseconds, token.createdAt.milliseconds, token.updatedAt.milliseconds,
                    token.lastUsedAt?.milliseconds, token.entry,
                ])
            return token
        }
    }

    /// Deletes the token of that id, with its audit entry, in one transaction.
    package func deleteToken(_ id: String, _ entry: AuditEntry) throws(StoreError) {
        try writing { db in
            _ = try Self.append(entry, db)
            try db.execute(sql: "DELETE FROM tokens WHERE id = ?", arguments: [id])
        }
    }

    /// Stores when tokens were last used, by their ids, in one transaction.
    package func noteUse(of tokens: [String: WallTime]) throws(StoreError) {
        try writing { db in
            let statement = try db.cachedStatement(sql: "UPDATE tokens SET last_used_at = ? WHERE id = ?")
            for (id, time) in tokens { try statement.execute(arguments: [time.milliseconds, id]) }
        }
    }

    /// Adds to the audit what is no change of the routing data and has no table of its own.
    package func audit(_ entry: AuditEntry) throws(StoreError) {
        try writing { db in _ = try Self.append(entry, db) }
    }

    /// The audit's entries beside those of the revisions, behind a number, in order.
    package func auditEntries(after: Int64, limit: Int) throws(StoreError) -> [(sequence: Int64, entry: AuditEntry)] {
        try reading { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT sequence, at, who, request_id, action, subject FROM audit_entries
                    WHERE sequence > ? ORDER BY sequence LIMIT ?
                    """, arguments: [after, max(0, limit)]
            ).map { row in
                let entry = AuditEntry(
                    at: WallTime(milliseconds: try row.integer(1)), who: try row.text(2),
                    requestID: try row.textOrNull(3), action: try row.text(4), subject: try row.text(5))
                return (try row.integer(0), entry)
            }
        }
    }

    /// Writes an entry; part of a transaction. Returns its number.
    static func append(_ entry: AuditEntry, _ db: Database) throws -> Int64 {
        try db.execute(
            sql: "INSERT INTO audit_entries (at, who, request_id, action, subject) VALUES (?, ?, ?, ?, ?)",
            arguments: [entry.at.milliseconds, entry.who, entry.requestID, entry.action, entry.subject])
        return db.lastInsertedRowID
    }

    private static func token(_ row: Row) throws -> StoredToken {
        guard let digest = TokenDigest(bytes: try row.bytes(2)) else {
            throw MalformedRow(what: "the digest of the token \(try row.text(0)) has not 32 bytes")
        }
        var token = StoredToken(
            id: try row.text(0), role: try row.text(1), digest: digest, description: try row.textOrNull(3),
            expiresAt: try row.integerOrNull(4).map { WallTime(milliseconds: $0) },
            createdAt: WallTime(milliseconds: try row.integer(5)))
        token.updatedAt = WallTime(milliseconds: try row.integer(6))
        token.lastUsedAt = try row.integerOrNull(7).map { WallTime(milliseconds: $0) }
        token.entry = try row.integer(8)
        return token
    }
}
