import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

@Suite struct FailoverTests {
    @Test
    func `a silent gateway: resendings, the next target, out-of-service with a time value, one change (the method)`()
        throws
    {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.advance(.milliseconds(1999))
        #expect(bench.trace() == ["100>caller", "INVITE>g1", "INVITE>g1", "INVITE>g1"], "at 0, 0.5 and 1.5 s")
        bench.advance(.milliseconds(1))
        #expect(bench.trace() == ["INVITE>g2"])
        #expect(try bench.status(1).status == .outOfService)
        #expect(try bench.status(1).cause == .noResponse)
        let hold = try #require(try bench.status(1).timeValue) - bench.now
        #expect(hold >= .seconds(60) && hold <= .milliseconds(60_001))
        #expect(bench.transitions.count == 1)

        bench.receive(bench.request("INVITE", branch: "z9hG4bK2", callID: "call-2"), from: bench.caller)
        #expect(bench.trace() == ["100>caller", "INVITE>g2"], "the next call does not wait")
        bench.advance(.seconds(61))
        bench.receive(bench.request("INVITE", branch: "z9hG4bK3", callID: "call-3"), from: bench.caller)
        #expect(bench.trace().suffix(2) == ["100>caller", "INVITE>g1"], "the time value is reached")
        #expect(bench.transitions.map(\.after.cause).contains(.timeValueReached))
    }

    @Test func `a time value that is reached without any call is the network manager's: a worker looks at no table`()
        throws
    {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.advance(.seconds(120))
        #expect(bench.transitions.map(\.after.cause) == [.noResponse, .noResponse])
        #expect(bench.worker.nextTimer.map { $0 > bench.now + .seconds(60) } ?? true, "nothing wakes it but Timer C")
    }

