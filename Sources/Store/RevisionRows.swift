import GRDB
import Routing
import Time

/// A change as the rows tell it: its row in `revisions`, and the rows of objects and routes that begin and end with it.
struct RevisionRows {
    let revision: Revision
    let epoch: Int64
    let at: WallTime
    let who: String
    let comment: String?
    let requestID: String?
    /// As it is stored.
    let digest: [UInt8]

    /// What `init` reads.
    static let columns = "revision, epoch, at, who, comment, digest, request_id"

    init(_ row: Row) throws {
        revision = Revision(try row.integer(0))
        epoch = try row.integer(1)
        at = WallTime(milliseconds: try row.integer(2))
        who = try row.text(3)
        comment = try row.textOrNull(4)
        digest = try row.bytes(5)
        requestID = try row.textOrNull(6)
    }

    /// The digest that follows from the rows and the digest before.
    func digest(_ db: Database, behind previous: [UInt8]) throws -> [UInt8] {
        var digest = EntryDigest(
            behind: previous, revision: revision, epoch: epoch, at: at, who: who, comment: comment)
        try forEachEffect(db) { digest.add($0) }
        return digest.finish()
    }

    /// Calls `body` with each effect in the order of the paths' bytes. Routes are read as they come: a bulk has
    /// millions.
    func forEachEffect(_ db: Database, _ body: (EntryDigest.EffectLine) throws -> Void) throws {
        let objects = EntryDigest.inOrder(try objectEffects(db))
        var next = objects.startIndex
        let single = try RouteEffects(singleRoutes(db))
        var tables = try RouteSuccession.all(db, at: revision)
        while true {
            let plan = [single.plan, tables.first?.plan].compactMap { $0 }.min(by: Self.precedes)
            while next < objects.endIndex, plan.map({ Self.precedes(objects[next], routesOf: $0) }) ?? true {
                try body(objects[next])
                next += 1
            }
            guard let plan else { return }
            if tables.first?.plan == plan {
                let effects = try RouteEffects(tables.removeFirst().effects(db, at: at))
                try effects.forEach(of: plan, body)
            } else {
                try single.forEach(of: plan, body)
            }
        }
    }

    /// By the paths of their routes.
    private static func precedes(_ left: String, _ right: String) -> Bool {
        (left + "/").utf8.lexicographicallyPrecedes((right + "/").utf8)
    }

    private static func precedes(_ object: EntryDigest.EffectLine, routesOf plan: String) -> Bool {
        object.path.text.utf8.lexicographicallyPrecedes(ResourcePath(route: "", plan: plan).text.utf8)
    }

    /// A row that ends without a successor at the same revision is a deletion.
    private func objectEffects(_ db: Database) throws -> [EntryDigest.EffectLine] {
        let table = ObjectTable.objects
        func lines(_ condition: String) throws -> [EntryDigest.EffectLine] {
            let statement = try db.cachedStatement(
                sql: "SELECT kind, id, body, created_at FROM objects WHERE \(condition)")
            return try Row.fetchAll(statement, arguments: [revision.number]).map { row in
                EntryDigest.EffectLine(
                    path: try table.path(try row.text(0), try row.text(1)), body: try row.text(2),
                    createdAt: WallTime(milliseconds: try row.integer(3)))
            }
        }
        let begun = try lines("from_revision = ?")
        let successors = Set(begun.map(\.path))
        let deleted = try lines("until_revision = ?").filter { !successors.contains($0.path) }
        return begun + deleted.map { EntryDigest.EffectLine(path: $0.path, body: nil, createdAt: $0.createdAt) }
    }

    /// Routes that begin and end one by one, in tables that stay, as `RouteEffects` reads them.
    private func singleRoutes(_ db: Database) throws -> RowCursor {
        let statement = try db.cachedStatement(
            sql: """
                SELECT plan, prefix, body, created_at, plan || '/' AS place
                FROM routes JOIN route_tables USING (table_number)
                WHERE from_revision = ?1
                UNION ALL
                SELECT plan, prefix, NULL, ?2, plan || '/' AS place
                FROM routes AS old JOIN route_tables USING (table_number)
                WHERE until_revision = ?1
                    AND NOT EXISTS (
                        SELECT 1 FROM routes AS next INDEXED BY routes_live
                        WHERE next.table_number = old.table_number AND next.prefix = old.prefix
                            AND next.until_revision IS NULL AND next.from_revision = ?1)
                    AND NOT EXISTS (
                        SELECT 1 FROM routes AS next INDEXED BY routes_past
                        WHERE next.table_number = old.table_number AND next.prefix = old.prefix
                            AND next.until_revision IS NOT NULL AND next.from_revision = ?1)
                ORDER BY place, prefix
                """)
        return try Row.fetchCursor(statement, arguments: [revision.number, at.milliseconds])
    }
}
