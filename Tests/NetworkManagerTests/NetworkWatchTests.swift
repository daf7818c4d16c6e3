import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Testing
import Time

@Suite struct NetworkWatchTests {
    /// So many gateways, each seen lately.
    private func network(_ count: Int) throws -> Exchange {
        var gateways: [String: String] = [:]
        for number in 0..<count { gateways["g\(number)"] = "sip:192.0.2.\(number)" }
        let exchange = try Exchange(gateways)
        exchange.manager.sweep()
        return exchange
    }

    private func see(_ exchange: Exchange, _ numbers: Range<Int>, _ outcome: AttemptOutcome) throws {
        for number in numbers {
            let slot = try exchange.slot("g\(number)")
            let now = exchange.clock.now
            let transition = exchange.table.observe(slot, outcome, of: StatusRules(), begun: now, now: now)
            if let transition { exchange.manager.receive([transition]) }
        }
    }

    private func pass(_ exchange: Exchange, seconds: Int) {
        for _ in 0..<4 * seconds {
            exchange.clock.move(by: .milliseconds(250))
            exchange.manager.sweep()
        }
    }

    private func suspicions(_ exchange: Exchange) -> [Bool] {
        exchange.takeEvents().filter { $0.type == "network.suspected" }.map { $0.data["suspected"] == .bool(true) }
    }

    private func isOut(_ exchange: Exchange, _ number: Int) throws -> Bool {
        exchange.table.status(of: try exchange.slot("g\(number)")).status == .outOfService
    }

    @Test func `half of the observed gateways fall by silence within 10 s: our own network is suspected`() throws {
        let exchange = try network(6)
        try see(exchange, 0..<3, .noResponse)
        exchange.manager.sweep()
        let event = try #require(exchange.takeEvents().last)
        #expect(event.type == "network.suspected")
        #expect(event.data["suspected"] == .bool(true))
        #expect(event.data["observed_count"] == .integer(6))
        #expect(event.data["gateways"] == .array([.string("g0"), .string("g1"), .string("g2")]))
        #expect(exchange.table.isNetworkSuspected)
        for number in 0..<3 { #expect(try !isOut(exchange, number), "the last known status is held") }
        try see(exchange, 3..<6, .noResponse)
        for number in 3..<6 { #expect(try !isOut(exchange, number)) }
        try see(exchange, 3..<4, .failureResponse(status: 503))
        #expect(try isOut(exchange, 3), "what a gateway says is no silence")
        let changes = exchange.commit()
        #expect(changes.filter { $0.gateway == "g0" }.map(\.to) == [.outOfService, .inService])
        #expect(changes.filter { $0.gateway == "g0" }.map(\.reporter) == ["call", "network-manager"])
    }

    @Test func `fewer than three, fewer than half, or not within 10 s: they are dead by themselves`() throws {
        let two = try network(2)
        try see(two, 0..<2, .noResponse)
        two.manager.sweep()
        #expect(!two.table.isNetworkSuspected)
        let few = try network(7)
        try see(few, 0..<3, .noResponse)
        few.manager.sweep()
        #expect(!few.table.isNetworkSuspected)
        let slow = try network(3)
        for number in 0..<3 {
            try see(slow, number..<number + 1, .noResponse)
            pass(slow, seconds: 6)
        }
        #expect(!slow.table.isNetworkSuspected)
        let busy = try network(3)
        try see(busy, 0..<3, .failureResponse(status: 503))
        busy.manager.sweep()
        #expect(!busy.table.isNetworkSuspected)
    }

    @Test func `who is out for longer, locked, or neither probed nor called is not observed`() throws {
        let exchange = try network(12)
        try see(exchange, 9..<10, .noResponse)
        pass(exchange, seconds: 20)
        try exchange.change("g10") { $0.administrativeState = .locked }
        try exchange.change("g11") { $0.probe.intervalSeconds = 0 }
        for number in 6..<9 { try exchange.change("g\(number)") { $0.probe.intervalSeconds = 0 } }
        try see(exchange, 0..<3, .transportError)
        exchange.manager.sweep()
        #expect(exchange.table.isNetworkSuspected, "three of six")
    }

    @Test func `cleared ten seconds later, when at least as many live as are silent; the end is an event too`() throws {
        let exchange = try network(4)
        try see(exchange, 0..<4, .noResponse)
        exchange.manager.sweep()
        #expect(suspicions(exchange) == [true])
        pass(exchange, seconds: 15)
        #expect(exchange.table.isNetworkSuspected, "nobody has shown life")
        for _ in 0..<6 {
            try see(exchange, 0..<1, .answered)
            try see(exchange, 1..<4, .noResponse)
            pass(exchange, seconds: 2)
        }
        #expect(exchange.table.isNetworkSuspected, "one of four")
        try see(exchange, 0..<3, .answered)
        pass(exchange, seconds: 1)
        #expect(!exchange.table.isNetworkSuspected)
        #expect(suspicions(exchange) == [false])
        try see(exchange, 3..<4, .noResponse)
        #expect(try isOut(exchange, 3), "dead by itself")
    }

    @Test func `half that are really dead are suspected once, not again and again`() throws {
        let exchange = try network(6)
        try see(exchange, 0..<3, .noResponse)
        exchange.manager.sweep()
        for _ in 0..<30 {
            for number in 0..<3 where try !isOut(exchange, number) {
                try see(exchange, number..<number + 1, .noResponse)
            }
            try see(exchange, 3..<6, .answered)
            pass(exchange, seconds: 1)
        }
        #expect(suspicions(exchange) == [true, false])
        for number in 0..<3 { #expect(try isOut(exchange, number)) }
    }

    @Test func `ignore: the event is told, and nothing else happens`() throws {
        let exchange = try network(4)
        try exchange.set { $0.whenNetworkSuspected = .ignore }
        exchange.manager.sweep()
        try see(exchange, 0..<4, .noResponse)
        exchange.manager.sweep()
        #expect(suspicions(exchange) == [true])
        #expect(!exchange.table.isNetworkSuspected)
        for number in 0..<4 { #expect(try isOut(exchange, number)) }
    }
}
