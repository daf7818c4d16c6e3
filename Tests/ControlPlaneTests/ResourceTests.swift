import ControlPlane
import Fixtures
import JSON
import Routing
import Store
import Testing
import Time

@Suite struct ResourceTests {
    @Test func `an object is shown as it was answered, and its entity tag stays over a restart`() async throws {
        let fixture = try ControlPlaneFixture()
        let result = try await fixture.commit(try put("gateways/a", #"{"uri":"sip:192.0.2.1","hold_s":7}"#))
        let answered = try #require(result.operations.first?.view)
        let shown = try fixture.plane.view(ResourcePath(.gateways, "a"))
        #expect(shown.value.body == answered.body)
        #expect(shown.value.etag == answered.etag)
        #expect(shown.revision.number == result.revision)
        #expect(shown.value.body["created_at"] == .string(fixture.clock.wallTime.rfc3339))
        fixture.clock.move(by: .seconds(5))
        try await fixture.commit(try patch("gateways/a", #"{"hold_s":8}"#))
        let changed = try fixture.plane.view(ResourcePath(.gateways, "a")).value
        #expect(changed.body["created_at"] == answered.body["created_at"])
        #expect(changed.body["updated_at"] == .string(fixture.clock.wallTime.rfc3339))
        #expect(changed.etag != answered.etag)
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder)
        #expect(try again.plane.view(ResourcePath(.gateways, "a")).value.body == changed.body)
        #expect(throws: Refusal.self) { try again.plane.view(ResourcePath(.gateways, "b")) }
        again.close()
    }

    @Test func `a page of large objects ends before its limit, and the walk goes on`() async throws {
        let fixture = try ControlPlaneFixture()
        let networks = (0..<60_000).map { "\"10.\($0 >> 8).\($0 & 255).0/24\"" }.joined(separator: ",")
        for number in 0..<6 {
            let own = networks.replacing("\"10.", with: "\"\(11 + number).")
            try await fixture.commit(try put("ingress-peers/p\(number)", "{\"networks\":[\(own)]}"))
        }
        let page = try fixture.plane.list(ListQuery(.ingressPeers))
        #expect(page.items.count < 7)
        var query = ListQuery(.ingressPeers)
        query.after = page.next
        #expect(page.next != nil)
        let rest = try fixture.plane.list(query)
        #expect(page.items.count + rest.items.count == 7 && rest.next == nil)
        fixture.close()
    }

    @Test func `lists come in pages; routes by plan and by what lies below a prefix`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        for prefix in ["any", "441", "442", "45"] {
            try await fixture.commit(try put("routing-plans/default/routes/\(prefix)", #"{"routing_list":"uk"}"#))
        }
        var query = ListQuery(.routes, plan: "default")
        query.limitCount = 2
        var seen: [String] = []
        repeat {
            let page = try fixture.plane.list(query)
            #expect(page.revision == fixture.plane.revision)
            seen += page.items.compactMap { $0["prefix"]?.text }
            query.after = page.next
        } while query.after != nil
        #expect(seen == ["any", "44", "441", "442", "45"])
        query.idPrefix = "44"
        query.limitCount = 100
        #expect(try fixture.plane.list(query).items.compactMap { $0["id"]?.text } == ["44", "441", "442"])
        #expect(throws: Refusal.self) { try fixture.plane.list(ListQuery(.routes, plan: "nobody")) }
        #expect(try fixture.plane.list(ListQuery(.gateways)).items.count == 2)
        fixture.close()
    }

    @Test func `calls follow a route as soon as its change is answered, one by one`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(
            try put("gateway-groups/other", #"{"members":[{"gateway":"lon2"},{"gateway":"lon1"}]}"#),
            try put("routing-lists/other", #"{"groups":[{"group":"other"}]}"#))
        for list in ["other", "uk", "other", "uk"] {
            try await fixture.commit(try put("routing-plans/default/routes/44", #"{"routing_list":"\#(list)"}"#))
            let gateways = LookupTests.gateways(try fixture.plane.lookup(LookupQuery(number: "44")).value)
            #expect(gateways == (list == "uk" ? ["lon1", "lon2"] : ["lon2", "lon1"]))
        }
        try await fixture.commit(try delete("routing-plans/default/routes/44"))
        #expect(try fixture.plane.lookup(LookupQuery(number: "44")).value["status"] == .integer(404))
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder)
        #expect(try again.plane.lookup(LookupQuery(number: "44")).value["status"] == .integer(404))
        again.close()
    }
}
