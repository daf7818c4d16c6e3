import GRDB
package import Routing

extension Store {
    /// Calls `body` with the routes of a plan as they were at a revision, in the order of their stored prefixes (the
    /// catch-all's is empty and comes first): the prefix and the canonical body.
    ///
    /// - Parameters:
    ///   - first: Only prefixes that are this one or sort behind it.
    ///   - start: Only prefixes that begin so.
    package func forEachRoute(
        in plan: String, at revision: Revision, from first: String, startingWith start: String, limit: Int,
        _ body: (_ prefix: String, _ body: String) -> Void
    ) throws(StoreError) {
        try reading { db in
            guard let table = try RouteTables.number(of: plan, at: revision, db) else { return }
            func rows(_ index: String, _ end: String) -> String {
                """
                SELECT prefix, body FROM routes INDEXED BY \(index)
                WHERE table_number = ?1 AND \(end) AND ifnull(from_revision, 0) <= ?2 AND prefix >= ?3 AND prefix < ?4
                """
            }
            let statement = try db.cachedStatement(
                sql: """
                    \(rows("routes_live", "until_revision IS NULL"))
                    UNION ALL
                    \(rows("routes_past", "until_revision > ?2"))
                    ORDER BY prefix LIMIT ?5
                    """)
            let end = start + "\u{10FFFF}"  // no text that a client can write sorts behind it
            let rows = try Row.fetchCursor(
                statement, arguments: [table, revision.number, first, end, max(0, limit)])
            while let row = try rows.next() { body(try row.text(0), try row.text(1)) }
        }
    }
}
