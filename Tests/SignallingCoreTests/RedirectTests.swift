import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

@Suite struct RedirectTests {
    @Test func `300 with Contacts in order and falling q; 302 for one; the ACK is absorbed (§8.3)`() throws {
        var bench = try Bench(gateways: 3)
        bench.receive(bench.request("INVITE"), from: bench.caller, on: Bench.redirect)
        let answer = try bench.last("300", to: bench.caller)
        #expect(
            answer.all("Contact") == [
                "<sip:+442071234567@10.2.0.1:5060>;q=1.0;tandem-gateway=g1",
                "<sip:+442071234567@10.2.0.2:5060>;q=0.667;tandem-gateway=g2",
                "<sip:+442071234567@10.2.0.3:5060>;q=0.334;tandem-gateway=g3",
            ])
        #expect(answer.first("To").contains(";tag="))
        #expect(bench.sent.count == 1, "no 100: the answer is at once")
        bench.receive(bench.request("INVITE"), from: bench.caller, on: Bench.redirect)
        bench.receive(bench.request("ACK", toTag: "x"), from: bench.caller, on: Bench.redirect)
        #expect(bench.trace() == ["300>caller", "300>caller"])
        bench.advance(.seconds(70))
        #expect(bench.trace() == [])
        #expect(bench.worker.liveCount == 0)

