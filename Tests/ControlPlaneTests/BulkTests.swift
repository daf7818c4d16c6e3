import Fixtures
import Foundation
import JSON
import NetworkManager
import Routing
import Store
import Testing
import Time

@testable import ControlPlane

extension ControlPlaneFixture {
    /// Sends a bulk in pieces and waits for what comes of it.
    func bulk(
        _ text: String, _ form: BulkOrder.Form = .csv, replaces: Bool = true, plan: String = "default",
        if precondition: Precondition = Precondition(), pieceBytes: Int = 1000
    ) async throws -> Result<BulkResult, Refusal> {
        let order = BulkOrder(
            .routes(plan: plan, form), replaces: replaces, precondition: precondition,
            asker: TokenRegistry.Asker(who: "test", requestID: "r"))
        return try await bulk(text, order, pieceBytes: pieceBytes)
    }

    /// Sends what an order asks for in pieces and waits for what comes of it.
    func bulk(_ text: String, _ order: BulkOrder, pieceBytes: Int = 1000) async throws -> Result<BulkResult, Refusal> {
        let bulk = try plane.beginBulk(order)
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            bulk.receive(Array(bytes[start..<min(start + pieceBytes, bytes.count)])) {}
        }
        return await withCheckedContinuation { continuation in
            bulk.finish { continuation.resume(returning: $0) }
        }
    }

    /// The whole table of a plan.
    func table(_ form: BulkOrder.Form = .csv, plan: String = "default") throws -> String {
        let table = try plane.routeTable(of: plan, prefix: nil, form: form)
        var text: [UInt8] = []
        while true {
            let page = try table.next()
            guard !page.isEmpty else { return String(decoding: text, as: UTF8.self) }
            text += page
        }
    }

    /// Routing lists to lead to.
    func provisionLists(_ ids: String...) async throws {
        for id in ids { try await commit(try put("routing-lists/\(id)", "{}")) }
    }

    func bulkFiles() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.contains("-bulk-") }
    }

    /// What calls follow, as text.
    func followed(_ plan: String = "default") -> [String] {
        var routes: [String] = []
        plane.state.builder.forEachRoute(in: plan) { prefix, route in
            routes.append("\(prefix) \(route)")
            return true
        }
        return routes.sorted()
    }
}

@Suite struct BulkTests {
    private static let header =
        "prefix,routing_list,reject_status,reject_reason,min_digits,max_digits,valid_from,valid_until,description\r\n"

