import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Testing
import Time

@Suite struct GroupStatusTests {
    private func grouped() throws -> Exchange {
        let exchange = try Exchange(["g1": "sip:192.0.2.1", "g2": "sip:192.0.2.2", "g3": "sip:192.0.2.3"])
        try exchange.group("north", ["g1", "g2"])
        try exchange.group("south", ["g2", "g3"])
        exchange.manager.sweep()
        #expect(exchange.takeEvents().isEmpty, "what is there at the start is no change")
        return exchange
    }

    private func told(_ exchange: Exchange) -> [String] {
        exchange.takeEvents().map { event in
            let gateway = event.data["gateway"]?.text ?? "-"
            return "\(event.type) \(event.data["gateway_group"]?.text ?? "") \(event.data["to"]?.text ?? "") \(gateway)"
        }
    }

    @Test func `a group is in-service while one usable member is; its changes are events (API 6, 7)`() throws {
        let exchange = try grouped()
        exchange.manager.receive([try exchange.takeOut("g2")])
        #expect(told(exchange) == [])
        exchange.manager.receive([try exchange.takeOut("g1")])
        #expect(told(exchange) == ["group.status.changed north out-of-service g1"])
        exchange.manager.receive([try exchange.takeOut("g3")])
        #expect(told(exchange) == ["group.status.changed south out-of-service g3"])
        exchange.manager.receive([try exchange.putBack("g2")])
        #expect(
            told(exchange) == [
                "group.status.changed north in-service g2", "group.status.changed south in-service g2",
            ])
    }

    @Test func `a locked member is not usable, and other routing data may change a group's status by itself`() throws {
        let exchange = try grouped()
        exchange.manager.receive([try exchange.takeOut("g2")])
        try exchange.change("g1") { $0.administrativeState = .locked }
        exchange.manager.sweep()
        #expect(told(exchange) == ["group.status.changed north out-of-service -"])
        try exchange.change("g1") { $0.administrativeState = .unlocked }
        exchange.manager.sweep()
        #expect(told(exchange) == ["group.status.changed north in-service -"])
        try exchange.group("south", ["g2"])
        exchange.manager.sweep()
        #expect(told(exchange) == ["group.status.changed south out-of-service -"])
    }

    @Test func `the operator's word on a gateway that is out changes no group`() throws {
        let exchange = try grouped()
        exchange.manager.receive([try exchange.takeOut("g1"), try exchange.takeOut("g2")])
        #expect(told(exchange).count == 1)
        exchange.manager.order(try exchange.slot("g1"), .outOfService)
        #expect(told(exchange) == [])
        exchange.manager.order(try exchange.slot("g1"), .inService)
        #expect(told(exchange) == ["group.status.changed north in-service g1"])
    }
}
