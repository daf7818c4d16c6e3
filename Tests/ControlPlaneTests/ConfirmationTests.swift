import ControlPlane
import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Testing
import Time

/// Changes that go back by themselves (API section 4), under a clock that stands still.
@Suite struct ConfirmationTests {
    private static let breaking =
        #"""
        {"confirm_within_s":60,"operations":[
        {"op":"put","path":"gateways/bad","value":{"uri":"sip:192.0.2.99"}},
        {"op":"patch","path":"gateway-groups/london","value":{"members":[{"gateway":"bad"}]}},
        {"op":"delete","path":"gateways/lon2"}]}
        """#

    private func confirmation(_ fixture: ControlPlaneFixture, of revision: Int64) throws -> JSONValue? {
        try fixture.plane.revision(revision, after: nil, limitCount: 100).body.value["confirmation"]
    }

    @Test func `unless it is confirmed in time a change goes back: one revision, told by an event`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let before = try fixture.everything()
        let answer = try await fixture.set(Self.breaking)
        let revision = fixture.plane.revision
        let until = fixture.clock.wallTime + .seconds(60)
        #expect(answer["confirm_by"] == .string(until.rfc3339))
        #expect(try confirmation(fixture, of: revision)?["state"] == .string("pending"))
        fixture.clock.move(by: .seconds(59))
        try await fixture.settle()
        #expect(try fixture.firstGateway() == "bad", "its time has not come")
        fixture.clock.move(by: .seconds(1))
        try await fixture.settle()
        #expect(try fixture.firstGateway() == "lon1")
        let settled = fixture.plane.revision
        let withoutSettling = try fixture.everything().filter { !$0.contains("settle-") }
        #expect(withoutSettling == before)
        let told = try #require(try confirmation(fixture, of: revision))
        #expect(told["state"] == .string("gone-back") && told["settled_revision"] == .integer(settled - 1))
        #expect(told["settled_by"] == .string("tandem"))
        let events = try fixture.plane.events(after: 0, types: ["routing.changed"], limit: 100).value
        let data = try events.map { try json($0.data) }
        #expect(data.first { $0["revision"] == .integer(revision) }?["confirm_by"] == .string(until.rfc3339))
        #expect(data.first { $0["revision"] == .integer(settled - 1) }?["takes_back"] == .integer(revision))
        #expect(await fixture.confirm(revision).refusal?.problem == .conflict, "too late")
        fixture.close()
    }

    @Test func `confirmed in time it stays; again is no harm; what waits for nothing is a conflict`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.set(Self.breaking)
        let revision = fixture.plane.revision
        fixture.clock.move(by: .seconds(59))
        for _ in 0..<2 {
            let shown = try await fixture.confirm(revision).get()
            #expect(shown["confirmation"]?["state"] == .string("confirmed"))
            #expect(shown["confirmation"]?["settled_by"] == .string("test"))
        }
        #expect(fixture.plane.revision == revision, "to confirm is no change of the routing data")
        fixture.clock.move(by: .seconds(3600))
        try await fixture.settle()
        #expect(try fixture.firstGateway() == "bad")
        #expect(await fixture.confirm(revision - 1).refusal?.problem == .conflict)
        #expect(await fixture.confirm(revision + 100).refusal?.problem == .notFound)
        fixture.close()
    }

    @Test func `whoever sees that it was wrong takes it back at once, and nothing that waits for nothing`() async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let before = try fixture.everything()
        try await fixture.set(Self.breaking)
        let revision = fixture.plane.revision
        for _ in 0..<2 {
            let shown = try await fixture.settle(revision, isConfirmed: false).get()
            #expect(shown["confirmation"]?["state"] == .string("gone-back"))
            #expect(shown["confirmation"]?["settled_by"] == .string("test"))
            #expect(shown["confirmation"]?["settled_revision"] == .integer(revision + 1))
        }
        #expect(try fixture.everything() == before && fixture.plane.revision == revision + 1)
        #expect(await fixture.settle(revision + 1, isConfirmed: false).refusal?.problem == .conflict)
        try await fixture.set(Self.breaking)
        _ = await fixture.confirm(revision + 2)
        #expect(await fixture.settle(revision + 2, isConfirmed: false).refusal?.problem == .conflict, "it stays")
        fixture.close()
    }

    @Test(arguments: [Duration.seconds(10), .seconds(1000)])
    func `a restart between does not lose it, wherever its time falls`(pause: Duration) async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let before = try fixture.everything()
        try await fixture.set(Self.breaking)
        fixture.close()
        fixture.clock.move(by: pause)
        let again = try ControlPlaneFixture(folder: fixture.folder, clock: fixture.clock)
        if pause < .seconds(60) {
            try await again.settle()
            #expect(try again.firstGateway() == "bad")
            again.clock.move(by: .seconds(60))
        }
        try await again.settle()
        #expect(try again.everything().filter { !$0.contains("settle-") } == before)
        #expect(try again.firstGateway() == "lon1")
        again.close()
    }

    @Test func `somebody who sets the wall clock neither hastens nor delays it`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.set(Self.breaking)
        try await fixture.settle()
        fixture.clock.setWallClock(by: .seconds(7200))
        try await fixture.settle()
        #expect(try fixture.firstGateway() == "bad")
        fixture.clock.setWallClock(by: .seconds(-14_400))
        fixture.clock.move(by: .seconds(60))
        try await fixture.settle()
        #expect(try fixture.firstGateway() == "lon1")
        fixture.close()
    }

    @Test func `meanwhile whatever would keep it from going back is refused, and nothing else`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(
            try put("ingress-peers/acme", #"{"networks":["192.0.2.0/24"]}"#), try put("routing-plans/old", "{}"))
        try await fixture.set(
            #"""
            {"confirm_within_s":60,"operations":[
            {"op":"put","path":"gateways/bad","value":{"uri":"sip:192.0.2.99"}},
            {"op":"put","path":"routing-plans/new","value":{}},
            {"op":"patch","path":"gateway-groups/london","value":{"members":[{"gateway":"bad"}]}},
            {"op":"put","path":"ingress-peers/acme","value":{"networks":["198.51.100.0/24"]}},
            {"op":"delete","path":"routing-plans/old"}]}
            """#)
        let revision = fixture.plane.revision
        for operation in [
            try patch("gateways/bad", #"{"resends":1}"#), try put("gateway-groups/london", "{}"),
            try delete("gateways/lon1"), try put("gateway-groups/g", #"{"members":[{"gateway":"bad"}]}"#),
            try put("routing-plans/new/routes/1", #"{"routing_list":"uk"}"#), try put("routing-plans/old", "{}"),
            try put("ingress-peers/other", #"{"networks":["192.0.2.0/24"]}"#),
        ] {
            let refusal = try #require(await fixture.change(operation).refusal, "\(operation.path.text)")
            #expect(refusal.problem == .conflict && refusal.extensions["revision"] == .integer(revision))
            #expect((refusal.retryAfterSeconds ?? 0) >= 60)
        }
        #expect(fixture.plane.revision == revision)
        try await fixture.commit(try put("gateways/other", #"{"uri":"sip:192.0.2.50"}"#))
        try await fixture.commit(try patch("routing-lists/uk", #"{"description":"kept"}"#))
        fixture.clock.move(by: .seconds(60))
        try await fixture.settle()
        #expect(try fixture.firstGateway() == "lon1")
        #expect(try fixture.plane.view(ResourcePath(.gateways, "other")).value.etag == "r\(revision + 1)")
        #expect(try fixture.plane.view(ResourcePath(.routingLists, "uk")).value.body["description"] == .string("kept"))
        #expect(throws: Refusal.self) { try fixture.plane.view(ResourcePath(.gateways, "bad")) }
        fixture.close()
    }

    @Test func `two that don't meet go back each at its time; a restore before them supersedes both`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let good = fixture.plane.revision
        let shown = try fixture.everything()
        for (id, seconds) in [("a", 60), ("b", 30), ("c", 90)] {
            try await fixture.set(
                #"""
                {"confirm_within_s":\#(seconds),"operations":[
                {"op":"put","path":"gateways/\#(id)","value":{"uri":"sip:192.0.2.99"}}]}
                """#)
        }
        fixture.clock.move(by: .seconds(30))
        try await fixture.settle()
        #expect(throws: Refusal.self) { try fixture.plane.view(ResourcePath(.gateways, "b")) }
        #expect(throws: Never.self) { try fixture.plane.view(ResourcePath(.gateways, "a")) }
        try await fixture.restore(good)
        #expect(try fixture.everything() == shown)
        let restored = fixture.plane.revision
        for number in [good + 1, good + 3] {
            let told = try confirmation(fixture, of: number)
            #expect(told?["state"] == .string("superseded") && told?["settled_revision"] == .integer(restored))
        }
        fixture.clock.move(by: .seconds(600))
        try await fixture.settle()
        #expect(fixture.plane.revision == restored + 1, "there is nothing to take back any more")
        fixture.close()
    }

    @Test func `a restore can wait for its confirmation, and goes back too`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let shown = try fixture.everything()
        try await fixture.restore(1, #"{"confirm_within_s":60}"#)
        #expect(try fixture.firstGateway() == nil)
        fixture.clock.move(by: .seconds(60))
        try await fixture.settle()
        #expect(try fixture.everything().filter { !$0.contains("settle-") } == shown)
        fixture.close()
    }

    @Test func `a restore that may go back itself supersedes nothing that waits: what waits goes back for good`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let good = fixture.plane.revision
        try await fixture.set(Self.breaking)
        let revision = fixture.plane.revision
        for body in [#"{"confirm_within_s":5}"#, #"{"confirm_within_s":5,"dry_run":true}"#] {
            let change = try Change(restoring: good, try json(body), by: .test)
            let refusal = try #require(await fixture.carryOut(change).refusal)
            #expect(refusal.problem == .conflict && refusal.extensions["revision"] == .integer(revision))
            #expect(refusal.extensions["confirm_by"] != nil && refusal.retryAfterSeconds == 61)
        }
        #expect(try confirmation(fixture, of: revision)?["state"] == .string("pending"))
        #expect(fixture.plane.revision == revision)
        // Of what lies before the revision none is superseded.
        try await fixture.restore(revision, #"{"confirm_within_s":5}"#)
        fixture.clock.move(by: .seconds(60))
        try await fixture.settle()
        #expect(try fixture.firstGateway() == "lon1")
        fixture.close()
    }

    @Test func `while the disk is full it can't go back; it does as soon as the disk is well, and says why not before`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.set(Self.breaking)
        let revision = fixture.plane.revision
        for _ in 0..<100 { fixture.log.order(.answer(.readOnly(reason: "disk full"))) }
        fixture.clock.move(by: .seconds(60))
        let refused = await fixture.change(try put("gateways/x", #"{"uri":"sip:192.0.2.1"}"#))
        #expect(refused.refusal?.problem == .readOnly)
        let told = try #require(try confirmation(fixture, of: revision))
        #expect(told["state"] == .string("pending") && told["obstacle"]?.text?.contains("disk full") == true)
        fixture.log.forgetOrders()
        try await fixture.settle()
        #expect(try fixture.firstGateway() == "lon1")
        #expect(try confirmation(fixture, of: revision)?["state"] == .string("gone-back"))
        fixture.close()
    }

    @Test func `a change of another node in between is read, and what waits goes on waiting`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.set(Self.breaking)
        try writeBeside(fixture.store, "gateways/elsewhere", #"{"uri":"sip:192.0.2.77"}"#)
        try await fixture.settle()
        #expect(try fixture.firstGateway() == "bad")
        fixture.clock.move(by: .seconds(60))
        try await fixture.settle()
        #expect(try fixture.firstGateway() == "lon1")
        #expect(throws: Never.self) { try fixture.plane.view(ResourcePath(.gateways, "elsewhere")) }
        fixture.close()
    }
}
