import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// A proxy whose redirect servers are elsewhere (the method, step 2): 10.3.0.1, 10.3.0.2 and so on, port 5070.
@Suite struct ApartTests {
    static func server(_ number: Int) throws -> TransportAddress { try Bench.address("10.3.0.\(number):5070") }

    /// A proxy that asks so many redirect servers. Its own gateways and routes are of no use to it.
    static func bench(
        servers: Int = 1, changing change: (inout RoutingSettings) -> Void = { _ in }
    ) throws -> Bench {
        var bench = try Bench()
        let list = try (1...servers).map { number in
            let address = try server(number)
            return RedirectServer(
                uri: "sip:\(address.hostPort)", address: address, requestURISuffix: "@\(address.hostPort)")
        }
        bench.changeSettings { settings in
            settings.redirectServers = list
            change(&settings)
        }
        return bench
    }

    /// A redirect server's answer with these Contacts, one field each.
    static func answer(_ status: Int, to invite: Sent, _ contacts: [String], in bench: Bench) -> String {
        bench.response(
            status, to: invite, contact: contacts.first ?? "<sip:nobody@10.2.0.9>",
            extra: contacts.dropFirst().map { "Contact: \($0)" })
    }

    static let twoGateways = [
        "<sip:442071234567@10.2.0.2:5060>;q=0.5;tandem-gateway=lon2",
        "<sip:+442071234567@10.2.0.1:5060;user=phone?Subject=x>;q=1.0;tandem-gateway=lon1",
    ]

    /// A call that the first redirect server has sent on, at its first gateway. All that was sent is forgotten.
    static func routed(_ bench: inout Bench, _ contacts: [String] = twoGateways, callID: String = "call-1@10.1.0.1")
        throws -> Sent
    {
        bench.receive(bench.request("INVITE", branch: "z9hG4bK\(callID)", callID: callID), from: bench.caller)
        let invite = try bench.last("INVITE", to: try server(1))
        bench.receive(answer(300, to: invite, contacts, in: bench), from: try server(1))
        defer { _ = bench.look() }
        return try #require(bench.sent.last { $0.kind == "INVITE" })
    }

    @Test func `the INVITE is forwarded to the redirect server, and then to its Contacts in the order of q`() throws {
        var bench = try Self.bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        #expect(try bench.last("100", to: bench.caller).startLine.hasPrefix("SIP/2.0 100"))
        let asked = try bench.last("INVITE", to: try Self.server(1))
        #expect(asked.startLine == "INVITE sip:+442071234567@10.3.0.1:5070 SIP/2.0")
        #expect(asked.first("Max-Forwards") == "69" && asked.all("Via").count == 2)
        #expect(asked.first("Call-ID") == "call-1@10.1.0.1")
        _ = bench.look()
        bench.receive(Self.answer(300, to: asked, Self.twoGateways, in: bench), from: try Self.server(1))
        let ack = try bench.last("ACK", to: try Self.server(1))
        #expect(ack.startLine == "ACK sip:+442071234567@10.3.0.1:5070 SIP/2.0")
        #expect(ack.first("Via") == asked.first("Via") && ack.first("To").contains("tag="))
        let first = try bench.last("INVITE", to: try bench.gateway(1))
        #expect(first.startLine == "INVITE sip:+442071234567@10.2.0.1:5060;user=phone SIP/2.0", "without the headers")
        #expect(first.first("Max-Forwards") == "69", "from the original request")
        #expect(first.first("Via") != asked.first("Via") && first.all("Record-Route").count == 1)
        _ = bench.look()
        // A copy of the answer is acknowledged again, and changes nothing.
        bench.receive(Self.answer(300, to: asked, Self.twoGateways, in: bench), from: try Self.server(1))
        #expect(bench.look().map(\.kind) == ["ACK"])
        bench.advance(.milliseconds(2000))
        let second = try bench.last("INVITE", to: try bench.gateway(2))
        #expect(second.startLine == "INVITE sip:442071234567@10.2.0.2:5060 SIP/2.0")
        bench.receive(bench.response(180, to: second), from: try bench.gateway(2))
        bench.receive(bench.response(200, to: second), from: try bench.gateway(2))
        let answer = try bench.last("200", to: bench.caller)
        _ = bench.look()
        // Within the dialog the redirect server is asked nothing.
        bench.receive(
            try bench.withinDialog("ACK", of: answer, cSeq: 1, branch: "z9hG4bKack"), from: bench.caller)
        bench.receive(
            try bench.withinDialog("BYE", of: answer, cSeq: 2, branch: "z9hG4bKbye"), from: bench.caller)
        #expect(bench.look().map(\.kind) == ["ACK", "BYE"])
        #expect(bench.worker.inspection.liveCalls == 0)
    }

