import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

@Suite struct ProbingTests {
    @Test func `three missed probes: out; an answer: in; each one change (the method, step 8)`() throws {
        var bench = try Bench(gateways: 1, isProbing: true)
        bench.advance(.seconds(1))
        let first = try #require(bench.look().first)
        #expect(first.startLine == "OPTIONS sip:10.2.0.1:5060 SIP/2.0")
        #expect(bench.transitions.isEmpty)
        bench.advance(.seconds(92))
        #expect(bench.transitions.map(\.after.cause) == [.probeNoResponse])
        #expect(try bench.status(1).status == .outOfService)
        #expect(bench.look().allSatisfy { $0.kind == "OPTIONS" })
        for _ in 0..<400 where bench.sent.isEmpty { bench.advance(.milliseconds(100)) }
        let probe = try bench.last("OPTIONS", to: try bench.gateway(1))
        bench.receive(bench.response(200, to: probe), from: try bench.gateway(1))
        #expect(bench.transitions.map(\.after.cause) == [.probeNoResponse, .probeAnswered])
        #expect(try bench.status(1).status == .inService)
        bench.worker.beginDraining()
        bench.advance(.seconds(60))
        #expect(bench.worker.clientCount == 0)
        #expect(bench.worker.inspection == SignallingInspection())
    }

    @Test func `new gateways are asked soon and one after another, then each once an interval; 483 acknowledges`()
        throws
    {
        var bench = try Bench(gateways: 3, isProbing: true)
        let asked = bench.answerProbes(483, for: .seconds(300))
        #expect(Set(asked.prefix(3).map(\.gateway)) == ["10.2.0.1", "10.2.0.2", "10.2.0.3"])
        #expect(asked.prefix(3).allSatisfy { $0.at < Bench.start + .seconds(1) })
        #expect((30...36).contains(asked.count), "ten or eleven each in 300 s: \(asked.count)")
        for name in ["10.2.0.1", "10.2.0.2", "10.2.0.3"] {
            let times = asked.filter { $0.gateway == name }.map(\.at).dropFirst()
            for (earlier, later) in zip(times, times.dropFirst()) {
                #expect(abs((later - earlier - .seconds(30)).milliseconds) <= 200, "once in 30 s")
            }
        }
        #expect(bench.transitions.isEmpty)
    }

    @Test func `a probe's rules are the gateway's: interval, timeout, down_on, thresholds, From`() throws {
        var bench = try Bench(gateways: 1, isProbing: true)
        bench.change(1) {
            $0.probe.intervalSeconds = 10
            $0.probe.timeoutMilliseconds = 700
            $0.probe.downOn = [.statusClass(4)]
            ($0.probe.failureLimitCount, $0.probe.successLimitCount) = (2, 2)
            $0.probe.from = "sip:watch@example.com"
        }
        bench.advance(.seconds(1))
        let first = try #require(bench.look().first)
        #expect(first.first("From").hasPrefix("<sip:watch@example.com>;tag="))
        #expect(first.first("Call-ID").hasPrefix("probe-"))
        let gateway = try bench.gateway(1)
        bench.receive(bench.response(404, to: first), from: gateway)
        func next() throws -> Sent {
            for _ in 0..<200 where bench.sent.isEmpty { bench.advance(.milliseconds(100)) }
            return try #require(bench.look().first)
        }
        let second = try next()
        #expect(second.first("Call-ID") != first.first("Call-ID"))
        #expect(bench.transitions.isEmpty)
        bench.receive(bench.response(404, to: second), from: gateway)
        #expect(bench.transitions.map(\.after.cause) == [.probeFailureResponse])
        #expect(bench.transitions.map(\.sipStatus) == [404])
        bench.receive(bench.response(503, to: try next()), from: gateway)
        #expect(bench.transitions.count == 1, "one acknowledgement is not enough")
        bench.receive(bench.response(503, to: try next()), from: gateway)
        #expect(bench.transitions.map(\.after.cause) == [.probeFailureResponse, .probeAnswered])
    }

    @Test func `locked gateways are not probed, shutting-down ones are, and interval 0 is off`() throws {
        var bench = try Bench(gateways: 3, isProbing: true)
        bench.change(1) { $0.administrativeState = .locked }
        bench.change(2) { $0.administrativeState = .shuttingDown }
        bench.change(3) { $0.probe.intervalSeconds = 0 }
        #expect(Set(bench.answerProbes(200, for: .seconds(70)).map(\.gateway)) == ["10.2.0.2"])
        bench.change(1) { $0.administrativeState = .unlocked }
        bench.change(2) { $0.probe.intervalSeconds = 0 }
        bench.change(3) { $0.probe.intervalSeconds = 5 }
        bench.advance(.seconds(2))
        let asked = bench.answerProbes(200, for: .seconds(60))
        #expect(Set(asked.map(\.gateway)) == ["10.2.0.1", "10.2.0.3"], "routing changes are followed")
        #expect((11...13).contains(asked.count { $0.gateway == "10.2.0.3" }))
    }

