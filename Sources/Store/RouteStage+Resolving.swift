import GRDB
import JSON
package import Routing
package import Time

// From what was sent to what it changes.
extension RouteStage {
    /// What a route that was sent makes of the present one.
    package enum Merged: Equatable, Sendable {
        /// Nothing else.
        case unchanged
        /// A route with this canonical body.
        case body(String)
        /// Nothing: whoever says so has noted why.
        case refused
    }

    /// Merges what was sent into the present body: the line, what was sent, the present canonical body (nil: there is
    /// no such route).
    package typealias Merge = (_ line: Int64, _ sent: String, _ present: String?) -> Merged

    /// Whether what was resolved is still right.
    package enum Standing: Equatable, Sendable {
        /// It is.
        case good
        /// Another table of routes has taken the place of a plan's: resolve anew.
        case superseded
    }

    /// Compares what was sent with the live routes and keeps the differences.
    ///
    /// - Parameter merge: For plans whose other routes stay.
    package func resolve(merge: Merge) throws(StoreError) {
        try staging {
            if !isLiveAttached {
                try attachLive()
                isLiveAttached = true
            }
            try connection.execute("DELETE FROM changes")
            try transaction {
                base = try lastRevision()
                for index in plans.indices {
                    try findTable(of: index)
                    try resolve(index, merge)
                    try sum(index)
                }
            }
        }
    }

    /// Takes plans in that have come since it was resolved, behind `catchUp`: they lose all routes.
    package func resolve(emptying plans: [String]) throws(StoreError) {
        guard !plans.isEmpty else { return }
        try staging {
            try transaction {
                for id in plans {
                    let index = addPlan(id, as: .replace)
                    try findTable(of: index)
                    try resolve(index) { _, _, _ in .unchanged }
                    try sum(index)
                }
            }
        }
    }

    /// Looks at what was changed since by others, and makes the differences right again. Costs in proportion to that;
    /// where there is something of the kind the digest is made anew.
    package func catchUp(merge: Merge) throws(StoreError) -> Standing {
        try staging {
            try connection.execute("DELETE FROM touched")
            return try transaction {
                let revision = try lastRevision()
                guard revision > base else { return .good }
                for index in plans.indices {
                    let before = plans[index]
                    try findTable(of: index)
                    guard plans[index].table == before.table || before.table == -1 else {
                        plans[index] = before
                        return .superseded
                    }
                    guard try noteTouched(index) > 0 else { continue }
                    try resolveTouched(index, merge)
                    try sum(index)
                }
                base = revision
                return .good
            }
        }
    }

    /// True when the routes of a plan are as they were at a revision of the epoch.
    package func isUntouched(_ plan: Int, since revision: Revision) throws(StoreError) -> Bool {
        guard plans.indices.contains(plan) else { return true }
        return try staging {
            let statement = try connection.statement(
                """
                SELECT EXISTS (SELECT 1 FROM live.route_tables WHERE plan = ?1 AND begun_revision > ?2)
                    OR EXISTS (
                        SELECT 1 FROM live.routes JOIN live.route_tables USING (table_number)
                        WHERE plan = ?1 AND from_revision > ?2)
                    OR EXISTS (
                        SELECT 1 FROM live.routes JOIN live.route_tables USING (table_number)
                        WHERE plan = ?1 AND until_revision > ?2)
                """)
            statement.bind(.text(plans[plan].id), .integer(revision.number))
            defer { statement.reset() }
            return try statement.next() && statement.integer(0) == 0
        }
    }

    private func transaction<Value>(_ body: () throws -> Value) throws -> Value {
        try connection.execute("BEGIN")
        let value = try body()  // what fails here is not used any more, and nothing of it has to be undone
        try connection.execute("COMMIT")
        return value
    }

    private func lastRevision() throws -> Revision {
        let statement = try connection.statement("SELECT max(revision) FROM live.revisions")
        defer { statement.reset() }
        guard try statement.next() else { throw MalformedRow(what: "revisions is empty") }
        return Revision(statement.integer(0))
    }

    private func findTable(of index: Int) throws {
        let statement = try connection.statement(
            """
            SELECT table_number, (SELECT at FROM live.revisions WHERE revision = begun_revision)
            FROM live.route_tables WHERE plan = ? AND begun_revision IS NOT NULL AND ended_revision IS NULL
            """)
        statement.bind(.text(plans[index].id))
        defer { statement.reset() }
        guard try statement.next() else { return plans[index].table = -1 }
        plans[index].table = statement.integer(0)
        plans[index].tableMadeAt = WallTime(milliseconds: statement.integer(1))
    }

