import GRDB
package import Routing
import Time

// What two revisions differ by, found by the rows that end and begin between them: what it costs goes by what was
// changed between the two, not by what there is. Every object that differs was there at the earlier one and its row has
// ended since, or was not and has a row that began since; the two are walked one after the other, and then the same of
// routes whose whole table another has taken the place of.
extension Store {
    /// A part of what differs between the routing data of two revisions, either of which may be the later one. An
    /// object that was changed and is again as it was, `created_at` included, does not differ.
    ///
    /// - Parameters:
    ///   - limit: How many differences a page holds at most.
    ///   - limitBytes: The page ends with the object that makes its bodies that long.
    ///   - scanLimit: How many rows are looked at for one page at most: it may hold less than `limit`, even nothing.
    ///   - hasRoutes: False: routes are passed over.
    package func differences(
        from: Revision, to: Revision, after position: DifferencePosition? = nil, limit: Int,
        limitBytes: Int = .max, scanLimit: Int = .max, hasRoutes: Bool = true
    ) throws(StoreError) -> DifferencePage {
        try reading { db in
            let (low, high) = (min(from, to), max(from, to))
            guard low < high else { return DifferencePage(items: [], next: nil) }
            var walk = DifferenceWalk(
                low: low, high: high, at: position ?? DifferencePosition(.endedObjects, behind: low),
                room: (limit, limitBytes, scanLimit))
            try walk.run(db, hasRoutes: hasRoutes)
            let items = from > to ? walk.items.map(\.reversed) : walk.items
            return DifferencePage(items: items, next: walk.next)
        }
    }
}

/// A walk over the differences: stage by stage, row by row.
private struct DifferenceWalk {
    let low: Revision
    let high: Revision
    var at: DifferencePosition
    /// What there is room for yet.
    var room: (items: Int, bytes: Int, rows: Int)
    var items: [Difference] = []
    /// Where to go on; nil when all is walked.
    var next: DifferencePosition?

    init(low: Revision, high: Revision, at position: DifferencePosition, room: (items: Int, bytes: Int, rows: Int)) {
        (self.low, self.high, at, self.room) = (low, high, position, room)
    }

    mutating func run(_ db: Database, hasRoutes: Bool) throws {
        for stage in DifferencePosition.Stage.allCases
        where stage.rawValue >= at.stage.rawValue && (hasRoutes || stage.objects == .objects) {
            if stage != at.stage { at = DifferencePosition(stage, behind: stage.walksTables ? Revision(0) : low) }
            guard try stage.walksTables ? walkTables(stage, db) : walkRevisions(stage, db) else {
                next = at
                return
            }
        }
    }

    /// False: there is no room for more.
    private mutating func walkRevisions(_ stage: DifferencePosition.Stage, _ db: Database) throws -> Bool {
        // First the rest of the revision in which the page before ended, then the revisions behind it.
        for isRest in [true, false] {
            var arguments: StatementArguments = [low.number, high.number, at.number]
            if isRest { arguments += [at.row] }
            let statement = try db.cachedStatement(sql: DifferenceSQL.ofRevisions(stage, isRest: isRest))
            let rows = try Row.fetchCursor(statement, arguments: arguments)
            while let row = try rows.next() {
                guard try take(row, stage) else { return false }
                (at.number, at.row) = (try row.integer(0), try row.integer(1))
            }
        }
        return true
    }

    /// False: there is no room for more.
    private mutating func walkTables(_ stage: DifferencePosition.Stage, _ db: Database) throws -> Bool {
        let tables = try db.cachedStatement(sql: DifferenceSQL.tables(stage))
        let numbers = try Row.fetchAll(tables, arguments: [low.number, high.number, at.number]).map {
            try $0.integer(0)
        }
        let statement = try db.cachedStatement(sql: DifferenceSQL.ofTable(stage))
        for number in numbers {
            if number != at.number { (at.number, at.prefix) = (number, "") }
            let rows = try Row.fetchCursor(statement, arguments: [low.number, high.number, number, at.prefix])
            while let row = try rows.next() {
                guard try take(row, stage) else { return false }
                // A blank sorts before everything that a prefix holds.
                at.prefix = try row.text(3) + " "
            }
        }
        return true
    }

    /// Takes in what a row tells. False: there is no room for it.
    private mutating func take(_ row: Row, _ stage: DifferencePosition.Stage) throws -> Bool {
        guard room.rows > 0 else { return false }
        room.rows -= 1
        guard try row.integerOrNull(4) == 1 else { return true }
        guard let difference = try stage.isEnd ? ended(row, stage.objects) : begun(row, stage.objects) else {
            return true
        }
        // Only what differs needs room: behind the last difference there is no page with nothing in it.
        guard room.items > 0, room.bytes > 0 else { return false }
        items.append(difference)
        room.items -= 1
        room.bytes -= try row.text(5).utf8.count + (stage.isEnd ? row.textOrNull(9)?.utf8.count ?? 0 : 0)
        return true
    }

    /// Of an object that was there at the earlier revision: as it was, and as it is at the later one.
    private func ended(_ row: Row, _ table: ObjectTable) throws -> Difference? {
        let before = try object(row, table)
        guard try row.textOrNull(9) != nil else { return Difference(path: before.path, before: before, after: nil) }
        let isSame =
            try ExactText(row.text(9)) == ExactText(row.text(5)) && row.integer(11) == row.integer(7)
        return isSame ? nil : Difference(path: before.path, before: before, after: try object(row, from: 9, table))
    }

    /// Of an object that was not there at the earlier revision and is at the later one.
    private func begun(_ row: Row, _ table: ObjectTable) throws -> Difference? {
        let after = try object(row, table)
        return Difference(path: after.path, before: nil, after: after)
    }

    private func object(_ row: Row, from first: Int = 5, _ table: ObjectTable) throws -> StoredObject {
        let path = try table.path(try row.text(2), try row.text(3))
        return StoredObject(
            path: path, body: try ObjectTable.body(try row.text(first), of: path),
            revision: Revision(try row.integer(first + 1)),
            createdAt: WallTime(milliseconds: try row.integer(first + 2)),
            updatedAt: WallTime(milliseconds: try row.integer(first + 3)))
    }
}

extension DifferencePosition.Stage {
    /// Whether it goes by tables of routes and not by revisions.
    fileprivate var walksTables: Bool { rawValue >= Self.routesOfEndedTables.rawValue }
    fileprivate var objects: ObjectTable { self == .endedObjects || self == .begunObjects ? .objects : .routes }
    /// Whether it finds what was there at the earlier revision.
    var isEnd: Bool { self == .endedObjects || self == .endedRoutes || self == .routesOfEndedTables }
}
