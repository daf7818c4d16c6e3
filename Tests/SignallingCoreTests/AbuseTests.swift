import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// What somebody could send to turn us against others: API section 10.
@Suite struct AbuseTests {
    @Test func `a request too long to be forwarded is 513, and no gateway goes out for it`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE", body: String(repeating: "x", count: 64_000)), from: bench.caller)
        bench.advance(.seconds(10))
        #expect(Set(bench.trace()) == ["513>caller"])
        #expect(bench.transitions.isEmpty)
        let most = String(repeating: "x", count: 63_000)
        bench.receive(bench.request("INVITE", branch: "z9hG4bK2", callID: "call-2", body: most), from: bench.caller)
        #expect(bench.sent.map(\.kind) == ["100", "INVITE"])
        #expect(try bench.last("INVITE", to: try bench.gateway(1)).body == most)
    }

    @Test func `a user part that would swell a redirection is 414 in both roles`() throws {
        var bench = try Bench(gateways: 5)
        let uri = "sip:44;" + String(repeating: "x", count: 4000) + "@10.0.0.1"
        bench.receive(bench.request("INVITE", uri: uri), from: bench.caller, on: Bench.redirect)
        bench.receive(bench.request("INVITE", uri: uri, branch: "z9hG4bK2"), from: bench.caller)
        #expect(bench.trace() == ["414>caller", "414>caller"])
    }

    @Test func `a request that is routed by its number takes no Route of its sender's along (API 10)`() throws {
        var bench = try Bench()
        let routes = ["Route: <sip:10.0.0.1:5060;lr>, <sip:198.51.100.1;lr>", "Route: <sip:198.51.100.2;lr>"]
        bench.receive(bench.request("INVITE", extra: routes), from: bench.caller)
        let gateway = try bench.gateway(1)
        let invite = try bench.last("INVITE", to: gateway)
        #expect(invite.all("Route").isEmpty)
        #expect(bench.trace() == ["100>caller", "INVITE>g1"])
        bench.receive(bench.response(180, to: invite), from: gateway)
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        #expect(try bench.last("CANCEL", to: gateway).all("Route").isEmpty)
        bench.receive(bench.response(487, to: invite), from: gateway)
        #expect(try bench.last("ACK", to: gateway).all("Route").isEmpty)
    }

    @Test func `a subscriber with an @ names no host: a tel URI that hides one is refused`() throws {
        var bench = try Bench()
        for listener in [Bench.proxy, Bench.redirect] {
            bench.receive(bench.request("INVITE", uri: "tel:+4420@198.51.100.1"), from: bench.caller, on: listener)
            #expect(bench.trace() == ["400>caller"])
        }
    }

    @Test func `CANCEL ends a call only where its INVITE came from (§22.1)`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.receive(bench.response(180, to: try bench.last("INVITE", to: gateway)), from: gateway)
        _ = bench.look()
        bench.receive(bench.request("CANCEL"), from: bench.stranger)
        bench.receive(bench.request("CANCEL"), from: try Bench.address("10.1.0.2:5080"))
        #expect(bench.look().map(\.kind) == ["403", "481"])
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        #expect(bench.trace() == ["200>caller", "CANCEL>g1"])
    }

    @Test func `memory is bounded: too many transactions that wait, or too much of requests that is held, is 503`()
        throws
    {
        var bench = try Bench { $0.transactionLimitCount = 3 }
        for number in 1...5 {
            bench.receive(
                bench.request("INVITE", uri: "sip:33@x", branch: "z9hG4bK\(number)", callID: "c-\(number)"),
                from: bench.caller)
        }
        #expect(bench.trace() == ["404>caller", "404>caller", "404>caller", "503>caller", "503>caller"])
        #expect(bench.worker.liveCount == 3)
        #expect(bench.worker.counters.shed == 2)
        bench.advance(.seconds(40))
        _ = bench.look()
        bench.receive(bench.request("INVITE", uri: "sip:33@x", branch: "z9hG4bK9"), from: bench.caller)
        #expect(bench.trace() == ["404>caller"])

        bench = try Bench { $0.heldLimitBytes = 10_000 }
        let body = String(repeating: "x", count: 9800)
        for number in 1...2 {
            bench.receive(
                bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "c-\(number)", body: body),
                from: bench.caller)
        }
        #expect(bench.trace() == ["100>caller", "INVITE>g1", "503>caller"])
        bench.advance(.seconds(80))
        _ = bench.look()
        #expect(bench.worker.liveCount == 0)
        bench.receive(bench.request("OPTIONS", branch: "z9hG4bK8", callID: "c-8", body: body), from: bench.caller)
        #expect(bench.trace() == ["OPTIONS>g1"], "there is room again")
    }

    @Test func `answers that a sender made long are bounded too, whatever becomes of his requests`() throws {
        var bench = try Bench { $0.keptLimitBytes = 100_000 }
        func invite(_ number: Int) -> String {
            let vias = "Via: SIP/2.0/UDP h;x=" + String(repeating: "y", count: 40_000)
            return bench.request(
                "INVITE", uri: "sip:33@x", branch: "z9hG4bK\(number)", callID: "c-\(number)", extra: [vias])
        }
        for number in 1...4 { bench.receive(invite(number), from: bench.caller, on: Bench.redirect) }
        #expect(bench.trace() == ["404>caller", "404>caller", "404>caller", "503>caller"])
        bench.advance(.seconds(40))
        _ = bench.look()
        bench.receive(invite(5), from: bench.caller, on: Bench.redirect)
        #expect(bench.trace() == ["404>caller"], "Timer H has made room")
    }

    @Test func `a request within a dialog goes to one host and never to none or many`() throws {
        var (bench, answer) = try ProxyCallTests.answered()
        for (number, host) in ["0.0.0.0", "[::]", "224.0.1.75", "[ff02::1]", "255.255.255.255"].enumerated() {
            let contact = answer.first("Contact").drop { $0 == "<" }.prefix { $0 != ">" }
            let bye = try bench.withinDialog("BYE", of: answer, cSeq: 2 + number, branch: "z9hG4bKbye\(number)")
            bench.receive(bye.replacing(contact, with: "sip:x@\(host):5060"), from: bench.caller)
            #expect(bench.trace() == ["500>caller"], "\(host)")
        }
    }

    @Test func `a request that comes round unchanged is 482, one that comes back another way goes on (RFC 5393)`()
        throws
    {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        let other = try Bench.address("10.1.0.50:5060")
        /// What a proxy that knows no better than to send it back to us makes of it.
        func returned(_ invite: Sent, round: Int, from address: String, number: String = "442071234567") -> String {
            let lines = ["INVITE sip:+\(number)@10.0.0.1 SIP/2.0", "v: SIP/2.0/UDP \(address);branch=z9hG4bKr\(round)"]
            return (lines + invite.lines.dropFirst() + ["", ""]).joined(separator: "\r\n")
        }
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let first = try bench.last("INVITE", to: gateway)
        _ = bench.look()
        bench.receive(returned(first, round: 1, from: "10.1.0.1:5080"), from: bench.caller)
        #expect(bench.trace() == ["482>caller"], "from where it came before")
        bench.receive(returned(first, round: 2, from: "10.1.0.50"), from: other)
        let second = try bench.last("INVITE", to: gateway)
        bench.receive(returned(second, round: 3, from: "10.1.0.50", number: "44999"), from: other)
        #expect(bench.sent.map(\.kind) == ["100", "INVITE", "100", "INVITE"], "spirals")
        _ = bench.look()
        bench.receive(returned(second, round: 4, from: "10.1.0.50"), from: other)
        #expect(bench.look().map(\.kind) == ["482"])
    }

    @Test func `a reason phrase with a CR alone hides no header field from us (RFC 4475)`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        _ = bench.look()
        let answer = bench.response(200, to: invite)
        bench.receive(answer.replacing("200 Text", with: "200 Text\rX: y"), from: gateway)
        #expect(bench.trace() == [])
        #expect(bench.worker.counters.malformedDropped == 1)
        bench.receive(answer, from: gateway)
        #expect(bench.trace() == ["200>caller"])
    }
}
