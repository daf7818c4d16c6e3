import Fixtures
import GRDB
import JSON
import Routing
import Store
import Testing
import Time

@Suite struct StoreReportTests {
    let folder: TemporaryFolder
    let store: Store

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.store()
        store.change([
            (ResourcePath(.gateways, "b"), .object(["n": .number(1)])), (ResourcePath(.gateways, "a"), .object([:])),
        ])
        store.change([
            (ResourcePath(route: "any", plan: "default"), Sample.route("ä")), (ResourcePath(.gateways, "b"), nil),
        ])
        store.change(
            [(ResourcePath(route: "any", plan: "default"), nil), (ResourcePath(route: "4", plan: "default"), .null)],
            events: [Sample.event("x")])
    }

    private func findings(after sql: String) throws -> [String] {
        store.close()
        let queue = try DatabaseQueue(path: folder.file())
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA foreign_keys = OFF")
            try db.execute(sql: sql)
        }
        try queue.close()
        return try Store.check(path: folder.file()).findings
    }

    @Test func `a sound database has no findings, also while a server has it open`() throws {
        let report = try Store.check(path: folder.file())
        #expect(report.findings.isEmpty)
        #expect(report.position == store.position)
        #expect((report.objectCount, report.routeCount, report.eventCount) == (1, 1, 1))
        #expect(store.change([(ResourcePath(.gateways, "c"), .object([:]))]) == .appended(store.position))
        #expect(try Store.check(path: folder.file()).position == store.position)
    }

    @Test(arguments: [
        "UPDATE objects SET body = '{\"x\":1}' WHERE id = 'b'", "DELETE FROM objects WHERE id = 'b'",
        "UPDATE revisions SET who = 'nobody' WHERE revision = 1", "UPDATE objects SET id = 'c' WHERE id = 'a'",
        "UPDATE revisions SET digest = zeroblob(32) WHERE revision = 1",
    ]) func `what was changed behind our back breaks the chain at its revision`(sql: String) throws {
        #expect(try findings(after: sql) == ["the digest of revision 1 does not follow from its rows"])
    }

    @Test(arguments: [
        "UPDATE routes SET until_revision = NULL WHERE prefix = ''",
        "UPDATE routes SET created_at = 5 WHERE prefix = '4'",
    ]) func `so do a route that came back and another time`(sql: String) throws {
        #expect(try findings(after: sql) == ["the digest of revision 3 does not follow from its rows"])
    }

    @Test func `a revision that is missing is found`() throws {
        #expect(try findings(after: "DELETE FROM revisions WHERE revision = 2").contains("revision 3 follows 1"))
    }

    @Test func `a file that is missing is not made`() throws {
        #expect(throws: StoreError.self) { try Store.check(path: folder.file("none.db")) }
        #expect(throws: StoreError.self) { try Store.check(path: folder.file("none.db")) }
    }
}