    @Test func `what was seen of the gateways is told by the names that the redirect server gave them`() throws {
        var bench = try Self.bench()
        _ = try Self.routed(&bench)
        bench.advance(.milliseconds(2000))
        let second = try bench.last("INVITE", to: try bench.gateway(2))
        bench.receive(
            bench.response(503, to: second, extra: ["Retry-After: 17"]), from: try bench.gateway(2))
        let names = bench.sightings.map { bench.table.remoteGateway(in: $0.slot)?.name.string }
        #expect(names == ["lon1", "lon2"])
        #expect(bench.sightings.map(\.outcome) == [.noResponse, .failureResponse(status: 503)])
        #expect(bench.sightings.map(\.retryAfterSeconds) == [nil, 17])
        #expect(bench.sightings.map(\.callID.string) == ["call-1@10.1.0.1", "call-1@10.1.0.1"])
        #expect(try bench.last("408", to: bench.caller).kind == "408", "all tried in vain")
        // A refusal of the callee's is an answer of the gateway.
        bench = try Self.bench()
        let invite = try Self.routed(&bench)
        bench.receive(bench.response(486, to: invite), from: try bench.gateway(1))
        #expect(bench.sightings.map(\.outcome) == [.answered])
    }

    @Test func `a Contact says how its gateway is tried; what it leaves out is the API's default`() throws {
        var bench = try Self.bench()
        let contacts = [
            "<sip:1@10.2.0.1>;q=1.0;tandem-gateway=lon1;tandem-response-timeout-ms=700;tandem-resends=0"
                + ";tandem-failover-causes=\"no-response 4xx\"",
            "<sip:1@10.2.0.2>;q=0.5;tandem-gateway=lon2;tandem-progress-timeout-ms=900;tandem-resends=99",
            "<sip:1@10.2.0.3>;q=0.1;tandem-gateway=lon3",
        ]
        _ = try Self.routed(&bench, contacts)
        bench.advance(.milliseconds(699))
        #expect(bench.trace() == [], "not sent again")
        bench.advance(.milliseconds(1))
        let second = try bench.last("INVITE", to: try bench.gateway(2))
        bench.receive(bench.response(100, to: second, toTag: nil), from: try bench.gateway(2))
        _ = bench.look()
        bench.advance(.milliseconds(900))
        #expect(bench.trace() == ["CANCEL>g2", "INVITE>g3"])
        bench.advance(.milliseconds(2000))
        #expect(bench.trace().filter { $0 == "INVITE>g3" }.count == 2, "two resendings within 2 s")
    }

    @Test func `without a gateway's name our own defaults apply; the bound on the search travels`() throws {
        var bench = try Self.bench {
            $0.remoteDefaults.timing.responseTimeoutMilliseconds = 300
            $0.remoteDefaults.timing.resendLimit = 0
        }
        _ = try Self.routed(&bench, ["<sip:1@10.2.0.1>", "<sip:1@10.2.0.2>"])
        bench.advance(.milliseconds(300))
        #expect(bench.trace() == ["INVITE>g2"])
        #expect(bench.sightings.count == 1)
        #expect(bench.sightings.first.flatMap { bench.table.remoteGateway(in: $0.slot)?.name.isEmpty } == true)
        bench = try Self.bench()
        _ = try Self.routed(
            &bench, ["<sip:1@10.2.0.1>;tandem-gateway=a;tandem-give-up-after-ms=1000", "<sip:1@10.2.0.2>"])
        bench.advance(.milliseconds(1000))
        #expect(bench.trace().last == "408>caller")
    }

