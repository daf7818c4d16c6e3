import GRDB
package import Routing

// A stage that brings no new routes but those of an earlier revision.
extension RouteStage {
    /// Adds the routes that plans had at a revision, with when they were made; instead of receiving anything.
    package func fill(from revision: Revision, plans: [String]) throws(StoreError) {
        try staging {
            try connection.execute("COMMIT")
            if !isLiveAttached {
                try attachLive()
                isLiveAttached = true
            }
            for plan in plans { try fill(addPlan(plan, as: .replace), plan, from: revision) }
        }
    }

    private func fill(_ index: Int, _ plan: String, from revision: Revision) throws {
        func rows(_ index: String, _ end: String) -> String {
            """
            SELECT prefix, body, routes.created_at AS made_at FROM live.routes INDEXED BY \(index)
            WHERE table_number = (SELECT number FROM past) AND \(end) AND ifnull(from_revision, 0) <= ?3
            """
        }
        try connection.statement(
            """
            WITH past AS (
                SELECT table_number AS number, (SELECT at FROM live.revisions WHERE revision = begun_revision) AS at
                FROM live.route_tables WHERE plan = ?2 AND begun_revision <= ?3 ORDER BY begun_revision DESC LIMIT 1)
            INSERT INTO file (plan, prefix, line, body, created_at)
            SELECT ?1, prefix, 0, body, ifnull(made_at, (SELECT at FROM past)) FROM (
                \(rows("routes_live", "until_revision IS NULL"))
                UNION ALL
                \(rows("routes_past", "until_revision > ?3")))
            ORDER BY prefix
            """
        ).bind(.integer(Int64(index)), .text(plan), .integer(revision.number)).run()
    }
}
