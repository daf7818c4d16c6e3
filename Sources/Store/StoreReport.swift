import GRDB
import Routing

/// What `tandem check` says about a database.
package struct StoreReport: Equatable, Sendable {
    /// The last migration that the file has seen.
    package let schema: String
    /// The node that the database belongs to.
    package let node: String
    /// The last committed position.
    package let position: Position
    /// How many objects are live, routes not among them.
    package let objectCount: Int
    /// How many routes are live.
    package let routeCount: Int
    /// How many events are kept.
    package let eventCount: Int
    /// What is wrong, a line each; empty: all is well.
    package let findings: [String]
}

extension Store {
    /// Examines the database without changing anything, whether or not a server runs on it: its owner and schema,
    /// SQLite's integrity check, and that each revision's digest follows from the one before it and from the rows.
    package static func check(path: String) throws(StoreError) -> StoreReport {
        let file = try DatabaseFile(path)
        try file.checkReadable()
        do {
            let queue = try file.readOnlyQueue()
            let report = try queue.read { db in
                try file.checkOwner(db)
                return try Examination(db: db).report()
            }
            try queue.close()
            return report
        } catch {
            throw StoreError(opening: path, error)
        }
    }
}

/// One look at a database, in one transaction.
private struct Examination {
    let db: Database

    func report() throws -> StoreReport {
        var findings = try String.fetchAll(db, sql: "PRAGMA integrity_check(10)").filter { $0 != "ok" }
            .map { StoreError.oneLine($0) }
        if try Row.fetchOne(db, sql: "PRAGMA foreign_key_check") != nil {
            findings.append("a row names a revision that does not exist")
        }
        findings += try chainFindings()
        return StoreReport(
            schema: try String.fetchOne(db, sql: "SELECT identifier FROM grdb_migrations ORDER BY rowid DESC LIMIT 1")
                ?? "none",
            node: try Schema.node(db), position: try Store.position(db),
            objectCount: try count("objects WHERE until_revision IS NULL"),
            routeCount: try count(
                "route_tables CROSS JOIN routes USING (table_number) WHERE \(ObjectTable.routes.isLive)"),
            eventCount: try count("events"),
            findings: findings)
    }

    private func count(_ rows: String) throws -> Int {
        try Int.fetchOne(db, sql: "SELECT count(*) FROM \(rows)") ?? 0
    }

    /// Stops at the first break: all that follows would break with it.
    private func chainFindings() throws -> [String] {
        let revisions = try Row.fetchCursor(
            db, sql: "SELECT \(RevisionRows.columns) FROM revisions ORDER BY revision")
        var previous: RevisionRows?
        while let row = try revisions.next() {
            let present = try RevisionRows(row)
            if let previous {
                guard present.revision.number == previous.revision.number &+ 1 else {
                    return ["revision \(present.revision.number) follows \(previous.revision.number)"]
                }
                guard try present.digest == present.digest(db, behind: previous.digest) else {
                    return ["the digest of revision \(present.revision.number) does not follow from its rows"]
                }
            }
            previous = present
        }
        return []
    }
}
