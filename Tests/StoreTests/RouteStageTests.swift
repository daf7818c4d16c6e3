import Fixtures
import Foundation
import GRDB
import JSON
import Routing
import Testing
import Time

@testable import Store

@Suite struct RouteStageTests {
    let folder: TemporaryFolder
    let store: Store

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.store()
    }

    private func route(_ prefix: String, _ plan: String = "default") -> ResourcePath {
        ResourcePath(route: prefix, plan: plan)
    }

    private func stage(_ routes: [(String, JSONValue?)], replaces: Bool = true) throws -> RouteStage {
        let stage = try store.makeRouteStage()
        try stage.fill(routes, plan: stage.addPlan("default", as: replaces ? .replace : .merge))
        #expect(try stage.endReceiving(limit: 100).isEmpty)
        try stage.resolve(merge: merge)
        return stage
    }

    @discardableResult
    private func append(_ stage: RouteStage, _ effects: [Effect] = []) throws -> AppendOutcome {
        #expect(try stage.catchUp(merge: merge) == .good)
        try store.repair(stage)
        let revision = Revision(store.position.revision.number + 1)
        var entry = ChangeEntry(
            revision: revision, at: Sample.time(revision.number), who: "test", comment: nil, effects: effects,
            events: [])
        entry.routes = stage
        return store.append(CommitBatch(base: store.position, changes: [entry]))
    }

    private func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.contains("-bulk-") }
    }

    /// The live routes of the plan default: body, revision, times.
    private func rows(_ store: Store) throws -> [String: StoredObject] {
        try store.export().filter { $0.key.hasPrefix("routing-plans/default/routes/") }
    }

    @Test(arguments: [RouteStage.inPlaceLimitCount, 0])
    func `a plan gets the routes that were sent, and a look at an earlier revision the old ones`(limit: Int) throws {
        store.change([(route("44"), Sample.route("a")), (route("45"), Sample.route("a")), (route("any"), .null)])
        let kept = try #require(try store.object(route("44")).value)
        let stage = try stage([("44", Sample.route("a")), ("46", Sample.route("b")), ("45", Sample.route("c"))])
        #expect((stage.counts.created, stage.counts.replaced, stage.counts.deleted) == (1, 1, 1))
        #expect(try store.build(stage, inPlaceLimitCount: limit))
        #expect(try rows(store).count == 3)  // nothing of it shows yet
        #expect(try append(stage) == .appended(store.position))
        try store.discard(stage)
        #expect(try files().isEmpty)
        #expect(try rows(store).keys.sorted().map { $0.suffix(2) } == ["44", "45", "46"])
        #expect(try store.object(route("44")).value == kept)
        let replaced = try #require(try store.object(route("45")).value)
        #expect((replaced.revision, replaced.createdAt) == (Revision(2), Sample.time(1)))
        let created = try #require(try store.object(route("46")).value)
        #expect((created.createdAt, created.updatedAt) == (Sample.time(2), Sample.time(2)))
        #expect(try store.object(route("any"), at: Revision(1)) != nil)
        #expect(try store.object(route("any"), at: Revision(2)) == nil)
        #expect(try store.object(route("45"), at: Revision(1))?.body == Sample.route("a"))
        #expect(try store.routes(["44", "46"], in: "default", at: Revision(1)).map(\.path.id) == ["44"])
        store.change([(route("44"), nil), (route("47"), Sample.route("d"))])
        #expect(try rows(store).keys.sorted().map { $0.suffix(2) } == ["45", "46", "47"])
        #expect(try store.object(route("44"), at: Revision(2)) == kept)
        store.close()
        #expect(try Store.check(path: folder.file()).findings.isEmpty)
    }

    @Test(arguments: 0..<24 as Range<UInt64>) func `a bulk equals the single changes`(seed: UInt64) throws {
        var chance = SeededGenerator(seed: seed)
        let (replaces, limit) = (seed % 2 == 0, seed % 3 == 0 ? RouteStage.inPlaceLimitCount : 0)
        let twin = try folder.store("twin.db")
        var live: [String: JSONValue] = [:]
        func single(_ count: Int) {
            for _ in 0..<count {
                let prefix = randomPrefix(&chance)
                let body = Bool.random(using: &chance) ? randomBody(&chance) : nil
                guard body != live[prefix], body != nil || live[prefix] != nil else { continue }
                change(prefix, body, existed: live[prefix] != nil, on: [store, twin])
                live[prefix] = body
            }
        }
        single(60)
        for _ in 0..<4 {
            var sent: [String: JSONValue?] = [:]
            let count = seed < 4 ? 1500 : 100
            for _ in 0..<count {
                sent[randomPrefix(&chance, of: seed < 4 ? 5000 : 150)] =
                    replaces || Bool.random(using: &chance) ? randomBody(&chance) : .some(nil)
            }
            let stage = try stage(sent.map { ($0.key, $0.value) }.shuffled(using: &chance), replaces: replaces)
            if Bool.random(using: &chance) { single(10) }
            #expect(try store.build(stage, inPlaceLimitCount: limit))
            if Bool.random(using: &chance) { single(10) }
            var effects: [(ResourcePath, JSONValue?, Bool)] = []
            for prefix in Set(live.keys).union(sent.keys) {
                guard let body = sent[prefix] ?? (replaces ? .some(nil) : nil), body != live[prefix] else { continue }
                if body != nil || live[prefix] != nil { effects.append((route(prefix), body, live[prefix] != nil)) }
                live[prefix] = body
            }
            try append(stage)
            try store.discard(stage)
            apply(effects, on: twin)
            #expect(twin.position == store.position)
            #expect(try rows(twin) == rows(store))
        }
        single(20)
        #expect(try rows(twin) == rows(store))
        for revision in stride(from: Int64(1), to: store.position.revision.number, by: 7) {
            let prefixes = Array(live.keys)
            let (ours, theirs) = (
                try store.routes(prefixes, in: "default", at: Revision(revision)),
                try twin.routes(prefixes, in: "default", at: Revision(revision))
            )
            #expect(Set(ours.map(\.path)) == Set(theirs.map(\.path)))
        }
        store.close()
        twin.close()
        #expect(try Store.check(path: folder.file()).findings.isEmpty)
    }

    private func randomPrefix(_ chance: inout SeededGenerator, of count: Int = 150) -> String {
        let number = Int.random(in: 0..<count, using: &chance)
        return number == 0 ? "any" : String(number, radix: 9)
    }

    private func randomBody(_ chance: inout SeededGenerator) -> JSONValue {
        Sample.route("list-\(Int.random(in: 0..<3, using: &chance))")
    }

    private func change(_ prefix: String, _ body: JSONValue?, existed: Bool, on stores: [Store]) {
        for store in stores { apply([(route(prefix), body, existed)], on: store) }
    }

    /// As the control plane does it: what is replaced keeps its time.
    private func apply(_ changes: [(ResourcePath, JSONValue?, Bool)], on store: Store) {
        let revision = Revision(store.position.revision.number + 1)
        let time = Sample.time(revision.number)
        let effects = changes.map { path, body, existed -> Effect in
            var createdAt = time
            if existed {
                do { createdAt = try store.object(path).value?.createdAt ?? time } catch { Issue.record(error) }
            }
            return Effect(path: path, body: body, createdAt: createdAt)
        }
        let entry = ChangeEntry(
            revision: revision, at: time, who: "test", comment: nil, effects: effects, events: [])
        #expect(store.append(CommitBatch(base: store.position, changes: [entry])) == .appended(store.position))
    }

    @Test func `prefixes that were sent twice are named with both lines`() throws {
        let stage = try store.makeRouteStage()
        let plan = stage.addPlan("default", as: .replace)
        try stage.fill(
            [("44", .null), ("44", .null), ("1", .null), ("any", .null), ("any", .null), ("7", .null)], plan: plan)
        #expect(
            try stage.endReceiving(limit: 100) == [
                RouteStage.Repetition(plan: "default", prefix: "44", line: 2, firstLine: 1),
                RouteStage.Repetition(plan: "default", prefix: "", line: 5, firstLine: 4),
            ])
        try store.discard(stage)
    }

    @Test func `where routes lead is found by line`() throws {
        let stage = try stage([("1", Sample.route("a")), ("2", Sample.route("b")), ("3", Sample.route("a"))])
        #expect(try stage.lines(leadingTo: ["a", "c"], limit: 5).map(\.line) == [1, 3])
        try store.discard(stage)
    }

    @Test func `a bulk that was given up, or that a crash ended, leaves nothing behind`() throws {
        store.change([(route("44"), Sample.route("a"))])
        let given = try stage([("1", Sample.route("b"))])
        #expect(try store.build(given, inPlaceLimitCount: 0))
        try store.discard(given)
        func rowCount(_ store: Store) throws -> [Int?] {
            try store.reading { db in
                [
                    try Int.fetchOne(db, sql: "SELECT count(*) FROM routes"),
                    try Int.fetchOne(db, sql: "SELECT count(*) FROM route_tables"),
                ]
            }
        }
        #expect(try rowCount(store) == [1, 1])
        let lost = try stage([("1", Sample.route("b"))])
        #expect(try store.build(lost, inPlaceLimitCount: 0))
        #expect(try rowCount(store) == [2, 2])
        #expect(try files().count == 1)
        store.close()
        #expect(try Store.check(path: folder.file()).routeCount == 1)
        let again = try folder.store()
        #expect(try files().isEmpty)
        #expect(try again.export().count == 1)
        try again.purgeLeftRouteTables()
        #expect(try rowCount(again) == [1, 1])
        again.close()
    }

    @Test func `a table that another bulk has replaced makes a stage worthless, and an append of it is refused`() throws
    {
        store.change([(route("44"), Sample.route("a"))])
        let (first, second) = (try stage([("1", .null)]), try stage([("2", .null)]))
        for stage in [first, second] { #expect(try store.build(stage, inPlaceLimitCount: 0)) }
        #expect(try append(first) == .appended(store.position))
        #expect(try second.catchUp(merge: merge) == .superseded)
        var entry = Sample.entry(3, [])
        entry.routes = second
        guard case .unavailable = store.append(CommitBatch(base: store.position, changes: [entry])) else {
            Issue.record("taken")
            return
        }
        try store.discard(second)
        #expect(try rows(store).keys.map { $0.suffix(1) } == ["1"])
    }

    @Test func `whether others touched a plan's routes since a revision`() throws {
        store.change([(route("44"), Sample.route("a"))])
        store.change([(route("44", "other"), Sample.route("a"))])
        let stage = try stage([("44", Sample.route("a"))])
        #expect(try !stage.isUntouched(0, since: Revision(0)))
        #expect(try stage.isUntouched(0, since: Revision(1)))
        store.change([(route("44"), nil)])
        #expect(try !stage.isUntouched(0, since: Revision(2)))
        try store.discard(stage)
    }
}

/// What is sent replaces what is there.
private func merge(_ line: Int64, _ sent: String, _ present: String?) -> RouteStage.Merged {
    sent == present ? .unchanged : .body(sent)
}

extension RouteStage {
    func fill(_ routes: [(String, JSONValue?)], plan: Int) throws {
        for (index, (prefix, body)) in routes.enumerated() {
            let name = Array(ObjectTable.routes.stored(prefix).utf8)
            let text = body.map { Array($0.canonicalText.utf8) }
            try name.withUnsafeBytes { name in
                guard let text else { return try add(plan: plan, prefix: name, line: Int64(index + 1), body: nil) }
                try text.withUnsafeBytes { text in
                    try add(plan: plan, prefix: name, line: Int64(index + 1), body: text)
                }
            }
        }
    }
}
