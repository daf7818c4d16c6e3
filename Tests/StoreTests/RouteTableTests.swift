import Fixtures
import GRDB
import JSON
import Routing
import Testing
import Time

@testable import Store

@Suite struct RouteTableTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func route(_ prefix: String, _ plan: String = "default") -> ResourcePath {
        ResourcePath(route: prefix, plan: plan)
    }

    @Test func `routes of a database from before there were tables of them keep their history`() throws {
        let queue = try DatabaseQueue(path: folder.file())
        try Schema.migrator.migrate(queue, upTo: "notes")
        try queue.write { db in
            try Schema.begin(db, node: "n1", bootID: "b", at: Sample.time(0))
            for revision in 1...2 {
                try db.execute(
                    sql: """
                        INSERT INTO revisions (revision, epoch, at, who, put_count, delete_count, digest)
                        VALUES (?, 1, ?, 'test', 0, 0, zeroblob(32))
                        """, arguments: [revision, revision * 1000])
            }
            try db.execute(
                sql: """
                    INSERT INTO routes (plan, prefix, body, from_revision, until_revision, created_at) VALUES
                        ('default', '44', '{"routing_list":"a"}', 1, 2, 1000),
                        ('default', '44', '{"routing_list":"b"}', 2, NULL, 1000),
                        ('other', '', '{"routing_list":"c"}', 1, NULL, 1000),
                        ('gone', '1', '{"routing_list":"d"}', 1, 2, 1000)
                    """)
        }
        try queue.close()
        let store = try folder.store()
        defer { store.close() }
        let live = try store.export()
        #expect(live.keys.sorted() == ["routing-plans/default/routes/44", "routing-plans/other/routes/any"])
        let object = try #require(try store.object(route("44")).value)
        #expect(object.body == Sample.route("b") && object.revision == Revision(2))
        #expect((object.createdAt, object.updatedAt) == (Sample.time(1), Sample.time(2)))
        #expect(try store.object(route("44"), at: Revision(1))?.body == Sample.route("a"))
        #expect(try store.object(route("1", "gone"), at: Revision(1))?.body == Sample.route("d"))
        #expect(try store.object(route("1", "gone"), at: Revision(2)) == nil)
        #expect(
            try store.entries(after: Revision(1), limit: 1).first?.effects.map(\.path.text) == [
                "routing-plans/default/routes/44", "routing-plans/gone/routes/1",
            ])
        store.change([(route("1", "gone"), Sample.route("e"))])
        #expect(try store.object(route("1", "gone")).value?.body == Sample.route("e"))
    }

    @Test(arguments: [EntryDigest.routesApartCount, EntryDigest.routesApartCount + 1])
    func `many effects on the routes of a plan are hashed apart, and replay and check to the same digest`(
        count: Int
    ) throws {
        let store = try folder.store()
        let plans = ["a", "a-b", "a.b"]
        store.change(plans.map { (ResourcePath(.routingPlans, $0), .object([:])) })
        store.change(
            plans.flatMap { plan in
                (1..<count).map { (route("\($0)", plan), Sample.route("uk")) } + [
                    (route("any", plan), Sample.route("all"))
                ]
            } + [(ResourcePath(.gateways, "g"), Sample.gateway("sip:192.0.2.1"))])
        store.change(
            (1..<count).map { (route("\($0)", "a"), $0 % 2 == 0 ? nil : Sample.route("fr")) } + [
                (route("any", "a"), nil)
            ])
        let twin = try folder.store("twin.db")
        for entry in try store.entries(after: Revision(0), limit: 100) {
            #expect(twin.append(CommitBatch(base: twin.position, changes: [entry])) == .appended(twin.position))
        }
        #expect(twin.position == store.position)
        #expect(try twin.export() == store.export())
        twin.close()
        store.close()
        #expect(try Store.check(path: folder.file()).findings.isEmpty)
    }
}
