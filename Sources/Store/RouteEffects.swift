import GRDB
import Routing
import Time

/// Effects on routes as a statement gives them: plan, prefix, body or null, time of making; in the order of the plans'
/// paths and then of the prefixes.
final class RouteEffects {
    private let rows: RowCursor
    private var next: EntryDigest.EffectLine?

    init(_ rows: RowCursor) throws {
        self.rows = rows
        try advance()
    }

    /// The plan of the next effect; nil at the end.
    var plan: String? { next?.path.plan }

    /// Calls `body` with those of a plan, the catch-all's last, as their paths stand.
    func forEach(of plan: String, _ body: (EntryDigest.EffectLine) throws -> Void) throws {
        var catchAll: EntryDigest.EffectLine?
        while let effect = next, effect.path.plan == plan {
            if effect.path.id == Prefix.catchAllName { catchAll = effect } else { try body(effect) }
            try advance()
        }
        if let catchAll { try body(catchAll) }
    }

    private func advance() throws {
        next = try rows.next().map { row in
            EntryDigest.EffectLine(
                path: try ObjectTable.routes.path(try row.text(0), try row.text(1)), body: try row.textOrNull(2),
                createdAt: WallTime(milliseconds: try row.integer(3)))
        }
    }
}

/// A table of routes that took another's place in its plan.
struct RouteSuccession {
    let plan: String
    private let new: Int64
    private let old: Int64?

    /// Those of a revision, in the order of the plans' paths.
    static func all(_ db: Database, at revision: Revision) throws -> [RouteSuccession] {
        let statement = try db.cachedStatement(
            sql: """
                SELECT new.plan, new.table_number, old.table_number FROM route_tables AS new
                    LEFT JOIN route_tables AS old ON old.plan = new.plan AND old.ended_revision = ?1
                WHERE new.begun_revision = ?1 ORDER BY new.plan || '/'
                """)
        return try Row.fetchAll(statement, arguments: [revision.number]).map { row in
            RouteSuccession(plan: try row.text(0), new: try row.integer(1), old: try row.integerOrNull(2))
        }
    }

    /// What it changed: routes that were carried over did not, and those that only the old one has are gone.
    func effects(_ db: Database, at time: WallTime) throws -> RowCursor {
        let isNew = "table_number = ?1 AND from_revision IS NULL AND since_revision IS NULL"
        let successor = "next.table_number = ?1 AND next.prefix = old.prefix AND next.from_revision IS NULL"
        let statement = try db.cachedStatement(
            sql: """
                SELECT ?3, prefix, body, ifnull(created_at, ?4) FROM routes INDEXED BY routes_live
                WHERE \(isNew) AND until_revision IS NULL
                UNION ALL
                SELECT ?3, prefix, body, ifnull(created_at, ?4) FROM routes INDEXED BY routes_past
                WHERE \(isNew) AND until_revision IS NOT NULL
                UNION ALL
                SELECT ?3, prefix, NULL, ?4 FROM routes AS old INDEXED BY routes_live
                WHERE table_number = ?2 AND until_revision IS NULL
                    AND NOT EXISTS (
                        SELECT 1 FROM routes AS next INDEXED BY routes_live
                        WHERE \(successor) AND next.until_revision IS NULL)
                    AND NOT EXISTS (
                        SELECT 1 FROM routes AS next INDEXED BY routes_past
                        WHERE \(successor) AND next.until_revision IS NOT NULL)
                ORDER BY 2
                """)
        return try Row.fetchCursor(statement, arguments: [new, old, plan, time.milliseconds])
    }
}
