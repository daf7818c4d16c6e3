import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// Calls that wait on a gateway that is found dead move on at once, not each after its own timer.
@Suite struct MovingOnTests {
    private static func call(_ number: Int, in bench: inout Bench) {
        bench.receive(
            bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "call-\(number)"), from: bench.caller)
    }

    @Test func `all that wait move on with the first that waited in vain, and one record is made`() throws {
        var bench = try Bench()
        for number in 1...5 {
            Self.call(number, in: &bench)
            bench.advance(.milliseconds(90))
        }
        _ = bench.look()
        bench.advance(.milliseconds(1549))
        #expect(bench.trace().allSatisfy { $0 == "INVITE>g1" }, "copies")
        bench.advance(.milliseconds(1))
        #expect(bench.trace() == Array(repeating: "INVITE>g2", count: 5))
        #expect(bench.transitions.map(\.after.cause) == [.noResponse])
        #expect(bench.table.counts(of: try #require(bench.builder.slot(of: "g1"))).failed == 1, "one saw it")
        bench.advance(.milliseconds(600))
        #expect(bench.trace().allSatisfy { $0 == "INVITE>g2" }, "no further copy to the dead one")
        #expect(bench.worker.counters.failoversAfterFall == 4)
        #expect(bench.worker.counters.failoversAfterSilence == 1)
    }

    @Test func `who has an answer, who has nowhere to go, and who is told not to stay`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        Self.call(1, in: &bench)
        Self.call(2, in: &bench)
        bench.receive(bench.response(100, to: try bench.last("INVITE", to: gateway)), from: gateway)
        Self.call(3, in: &bench)
        _ = bench.look()
        bench.advance(.milliseconds(2000))
        #expect(bench.trace().filter { $0 == "INVITE>g2" }.count == 2, "the second has its 100")

        bench = try Bench(gateways: 1)
        Self.call(1, in: &bench)
        bench.advance(.milliseconds(500))
        Self.call(2, in: &bench)
        bench.advance(.milliseconds(1500))
        func refused(_ sent: [Sent]) -> Set<String> {
            Set(sent.filter { $0.kind == "408" }.map { $0.first("Call-ID") })
        }
        #expect(refused(bench.look()) == ["call-1"], "the other may be answered yet")
        bench.advance(.milliseconds(500))
        #expect(refused(bench.look()) == ["call-1", "call-2"])

        bench = try Bench { $0.movesWaitingCallsOn = false }
        Self.call(1, in: &bench)
        bench.advance(.milliseconds(400))
        Self.call(2, in: &bench)
        bench.advance(.milliseconds(1600))
        #expect(bench.trace().filter { $0 == "INVITE>g2" }.count == 1)
    }

    @Test func `a late answer of the dead one is heard: the 2xx goes upstream, ringing is cancelled`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        Self.call(1, in: &bench)
        bench.advance(.milliseconds(500))
        Self.call(2, in: &bench)
        let invite = try bench.last("INVITE", to: gateway)
        bench.advance(.milliseconds(1500))
        _ = bench.look()
        bench.receive(bench.response(180, to: invite), from: gateway)
        bench.receive(bench.response(200, to: invite), from: gateway)
        #expect(bench.trace() == ["CANCEL>g1", "200>caller"])
        bench.advance(.seconds(100))
        #expect(bench.worker.inspection.clients + bench.worker.inspection.contexts == 0)
    }

    @Test func `a worker moves its calls on when another finds the gateway dead`() throws {
        var bench = try Bench()
        Self.call(1, in: &bench)
        let other = bench.neighbour()
        let output = other.receive(
            Array(bench.request("INVITE", branch: "z9hG4bKother", callID: "other").utf8), from: bench.caller,
            on: Bench.proxy, snapshot: bench.snapshot, now: bench.now)
        #expect(output.datagrams.map(\.destination) == [bench.caller, try bench.gateway(1)])
        #expect(other.lookAround(snapshot: bench.snapshot, now: bench.now).datagrams.isEmpty)
        bench.transportFailed(to: try bench.gateway(1))
        let moved = other.lookAround(snapshot: bench.snapshot, now: bench.now)
        #expect(moved.datagrams.map(\.destination) == [try bench.gateway(2)])
        #expect(moved.transitions.isEmpty)
        #expect(other.lookAround(snapshot: bench.snapshot, now: bench.now).datagrams.isEmpty)
    }

    @Test func `a worker that lags behind by more than the ring holds looks at all gateways`() throws {
        var bench = try Bench(gateways: 100)
        Self.call(1, in: &bench)
        for number in (1...100).reversed() where number != 50 {
            let slot = try #require(bench.builder.slot(of: "g\(number)"))
            let transition = bench.table.takeOut(
                slot, until: bench.now + .seconds(60), cause: .noResponse, now: bench.now, reporter: .call)
            #expect(transition?.isFall == true)
            bench.table.fallen.note(slot)
        }
        _ = bench.look()
        bench.lookAround()
        #expect(bench.trace() == [], "five were selected, and all of them are dead")
        bench = try Bench(gateways: 100)
        Self.call(1, in: &bench)
        for _ in 1...100 { bench.table.fallen.note(GatewaySlot(index: 65_000, generation: 9)) }
        let slot = try #require(bench.builder.slot(of: "g1"))
        _ = bench.table.takeOut(
            slot, until: bench.now + .seconds(60), cause: .noResponse, now: bench.now, reporter: .call)
        _ = bench.look()
        bench.lookAround()
        #expect(bench.trace() == ["INVITE>g2"])
    }

    @Test func `a target whose gateway went out since the selection is skipped; when all are, 503 with Retry-After`()
        throws
    {
        var bench = try Bench(gateways: 3)
        let gateway = try bench.gateway(1)
        Self.call(1, in: &bench)
        let invite = try bench.last("INVITE", to: gateway)
        let second = try #require(bench.builder.slot(of: "g2"))
        _ = bench.table.takeOut(
            second, until: bench.now + .seconds(60), cause: .operatorWord, now: bench.now, reporter: .operatorWord)
        _ = bench.look()
        bench.receive(bench.response(500, to: invite), from: gateway)
        #expect(bench.trace() == ["ACK>g1", "INVITE>g3"])
        #expect(bench.worker.counters.skippedOut == 1)
        #expect(bench.table.counts(of: second).failed == 0)
        #expect(bench.worker.counters.failoversAfterResponse == 1)
    }

    @Test func `who comes when the first gateway was silent for T1 tries the next at once, until it answers`() throws {
        var bench = try Bench()
        let (first, second) = (try bench.gateway(1), try bench.gateway(2))
        Self.call(1, in: &bench)
        bench.advance(.milliseconds(499))
        Self.call(2, in: &bench)
        #expect(bench.trace().filter { $0.hasPrefix("INVITE") } == ["INVITE>g1", "INVITE>g1"])
        bench.advance(.milliseconds(1))
        #expect(bench.worker.counters.suspicions == 1)
        #expect(bench.transitions.isEmpty, "it is no status")
        _ = bench.look()
        Self.call(3, in: &bench)
        let third = try bench.last("INVITE", to: second)
        #expect(bench.trace() == ["100>caller", "INVITE>g2"])
        // Its fall says more; who waited moves on, and nobody is tried twice.
        bench.advance(.milliseconds(400))
        bench.receive(bench.response(500, to: third), from: second)
        #expect(bench.trace() == ["ACK>g2", "INVITE>g1"], "it is not left out")
        bench.advance(.milliseconds(1100))
        #expect(bench.transitions.map(\.after.cause) == [.noResponse])
        #expect(!bench.table.isSuspect(try bench.slot(1), at: bench.now))

        bench = try Bench()
        Self.call(1, in: &bench)
        let invite = try bench.last("INVITE", to: first)
        bench.advance(.milliseconds(600))
        bench.receive(bench.response(100, to: invite), from: first)
        _ = bench.look()
        Self.call(2, in: &bench)
        #expect(bench.trace() == ["100>caller", "INVITE>g1"])
    }

    @Test func `a late answer to a call that went elsewhere ends the suspicion too; a lost datagram makes none`() throws
    {
        var bench = try Bench(timing: GatewayTiming(responseTimeoutMilliseconds: 800))
        let gateway = try bench.gateway(1)
        try bench.changeGateway(1) { $0.outOfServiceCauses = [.status(503)] }
        Self.call(1, in: &bench)
        let invite = try bench.last("INVITE", to: gateway)
        bench.advance(.milliseconds(900))
        #expect(bench.table.isSuspect(try bench.slot(1), at: bench.now))
        bench.receive(bench.response(180, to: invite), from: gateway)
        #expect(!bench.table.isSuspect(try bench.slot(1), at: bench.now))
        bench.advance(.seconds(40))
        let count = bench.worker.counters.suspicions
        Self.call(2, in: &bench)
        bench.advance(.milliseconds(300))
        Self.call(3, in: &bench)
        bench.receive(bench.response(100, to: try bench.last("INVITE", to: gateway)), from: gateway)
        bench.advance(.milliseconds(400))
        #expect(!bench.table.isSuspect(try bench.slot(1), at: bench.now), "it has answered another since")
        #expect(bench.worker.counters.suspicions == count)
    }
}

/// The operator's word comes while a call looks for a gateway.
@Suite struct WordUnderWayTests {
    @Test func `a gateway that was to be tried though it is out is not tried against the operator's word`() throws {
        var bench = try Bench()
        bench.tryAllOut()
        for number in 1...2 {
            let slot = try bench.slot(number)
            _ = bench.table.takeOut(
                slot, until: bench.now + .seconds(60), cause: .noResponse, now: bench.now, reporter: .call)
        }
        bench.receive(bench.request("INVITE"), from: bench.caller)
        #expect(bench.trace() == ["100>caller", "INVITE>g1"])
        _ = bench.table.order(try bench.slot(2), .outOfService, now: bench.now)
        bench.advance(.seconds(2))
        #expect(bench.trace().filter { $0.hasPrefix("INVITE>g2") }.isEmpty)
        #expect(bench.worker.counters.skippedOut == 1)
    }
}