    @Test func `each attempt is made from the original request (the method)`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE", body: "v=0"), from: bench.caller)
        let first = try bench.last("INVITE", to: try bench.gateway(1))
        bench.advance(.seconds(2))
        let second = try bench.last("INVITE", to: try bench.gateway(2))
        #expect(second.startLine == "INVITE sip:+442071234567@10.2.0.2:5060 SIP/2.0")
        #expect(second.first("Via") != first.first("Via"), "another branch")
        #expect(Array(second.lines.dropFirst(2)) == Array(first.lines.dropFirst(2)))
        #expect(second.body == first.body)
    }

    @Test func `a late 2xx of a given-up gateway reaches the caller, and the next one is cancelled (§16.7 step 5)`()
        throws
    {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let first = try bench.last("INVITE", to: try bench.gateway(1))
        bench.advance(.seconds(2))
        let second = try bench.last("INVITE", to: try bench.gateway(2))
        bench.receive(bench.response(180, to: second), from: try bench.gateway(2))
        _ = bench.look()
        bench.receive(bench.response(200, to: first), from: try bench.gateway(1))
        #expect(bench.trace() == ["CANCEL>g2", "200>caller"])
        bench.receive(bench.response(487, to: second), from: try bench.gateway(2))
        #expect(bench.trace() == ["ACK>g2"])
        bench.advance(.seconds(100))
        #expect(bench.worker.liveCount == 0)
        #expect(bench.worker.clientCount == 0)
        #expect(bench.worker.callCount == 0)
    }

    @Test func `a late 2xx while the next gateway is still silent: its late ringing is cancelled`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let first = try bench.last("INVITE", to: try bench.gateway(1))
        bench.advance(.seconds(2))
        let second = try bench.last("INVITE", to: try bench.gateway(2))
        _ = bench.look()
        bench.receive(bench.response(200, to: first), from: try bench.gateway(1))
        #expect(bench.trace() == ["200>caller"])
        bench.receive(bench.response(180, to: second), from: try bench.gateway(2))
        #expect(bench.trace() == ["CANCEL>g2"])
    }

    @Test func `challenges of two gateways go back in one response (§16.7 step 7)`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let first = try bench.last("INVITE", to: try bench.gateway(1))
        bench.advance(.seconds(2))
        let second = try bench.last("INVITE", to: try bench.gateway(2))
        let fields = ["WWW-Authenticate: Digest realm=\"b\"", "Proxy-Authenticate: Digest realm=\"c\""]
        bench.receive(
            bench.response(407, to: first, extra: ["Proxy-Authenticate: Digest realm=\"a\""]),
            from: try bench.gateway(1))
        _ = bench.look()
        bench.receive(bench.response(401, to: second, extra: fields), from: try bench.gateway(2))
        let answer = try bench.last("407", to: bench.caller)
        #expect(answer.all("Proxy-Authenticate") == ["Digest realm=\"a\"", "Digest realm=\"c\""])
        #expect(answer.all("WWW-Authenticate") == ["Digest realm=\"b\""])
        #expect(answer.all("Via").count == 1)
        #expect(bench.trace() == ["ACK>g2", "407>caller"])
    }

    @Test func `two 183 and then a send that fails change nothing: the gateway has answered`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        _ = bench.look()
        for _ in 1...2 { bench.receive(bench.response(183, to: invite), from: gateway) }
        bench.transportFailed(to: gateway)
        #expect(bench.trace() == ["183>caller", "183>caller"])
        #expect(try bench.status(1).status == .inService)
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        bench.transportFailed(to: gateway)
        bench.receive(bench.response(487, to: invite), from: gateway)
        bench.transportFailed(to: gateway)
        #expect(bench.trace() == ["200>caller", "CANCEL>g1", "ACK>g1", "487>caller"])
        bench.advance(.seconds(100))
        #expect(bench.worker.liveCount == 0)
        #expect(bench.worker.clientCount == 0)
    }

    @Test func `a late provisional of a given-up gateway is cancelled`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let first = try bench.last("INVITE", to: try bench.gateway(1))
        bench.advance(.seconds(3))
        _ = bench.look()
        bench.receive(bench.response(180, to: first), from: try bench.gateway(1))
        #expect(bench.trace() == ["CANCEL>g1"])
    }

    @Test func `a 2xx after our 408 goes upstream, and Timer G goes on with the 408 (§16.7 step 5)`() throws {
        var bench = try Bench(gateways: 1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let first = try bench.last("INVITE", to: try bench.gateway(1))
        bench.advance(.milliseconds(2100))
        #expect(bench.trace().last == "408>caller")
        bench.receive(bench.response(200, to: first), from: try bench.gateway(1))
        #expect(bench.trace() == ["200>caller"])
        bench.advance(.milliseconds(1000))
        #expect(Set(bench.trace()) == ["408>caller"])
    }

    @Test func `503 with Retry-After: next target at once, time value from it (DESIGN 2)`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        _ = bench.look()
        bench.receive(bench.response(503, to: invite, extra: ["Retry-After: 17 (busy)"]), from: gateway)
        #expect(bench.trace() == ["ACK>g1", "INVITE>g2"])
        #expect(try bench.status(1).cause == .retryAfter)
        let hold = try #require(try bench.status(1).timeValue) - bench.now
        #expect(hold >= .seconds(17) && hold <= .milliseconds(17_001))
        #expect(bench.transitions.map(\.sipStatus) == [503])
    }

    @Test func `what a gateway said of itself is not overruled by another call's answer`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let first = try bench.last("INVITE", to: gateway)
        bench.receive(bench.request("INVITE", branch: "z9hG4bK2", callID: "call-2"), from: bench.caller)
        let second = try bench.last("INVITE", to: gateway)
        bench.receive(bench.response(503, to: first), from: gateway)
        bench.receive(bench.response(180, to: second), from: gateway)
        #expect(try bench.status(1).status == .outOfService)
        #expect(bench.transitions.count == 1)
    }

    @Test func `all tried in vain: the best response goes back (§16.7 step 6)`() throws {
        for (statuses, expected) in [
            ([500, 504], "504"), ([404, 486], "404"), ([503, 503], "500"), ([500, 0], "408"),
            ([0, 0], "408"), ([0, 603], "603"), ([503, 480], "480"), ([504, 503], "504"),
        ] {
            var bench = try Bench()
            bench.receive(bench.request("INVITE"), from: bench.caller)
            for (index, status) in statuses.enumerated() {
                let gateway = try bench.gateway(index + 1)
                guard let invite = bench.sent.last(where: { $0.kind == "INVITE" && $0.to == gateway }) else { continue }
                if status == 0 {
                    bench.advance(.seconds(2))
                } else {
                    bench.receive(bench.response(status, to: invite), from: gateway)
                }
            }
            #expect(bench.sent.last { $0.to == bench.caller }?.kind == expected, "\(statuses)")
            bench.receive(bench.request("ACK", toTag: "x"), from: bench.caller)
            bench.advance(.seconds(70))
            #expect(bench.worker.liveCount == 0, "\(statuses)")
            #expect(bench.worker.clientCount == 0, "\(statuses)")
            #expect(bench.worker.callCount == 0, "\(statuses)")
        }
    }

    @Test func `a failure after ringing ends the call`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        bench.receive(bench.response(180, to: invite), from: gateway)
        bench.receive(bench.response(500, to: invite), from: gateway)
        #expect(bench.trace().suffix(2) == ["ACK>g1", "500>caller"])
    }

    @Test func `a transport error fails every call that waits there at once, and no other`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        for number in 1...3 {
            bench.receive(
                bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "call-\(number)"), from: bench.caller)
            if number == 1 {
                bench.receive(bench.response(180, to: try bench.last("INVITE", to: gateway)), from: gateway)
            }
        }
        _ = bench.look()
        bench.transportFailed(to: gateway)
        #expect(bench.trace() == ["INVITE>g2", "INVITE>g2"])
        #expect(try bench.status(1).cause == .transportError)
        #expect(bench.transitions.count == 1)
        bench.transportFailed(to: gateway)
        #expect(bench.trace() == [])
        bench.transportFailed(to: try bench.gateway(2))
        #expect(bench.trace() == ["500>caller", "500>caller"], "§16.9: as if 503, which goes no further as such")
    }

    @Test func `every gateway out: 503 with Retry-After; no route: 404; a stranger: 403 (API 10)`() throws {
        var bench = try Bench(gateways: 1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.advance(.seconds(3))
        _ = bench.look()
        bench.receive(bench.request("INVITE", branch: "z9hG4bK2", callID: "call-2"), from: bench.caller)
        #expect(["59", "60"].contains(try bench.last("503", to: bench.caller).first("Retry-After")))
        _ = bench.look()
        bench.receive(
            bench.request("INVITE", uri: "sip:+331@10.0.0.1", branch: "z9hG4bK3", callID: "call-3"), from: bench.caller)
        #expect(bench.trace() == ["404>caller"])
        bench.receive(bench.request("INVITE", branch: "z9hG4bK4"), from: bench.stranger)
        #expect(bench.look().map(\.kind) == ["403"])
        bench.advance(.seconds(70))
        #expect(bench.worker.liveCount == 0)
    }

    @Test func `draining: new calls get 503, calls under way end as they would`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: try bench.gateway(1))
        bench.worker.beginDraining()
        _ = bench.look()
        bench.receive(bench.request("INVITE", branch: "z9hG4bK2", callID: "call-2"), from: bench.caller)
        bench.receive(bench.request("OPTIONS", uri: "sip:10.0.0.1", branch: "z9hG4bK3"), from: bench.caller)
        #expect(bench.trace() == ["503>caller", "503>caller"])
        bench.receive(bench.response(200, to: invite), from: try bench.gateway(1))
        let answer = try bench.last("200", to: bench.caller)
        bench.receive(try bench.withinDialog("BYE", of: answer, cSeq: 2, branch: "z9hG4bK4"), from: bench.caller)
        #expect(bench.trace() == ["200>caller", "BYE>g1"])
    }
}
