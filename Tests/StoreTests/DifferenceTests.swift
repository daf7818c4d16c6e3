import Fixtures
import GRDB
import JSON
import Routing
import Testing
import Time

@testable import Store

@Suite struct DifferenceTests {
    let folder: TemporaryFolder
    let store: Store

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.store()
    }

    private func all(
        _ from: Int64, _ to: Int64, limit: Int = 1000, scanLimit: Int = .max
    ) throws -> [String: String] {
        var found: [String: String] = [:]
        var position: DifferencePosition?
        var pageCount = 0
        repeat {
            let page = try store.differences(
                from: Revision(from), to: Revision(to), after: position, limit: limit, scanLimit: scanLimit)
            #expect(page.items.count <= limit)
            for item in page.items {
                #expect(found[item.path.text] == nil, "\(item.path.text) comes twice")
                let (before, after) = (item.before?.body.canonicalText, item.after?.body.canonicalText)
                found[item.path.text] = "\(before ?? "-") \(after ?? "-")"
            }
            position = try page.next.map { try #require(DifferencePosition($0.text)) }
            pageCount += 1
        } while position != nil && pageCount < 10_000
        return found
    }

    /// As a bulk does: another table of routes takes the place of the plan `default`'s.
    private func replaceTable(by routes: [String: JSONValue], keepingThoseOf state: [String: JSONValue]) throws {
        let revision = store.position.revision.number + 1
        try store.writing { db in
            try db.execute(
                sql: """
                    INSERT INTO revisions (revision, epoch, at, who, put_count, delete_count, digest)
                    VALUES (?, 1, 1000, 'bulk', 0, 0, zeroblob(32))
                    """, arguments: [revision])
            let old = try RouteTables.number(of: "default", db)
            try db.execute(
                sql: "UPDATE route_tables SET ended_revision = ? WHERE table_number = ?", arguments: [revision, old])
            try db.execute(
                sql: "INSERT INTO route_tables (plan, begun_revision, first_row) VALUES ('default', ?, 1)",
                arguments: [revision])
            let new = db.lastInsertedRowID
            for (prefix, body) in routes.sorted(by: { $0.key < $1.key }) {
                let isCarried = state[ResourcePath(route: prefix, plan: "default").text] == body
                try db.execute(
                    sql: """
                        INSERT INTO routes (table_number, prefix, body, since_revision, created_at)
                        VALUES (?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        new, prefix == "any" ? "" : prefix, body.canonicalText, isCarried ? 1 : nil,
                        isCarried ? 1000 : nil,
                    ])
            }
        }
        _ = store.append(CommitBatch(base: store.position))  // reads what stands there
    }

    private func difference(_ old: [String: JSONValue], _ new: [String: JSONValue]) -> [String: String] {
        var found: [String: String] = [:]
        for path in Set(old.keys).union(new.keys) where old[path] != new[path] {
            found[path] = "\(old[path]?.canonicalText ?? "-") \(new[path]?.canonicalText ?? "-")"
        }
        return found
    }

    @Test func `any two revisions: the differences are those of the objects as they were, in pages of any size`()
        throws
    {
        let seed: UInt64 = 4711
        var chance = SeededGenerator(seed: seed)
        let paths =
            (0..<6).map { ResourcePath(.gateways, "g\($0)") }
            + ["any", "4", "44", "441", "9"].map { ResourcePath(route: $0, plan: "default") }
        var states: [[String: JSONValue]] = [[:]]
        for number in 1...60 {
            var state = states[number - 1]
            if Int.random(in: 0..<6, using: &chance) == 0 {
                var routes: [String: JSONValue] = [:]
                for path in paths where path.kind == .routes {
                    let isKept = Bool.random(using: &chance) && state[path.text] != nil
                    let body: JSONValue? = Bool.random(using: &chance) ? .object(["v": .integer(7)]) : nil
                    let next = isKept ? state[path.text] : body
                    state[path.text] = next
                    routes[path.id] = next
                }
                try replaceTable(by: routes, keepingThoseOf: states[number - 1])
                states.append(state)
                continue
            }
            var effects: [(ResourcePath, JSONValue?)] = []
            for path in paths where Int.random(in: 0..<4, using: &chance) == 0 {
                let body: JSONValue? =
                    Int.random(in: 0..<3, using: &chance) == 0
                    ? nil : .object(["v": .integer(Int64.random(in: 0..<3, using: &chance))])
                guard body != nil || state[path.text] != nil else { continue }
                state[path.text] = body
                effects.append((path, body))
            }
            let entry = ChangeEntry(
                revision: Revision(Int64(number)), at: Sample.time(1), who: "test", comment: nil,
                effects: effects.map { Effect(path: $0.0, body: $0.1, createdAt: Sample.time(1)) }, events: [])
            _ = store.append(CommitBatch(base: store.position, changes: [entry]))
            states.append(state)
        }
        for _ in 0..<60 {
            let (from, to) = (Int.random(in: 0...60, using: &chance), Int.random(in: 0...60, using: &chance))
            let expected = difference(states[from], states[to])
            for (limit, scanLimit) in [(1000, Int.max), (1, .max), (3, 2)] {
                let found = try all(Int64(from), Int64(to), limit: limit, scanLimit: scanLimit)
                #expect(found == expected, "seed \(seed): from \(from) to \(to) by \(limit)")
            }
        }
    }

    @Test func `what was deleted and made again differs by when it was made`() throws {
        let path = ResourcePath(.gateways, "a")
        store.change([(path, .object([:]))])
        store.change([(path, nil)])
        store.change([(path, .object([:]))])
        #expect(try all(1, 3) == ["gateways/a": "{} {}"])
        #expect(try all(3, 3).isEmpty)
    }

    @Test func `a text of another Unicode normalisation differs`() throws {
        let path = ResourcePath(.gateways, "a")
        store.change([(path, .object(["description": .string("caf\u{E9}")]))])
        store.change([(path, .object(["description": .string("cafe\u{301}")]))])
        #expect(try all(1, 2).keys.sorted() == ["gateways/a"])
    }

    @Test(arguments: ["", "1", "1-2", "1-2-3", "1-2-x-", "9-1-1-", "-1-1-1-"])
    func `text that is no position is none`(text: String) { #expect(DifferencePosition(text) == nil) }

    @Test func `each row is found by an index, however long the history is`() throws {
        func plan(_ sql: String, _ arguments: StatementArguments) throws -> [String] {
            try store.reading { db in
                try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments).map { try $0.text(3) }
            }
        }
        for stage in DifferencePosition.Stage.allCases {
            let plans =
                stage.rawValue < DifferencePosition.Stage.routesOfEndedTables.rawValue
                ? try [true, false].map { isRest in
                    try plan(
                        DifferenceSQL.ofRevisions(stage, isRest: isRest), isRest ? [1, 2, 1, 1] : [1, 2, 1])
                } : [try plan(DifferenceSQL.ofTable(stage), [1, 2, 1, "4"])]
            for plan in plans {
                #expect(!plan.contains { $0.hasPrefix("SCAN") || $0.contains("TEMP B-TREE") }, "\(stage): \(plan)")
            }
        }
    }

    @Test func `revisions come newest first, without the empty database, with what became of a confirmation`() throws {
        for number in 1...3 { store.change([(ResourcePath(.gateways, "g\(number)"), .object([:]))]) }
        var entry = Sample.entry(4, [(ResourcePath(.gateways, "g1"), nil)])
        entry.confirmBy = Sample.time(60)
        _ = store.append(CommitBatch(base: store.position, changes: [entry]))
        let newest = try store.revisions(before: nil, limit: 2)
        #expect(newest.value.map(\.revision.number) == [4, 3] && newest.revision == Revision(4))
        #expect(try store.revisions(before: Revision(3), limit: 10).value.map(\.revision.number) == [2, 1])
        #expect(try store.summary(of: Revision(0)).value == nil)
        #expect(try store.summary(of: Revision(5)).value == nil)
        let pending = StoredConfirmation(revision: Revision(4), confirmBy: Sample.time(60))
        #expect(newest.value.first?.confirmation == pending && newest.value.last?.confirmation == nil)
        #expect((newest.value.first?.putCount, newest.value.first?.deleteCount) == (0, 1))
        #expect(try store.pendingConfirmations() == [pending])

        let end = ConfirmationSettlement(revision: Revision(4), .confirmed, at: Sample.time(30), who: "oss")
        var batch = CommitBatch(base: store.position)
        batch.settlements = [end]
        #expect(store.append(batch) == .appended(store.position))
        #expect(try store.pendingConfirmations().isEmpty)
        #expect(try store.summary(of: Revision(4)).value?.confirmation?.settlement == end)
        // What is settled can't be settled again, and neither can what never waited: nothing of the batch is written.
        for revision in [Int64(4), 3] {
            batch.settlements = [
                ConfirmationSettlement(revision: Revision(revision), .goneBack, at: Sample.time(31), who: "x")
            ]
            guard case .unavailable = store.append(batch) else {
                Issue.record("settled twice: \(revision)")
                continue
            }
        }
        #expect(try store.summary(of: Revision(4)).value?.confirmation?.state == .confirmed)
    }
}
