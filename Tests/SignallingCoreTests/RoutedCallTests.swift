import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// What routing data do to requests and responses: rewriting, refusals, times.
@Suite struct RoutedCallTests {
    @Test func `each target gets the number as it wants it, from the request as it came (the method, step 6)`() throws {
        var bench = try Bench(gateways: 3)
        bench.change(1) { $0.rewriting = NumberRewriting(stripDigits: 2, prepend: "0#", plus: .remove) }
        bench.change(3) { $0.rewriting = NumberRewriting(prepend: "9", plus: .keep) }
        bench.receive(bench.request("INVITE", uri: "sip:+44-207;isub=7@10.0.0.1"), from: bench.caller)
        var lines: [String] = []
        for number in 1...3 {
            let invite = try bench.last("INVITE", to: try bench.gateway(number))
            lines.append(invite.startLine)
            #expect(invite.first("To") == "<sip:+442071234567@10.0.0.1>")
            bench.receive(bench.response(503, to: invite), from: try bench.gateway(number))
        }
        #expect(
            lines == [
                "INVITE sip:0%23207;isub=7@10.2.0.1:5060 SIP/2.0", "INVITE sip:+44-207;isub=7@10.2.0.2:5060 SIP/2.0",
                "INVITE sip:+944207;isub=7@10.2.0.3:5060 SIP/2.0",
            ])
        let acknowledged = try bench.last("ACK", to: try bench.gateway(1))
        #expect(acknowledged.startLine == "ACK sip:0%23207;isub=7@10.2.0.1:5060 SIP/2.0", "§17.1.1.3")
    }

    @Test func `a tel URI becomes a SIP URI, and a local number that is global then has no context (§19.1.6)`() throws {
        var bench = try Bench(gateways: 1, prefix: "0")
        bench.change(1) { $0.rewriting = NumberRewriting(stripDigits: 1, prepend: "44", plus: .add) }
        bench.receive(
            bench.request("INVITE", uri: "tel:0207-123;phone-context=+44;isub=1"), from: bench.caller,
            on: Bench.redirect)
        #expect(
            try bench.last("302", to: bench.caller).first("Contact")
                == "<sip:+44207123;isub=1@10.2.0.1:5060>;q=1.0;tandem-gateway=g1")
    }

    @Test func `Contacts are rewritten each for its gateway; one that is the Request-URI then is left out (§8.3)`()
        throws
    {
        var bench = try Bench(gateways: 2)
        bench.change(1) { $0.rewriting = NumberRewriting(stripDigits: 2, prepend: "44", plus: .remove) }
        bench.receive(
            bench.request("INVITE", uri: "sip:442071234567@10.2.0.1:5060"), from: bench.caller, on: Bench.redirect)
        #expect(
            try bench.last("302", to: bench.caller).all("Contact") == [
                "<sip:442071234567@10.2.0.2:5060>;q=1.0;tandem-gateway=g2"
            ])
        _ = bench.look()
        bench.receive(
            bench.request("INVITE", branch: "z9hG4bK2", callID: "2"), from: bench.caller, on: Bench.redirect)
        #expect(
            try bench.last("300", to: bench.caller).all("Contact") == [
                "<sip:442071234567@10.2.0.1:5060>;q=1.0;tandem-gateway=g1",
                "<sip:+442071234567@10.2.0.2:5060>;q=0.500;tandem-gateway=g2",
            ])
    }

    @Test(arguments: [Bench.proxy, Bench.redirect])
    func `a refusal, bounds of digits, limits and locks are answered and counted by their names (API 10)`(
        role: ListenerNumber
    ) throws {
        var bench = try Bench(gateways: 1)
        try bench.route("441", Route(.reject(status: 603, reason: "Not From Here")))
        try bench.route("442", Route(.reject(status: 480, reason: "")))
        try bench.route("443", Route(.routingList("l"), minDigits: 6))
        func answer(_ number: String) throws -> String {
            bench.receive(
                bench.request("INVITE", uri: "sip:\(number)@10.0.0.1", branch: "z9hG4bK\(number)", callID: number),
                from: bench.caller, on: role)
            let sent = bench.look()
            #expect(sent.allSatisfy { $0.to == bench.caller && $0.first("Retry-After") == "" })
            return sent.last?.startLine ?? ""
        }
        #expect(try answer("4412") == "SIP/2.0 603 Not From Here")
        #expect(try answer("4422") == "SIP/2.0 480 Temporarily Unavailable")
        #expect(try answer("44355") == "SIP/2.0 484 Address Incomplete")
        bench.change(1) { $0.limits = CallLimits(maxCalls: 0) }
        #expect(try answer("4455").hasPrefix("SIP/2.0 503"))
        bench.change(1) { gateway in
            gateway.limits = CallLimits()
            gateway.administrativeState = .locked
        }
        #expect(try answer("4456").hasPrefix("SIP/2.0 503"))
        let counters = bench.worker.counters
        #expect(counters.rejected == 2 && counters.incompleteNumbers == 1)
        #expect(counters.everyGatewayFull == 1 && counters.everyGatewayLocked == 1 && counters.everyGatewayOut == 0)
    }
}
