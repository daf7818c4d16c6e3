import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// What belongs to which transaction (RFC 3261 sections 9, 17.1.3 and 17.2.3), and what to none.
@Suite struct MatchingTests {
    @Test func `CANCEL that matches nothing is 481, one of another request is 200 and changes nothing (§9.2)`() throws {
        var bench = try Bench()
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        #expect(bench.trace() == ["481>caller"])
        bench.receive(bench.request("MESSAGE"), from: bench.caller)
        _ = bench.look()
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        #expect(bench.trace() == ["200>caller"])
        bench.receive(bench.request("CANCEL", branch: "z9hG4bKother"), from: bench.caller)
        #expect(bench.trace() == ["481>caller"])
    }

    @Test func `CANCEL with the 200 and after it: both are answered, the call stands (§9.1, §9.2)`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        bench.receive(bench.response(180, to: invite), from: gateway)
        _ = bench.look()
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        bench.receive(bench.response(200, to: invite), from: gateway)
        #expect(bench.trace() == ["200>caller", "CANCEL>g1", "200>caller"])
        let cancelled = bench.response(481, to: invite).replacing("1 INVITE", with: "1 CANCEL")
        bench.receive(cancelled, from: gateway)
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        #expect(bench.trace() == ["200>caller"])
        bench.advance(.seconds(40))
        #expect(bench.worker.liveCount == 0)
        #expect(bench.worker.clientCount == 0)
    }

    @Test func `no response to an ACK, to ours or another's, changes or sends anything (§17.1.1.3)`() throws {
        var (bench, answer) = try ProxyCallTests.answered()
        let gateway = try bench.gateway(1)
        bench.receive(try bench.withinDialog("ACK", of: answer, cSeq: 1, branch: "z9hG4bKack"), from: bench.caller)
        let ack = try bench.last("ACK", to: gateway)
        bench.receive(bench.response(200, to: ack), from: gateway)
        bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        bench.receive(bench.response(486, to: invite), from: gateway)
        let own = try bench.last("ACK", to: gateway)
        _ = bench.look()
        for status in [100, 200, 481] { bench.receive(bench.response(status, to: own), from: gateway) }
        #expect(bench.trace() == [])
        #expect(bench.worker.counters.strayResponses == 3)
    }

    @Test func `a response with another method in CSeq is none to our request (§17.1.3)`() throws {
        for (method, other) in [
            ("MESSAGE", "OPTIONS"), ("MESSAGE", "INVITE"), ("INVITE", "MESSAGE"), ("INVITE", "ACK"),
        ] {
            var bench = try Bench()
            let gateway = try bench.gateway(1)
            bench.receive(bench.request(method), from: bench.caller)
            let answer = bench.response(200, to: try bench.last(method, to: gateway))
            _ = bench.look()
            bench.receive(answer.replacing("1 \(method)", with: "1 \(other)"), from: gateway)
            #expect(bench.trace() == [])
            bench.receive(answer, from: gateway)
            #expect(bench.trace() == ["200>caller"])
        }
    }

    @Test func `without the cookie, the ACK of another To tag than the response's is not this one's (§17.2.3)`() throws
    {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE", branch: "old"), from: bench.caller)
        bench.receive(bench.response(486, to: try bench.last("INVITE", to: gateway)), from: gateway)
        bench.receive(bench.request("ACK", branch: "old", toTag: "to2"), from: bench.caller)
        _ = bench.look()
        bench.advance(.milliseconds(600))
        #expect(bench.trace() == ["486>caller"], "Timer G goes on")
        bench.receive(bench.request("ACK", branch: "old", toTag: "to1"), from: bench.caller)
        bench.advance(.seconds(10))
        #expect(bench.trace() == [])
    }

    @Test func `without the cookie, requests of one CSeq to two forks are two transactions (§17.2.3)`() throws {
        var bench = try Bench()
        for tag in ["to1", "to2", "to1"] {
            bench.receive(bench.request("BYE", branch: "old", toTag: tag, cSeq: 2), from: bench.caller)
        }
        #expect(bench.worker.counters.retransmissionsReceived == 1)
        #expect(bench.trace() == ["BYE>g1", "BYE>g1"])
    }
}