    /// What joins the live route of a plan's table (?2) to `file`; when it was made, where it does not say so (?3).
    private static let present = """
        LEFT JOIN live.routes AS present ON present.table_number = ?2 AND present.prefix = file.prefix
            AND present.until_revision IS NULL
        """

    private func bindings(_ index: Int) -> (StageStatement.Value, StageStatement.Value, StageStatement.Value) {
        let plan = plans[index]
        return (.integer(Int64(index)), .integer(plan.table), .integer(plan.tableMadeAt.milliseconds))
    }

    /// - Parameter condition: which prefixes are looked at; empty: all.
    private func resolve(_ index: Int, only condition: String = "", _ merge: Merge) throws {
        switch plans[index].mode {
        case .merge: try resolveMerging(index, merge, only: condition)
        case .put: try resolveSent(index, only: condition)
        case .replace:
            try resolveSent(index, only: condition)
            try resolveOthers(index, only: condition)
        }
    }

    private func resolveSent(_ index: Int, only condition: String) throws {
        let (plan, table, madeAt) = bindings(index)
        try connection.statement(
            """
            INSERT INTO changes (plan, prefix, body, created_at, is_there)
            SELECT ?1, file.prefix, file.body,
                ifnull(file.created_at,
                    CASE WHEN present.body IS NULL THEN NULL ELSE ifnull(present.created_at, ?3) END),
                present.body IS NOT NULL
            FROM file \(Self.present)
            WHERE file.plan = ?1
                AND (file.body IS NOT present.body OR file.created_at <> ifnull(present.created_at, ?3))
                \(condition.isEmpty ? "" : "AND file.prefix \(condition)")
            ORDER BY file.prefix
            """
        ).bind(plan, table, madeAt).run()
    }

    private func resolveOthers(_ index: Int, only condition: String) throws {
        let condition = condition.isEmpty ? "" : "AND present.prefix \(condition)"
        try connection.statement(
            """
            INSERT INTO changes (plan, prefix, body, created_at, is_there)
            SELECT ?1, prefix, NULL, NULL, TRUE FROM live.routes AS present
            WHERE table_number = ?2 AND until_revision IS NULL
                \(condition)
                AND NOT EXISTS (SELECT 1 FROM file WHERE file.plan = ?1 AND file.prefix = present.prefix)
            """
        ).bind(.integer(Int64(index)), .integer(plans[index].table)).run()
    }

    private func resolveMerging(_ index: Int, _ merge: Merge, only condition: String) throws {
        let (plan, table, madeAt) = bindings(index)
        let rows = try connection.statement(
            """
            SELECT file.prefix, file.line, file.body, present.body, ifnull(present.created_at, ?3)
            FROM file \(Self.present)
            WHERE file.plan = ?1 \(condition.isEmpty ? "" : "AND file.prefix \(condition)")
            ORDER BY file.prefix
            """
        ).bind(plan, table, madeAt)
        let insert = try connection.statement("INSERT INTO changes VALUES (?, ?, ?, ?, ?)")
        while try rows.next() {
            let present = rows.textOrNull(3)
            let body: String?
            switch rows.textOrNull(2).map({ merge(rows.integer(1), $0, present) }) {
            case nil:
                guard present != nil else { continue }  // it is not there already
                body = nil
            case .body(let merged)?: body = merged
            case .unchanged?, .refused?: continue
            }
            insert.bind(1, Int64(index))
            insert.bind(2, rows.bytes(0))
            insert.bind(5, present == nil ? 0 : 1)
            if body == nil || present == nil { insert.bind(4, nil) } else { insert.bind(4, rows.integer(4)) }
            guard var body else {
                insert.bind(3, nil)
                try insert.run()
                continue
            }
            try body.withUTF8 {
                insert.bind(3, UnsafeRawBufferPointer($0))
                try insert.run()
            }
        }
    }

    // MARK: what others changed meanwhile

    /// Notes the prefixes of a plan that others have changed since `base`: how many.
    private func noteTouched(_ index: Int) throws -> Int {
        try connection.statement(
            """
            INSERT INTO touched (plan, prefix)
            SELECT ?1, prefix FROM live.routes WHERE from_revision > ?3 AND table_number = ?2
            UNION
            SELECT ?1, prefix FROM live.routes WHERE until_revision > ?3 AND table_number = ?2
            """
        ).bind(.integer(Int64(index)), .integer(plans[index].table), .integer(base.number)).run()
        return connection.changesCount
    }

