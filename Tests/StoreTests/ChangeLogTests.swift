import Fixtures
import GRDB
import JSON
import Routing
import Testing
import Time

@testable import Store

@Suite struct ChangeLogTests {
    let folder: TemporaryFolder
    let store: Store

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.store()
    }

    @Test func `a new database stands at epoch 1, revision 0, with a digest of zeros`() throws {
        #expect(store.position == Position(epoch: 1, revision: Revision(0), digest: Array(repeating: 0, count: 32)))
        #expect(try store.export().isEmpty)
        let bounds = try store.eventBounds()
        #expect(bounds == (0, 0))
    }

    @Test func `what is appended is read back with its revision and times, also after a restart`() throws {
        let path = ResourcePath(.gateways, "lon1")
        let outcome = store.change([(path, Sample.gateway("sip:192.0.2.10"))])
        #expect(outcome == .appended(store.position))
        #expect(store.position.revision == Revision(1))
        let read = try store.object(path)
        #expect(read.revision == Revision(1))
        let object = try #require(read.value)
        #expect(object.body == Sample.gateway("sip:192.0.2.10"))
        #expect((object.revision, object.createdAt, object.updatedAt) == (Revision(1), Sample.time(1), Sample.time(1)))
        let position = store.position
        store.close()
        let reopened = try folder.store()
        #expect(reopened.position == position)
        #expect(try reopened.object(path).value == object)
        reopened.close()
    }

    @Test func `a replaced object keeps when it was made, a deleted one is gone, both stay by revision (DESIGN 6)`()
        throws
    {
        let path = ResourcePath(.gateways, "lon1")
        store.change([(path, Sample.gateway("sip:a"))])
        let replaced = ChangeEntry(
            revision: Revision(2), at: Sample.time(2), who: "test", comment: nil,
            effects: [Effect(path: path, body: Sample.gateway("sip:b"), createdAt: Sample.time(1))], events: [])
        _ = store.append(CommitBatch(base: store.position, changes: [replaced]))
        let object = try #require(try store.object(path).value)
        #expect((object.createdAt, object.updatedAt, object.revision) == (Sample.time(1), Sample.time(2), Revision(2)))
        store.change([(path, nil)])
        #expect(try store.object(path).value == nil)
        let rows = try store.reading { db in
            try String.fetchAll(
                db, sql: "SELECT from_revision || '-' || until_revision || body FROM objects ORDER BY from_revision")
        }
        #expect(rows == ["1-2{\"uri\":\"sip:a\"}", "2-3{\"uri\":\"sip:b\"}"])
    }

    @Test func `a batch on another position is stale and writes nothing`() throws {
        let base = store.position
        store.change([(ResourcePath(.gateways, "a"), .object([:]))])
        let entry = Sample.entry(1, [(ResourcePath(.gateways, "b"), .object([:]))])
        let outcome = store.append(CommitBatch(base: base, changes: [entry], events: [Sample.event("x")]))
        #expect(outcome == .stale(store.position))
        #expect(try store.object(ResourcePath(.gateways, "b")).value == nil)
        #expect(try store.events(after: 0, types: [], limit: 10).isEmpty)
    }

    @Test func `a batch is taken whole or not at all`() throws {
        let first = Sample.entry(1, [(ResourcePath(.gateways, "a"), .object([:]))], events: [Sample.event("x")])
        let skipping = Sample.entry(3, [(ResourcePath(.gateways, "b"), .object([:]))])
        let missing = Sample.entry(2, [(ResourcePath(.gateways, "b"), nil)])
        let twice = Sample.entry(
            2, [(ResourcePath(.gateways, "b"), .object([:])), (ResourcePath(.gateways, "b"), .object([:]))])
        let before = store.position
        for second in [skipping, missing, twice] {
            guard case .unavailable = store.append(CommitBatch(base: before, changes: [first, second])) else {
                Issue.record("taken: \(second)")
                continue
            }
            #expect(store.position == before)
            #expect(try store.export().isEmpty)
            #expect(try store.eventBounds() == (0, 0))
        }
        #expect(store.change([(ResourcePath(.gateways, "a"), .object([:]))]) == .appended(store.position))
    }

    @Test func `a full disk makes the outcome read-only; what was there stays and is read`() throws {
        store.change([(ResourcePath(.gateways, "a"), .object([:]))])
        let before = store.position
        try store.pool.writeWithoutTransaction { db in
            let count = try #require(try Int.fetchOne(db, sql: "PRAGMA page_count"))
            try db.execute(sql: "PRAGMA max_page_count = \(count)")
        }
        let big = JSONValue.string(String(repeating: "x", count: 100_000))
        guard case .readOnly(let reason) = store.change([(ResourcePath(.gateways, "b"), big)]) else {
            Issue.record("a page more than there may be")
            return
        }
        #expect(reason.contains("full") && reason.contains(folder.path))
        #expect(store.position == before)
        #expect(try store.export().keys.sorted() == ["gateways/a"])
        try store.pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA max_page_count = 1000000") }
        #expect(store.change([(ResourcePath(.gateways, "b"), big)]) == .appended(store.position))
    }

    @Test func `commits are synced in full, by one connection, and readers can't write (DESIGN 6)`() throws {
        let writer = try store.pool.writeWithoutTransaction { db in
            [
                try String.fetchOne(db, sql: "PRAGMA journal_mode"), try String.fetchOne(db, sql: "PRAGMA synchronous"),
                try String.fetchOne(db, sql: "PRAGMA foreign_keys"),
            ]
        }
        #expect(writer == ["wal", "2", "1"])
        let reader = try store.reading { db in
            [
                try String.fetchOne(db, sql: "PRAGMA query_only"),
                try String.fetchOne(db, sql: "PRAGMA wal_autocheckpoint"),
            ]
        }
        #expect(reader == ["1", "0"])
        #expect(throws: StoreError.self) {
            try store.reading { db in try db.execute(sql: "DELETE FROM revisions") }
        }
    }

    @Test func `replaying all entries on an empty database gives the same objects and digests (DESIGN 10)`() throws {
        store.change([
            (ResourcePath(.routingPlans, "default"), .object([:])),
            (ResourcePath(.gateways, "b"), Sample.gateway("sip:b")),
            (ResourcePath(.gateways, "a"), Sample.gateway("sip:a")),
        ])
        store.change([
            (ResourcePath(route: "44", plan: "default"), Sample.route("uk")),
            (ResourcePath(route: "any", plan: "default"), Sample.route("all")),
        ])
        store.change([
            (ResourcePath(.gateways, "a"), Sample.gateway("sip:\"ä\"\n")), (ResourcePath(.gateways, "b"), nil),
            (ResourcePath(route: "44", plan: "default"), nil), (ResourcePath(route: "442", plan: "default"), .null),
        ])
        store.change([(ResourcePath(.gateways, "b"), .object(["n": .number(0.5), "m": .integer(-3)]))])
        let twin = try folder.store("twin.db", node: "n2")
        for entry in try store.entries(after: Revision(0), limit: 100) {
            let outcome = twin.append(CommitBatch(base: twin.position, changes: [entry]))
            #expect(outcome == .appended(twin.position))
        }
        #expect(twin.position == store.position)
        #expect(try twin.export() == store.export())
        #expect(try store.export().count == 5)
    }

    @Test func `the digest follows the digest before and the entry`() throws {
        let twin = try folder.store("twin.db")
        store.change([(ResourcePath(.gateways, "a"), .object([:]))])
        twin.change([(ResourcePath(.gateways, "a"), .object([:]))])
        #expect(twin.position == store.position)
        store.change([(ResourcePath(.gateways, "b"), .object([:]))])
        twin.change([(ResourcePath(.gateways, "c"), .object([:]))])
        #expect(twin.position.digest != store.position.digest)
        #expect(store.position.digest.count == 32)
    }

    @Test func `a closed store takes nothing and answers nothing, without a trap`() throws {
        store.close()
        store.close()
        guard case .unavailable = store.change([(ResourcePath(.gateways, "a"), .object([:]))]) else {
            Issue.record("taken by a closed store")
            return
        }
        #expect(throws: StoreError.self) { try store.object(ResourcePath(.gateways, "a")) }
        #expect(throws: StoreError.self) { try store.secret(named: "a", byteCount: 1) }
    }
}
