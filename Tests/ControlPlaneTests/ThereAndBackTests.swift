import Addressing
import ControlPlane
import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Testing
import Time

/// Change sets that leave an object as it was, or make it again: it has lived on.
@Suite struct ThereAndBackTests {
    @Test(arguments: [
        #"""
        {"op":"patch","path":"gateways/lon1","value":{"uri":"sip:192.0.2.99"}},
        {"op":"patch","path":"gateways/lon1","value":{"uri":"sip:192.0.2.10:5060"}}
        """#,
        #"""
        {"op":"patch","path":"gateway-groups/london","value":{"members":[]}},
        {"op":"delete","path":"gateways/lon1"},
        {"op":"put","path":"gateways/lon1","value":{"uri":"sip:192.0.2.10:5060","description":"made again"}},
        {"op":"patch","path":"gateway-groups/london","value":{"members":[{"gateway":"lon1"},{"gateway":"lon2"}]}}
        """#,
        #"""
        {"op":"patch","path":"gateways/lon1","value":{"uri":"sip:192.0.2.99"}},
        {"op":"patch","path":"gateways/lon1","value":{"uri":"sip:192.0.2.98"}},
        {"op":"patch","path":"gateways/lon1","value":{"uri":"sip:192.0.2.10:5060","resends":1}},
        {"op":"put","path":"gateways/other","value":{"uri":"sip:192.0.2.50"}}
        """#,
    ])
    func `a gateway whose URI is what it was keeps status, operator's word and calls (API 6)`(
        operations: String
    ) async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let (table, slot) = (fixture.plane.table, try fixture.slot("lon1"))
        let isBegun = table.beginCall(slot, limits: CallLimits(), now: fixture.clock.now)
        #expect(isBegun)
        let order = try #require(table.order(slot, .outOfService, now: fixture.clock.now))
        fixture.plane.networkManager.receive([order])
        try await fixture.settle()
        try await fixture.set(#"{"operations":[\#(operations)]}"#)
        #expect(try fixture.slot("lon1") == slot)
        let status = try fixture.plane.status(ofGateway: "lon1").value
        #expect(status["status"] == .string("out-of-service") && status["cause"] == .string("operator"))
        #expect(status["active_calls"] == .integer(1))
        #expect(try fixture.firstGateway() == "lon2")
        #expect(try fixture.slot("lon2") != slot)
        // The rows that it had in between are free: they come to nobody's harm.
        for number in 0..<3 {
            try await fixture.set(
                #"{"operations":[{"op":"put","path":"gateways/n\#(number)","value":{"uri":"sip:192.0.2.7"}}]}"#)
        }
        let snapshot = fixture.plane.snapshots.latest
        #expect(Set(snapshot.gateways.map(\.slot.index)).count == snapshot.gatewayCount)
        #expect(try fixture.slot("lon1") == slot)
        fixture.close()
    }

    @Test func `one whose URI is another is another: it begins anew`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let slot = try fixture.slot("lon1")
        try fixture.takeOut("lon1")
        try await fixture.set(
            #"""
            {"operations":[{"op":"patch","path":"gateways/lon1","value":{"uri":"sip:192.0.2.99"}},
            {"op":"patch","path":"gateways/lon1","value":{"uri":"sip:192.0.2.98"}}]}
            """#)
        #expect(try fixture.slot("lon1") != slot)
        #expect(try fixture.plane.status(ofGateway: "lon1").value["status"] == .string("in-service"))
        fixture.close()
    }

    @Test func `an ingress peer that is made again keeps its calls`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.commit(try put("ingress-peers/pbx", #"{"networks":["198.51.100.0/24"]}"#))
        let address = try #require(IPAddress("198.51.100.7"))
        let slot = try #require(fixture.plane.snapshots.latest.peer(for: address)?.slot)
        try await fixture.set(
            #"""
            {"operations":[{"op":"delete","path":"ingress-peers/pbx"},
            {"op":"put","path":"ingress-peers/pbx","value":{"networks":["198.51.100.0/24"],"max_calls":9}}]}
            """#)
        let peer = try #require(fixture.plane.snapshots.latest.peer(for: address))
        #expect(peer.slot == slot && peer.limits.maxCalls == 9)
        fixture.close()
    }

    @Test func `what is made again as it was is no change`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let (revision, shown) = (fixture.plane.revision, try fixture.everything())
        fixture.clock.move(by: .seconds(60))
        let answer = try await fixture.set(
            #"""
            {"operations":[{"op":"delete","path":"routing-plans/default/routes/44"},
            {"op":"put","path":"routing-plans/default/routes/44","value":{"routing_list":"uk"}}]}
            """#)
        #expect(answer["revision"] == .integer(revision) && fixture.plane.revision == revision)
        #expect(answer["counts"] == .object([:]))
        #expect(try fixture.everything() == shown && fixture.firstGateway() == "lon1")
        fixture.close()
    }
}
