import GRDB
import Routing
import Time

// What a bulk writes to the database: ahead of its change a table beside the live one, some rows at a time, and with
// its change what is left. Everything here that writes shares the one writing connection with whoever else does.
extension Store {
    /// A stage for a bulk.
    package func makeRouteStage() throws(StoreError) -> RouteStage {
        do {
            return try RouteStage(beside: pool.path, name: Self.hexadecimal(Self.randomBytes(8)))
        } catch {
            throw StoreError(staging: path, error)
        }
    }

    /// Writes tables beside the live ones for the plans of which a resolved stage changes more than `limitCount`
    /// routes.
    ///
    /// - Parameter isWanted: asked between some rows and the next.
    /// - Returns: false when it was wanted no longer.
    package func build(
        _ stage: RouteStage, inPlaceLimitCount limitCount: Int, while isWanted: () -> Bool = { true }
    ) throws(StoreError) -> Bool {
        do {
            let large = stage.plans.indices.filter { stage.plans[$0].counts.total > limitCount }
            guard !large.isEmpty else { return true }
            return try withStage(stage) {
                for index in large where try !build(index, of: stage, while: isWanted) { return false }
                return true
            }
        } catch {
            throw StoreError(staging: path, error)
        }
    }

    /// Makes right what was built, where others changed routes since it was: behind `RouteStage.catchUp`, on the
    /// writer's thread.
    package func repair(_ stage: RouteStage) throws(StoreError) {
        do {
            guard try stage.hasTouchedSuccessor() else { return }
            try withStage(stage) {
                try pool.write { db in
                    for (index, plan) in stage.plans.enumerated() {
                        guard let successor = plan.successor else { continue }
                        let touched = "IN (SELECT prefix FROM stage.touched WHERE plan = ?1)"
                        try db.execute(
                            sql: """
                                DELETE FROM routes
                                WHERE table_number = ?2 AND until_revision IS NULL AND prefix \(touched)
                                """, arguments: [index, successor])
                        try Self.copy(plan, index, to: successor, prefix: touched, db)
                    }
                }
            }
        } catch {
            throw StoreError(staging: path, error)
        }
    }

    /// Ends a stage, whatever became of it: its file goes, and so do, in its own time, tables that have not begun.
    package func discard(_ stage: RouteStage) throws(StoreError) {
        stage.remove()
        for table in stage.plans.compactMap(\.successor) { try purge(table: table) }
    }

    /// Deletes what bulks of an earlier run have left of themselves.
    package func purgeLeftRouteTables() throws(StoreError) {
        for table in leftRouteTables { try purge(table: table) }
    }

    // MARK: a table beside the live one

    private static let rowsAtOnce = 20_000

    /// The stage is `stage` on the writing connection while `body` runs.
    private func withStage<Value>(_ stage: RouteStage, _ body: () throws -> Value) throws -> Value {
        try pool.writeWithoutTransaction { db in try Self.attach(stage, db) }
        defer { pool.writeWithoutTransaction { db in Self.detachStage(db) } }
        return try body()
    }

    static func attach(_ stage: RouteStage, _ db: Database) throws {
        try db.execute(sql: "ATTACH DATABASE ? AS stage", arguments: [stage.path])
    }

    /// One that can't be let go of, which is not to be expected, is in the next one's way and shows there.
    static func detachStage(_ db: Database) { _ = Result { try db.execute(sql: "DETACH DATABASE stage") } }

    private func build(_ index: Int, of stage: RouteStage, while isWanted: () -> Bool) throws -> Bool {
        let successor = try pool.write { db in
            try db.execute(
                sql: """
                    INSERT INTO route_tables (plan, first_row)
                    VALUES (?, 1 + (SELECT ifnull(max(number), 0) FROM routes))
                    """, arguments: [stage.plans[index].id])
            return db.lastInsertedRowID
        }
        stage.plans[index].successor = successor
        let plan = stage.plans[index]
        var next: String? = ""
        while let first = next {
            guard isWanted() else { return false }
            next = try pool.write { db in
                let end = try Self.end(ofRowsFrom: first, plan, index, db)
                let range = end == nil ? ">= ?5" : ">= ?5 AND prefix < ?6"
                try Self.copy(plan, index, to: successor, prefix: range, from: first, to: end, db)
                return end
            }
        }
        return true
    }

