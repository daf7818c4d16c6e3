extension Schema {
    /// Webhooks lie beside the routing data: no revision, no history. Of the attempts only the newest are kept.
    static let webhooks = """
        CREATE TABLE webhooks (
            id TEXT PRIMARY KEY,
            body TEXT NOT NULL,
            key BLOB NOT NULL,
            previous_key BLOB,
            previous_until INTEGER,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            cursor INTEGER NOT NULL,
            failure_count INTEGER NOT NULL,
            failing_since INTEGER,
            is_told INTEGER NOT NULL,
            dead_letter_count INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE webhook_attempts (
            number INTEGER PRIMARY KEY,
            webhook TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
            event TEXT NOT NULL,
            type TEXT NOT NULL,
            at INTEGER NOT NULL,
            outcome TEXT NOT NULL,
            status INTEGER,
            error TEXT,
            duration_ms INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX webhook_attempts_of_webhook ON webhook_attempts (webhook, number);
        """
}
