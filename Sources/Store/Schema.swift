import GRDB
import Time

/// The tables, as migrations that only go forward. Times are integers, milliseconds since 1970; bodies are canonical
/// JSON.
enum Schema {
    /// `PRAGMA application_id` of our files: `Tndm`.
    static let applicationID: Int64 = 0x546E_646D

    static let migrator = {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1") { db in try db.execute(sql: v1) }
        migrator.registerMigration("webhooks") { db in try db.execute(sql: webhooks) }
        migrator.registerMigration("answers") { db in try db.execute(sql: answers) }
        migrator.registerMigration("tokens") { db in try db.execute(sql: tokens) }
        migrator.registerMigration("status-history") { db in try db.execute(sql: Store.statusHistorySchema) }
        migrator.registerMigration("notes") { db in
            try db.execute(sql: "ALTER TABLE status_records ADD COLUMN note TEXT")
        }
        migrator.registerMigration("route-tables") { db in try db.execute(sql: routeTables) }
        migrator.registerMigration("confirmations") { db in try db.execute(sql: confirmations) }
        migrator.registerMigration("answers-by-who") { db in try db.execute(sql: answersByWho) }
        return migrator
    }()

    /// What a new database begins with, and the record of this opening.
    static func begin(_ db: Database, node: String, bootID: String, at time: WallTime) throws {
        if try Row.fetchOne(db, sql: "SELECT 1 FROM node") == nil {
            try db.execute(
                sql: "INSERT INTO node (only, id, site, created_at) VALUES (1, ?, 'local', ?)",
                arguments: [node, time.milliseconds])
            try db.execute(
                sql: """
                    INSERT INTO revisions (revision, epoch, at, who, comment, put_count, delete_count, digest)
                    VALUES (0, 1, ?, 'tandem', NULL, 0, 0, zeroblob(32))
                    """, arguments: [time.milliseconds])
        }
        try db.execute(
            sql: "INSERT INTO boots (boot_id, started_at) VALUES (?, ?)", arguments: [bootID, time.milliseconds])
    }

    static func node(_ db: Database) throws -> String {
        guard let row = try Row.fetchOne(db, sql: "SELECT id FROM node") else {
            throw MalformedRow(what: "node is empty")
        }
        return try row.text(0)
    }

    /// Routes have a table of their own, made for millions: the rows lie in the order of their revisions, so that a
    /// load appends and a start reads straight on; the live ones are found by plan and prefix, and nothing else is
    /// indexed by text. The prefix of the catch-all is the empty text, which sorts first.
    private static let v1 = """
        PRAGMA application_id = \(applicationID);

        CREATE TABLE node (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            id TEXT NOT NULL,
            site TEXT NOT NULL,
            created_at INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE boots (
            number INTEGER PRIMARY KEY,
            boot_id TEXT NOT NULL,
            started_at INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

        CREATE TABLE revisions (
            revision INTEGER PRIMARY KEY,
            epoch INTEGER NOT NULL,
            at INTEGER NOT NULL,
            who TEXT NOT NULL,
            comment TEXT,
            put_count INTEGER NOT NULL,
            delete_count INTEGER NOT NULL,
            digest BLOB NOT NULL CHECK (length(digest) = 32)
        ) STRICT;

        CREATE TABLE objects (
            number INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            id TEXT NOT NULL,
            body TEXT NOT NULL,
            from_revision INTEGER NOT NULL REFERENCES revisions (revision),
            until_revision INTEGER REFERENCES revisions (revision) CHECK (until_revision > from_revision),
            created_at INTEGER NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX objects_live ON objects (kind, id) WHERE until_revision IS NULL;
        CREATE INDEX objects_history ON objects (kind, id, until_revision) WHERE until_revision IS NOT NULL;
        CREATE INDEX objects_begun ON objects (from_revision);
        CREATE INDEX objects_ended ON objects (until_revision) WHERE until_revision IS NOT NULL;

        CREATE TABLE routes (
            number INTEGER PRIMARY KEY,
            plan TEXT NOT NULL,
            prefix TEXT NOT NULL,
            body TEXT NOT NULL,
            from_revision INTEGER NOT NULL REFERENCES revisions (revision),
            until_revision INTEGER REFERENCES revisions (revision) CHECK (until_revision > from_revision),
            created_at INTEGER NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX routes_live ON routes (plan, prefix) WHERE until_revision IS NULL;
        CREATE INDEX routes_begun ON routes (from_revision);
        CREATE INDEX routes_ended ON routes (until_revision) WHERE until_revision IS NOT NULL;

        CREATE TABLE status_records (
            sequence INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            gateway TEXT NOT NULL,
            uri TEXT NOT NULL,
            from_status TEXT NOT NULL,
            to_status TEXT NOT NULL,
            cause TEXT NOT NULL,
            sip_status INTEGER,
            time_value INTEGER,
            reporter TEXT NOT NULL,
            call_id TEXT,
            revision INTEGER NOT NULL,
            observer TEXT NOT NULL
        ) STRICT;
        CREATE INDEX status_records_of_gateway ON status_records (gateway, sequence);

        CREATE TABLE events (
            sequence INTEGER PRIMARY KEY,
            type TEXT NOT NULL,
            source TEXT NOT NULL,
            subject TEXT,
            time INTEGER NOT NULL,
            data TEXT NOT NULL,
            origin TEXT,
            origin_number INTEGER
        ) STRICT;
        CREATE INDEX events_of_type ON events (type, sequence);
        CREATE UNIQUE INDEX events_of_origin ON events (origin, origin_number) WHERE origin IS NOT NULL;
        """
}