    /// Where the next rows begin; nil: these are the last.
    private static func end(
        ofRowsFrom first: String, _ plan: RouteStage.Plan, _ index: Int, _ db: Database
    ) throws -> String? {
        let changed = try String.fetchOne(
            db, sql: "SELECT prefix FROM stage.changes WHERE plan = ? AND prefix >= ? ORDER BY prefix LIMIT 1 OFFSET ?",
            arguments: [index, first, rowsAtOnce])
        let present = try String.fetchOne(
            db,
            sql: """
                SELECT prefix FROM routes WHERE table_number = ? AND until_revision IS NULL AND prefix >= ?
                ORDER BY prefix LIMIT 1 OFFSET ?
                """, arguments: [plan.table, first, rowsAtOnce])
        return [changed, present].compactMap { $0 }.min { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Inserts into a successor what a plan will have of some prefixes: the differences, and the live rows that stay as
    /// they are.
    private static func copy(
        _ plan: RouteStage.Plan, _ index: Int, to successor: Int64, prefix condition: String, from first: String? = nil,
        to end: String? = nil, _ db: Database
    ) throws {
        try db.execute(
            sql: """
                INSERT INTO routes (table_number, prefix, body, since_revision, created_at)
                SELECT ?2, prefix, body, since, made_at FROM (
                    SELECT prefix, body, coalesce(since_revision, from_revision, begun_revision) AS since,
                        ifnull(created_at, ?4) AS made_at
                    FROM main.routes JOIN main.route_tables USING (table_number)
                    WHERE table_number = ?3 AND until_revision IS NULL AND prefix \(condition)
                        AND NOT EXISTS (
                            SELECT 1 FROM stage.changes AS change
                            WHERE change.plan = ?1 AND change.prefix = routes.prefix)
                    UNION ALL
                    SELECT prefix, body, NULL, created_at FROM stage.changes
                    WHERE plan = ?1 AND body IS NOT NULL AND prefix \(condition))
                ORDER BY prefix
                """,
            arguments: first == nil
                ? [index, successor, plan.table, plan.tableMadeAt.milliseconds]
                : end == nil
                    ? [index, successor, plan.table, plan.tableMadeAt.milliseconds, first]
                    : [index, successor, plan.table, plan.tableMadeAt.milliseconds, first, end])
    }

    /// Some rows at a time, so that nobody waits for long.
    private func purge(table: Int64) throws(StoreError) {
        var isDone = false
        while !isDone {
            isDone = try writing { db in
                guard
                    try Row.fetchOne(
                        db, sql: "SELECT 1 FROM route_tables WHERE table_number = ? AND begun_revision IS NULL",
                        arguments: [table]) != nil
                else { return true }
                try db.execute(
                    sql: """
                        DELETE FROM routes WHERE number IN (
                            SELECT number FROM routes WHERE table_number = ? AND until_revision IS NULL LIMIT ?)
                        """, arguments: [table, Self.rowsAtOnce])
                guard db.changesCount == 0 else { return false }
                try db.execute(sql: "DELETE FROM route_tables WHERE table_number = ?", arguments: [table])
                return true
            }
        }
    }

    // MARK: with its change

    /// Adds the effects of a stage, and those on other objects, to the digest of their entry.
    static func add(
        _ objects: [EntryDigest.EffectLine], _ stage: RouteStage?, at time: WallTime, to digest: inout EntryDigest
    ) throws {
        var rest = EntryDigest.inOrder(objects)[...]
        let plans = (stage?.plans ?? []).indices.map { (index: $0, id: stage?.plans[$0].id ?? "") }
            .map { (index: $0.index, path: ResourcePath(route: "", plan: $0.id).text) }
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        for plan in plans {
            while let object = rest.first, object.path.text.utf8.lexicographicallyPrecedes(plan.path.utf8) {
                digest.add(object)
                rest.removeFirst()
            }
            guard let stage else { continue }
            if let apart = stage.plans[plan.index].digest {
                digest.add(apart)
            } else {
                try stage.forEach(of: plan.index) { prefix, body, createdAt in
                    digest.add(
                        EntryDigest.EffectLine(
                            path: ResourcePath(
                                route: String(decoding: prefix, as: UTF8.self), plan: stage.plans[plan.index].id),
                            body: body.map { String(decoding: $0, as: UTF8.self) }, createdAt: createdAt ?? time))
                }
            }
        }
        for object in rest { digest.add(object) }
    }

    /// Puts a stage in force as of a revision.
    static func write(_ stage: RouteStage, at revision: Revision, _ time: WallTime, _ db: Database) throws {
        for (index, plan) in stage.plans.enumerated() where plan.counts.total > 0 {
            if let successor = plan.successor {
                try succeed(plan, by: successor, at: revision, db)
            } else {
                try write(plan, index, at: revision, time, db)
            }
        }
    }

    private static func succeed(
        _ plan: RouteStage.Plan, by successor: Int64, at revision: Revision, _ db: Database
    ) throws {
        try db.execute(
            sql: "UPDATE route_tables SET ended_revision = ? WHERE table_number = ? AND ended_revision IS NULL",
            arguments: [revision.number, plan.table])
        guard db.changesCount == (plan.table == -1 ? 0 : 1) else {
            throw MalformedRow(what: "the routes of \(plan.id) are not those that a bulk was made against")
        }
        try db.execute(
            sql: "UPDATE route_tables SET begun_revision = ? WHERE table_number = ? AND begun_revision IS NULL",
            arguments: [revision.number, successor])
        guard db.changesCount == 1 else {
            throw MalformedRow(what: "the routes that a bulk has built for \(plan.id) are not there")
        }
    }

    private static func write(
        _ plan: RouteStage.Plan, _ index: Int, at revision: Revision, _ time: WallTime, _ db: Database
    ) throws {
        let table = try RouteTables.number(of: plan.id, db)
        try db.execute(
            sql: """
                UPDATE routes SET until_revision = ?
                WHERE table_number = ? AND until_revision IS NULL AND prefix IN (
                    SELECT prefix FROM stage.changes WHERE plan = ? AND is_there)
                """, arguments: [revision.number, table, index])
        guard db.changesCount == plan.counts.replaced + plan.counts.deleted else {
            throw MalformedRow(what: "the routes of \(plan.id) are not those that a bulk was made against")
        }
        try db.execute(
            sql: """
                INSERT INTO routes (table_number, prefix, body, from_revision, created_at)
                SELECT ?, prefix, body, ?, ifnull(created_at, ?) FROM stage.changes
                WHERE plan = ? AND body IS NOT NULL ORDER BY prefix
                """, arguments: [table, revision.number, time.milliseconds, index])
    }
}
