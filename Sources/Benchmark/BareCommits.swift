import GRDB

/// The least that a durable change can cost: one row in one transaction of a database with nothing else in it.
struct BareCommits {
    private let queue: DatabaseQueue

    init(path: String) throws {
        var configuration = Configuration()
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        }
        queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.write { db in
            try db.execute(
                sql: "CREATE TABLE rows (number INTEGER PRIMARY KEY, prefix TEXT NOT NULL, body TEXT NOT NULL)")
        }
    }

    func insert(_ prefix: String, _ body: String) throws {
        try queue.write { db in
            try db.cachedStatement(sql: "INSERT INTO rows (prefix, body) VALUES (?, ?)").execute(
                arguments: [prefix, body])
        }
    }
}
