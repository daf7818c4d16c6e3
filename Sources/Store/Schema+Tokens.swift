extension Schema {
    /// Who may do what, and who did it: tokens, the audit of what is no change of the routing data, and which request
    /// made a revision. The number of an audit entry is never given twice: it is a token's entity tag.
    static let tokens = """
        CREATE TABLE audit_entries (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            who TEXT NOT NULL,
            request_id TEXT,
            action TEXT NOT NULL,
            subject TEXT NOT NULL
        ) STRICT;

        CREATE TABLE tokens (
            id TEXT PRIMARY KEY,
            role TEXT NOT NULL,
            digest BLOB NOT NULL CHECK (length(digest) = 32),
            description TEXT,
            expires_at INTEGER,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            last_used_at INTEGER,
            entry INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        ALTER TABLE revisions ADD COLUMN request_id TEXT;
        """
}