        bench = try Bench(gateways: 1)
        bench.receive(bench.request("INVITE"), from: bench.caller, on: Bench.redirect)
        #expect(bench.trace() == ["302>caller"])
    }

    @Test func `a gateway that is to be tried is named to one asker, and to the next when he has not reported`() throws
    {
        var bench = try Bench(gateways: 2)
        try bench.changeGateway(1) { $0.recovery = .trial }
        let isOut = bench.table.takeOut(
            try bench.slot(1), until: bench.now + .seconds(1), cause: .noResponse, now: bench.now, reporter: .call)
        #expect(isOut != nil)
        bench.advance(.milliseconds(1100))
        func ask(_ number: Int) throws -> Int {
            bench.receive(
                bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "c\(number)"), from: bench.caller,
                on: Bench.redirect)
            return try #require(bench.look().first).all("Contact").count
        }
        #expect(try (1...3).map { try ask($0) } == [2, 1, 1])
        bench.advance(.milliseconds(4000))
        #expect(try (4...5).map { try ask($0) } == [2, 1])
        let isBack = bench.table.observe(
            try bench.slot(1), .answered, of: StatusRules(recovery: .trial), begun: bench.now, now: bench.now,
            reporter: .reported)
        #expect(isBack?.after.status == .inService)
        #expect(try (6...7).map { try ask($0) } == [2, 2])
    }

    @Test func `failures: 404, 503 with Retry-After, 403 (API 10)`() throws {
        var bench = try Bench(gateways: 1)
        bench.receive(bench.request("INVITE", uri: "sip:33@10.0.0.1"), from: bench.caller, on: Bench.redirect)
        #expect(bench.trace() == ["404>caller"])
        bench.receive(bench.request("INVITE", branch: "z9hG4bKx", callID: "call-x"), from: bench.caller)
        bench.advance(.seconds(3))
        _ = bench.look()
        bench.receive(bench.request("INVITE", branch: "z9hG4bK2", callID: "c2"), from: bench.caller, on: Bench.redirect)
        #expect(["59", "60"].contains(try bench.last("503", to: bench.caller).first("Retry-After")))
        _ = bench.look()
        bench.receive(bench.request("INVITE", branch: "z9hG4bK3"), from: bench.stranger, on: Bench.redirect)
        #expect(bench.look().map(\.kind) == ["403"])
    }

    @Test func `unknown methods and Require are redirected too (§8.3); OPTIONS to ourselves is 200`() throws {
        var bench = try Bench(gateways: 1)
        bench.receive(
            bench.request("FROBNICATE", extra: ["Require: foo"]), from: bench.caller, on: Bench.redirect)
        #expect(bench.trace() == ["302>caller"])
        bench.receive(
            bench.request("OPTIONS", uri: "sip:10.0.0.1:5070", branch: "z9hG4bK2"), from: bench.caller,
            on: Bench.redirect)
        let answer = try bench.last("200", to: bench.caller)
        #expect(answer.first("Allow") == "INVITE, ACK, CANCEL, OPTIONS")
        #expect(answer.first("Accept") == "*/*")
        #expect(answer.lines.contains("Supported:"))
        #expect(answer.first("Accept-Language") == "en")
        _ = bench.look()
        bench.receive(bench.request("OPTIONS", uri: "sip:10.0.0.1", branch: "z9hG4bK3"), from: bench.caller)
        #expect(try bench.last("200", to: bench.caller).all("Allow").isEmpty, "a proxy lets any method pass (§11.2)")
        _ = bench.look()
        bench.receive(
            bench.request("OPTIONS", uri: "sip:10.0.0.1:5070", branch: "z9hG4bK4", extra: ["Require: foo,bar"]),
            from: bench.caller, on: Bench.redirect)
        #expect(try bench.last("420", to: bench.caller).first("Unsupported") == "foo, bar", "§8.2.2.3")
    }

    @Test func `nobody is sent to where he asks for already (§8.3); the rest of the set is`() throws {
        var bench = try Bench(gateways: 3)
        let asked = "sip:+442071234567@10.2.0.2:5060"
        bench.receive(bench.request("INVITE", uri: asked), from: bench.caller, on: Bench.redirect)
        #expect(
            try bench.last("300", to: bench.caller).all("Contact") == [
                "<sip:+442071234567@10.2.0.1:5060>;q=1.0;tandem-gateway=g1",
                "<sip:+442071234567@10.2.0.3:5060>;q=0.500;tandem-gateway=g3",
            ])
        _ = bench.look()
        for (number, other) in [
            "sip:+442071234567@10.2.0.2", asked + ";transport=udp", asked + ";user=phone", asked + "?subject=x",
            "sips:+442071234567@10.2.0.2:5060", "tel:+442071234567",
        ].enumerated() {
            bench.receive(
                bench.request("INVITE", uri: other, branch: "z9hG4bKo\(number)", callID: "o-\(number)"),
                from: bench.caller, on: Bench.redirect)
            #expect(try bench.last("300", to: bench.caller).all("Contact").count == 3, "\(other) is another (§19.1.4)")
            _ = bench.look()
        }
        bench = try Bench(gateways: 1)
        bench.receive(
            bench.request("INVITE", uri: "SIP:+442071234567@10.2.0.1:5060;x=y"), from: bench.caller, on: Bench.redirect)
        #expect(bench.trace() == ["404>caller"], "§8.3")
    }

    @Test func `a copy that came another way is 482 in the redirect role and a spiral in the proxy role (§8.2.2.2)`()
        throws
    {
        var bench = try Bench()
        let copy = bench.request("INVITE", branch: "z9hG4bKforked")
        bench.receive(bench.request("INVITE"), from: bench.caller, on: Bench.redirect)
        bench.receive(copy, from: bench.caller, on: Bench.redirect)
        bench.receive(copy, from: bench.caller, on: Bench.redirect)
        #expect(bench.trace() == ["300>caller", "482>caller", "482>caller"])
        bench.receive(bench.request("ACK", branch: "z9hG4bKforked"), from: bench.caller, on: Bench.redirect)
        bench.receive(bench.request("INVITE", branch: "z9hG4bK2", cSeq: 2), from: bench.caller, on: Bench.redirect)
        bench.receive(
            bench.request("INVITE", branch: "z9hG4bK3", callID: "call-2"), from: bench.caller, on: Bench.redirect)
        bench.receive(bench.request("MESSAGE", branch: "z9hG4bK4"), from: bench.caller, on: Bench.redirect)
        bench.receive(bench.request("INVITE", branch: "z9hG4bK5", toTag: "t"), from: bench.caller, on: Bench.redirect)
        #expect(bench.trace() == ["300>caller", "300>caller", "300>caller", "300>caller"])
        bench.advance(.seconds(40))
        _ = bench.look()
        bench.receive(copy, from: bench.caller, on: Bench.redirect)
        #expect(bench.trace() == ["300>caller"], "the first is over")

        bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.receive(copy, from: bench.caller)
        #expect(bench.trace() == ["100>caller", "INVITE>g1", "100>caller", "INVITE>g1"])
    }
}