    @Test func `a table that was read can be put back, in either form, and changes nothing`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLists("uk", "fr")
        let csv =
            Self.header + "any,,603,\"no, thanks\",,,,,\"\"\r\n" + "33,fr,,,4,12,,,\"say \"\"oui\"\"\r\nor not\"\r\n"
            + "*31#,uk,,,,,2026-01-01T00:00:00.000Z,2027-01-01T00:00:00.000Z,\r\n"
        // The order of the digits is that of their bytes.
        let sorted =
            Self.header + "any,,603,\"no, thanks\",,,,,\"\"\r\n"
            + "*31#,uk,,,,,2026-01-01T00:00:00.000Z,2027-01-01T00:00:00.000Z,\r\n"
            + "33,fr,,,4,12,,,\"say \"\"oui\"\"\r\nor not\"\r\n"
        let result = try await fixture.bulk(csv, pieceBytes: 7).get()
        #expect((result.counts.created, result.revision) == (3, fixture.plane.revision))
        #expect(try fixture.table() == sorted)
        let lines = try fixture.table(.lines)
        #expect(
            lines.split(separator: "\n").map(String.init) == [
                #"{"prefix":"any","description":"","reject":{"reason":"no, thanks","status":603}}"#,
                #"{"prefix":"*31#","routing_list":"uk","valid_from":"2026-01-01T00:00:00.000Z","#
                    + #""valid_until":"2027-01-01T00:00:00.000Z"}"#,
                #"{"prefix":"33","description":"say \"oui\"\r\nor not","max_digits":12,"min_digits":4,"#
                    + #""routing_list":"fr"}"#,
            ])
        for (text, form) in [(sorted, BulkOrder.Form.csv), (lines, .lines)] {
            for replaces in [true, false] {
                let again = try await fixture.bulk(text, form, replaces: replaces).get()
                #expect(again.counts.total == 0 && again.revision == result.revision)
            }
        }
        fixture.close()
    }

    @Test func `rows are merged into what is there, or take routes away`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLists("uk", "fr")
        try await fixture.commit(
            try put("routing-plans/default/routes/44", #"{"routing_list":"uk","description":"d","min_digits":4}"#),
            try put("routing-plans/default/routes/45", #"{"routing_list":"uk"}"#),
            try put("routing-plans/default/routes/46", #"{"routing_list":"uk"}"#))
        let csv = "description,prefix,min_digits\n,44,6\nnew,46,\n"
        #expect(try await fixture.bulk(csv, replaces: false).get().counts.replaced == 2)
        let lines = #"""
            {"prefix":"45","delete":true}
            {"routing_list":"fr","prefix":"33"}
            {"prefix":"99","delete":true}

            {"prefix":"46","delete":false,"id":"46","effective":{},"revision":3,"routing_list":"fr"}
            """#
        let counts = try await fixture.bulk(lines, .lines, replaces: false).get().counts
        #expect((counts.created, counts.replaced, counts.deleted) == (1, 1, 1))
        #expect(
            try fixture.table(.lines).split(separator: "\n").map(String.init) == [
                #"{"prefix":"33","routing_list":"fr"}"#, #"{"prefix":"44","min_digits":6,"routing_list":"uk"}"#,
                #"{"prefix":"46","description":"new","routing_list":"fr"}"#,
            ])
        fixture.close()
    }

    @Test(arguments: [
        (
            "prefix,reject_status,reject_reason\n44,404,\n45,604,No\n",
            [#"{"status":404}"#, #"{"reason":"No","status":604}"#]
        ),
        ("prefix,reject_reason\n44,\n45,Never\n46,\n", [#"{"status":603}"#, #"{"reason":"Never","status":603}"#]),
        ("prefix,reject_status,reject_reason,routing_list\n44,,,uk\n", ["-", #"{"status":603}"#]),
        ("prefix,reject_status,routing_list\n44,,uk\n45,404,\n", ["-", #"{"status":404}"#]),
        ("prefix,routing_list,reject_reason\n47,uk,\n", [#"{"reason":"No","status":603}"#, #"{"status":603}"#]),
    ])
    func `an empty cell of a merge takes away what its column names, and no more`(_ csv: String, _ rejects: [String])
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLists("uk")
        try await fixture.commit(
            try put("routing-plans/default/routes/44", #"{"reject":{"status":603,"reason":"No"}}"#),
            try put("routing-plans/default/routes/45", #"{"reject":{"status":603}}"#),
            try put("routing-plans/default/routes/46", #"{"routing_list":"uk"}"#))
        #expect(try await fixture.bulk(csv, replaces: false).get().counts.total > 0)
        let left = try fixture.table(.lines).split(separator: "\n").prefix(2)
            .map { try json(String($0))["reject"]?.canonicalText ?? "-" }
        #expect(left == rejects)
        #expect(try fixture.table(.lines).contains(#"{"prefix":"46","routing_list":"uk"}"#))
        fixture.close()
    }

    @Test func `a refusal of merged rows names the column where there is one`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLists("uk")
        let csv = "routing_list,prefix,reject_status,reject_reason,min_digits\nuk,44,,,\nuk,45,,,many\n,46,,because,\n"
        let refusal = try #require(try await fixture.bulk(csv, replaces: false).refusal)
        #expect(
            refusal.errors.map { "\($0.line ?? 0):\($0.column ?? 0) \($0.pointer)" } == [
                "3:5 /min_digits", "4:3 /reject/status",
            ])
        fixture.close()
    }

    @Test func `one change: a revision, an audit entry, an event with counts`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLists("uk")
        let before = fixture.plane.revision
        let rows = (1...1500).map { "\($0),uk\n" }.joined()
        _ = try await fixture.bulk("prefix,routing_list\n" + rows).get()
        #expect(fixture.plane.revision == before + 1)
        let summary = try #require(try fixture.store.summary(of: Revision(before + 1)).value)
        #expect((summary.who, summary.putCount, summary.deleteCount) == ("test", 1500, 0))
        let events = try fixture.plane.events(after: 0, types: ["routing.changed"], limit: 1000).value
        let data = try json(try #require(events.last).data)
        #expect(data["counts"] == (try json(#"{"routes":{"created":1500}}"#)))
        #expect(data.entries("objects").count == 100)
        fixture.close()
    }

    @Test(arguments: [
        ("prefix,routing_list\n44,uk\n4x,uk\n", "3:1 /prefix not a prefix"),
        ("prefix,routing_list\n,uk\n", "2:1 /prefix not a prefix"),
        ("prefix,routing_list\n44,us\n", "2:2 /routing_list no such routing list"),
        ("prefix,routing_list\n44\n", "2:- / 1 cells"),
        ("prefix,colour\n44,red\n", "1:2 / unknown column"),
        ("routing_list\nuk\n", "1:- / the column prefix is missing"),
        ("prefix,prefix\n1,2\n", "1:2 / the same column twice"),
        ("prefix,delete\n1,true\n", "1:2 / only a merge (PATCH) deletes routes by name"),
        ("prefix,routing_list\n44,uk\n45,uk\n44,uk\n", "4:1 /prefix it stands in line 2 already"),
        ("prefix,routing_list,min_digits\n44,uk,four\n", "2:3 /min_digits not a whole number"),
        ("prefix,min_digits,max_digits,routing_list\n44,9,4,uk\n", "2:3 /max_digits less than min_digits"),
        ("prefix,reject_status\n44,200\n", "2:2 /reject/status out of range"),
        ("prefix,description\n44,x\n", "2:- /routing_list required where there is no reject"),
        ("prefix,routing_list\n44,\"uk\"x\n", "2:2 / something stands behind the quote that ends a cell"),
        ("", "1:- / there is no header"),
    ]) func `CSV that breaks a rule is refused by line and column`(text: String, told: String) async throws {
        try await expectRefusal(text, .csv, told)
    }

    @Test(arguments: [
        (
            #"{"prefix":"44","routing_list":"uk"}"# + "\n{\n",
            "2:2 / not JSON: the name of a member in double quotes is missing"
        ),
        (#"{"prefix":"44","routing_list":"us"}"#, "1:- /routing_list no such routing list"),
        (#"{"prefix":44,"routing_list":"uk"}"#, "1:2 /prefix not a string"),
        (#"{"routing_list":"uk"}"#, "1:- /prefix required"),
        (#"["44"]"#, "1:1 / not an object"),
        (#"{"prefix":"44","routing_list":"uk","list":1}"#, "1:36 /list unknown field"),
        (#"{"prefix":"44","routing_list":7}"#, "1:16 /routing_list not a string"),
        (#"{"prefix":"44","delete":true}"#, "1:16 /delete all routes are replaced"),
        (
            #"{"prefix":"1234","routing_list":"uk","prefix":"1"}"#,
            "1:38 / not JSON: the name \"prefix\" stands twice in one object"
        ),
        ("", "1:- / there is no route"),
    ]) func `lines that break a rule are refused by line and column`(text: String, told: String) async throws {
        try await expectRefusal(text, .lines, told)
    }

    private func expectRefusal(_ text: String, _ form: BulkOrder.Form, _ told: String) async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLists("uk")
        let (revision, followed) = (fixture.plane.revision, fixture.followed())
        for pieceBytes in [3, 100_000] {
            let refusal = try #require(try await fixture.bulk(text, form, pieceBytes: pieceBytes).refusal)
            #expect(refusal.problem == .invalid)
            let error = try #require(refusal.errors.first)
            let column = error.column.map { "\($0)" } ?? "-"
            let pointer = error.pointer.isEmpty ? "/" : error.pointer
            #expect("\(error.line ?? 0):\(column) \(pointer) \(error.reason)" == told)
        }
        #expect(fixture.plane.revision == revision && fixture.followed() == followed)
        #expect(try fixture.bulkFiles().isEmpty)
        fixture.close()
    }

    @Test func `of many faults the first hundred by line are told, and all are counted`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLists("uk")
        let rows = (2...2001).map { $0 % 2 == 0 ? "4x,uk\n" : "\($0),us\n" }.joined()
        let refusal = try #require(try await fixture.bulk("prefix,routing_list\n" + rows).refusal)
        #expect(refusal.errors.count == 100 && refusal.errors.first?.line == 2 && refusal.errors.last?.line == 101)
        #expect(refusal.extensions["error_count"]?.integer.map { $0 > 1000 } == true)
        fixture.close()
    }

    @Test func `what a merge would make of a route is checked, also when others changed it meanwhile`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLists("uk")
        try await fixture.commit(
            try put("routing-plans/default/routes/44", #"{"routing_list":"uk","max_digits":5}"#))
        let refusal = try #require(
            try await fixture.bulk(#"{"prefix":"44","min_digits":9}"#, .lines, replaces: false).refusal)
        #expect(refusal.errors.first?.pointer == "/max_digits" && refusal.errors.first?.line == 1)
        let rejected = #"{"prefix":"44","reject":{"status":603}}"#
        #expect(try await fixture.bulk(rejected, .lines, replaces: false).refusal?.errors.first?.pointer == "/reject")
        let moved = #"{"prefix":"44","reject":{"status":603},"routing_list":null}"#
        #expect(try await fixture.bulk(moved, .lines, replaces: false).get().counts.replaced == 1)
        fixture.close()
    }

    @Test func `a bulk is refused like any change that calls, tests or confirmations stand against`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(
            try put("routing-tests/t", #"{"number":"442071234567","expect":{"routing_list":"uk"}}"#))
        let refusal = try await fixture.bulk("prefix,reject_status\n44,603\n").refusal
        #expect(refusal?.problem == .testFailed)
        #expect(try await fixture.bulk("prefix,routing_list\n44,uk\n", plan: "default").get().counts.total == 0)
        #expect(throws: Refusal.self) {
            try fixture.plane.beginBulk(
                BulkOrder(
                    .routes(plan: "none", .csv), replaces: true, precondition: Precondition(),
                    asker: TokenRegistry.Asker(who: "test", requestID: "r")))
        }
        #expect(fixture.plane.bulksUnderWay == 0)
        var pending = Change(
            [try put("routing-plans/default/routes/45", #"{"routing_list":"uk"}"#)], who: "test")
        pending.confirmWithin = .seconds(60)
        let waiting = pending
        _ = try await withCheckedContinuation { continuation in
            fixture.plane.submit(waiting) { continuation.resume(returning: $0) }
        }.get()
        #expect(try await fixture.bulk("prefix,routing_list\n44,uk\n").refusal?.problem == .conflict)
        #expect(try await fixture.bulk("prefix,routing_list\n46,uk\n", replaces: false).get().counts.created == 1)
        fixture.close()
    }

    @Test func `entity tags of a table are good while none of its routes changed`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLists("uk")
        let etag = try fixture.plane.routeTable(of: "default", prefix: nil, form: .csv).etag
        try await fixture.provisionLists("fr")
        let rows = "prefix,routing_list\n44,uk\n"
        let done = try await fixture.bulk(rows, if: Precondition(ifMatch: [etag])).get()
        let stale = try #require(
            try await fixture.bulk("prefix,routing_list\n45,uk\n", if: Precondition(ifMatch: [etag])).refusal)
        #expect(stale.problem == .stale && stale.currentETag == RouteTable.etag(of: done.revision))
        for tags in [["x"], ["r"], ["r999999"]] {
            #expect(try await fixture.bulk(rows, if: Precondition(ifMatch: tags)).refusal?.problem == .stale)
        }
        #expect(try await fixture.bulk(rows, if: Precondition(ifMatch: ["*"])).refusal == nil)
        #expect(try await fixture.bulk(rows, if: Precondition(ifNoneMatch: ["*"])).refusal?.problem == .stale)
        fixture.close()
    }

    @Test func `a bulk that is abandoned leaves nothing, and so many are under way at most`() async throws {
        let fixture = try ControlPlaneFixture()
        let order = BulkOrder(
            .routes(plan: "default", .csv), replaces: true, precondition: Precondition(),
            asker: TokenRegistry.Asker(who: "test", requestID: "r"))
        let bulks = try (0..<Bulk.limitCount).map { _ in try fixture.plane.beginBulk(order) }
        do throws(Refusal) {
            _ = try fixture.plane.beginBulk(order)
            Issue.record("one too many")
        } catch { #expect(error.problem == .tooManyRequests && error.retryAfterSeconds != nil) }
        for bulk in bulks {
            bulk.receive(Array("prefix,reject_status\n44,603\n".utf8)) {}
            bulk.abandon()
        }
        for _ in 0..<1_000_000 where fixture.plane.bulksUnderWay > 0 { await Task.yield() }
        #expect(fixture.plane.bulksUnderWay == 0)
        #expect(try fixture.bulkFiles().isEmpty)
        #expect(fixture.plane.revision == 1)
        fixture.close()
    }

    @Test(arguments: [RouteStage.inPlaceLimitCount, 0])
    func `a full disk refuses a bulk as read-only and leaves the old table`(limit: Int) async throws {
        let fixture = try ControlPlaneFixture(bulksInPlace: limit)
        try await fixture.provisionLists("uk")
        _ = try await fixture.bulk("prefix,routing_list\n44,uk\n").get()
        fixture.log.order(.answer(.readOnly(reason: "disk full")))
        let refusal = try await fixture.bulk("prefix,routing_list\n45,uk\n").refusal
        #expect(refusal?.problem == .readOnly)
        fixture.log.order(.answer(.unknown(reason: "the connection broke")))
        #expect(try await fixture.bulk("prefix,routing_list\n45,uk\n").refusal?.problem == .outcomeUnknown)
        #expect(try fixture.table().hasSuffix("44,uk,,,,,,,\r\n"))
        #expect(try await fixture.bulk("prefix,routing_list\n45,uk\n").get().counts.created == 1)
        #expect(fixture.followed().count == 1)
        fixture.close()
        #expect(try Store.check(path: fixture.folder.file()).findings.isEmpty)
    }

    @Test(arguments: [RouteStage.inPlaceLimitCount, 0])
    func `a bulk whose log had moved on catches up with it`(limit: Int) async throws {
        let fixture = try ControlPlaneFixture(bulksInPlace: limit)
        try await fixture.provisionLists("uk", "fr")
        fixture.log.order(.comeLate("routing-plans/default/routes/99", #"{"routing_list":"fr"}"#))
        let result = try await fixture.bulk("prefix,routing_list\n44,uk\n").get()
        #expect(result.counts.deleted == 1 && result.counts.created == 1)
        #expect(fixture.followed().count == 1)
        #expect(try fixture.table().hasSuffix("\r\n44,uk,,,,,,,\r\n"))
        fixture.close()
        #expect(try Store.check(path: fixture.folder.file()).findings.isEmpty)
    }
}

extension JSONValue {
    fileprivate var integer: Int64? {
        guard case .integer(let number) = self else { return nil }
        return number
    }
}