    private func resolveTouched(_ index: Int, _ merge: Merge) throws {
        let condition = "IN (SELECT prefix FROM touched WHERE plan = ?1)"
        try connection.statement("DELETE FROM changes WHERE plan = ?1 AND prefix \(condition)")
            .bind(.integer(Int64(index))).run()
        try resolve(index, only: condition, merge)
    }

    // MARK: what comes of it

    /// Counts the differences of a plan and makes their digest.
    private func sum(_ index: Int) throws {
        let statement = try connection.statement(
            "SELECT count(*), count(body), count(iif(is_there, body, NULL)) FROM changes WHERE plan = ?"
        ).bind(.integer(Int64(index)))
        _ = try statement.next()
        let (all, put, replaced) = (
            Int(statement.integer(0)), Int(statement.integer(1)), Int(statement.integer(2))
        )
        statement.reset()
        var counts = RouteCounts()
        (counts.created, counts.replaced, counts.deleted) = (put - replaced, replaced, all - put)
        plans[index].counts = counts
        plans[index].digest = nil
        guard counts.total > EntryDigest.routesApartCount else { return }
        var digest = RoutesDigest(plan: plans[index].id)
        try forEach(of: index) { prefix, body, createdAt in
            digest.add(prefix, body: body, createdAt: createdAt)
        }
        plans[index].digest = digest.finish()
    }

    /// Calls `body` with each difference of a plan in the order of the paths' bytes, until it returns false: the
    /// prefix' digits or the catch-all's name, and the canonical body (nil: deleted), as UTF-8 that is there until it
    /// returns.
    package func forEachChange(
        of plan: Int, _ body: (_ prefix: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer?) -> Bool
    ) throws(StoreError) {
        struct Enough: Error {}
        try staging {
            do {
                try forEach(of: plan) { prefix, text, _ in
                    if !body(prefix, text) { throw Enough() }
                }
            } catch is Enough {
                return
            }
        }
    }

    /// True when a route of exactly this prefix is among the differences.
    package func changes(_ prefix: String, of plan: Int) throws(StoreError) -> Bool {
        try staging {
            let statement = try connection.statement("SELECT 1 FROM changes WHERE plan = ? AND prefix = ?")
                .bind(.integer(Int64(plan)), .text(ObjectTable.routes.stored(prefix)))
            defer { statement.reset() }
            return try statement.next()
        }
    }

    /// The newest time of making among routes that stay there: the change has to come later. Nil: there is none.
    package func newestTime() throws(StoreError) -> WallTime? {
        try staging {
            let statement = try connection.statement("SELECT max(created_at) FROM changes")
            defer { statement.reset() }
            return try statement.next() ? statement.integerOrNull(0).map { WallTime(milliseconds: $0) } : nil
        }
    }

    /// With when the route was made (nil: with the change).
    func forEach(
        of index: Int,
        _ body: (_ prefix: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer?, WallTime?) throws
            -> Void
    ) throws {
        for condition in ["> ''", "= ''"] {
            let rows = try connection.statement(
                "SELECT prefix, body, created_at FROM changes WHERE plan = ? AND prefix \(condition) ORDER BY prefix"
            ).bind(.integer(Int64(index)))
            let catchAll = Array(Prefix.catchAllName.utf8)
            while try rows.next() {
                let createdAt = rows.integerOrNull(2).map { WallTime(milliseconds: $0) }
                guard let prefix = rows.bytes(0), prefix.count > 0 else {
                    try catchAll.withUnsafeBytes { try body($0, rows.bytes(1), createdAt) }
                    continue
                }
                try body(prefix, rows.bytes(1), createdAt)
            }
        }
    }
}

extension RouteStage {
    /// True when others changed routes of a plan that has a successor, since it was resolved or has last caught up.
    func hasTouchedSuccessor() throws -> Bool {
        let statement = try connection.statement("SELECT DISTINCT plan FROM touched")
        var isTouched = false
        while try statement.next() {
            let index = Int(statement.integer(0))
            if plans.indices.contains(index), plans[index].successor != nil { isTouched = true }
        }
        return isTouched
    }
}