    @Test func `a gateway that took itself out by 503 acknowledges OPTIONS, and stays out until its time value`()
        throws
    {
        var bench = try Bench(gateways: 1, isProbing: true)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: try bench.gateway(1))
        bench.receive(bench.response(503, to: invite), from: try bench.gateway(1))
        _ = bench.answerProbes(200, for: .seconds(50))
        #expect(bench.transitions.map(\.after.cause) == [.failureResponse])
    }

    @Test func `recovery by probe: the time value alone does not do, the good probe behind it does`() throws {
        var bench = try Bench(gateways: 1, isProbing: true)
        bench.change(1) { $0.recovery = .probe }
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: try bench.gateway(1))
        bench.receive(bench.response(503, to: invite), from: try bench.gateway(1))
        _ = bench.answerProbes(200, for: .seconds(59))
        #expect(bench.transitions.map(\.after.cause) == [.failureResponse])
        _ = bench.answerProbes(200, for: .seconds(32))
        #expect(bench.transitions.map(\.after.cause) == [.failureResponse, .probeAnswered])
    }

    @Test func `a silent gateway whose calls are answered stays in-service: calls veto missed probes (API 6)`() throws {
        var bench = try Bench(gateways: 1, isProbing: true)
        for number in 0..<30 {
            bench.advance(.seconds(10))
            bench.receive(
                bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "call-\(number)"), from: bench.caller)
            let invite = try bench.last("INVITE", to: try bench.gateway(1))
            bench.receive(bench.response(180, to: invite), from: try bench.gateway(1))
            _ = bench.look()
        }
        #expect(bench.transitions.isEmpty)
        bench.advance(.seconds(95))
        #expect(bench.transitions.map(\.after.cause) == [.probeNoResponse])
    }

    @Test func `probe now: the answer, the round trip and what it means come once`() throws {
        var bench = try Bench(gateways: 2)
        let gateway = try bench.gateway(2)
        bench.probeNow(2, ticket: 7)
        let probe = try bench.last("OPTIONS", to: gateway)
        bench.advance(.milliseconds(30))
        bench.receive(bench.response(100, to: probe), from: gateway)
        #expect(bench.probeAnswers.isEmpty)
        bench.receive(bench.response(404, to: probe), from: gateway)
        bench.receive(bench.response(404, to: probe), from: gateway)
        #expect(
            bench.probeAnswers == [
                ProbeAnswer(
                    ticket: 7, outcome: .answered(sipStatus: 404), roundTrip: .milliseconds(30), isAcknowledged: true)
            ])
        for ticket in 8...10 {
            bench.probeNow(2, ticket: UInt64(ticket))
            bench.advance(.seconds(3))
        }
        #expect(bench.probeAnswers.suffix(3).map(\.outcome) == [.noResponse, .noResponse, .noResponse])
        #expect(bench.probeAnswers.last?.change?.after.cause == .probeNoResponse)
        bench.probeNow(2, ticket: 11)
        bench.transportFailed(to: gateway)
        #expect(bench.probeAnswers.last?.outcome == .transportError)
        let gone = GatewaySlot(index: 99, generation: 1)
        bench.probeNow(gone, ticket: 12)
        #expect(bench.probeAnswers.last == ProbeAnswer(ticket: 12, outcome: .notAsked))
        bench.worker.beginDraining()
        bench.probeNow(2, ticket: 13)
        #expect(bench.probeAnswers.last == ProbeAnswer(ticket: 13, outcome: .notAsked))
        bench.advance(.seconds(60))
        #expect(bench.worker.inspection == SignallingInspection())
    }
}

extension Bench {
    /// Lets time pass and answers every probe at once. Who was asked, and when, resendings left out.
    mutating func answerProbes(_ status: Int, for duration: Duration) -> [(gateway: String, at: Instant)] {
        var asked: [(gateway: String, at: Instant)] = []
        let end = now + duration
        _ = look()
        while now < end {
            advance(.milliseconds(100))
            for probe in look() where probe.kind == "OPTIONS" {
                asked.append((probe.to.address.description, now))
                receive(response(status, to: probe), from: probe.to)
            }
        }
        return asked
    }
}