@Suite struct TwoServerTests {
    @Test func `the same INVITE at the proxy and at the redirect server is two requests`() throws {
        var bench = try Bench(gateways: 1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        #expect(bench.trace() == ["100>caller", "INVITE>g1"])
        bench.receive(bench.request("INVITE"), from: bench.caller, on: Bench.redirect)
        #expect(bench.trace() == ["302>caller"])
    }
}

@Suite struct EdgeTests {
    @Test func `noise is counted and dropped; a known sender of a bad request gets 400 or 505 (API 10)`() throws {
        var bench = try Bench()
        for noise in ["", "\r\n\r\n", "\0\0\0\0", "hello", "INVITE", "INVITE sip:a@b SIP/2.0\r\n\r\n"] {
            bench.receive(noise, from: bench.caller)
        }
        bench.receive(bench.request("INVITE").replacing("CSeq: 1 INVITE", with: "CSeq: 1 BYE"), from: bench.stranger)
        #expect(bench.trace() == [])
        #expect(bench.worker.counters.malformedDropped == 7)
        bench.receive(bench.request("INVITE").replacing("CSeq: 1 INVITE", with: "CSeq: 1 BYE"), from: bench.caller)
        #expect(try bench.last("400", to: bench.caller).startLine == "SIP/2.0 400 CSeq Method Mismatch")
        _ = bench.look()
        bench.receive(bench.request("INVITE").replacing("SIP/2.0\r\n", with: "SIP/3.0\r\n"), from: bench.caller)
        #expect(bench.trace() == ["505>caller"])
        bench.receive(bench.request("INVITE").replacing("Via: ", with: "X: "), from: bench.caller)
        #expect(bench.trace() == [], "without Via there is no way back")
        bench.receive(
            bench.request("ACK").replacing("CSeq: 1 ACK", with: "CSeq: 1 BYE"), from: bench.caller)
        #expect(bench.trace() == [], "an ACK is never answered")
        #expect(bench.worker.liveCount == 0)
    }

    @Test func `responses go to the source address: its port with rport, else that of sent-by (§18.2.2, RFC 3581)`()
        throws
    {
        var bench = try Bench()
        let elsewhere = try Bench.address("10.1.0.9:7777")
        bench.receive(bench.request("INVITE", uri: "sip:33@x"), from: elsewhere)
        let plain = try #require(bench.look().first)
        #expect(plain.to == (try Bench.address("10.1.0.9:5080")))
        #expect(plain.first("Via").hasSuffix(";received=10.1.0.9"))
        bench.receive(
            bench.request("INVITE", uri: "sip:33@x", branch: "z9hG4bK2;rport"), from: elsewhere)
        let withPort = try #require(bench.look().first)
        #expect(withPort.to == elsewhere)
        #expect(withPort.first("Via").contains(";rport=7777;received=10.1.0.9"))
    }

    @Test func `a response is handed to the worker that its branch names`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: try bench.gateway(1))
        #expect(invite.first("Via").contains("branch=z9hG4bK00"), "worker 0")
        let other = bench.response(200, to: invite).replacing("z9hG4bK00", with: "z9hG4bK01")
        bench.receive(other, from: try bench.gateway(1))
        #expect(bench.worker.counters.strayResponses == 1, "there is no worker 1")
    }
}
