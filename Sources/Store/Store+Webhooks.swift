import GRDB
import JSON
import Time

extension Store {
    /// How many attempts of each webhook are kept.
    package static let webhookAttemptLimitCount = 200

    /// Every webhook, by id (bytes).
    package func webhooks() throws(StoreError) -> [StoredWebhook] {
        try reading { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT id, body, key, previous_key, previous_until, created_at, updated_at, cursor, failure_count,
                        failing_since, is_told, dead_letter_count
                    FROM webhooks ORDER BY id
                    """
            ).map(Self.webhook)
        }
    }

    /// The newest attempts of a webhook, the last first.
    package func webhookAttempts(of id: String, limit: Int) throws(StoreError) -> [WebhookAttempt] {
        try reading { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT event, type, at, outcome, status, error, duration_ms FROM webhook_attempts
                    WHERE webhook = ? ORDER BY number DESC LIMIT ?
                    """)
            return try Row.fetchAll(statement, arguments: [id, max(0, limit)]).map { row in
                guard let outcome = WebhookAttempt.Outcome(rawValue: try row.text(3)) else {
                    throw MalformedRow(what: "an attempt of the webhook \(id) has an unknown outcome")
                }
                return WebhookAttempt(
                    event: try row.text(0), type: try row.text(1), at: WallTime(milliseconds: try row.integer(2)),
                    outcome: outcome, status: try row.integerOrNull(4), error: try row.textOrNull(5),
                    durationMilliseconds: try row.integer(6))
            }
        }
    }

    private static func webhook(_ row: Row) throws -> StoredWebhook {
        let id = try row.text(0)
        let body: JSONValue
        do { body = try JSONValue(parsing: [UInt8](try row.text(1).utf8)) } catch let error as MalformedJSON {
            throw MalformedRow(what: "the webhook \(id): \(error.detail)")
        }
        var progress = WebhookProgress(cursor: try row.integer(7))
        progress.failureCount = try row.integer(8)
        progress.failingSince = try row.integerOrNull(9).map { WallTime(milliseconds: $0) }
        progress.isTold = try row.integer(10) != 0
        progress.deadLetterCount = try row.integer(11)
        let previousUntil = try row.integerOrNull(4)
        return StoredWebhook(
            id: id, body: body, key: WebhookKey(try row.bytes(2)),
            previousKey: try previousUntil.map { (WebhookKey(try row.bytes(3)), WallTime(milliseconds: $0)) },
            createdAt: WallTime(milliseconds: try row.integer(5)),
            updatedAt: WallTime(milliseconds: try row.integer(6)),
            progress: progress)
    }

    /// Writes one effect; part of the batch's transaction.
    static func write(_ effect: WebhookEffect, _ db: Database) throws {
        switch effect {
        case .put(let webhook): try put(webhook, db)
        case .audit(let entry): _ = try append(entry, db)
        case .delete(let id):
            try db.cachedStatement(sql: "DELETE FROM webhooks WHERE id = ?").execute(arguments: [id])
        case .progress(let id, let progress, let attempts):
            try db.cachedStatement(
                sql: """
                    UPDATE webhooks SET cursor = ?, failure_count = ?, failing_since = ?, is_told = ?,
                        dead_letter_count = ? WHERE id = ?
                    """
            ).execute(arguments: [
                progress.cursor, progress.failureCount, progress.failingSince?.milliseconds, progress.isTold ? 1 : 0,
                progress.deadLetterCount, id,
            ])
            guard db.changesCount == 1 else { return }
            for attempt in attempts { try insert(attempt, of: id, db) }
            guard !attempts.isEmpty else { return }
            try db.cachedStatement(
                sql: """
                    DELETE FROM webhook_attempts WHERE webhook = ?1 AND number <= (
                        SELECT number FROM webhook_attempts WHERE webhook = ?1
                        ORDER BY number DESC LIMIT 1 OFFSET ?2)
                    """
            ).execute(arguments: [id, webhookAttemptLimitCount])
        }
    }

    private static func put(_ webhook: StoredWebhook, _ db: Database) throws {
        let progress = webhook.progress
        // No REPLACE: it would delete the row first, and the attempts with it.
        try db.cachedStatement(
            sql: """
                INSERT INTO webhooks (id, body, key, previous_key, previous_until, created_at, updated_at, cursor,
                    failure_count, failing_since, is_told, dead_letter_count)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET body = excluded.body, key = excluded.key,
                    previous_key = excluded.previous_key, previous_until = excluded.previous_until,
                    updated_at = excluded.updated_at, cursor = excluded.cursor,
                    failure_count = excluded.failure_count, failing_since = excluded.failing_since,
                    is_told = excluded.is_told, dead_letter_count = excluded.dead_letter_count
                """
        ).execute(arguments: [
            webhook.id, webhook.body.canonicalText, DatabaseValue(bytes: webhook.key.bytes),
            webhook.previousKey.map { DatabaseValue(bytes: $0.key.bytes) }, webhook.previousKey?.until.milliseconds,
            webhook.createdAt.milliseconds, webhook.updatedAt.milliseconds, progress.cursor, progress.failureCount,
            progress.failingSince?.milliseconds, progress.isTold ? 1 : 0, progress.deadLetterCount,
        ])
    }

    private static func insert(_ attempt: WebhookAttempt, of id: String, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO webhook_attempts (webhook, event, type, at, outcome, status, error, duration_ms)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            id, attempt.event, attempt.type, attempt.at.milliseconds, attempt.outcome.rawValue, attempt.status,
            attempt.error, attempt.durationMilliseconds,
        ])
    }
}
