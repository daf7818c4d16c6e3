import Addressing
import SignallingCore
import Testing

/// What `deploy/fuzz` has found, each as a test of its own.
@Suite struct FoundByFuzzingTests {
    @Test func `a call without a user part goes to a gateway and into a Contact without an @ (§19.1.1)`() throws {
        var bench = try Bench(gateways: 1, prefix: "any")
        bench.receive(bench.request("INVITE", uri: "sip:10.0.0.1"), from: bench.caller)
        let invite = try bench.last("INVITE", to: try bench.gateway(1))
        #expect(invite.startLine == "INVITE sip:10.2.0.1:5060 SIP/2.0")
        bench.receive(
            bench.request("INVITE", uri: "sip:10.0.0.1", branch: "z9hG4bK2"), from: bench.caller, on: Bench.redirect)
        #expect(
            try bench.last("302", to: bench.caller).first("Contact") == "<sip:10.2.0.1:5060>;q=1.0;tandem-gateway=g1")
    }
}

/// What RFC 4475 and RFC 5118 ask of both roles, over what the parser alone can say.
@Suite struct TortureClassCoreTests {
    @Test(arguments: ["OPTIONS", "INVITE", "REGISTER", "NEWMETHOD"])
    func `an unknown scheme is 416 whatever the method (RFC 4475 3.3.2, 3.3.3)`(method: String) throws {
        for listener in [Bench.proxy, Bench.redirect] {
            for uri in ["beep.soap://192.0.2.1:3002", "nobody-knows:opaque", "h323:a@b"] {
                var bench = try Bench()
                bench.receive(bench.request(method, uri: uri), from: bench.caller, on: listener)
                #expect(bench.trace().last == "416>caller", "\(method) \(uri)")
            }
        }
    }

    @Test func `a method with any token's bytes is forwarded as it is (RFC 4475 3.1.1.2, 3.1.1.5)`() throws {
        for method in ["!odd-Method0_*+`.%x'~", "IN%56ITE", "invite"] {
            var bench = try Bench()
            bench.receive(bench.request(method), from: bench.caller)
            #expect(try bench.last(method, to: try bench.gateway(1)).first("CSeq") == "1 \(method)")
        }
    }

    @Test func `a branch that is the cookie alone is matched by RFC 2543's rules (RFC 4475 3.2.1)`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE", branch: "z9hG4bK"), from: bench.caller)
        bench.receive(bench.request("INVITE", branch: "z9hG4bK"), from: bench.caller)
        bench.receive(bench.request("INVITE", branch: "z9hG4bK", callID: "other"), from: bench.caller)
        #expect(bench.look().filter { $0.kind == "INVITE" }.count == 2)
    }

    @Test func `no hops are left: 483 (RFC 4475 3.3.11)`() throws {
        var bench = try Bench()
        let request = bench.request("MESSAGE").replacing("Max-Forwards: 70", with: "Max-Forwards: 0")
        bench.receive(request, from: bench.caller)
        #expect(bench.trace() == ["483>caller"])
    }
}