    @Test func `no URI is tried twice, nor the one that was asked for, nor what we can't send to`() throws {
        var bench = try Self.bench()
        let contacts = [
            "<sip:+442071234567@10.0.0.1>", "<sip:1@10.2.0.1>;q=0.9", "<SIP:1@10.2.0.1;transport=udp>;q=0.8",
            "<sip:1@10.2.0.1>;q=0.7", "<sip:1@gw.example.com>", "<sips:1@10.2.0.2>", "<tel:+1>", "<mailto:a@b>",
            "<sip:1@10.2.0.2;transport=tls>", "<sip:1@10.2.0.2;transport=sctp>", "<sip:1@10.2.0.2;maddr=10.2.0.3>",
            "<sip:1@10.2.0.2;method=BYE>", "<sip:1@0.0.0.0>", "<sip:1@224.0.0.1>", "*", "<sip:1@10.2.0.2:99999>",
            "<sip:1@10.2.0.2>;q=nonsense", "sip:1@10.2.0.3, \"x, y\" <sip:1@10.2.0.4>;q=0.4",
        ]
        _ = try Self.routed(&bench, contacts)
        var tried: [String] = ["10.2.0.3"]
        for _ in 0..<4 {
            bench.advance(.milliseconds(2000))
            tried += bench.look().filter { $0.kind == "INVITE" }.map { $0.to.address.description }
        }
        let order = tried.reduce(into: [String]()) { if $0.last != $1 { $0.append($1) } }
        #expect(
            order
                == ["10.2.0.3", "10.2.0.1", "10.2.0.1", "10.2.0.4", "10.2.0.2"].reduce(into: []) {
                    if $0.last != $1 { $0.append($1) }
                })
        #expect(bench.worker.counters.contactsIgnored == 14)
    }

    @Test func `a redirect server that says nothing is sent the request again, then the next is asked`() throws {
        var bench = try Self.bench(servers: 2)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.advance(.milliseconds(1999))
        #expect(bench.trace() == ["100>caller", "INVITE>g1", "INVITE>g1", "INVITE>g1"])
        bench.advance(.milliseconds(1))
        let second = try bench.last("INVITE", to: try Self.server(2))
        #expect(second.startLine.contains("@10.3.0.2:5070"))
        bench.receive(Self.answer(302, to: second, ["<sip:1@10.2.0.1>"], in: bench), from: try Self.server(2))
        #expect(try bench.last("INVITE", to: try bench.gateway(1)).kind == "INVITE")
        #expect(bench.worker.counters.inquiries == 2 && bench.worker.counters.inquiriesUnanswered == 1)
        #expect(bench.worker.counters.attempts == 1 && bench.worker.counters.failovers == 0)
        _ = bench.look()
        // The next call does not wait for the first one.
        bench.receive(bench.request("INVITE", branch: "z9hG4bK2", callID: "c2"), from: bench.caller)
        #expect(bench.sent.filter { $0.kind == "INVITE" }.map(\.to) == [try Self.server(2)])
        let third = try bench.last("INVITE", to: try Self.server(2))
        bench.receive(bench.response(404, to: third), from: try Self.server(2))
        // After its time value one call tries it, and only one.
        bench.advance(.milliseconds(2100))
        _ = bench.look()
        for number in 3...4 {
            bench.receive(bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "c\(number)"), from: bench.caller)
        }
        #expect(
            bench.look().filter { $0.kind == "INVITE" }.map(\.to) == [try Self.server(1), try Self.server(2)])
    }

    @Test func `an ICMP error or a 503 of a redirect server leads to the next at once`() throws {
        var bench = try Self.bench(servers: 3)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.transportFailed(to: try Self.server(1))
        let second = try bench.last("INVITE", to: try Self.server(2))
        bench.receive(bench.response(503, to: second, extra: ["Retry-After: 30"]), from: try Self.server(2))
        let third = try bench.last("INVITE", to: try Self.server(3))
        bench.receive(bench.response(503, to: third), from: try Self.server(3))
        let final = try bench.last("503", to: bench.caller)
        #expect(final.first("Retry-After").isEmpty, "the last one's word")
        #expect(bench.sent.filter { $0.kind == "ACK" }.map(\.to) == [try Self.server(2), try Self.server(3)])
        let slots = bench.snapshot.redirectServerSlots
        #expect(bench.table.status(of: slots[0]).status == .outOfService)
        #expect(bench.table.status(of: slots[1]).status == .inService, "it refuses a call, and lives")
    }

    @Test(arguments: [403, 404, 484, 603, 305])
    func `a redirect server's failure goes back to the caller as it is, and is acknowledged`(status: Int) throws {
        var bench = try Self.bench(servers: 2)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let asked = try bench.last("INVITE", to: try Self.server(1))
        _ = bench.look()
        bench.receive(
            bench.response(status, to: asked, extra: ["Reason: Q.850;cause=1"]), from: try Self.server(1))
        #expect(bench.sent.map(\.kind) == ["ACK", "\(status)"])
        #expect(try bench.last("\(status)", to: bench.caller).first("Reason") == "Q.850;cause=1")
        #expect(bench.records.map(\.result) == [.refused])
        #expect(bench.records.first?.isOfRedirectServer == true && bench.records.first?.status == UInt16(status))
        #expect(bench.records.first?.inquiryCount == 1 && bench.searches.first?.keptAttempts.isEmpty == true)
        bench.receive(bench.request("ACK", toTag: "to1"), from: bench.caller)
        bench.advance(.seconds(70))
        #expect(bench.worker.inspection == .init())
    }

    @Test func `when every redirect server is dead calls are refused 503, with the time of the next question`() throws {
        var bench = try Self.bench(servers: 2)
        for number in 1...3 {
            bench.receive(bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "c\(number)"), from: bench.caller)
            bench.advance(.milliseconds(4100))
        }
        let refusals = bench.look().filter { $0.kind == "503" && $0.first("CSeq") == "1 INVITE" }
        #expect(Set(refusals.map { $0.first("Call-ID") }) == ["c1", "c2", "c3"])
        #expect(refusals.allSatisfy { (1...5).contains(Int($0.first("Retry-After")) ?? 0) })
        #expect(bench.records.map(\.result) == Array(repeating: .everyRedirectServerOut, count: 3))
        #expect(bench.worker.counters.everyRedirectServerOut == 3)
        #expect(try bench.callerCalls() == 0)
        // One call tries each that may be back by now; the others are refused at once.
        bench.receive(bench.request("INVITE", branch: "z9hG4bK4", callID: "c4"), from: bench.caller)
        let asked = bench.look().filter { $0.kind == "INVITE" }
        #expect(asked.map(\.to) == [try Self.server(1)])
        bench.receive(bench.request("INVITE", branch: "z9hG4bK5", callID: "c5"), from: bench.caller)
        #expect(bench.look().filter { $0.kind == "INVITE" }.map(\.to) == [try Self.server(2)])
        bench.receive(bench.request("INVITE", branch: "z9hG4bK6", callID: "c6"), from: bench.caller)
        #expect(bench.look().map(\.kind) == ["503"])
        #expect(bench.worker.counters.everyRedirectServerOut == 4)
        // It is back, and so is everyone's service.
        let answer = Self.answer(302, to: try #require(asked.first), ["<sip:1@10.2.0.1>"], in: bench)
        bench.receive(answer, from: try Self.server(1))
        _ = bench.look()
        bench.receive(bench.request("INVITE", branch: "z9hG4bK7", callID: "c7"), from: bench.caller)
        #expect(bench.look().filter { $0.kind == "INVITE" }.map(\.to) == [try Self.server(1)])
    }

    @Test func `CANCEL while the redirect server is asked: 487 at once, and its answer is not followed`() throws {
        var bench = try Self.bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let asked = try bench.last("INVITE", to: try Self.server(1))
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        #expect(bench.look().suffix(2).map(\.kind) == ["200", "487"])
        bench.receive(bench.request("ACK", toTag: "x"), from: bench.caller)
        bench.receive(Self.answer(300, to: asked, Self.twoGateways, in: bench), from: try Self.server(1))
        #expect(bench.look().map(\.kind) == ["ACK"])
        #expect(bench.records.map(\.result) == [.cancelled])
        bench.advance(.seconds(70))
        #expect(bench.worker.inspection == .init())
    }

    @Test func `who was found dead is tried last until the redirect server knows of it`() throws {
        var bench = try Self.bench()
        _ = try Self.routed(&bench)
        bench.advance(.milliseconds(2000))
        _ = bench.look()
        #expect(try Self.routed(&bench, callID: "c2").to == bench.gateway(2))
        #expect(bench.transitions.count == 1)
        // It is told, and believed from now on.
        let slot = try #require(bench.sightings.first?.slot)
        #expect(bench.table.putBack(slot, cause: .reported, now: bench.now, reporter: .networkManager) != nil)
        #expect(try Self.routed(&bench, callID: "c3").to == bench.gateway(1))
        // Where all are, they are tried all the same.
        bench.advance(.milliseconds(4000))
        _ = bench.look()
        let invite = try Self.routed(&bench, callID: "c4")
        bench.receive(bench.response(200, to: invite), from: invite.to)
        #expect(bench.look().map(\.kind) == ["200"])
    }

    @Test func `calls that wait for a gateway that others find dead move on`() throws {
        var bench = try Self.bench()
        _ = try Self.routed(&bench)
        bench.advance(.milliseconds(300))
        #expect(try Self.routed(&bench, callID: "c2").to == bench.gateway(1))
        bench.advance(.milliseconds(300))
        #expect(try Self.routed(&bench, callID: "c3").to == bench.gateway(2), "the first one is suspect")
        bench.advance(.milliseconds(1400))
        #expect(
            bench.look().filter { $0.kind == "INVITE" && $0.to.port == 5060 }.suffix(2).map(\.to)
                == [try bench.gateway(2), try bench.gateway(2)])
        #expect(bench.worker.counters.failoversAfterFall == 1)
    }

    @Test func `requests other than INVITE are asked for, and an ACK by number goes nowhere`() throws {
        var bench = try Self.bench()
        bench.receive(bench.request("MESSAGE", body: "hello"), from: bench.caller)
        let asked = try bench.last("MESSAGE", to: try Self.server(1))
        bench.receive(Self.answer(302, to: asked, ["<sip:1@10.2.0.1>"], in: bench), from: try Self.server(1))
        let message = try bench.last("MESSAGE", to: try bench.gateway(1))
        #expect(message.body == "hello")
        bench.receive(bench.response(200, to: message), from: try bench.gateway(1))
        #expect(try bench.last("200", to: bench.caller).first("CSeq") == "1 MESSAGE")
        _ = bench.look()
        bench.receive(bench.request("ACK", branch: "z9hG4bKack", toTag: "x", cSeq: 9), from: bench.caller)
        #expect(bench.look().isEmpty)
        #expect(bench.worker.counters.strayAcknowledgements == 1)
    }

    @Test func `a 200 of what is no redirect server sets the session up all the same`() throws {
        var bench = try Self.bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let asked = try bench.last("INVITE", to: try Self.server(1))
        bench.receive(bench.response(180, to: asked), from: try Self.server(1))
        bench.receive(bench.response(200, to: asked), from: try Self.server(1))
        #expect(bench.look().suffix(2).map(\.kind) == ["180", "200"])
        #expect(bench.records.map(\.result) == [.answered])
    }

    @Test func `our own redirect role says all that a proxy elsewhere must know`() throws {
        var server = try Bench(gateways: 2)
        try server.changeGateway(1) { gateway in
            gateway = Gateway(
                id: gateway.id, uri: gateway.uri, address: gateway.address,
                requestURISuffix: gateway.requestURISuffix,
                timing: GatewayTiming(responseTimeoutMilliseconds: 700, resendLimit: 0))
            gateway.outOfServiceCauses = [.noResponse, .statusClass(5), .status(486)]
        }
        server.regroup(failoverCauses: [.noResponse, .transportError, .status(486)], failsOverAfterRinging: true)
        server.receive(server.request("INVITE"), from: server.caller, on: Bench.redirect)
        let contacts = try server.last("300", to: server.caller).all("Contact")
        #expect(
            contacts == [
                "<sip:+442071234567@10.2.0.1:5060>;q=1.0;tandem-gateway=g1;tandem-response-timeout-ms=700"
                    + ";tandem-resends=0;tandem-out-of-service-causes=\"no-response 5xx 486\""
                    + ";tandem-failover-causes=\"no-response transport-error 486\";tandem-failover-after-ringing"
                    + ";tandem-give-up-after-ms=9000",
                "<sip:+442071234567@10.2.0.2:5060>;q=0.500;tandem-gateway=g2"
                    + ";tandem-failover-causes=\"no-response transport-error 486\";tandem-failover-after-ringing",
            ])
        var bench = try Self.bench()
        let invite = try Self.routed(&bench, contacts)
        bench.receive(bench.response(180, to: invite), from: try bench.gateway(1))
        _ = bench.look()
        bench.receive(bench.response(486, to: invite), from: try bench.gateway(1))
        #expect(bench.trace() == ["ACK>g1", "INVITE>g2"])
        #expect(bench.sightings.map(\.outcome) == [.answered, .failureResponse(status: 486)])
    }

    @Test func `identities that gateways of a redirect server assert are believed`() throws {
        var bench = try Self.bench()
        bench.trustCaller(true)
        let invite = try Self.routed(&bench)
        bench.receive(
            bench.response(200, to: invite, extra: ["P-Asserted-Identity: <sip:b@10.2.0.1>"]),
            from: try bench.gateway(1))
        #expect(try bench.last("200", to: bench.caller).all("P-Asserted-Identity").count == 1)
    }
}
