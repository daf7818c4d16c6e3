import Addressing
import Routing
import SIPTransaction
import SignallingCore
import Simulation
import Testing
import Time

/// Which calls a gateway has: from the attempt to the end of the dialog, and never for ever.
@Suite struct LiveCallTests {
    /// Sets up a call through the gateway; the 2xx that the caller got.
    private static func answer(
        _ number: Int, by gateway: Int = 1, in bench: inout Bench, toTag: String = "to1", extra: [String] = []
    ) throws -> Sent {
        bench.receive(
            bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "call-\(number)"), from: bench.caller)
        let address = try bench.gateway(gateway)
        let invite = try bench.last("INVITE", to: address)
        bench.receive(bench.response(200, to: invite, toTag: toTag, extra: extra), from: address)
        return try bench.last("200", to: bench.caller)
    }

    private static func bye(_ answer: Sent, _ number: Int, in bench: inout Bench) throws {
        bench.receive(
            try bench.withinDialog(
                "BYE", of: answer, cSeq: 2, branch: "z9hG4bKbye\(number)", callID: answer.first("Call-ID")),
            from: bench.caller)
    }

    @Test func `a call is one from its attempt to its BYE, and both ends may say it`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        #expect(try bench.liveCalls(1) == 1)
        let gateway = try bench.gateway(1)
        let invite = try bench.last("INVITE", to: gateway)
        bench.receive(bench.response(180, to: invite), from: gateway)
        bench.receive(bench.response(200, to: invite), from: gateway)
        bench.receive(bench.response(200, to: invite), from: gateway)
        #expect(try bench.liveCalls(1) == 1)
        #expect(bench.worker.inspection.liveCalls == 1)
        let answer = try bench.last("200", to: bench.caller)
        bench.advance(.seconds(300))
        #expect(try bench.liveCalls(1) == 1)
        #expect(bench.worker.inspection.clients == 0, "the dialog alone holds it")
        try Self.bye(answer, 1, in: &bench)
        #expect(try bench.liveCalls(1) == 0)
        try Self.bye(answer, 2, in: &bench)
        #expect(try bench.liveCalls(1) == 0, "never below zero")

        let second = try Self.answer(2, in: &bench)
        let fromGateway = [
            "BYE sip:a@10.1.0.1:5080 SIP/2.0", "Via: SIP/2.0/UDP 10.2.0.1:5060;branch=z9hG4bKg", "Max-Forwards: 70",
            "From: \(second.first("To"))", "To: \(second.first("From"))", "Call-ID: call-2", "CSeq: 9 BYE",
        ]
        let routes = second.all("Record-Route").map { "Route: \($0)" }
        bench.receive(
            (fromGateway + routes + ["Content-Length: 0", "", ""]).joined(separator: "\r\n"), from: gateway)
        #expect(try bench.liveCalls(1) == 0)
    }

    @Test func `a host name within a dialog leads to the neighbour on that side, while the call is known`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        bench.receive(bench.response(200, to: invite, contact: "<sip:gw@sbc.example:5066>"), from: gateway)
        let answer = try bench.last("200", to: bench.caller)
        _ = bench.look()
        bench.receive(try bench.withinDialog("ACK", of: answer, cSeq: 1, branch: "z9hG4bKa"), from: bench.caller)
        #expect(try bench.last("ACK", to: gateway).startLine == "ACK sip:gw@sbc.example:5066 SIP/2.0")
        bench.receive(try bench.withinDialog("INFO", of: answer, cSeq: 2, branch: "z9hG4bKi"), from: bench.stranger)
        #expect(bench.trace() == ["ACK>g1", "INFO>g1"])
        let own = try #require(answer.all("Record-Route").first)
        func fromCallee(_ method: String, _ routes: String) -> String {
            [
                "\(method) sip:a@pbx.example SIP/2.0", "Via: SIP/2.0/UDP 10.2.0.1:5060;branch=z9hG4bK\(method)",
                "Max-Forwards: 70", "Route: \(own)\(routes)", "From: \(answer.first("To"))",
                "To: \(answer.first("From"))", "Call-ID: \(answer.first("Call-ID"))", "CSeq: 7 \(method)",
                "Content-Length: 0", "", "",
            ].joined(separator: "\r\n")
        }
        bench.receive(fromCallee("UPDATE", ", <sip:edge.example;lr>"), from: gateway)
        #expect(try bench.last("UPDATE", to: bench.caller).all("Route") == ["<sip:edge.example;lr>"])
        bench.receive(fromCallee("INFO", ", <sips:edge.example;lr>"), from: gateway)
        bench.receive(fromCallee("BYE", ""), from: gateway)
        bench.receive(fromCallee("NOTIFY", ""), from: gateway)
        #expect(bench.trace() == ["UPDATE>caller", "500>g1", "BYE>caller", "500>g1"], "nobody knows it after the BYE")
    }

    @Test func `a host name within a dialog is for the worker that has the call`() throws {
        var bench = try Bench { $0.workerCount = 2 }
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        bench.receive(bench.response(200, to: invite, contact: "<sip:gw@sbc.example>"), from: gateway)
        let answer = try bench.last("200", to: bench.caller)
        _ = bench.look()
        let other = bench.neighbour()
        for (number, method) in ["ACK", "BYE"].enumerated() {
            let request = try bench.withinDialog(method, of: answer, cSeq: 1 + number, branch: "z9hG4bK\(method)")
            let passed = other.receive(
                Array(request.utf8), from: bench.caller, on: Bench.proxy, origin: 1, snapshot: bench.snapshot,
                now: bench.now)
            #expect(passed.handOver == 0 && passed.datagrams.isEmpty)
            #expect(bench.pass(request, from: bench.caller, origin: 1) == nil)
            #expect(bench.trace() == ["\(method)>g1"])
        }
        #expect(other.counters.handedOver == 2)
        #expect(bench.worker.counters.otherRequestsReceived == 0, "counted where it came in")
    }

    @Test func `each of a call's forks is counted, and none of their copies`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        for number in 1...40 {
            _ = try Self.answer(number, in: &bench)
            let invite = try bench.last("INVITE", to: gateway)
            for fork in ["second", "third", "fourth"] {
                for _ in 1...2 { bench.receive(bench.response(200, to: invite, toTag: fork), from: gateway) }
            }
            #expect(try bench.liveCalls(1) == UInt32(4 * number))
        }
    }

    @Test func `a copy of a 2xx that comes after the BYE counts nobody; a second fork is a call of its own`() throws {
        var bench = try Bench()
        let answer = try Self.answer(1, in: &bench)
        let gateway = try bench.gateway(1)
        let invite = try bench.last("INVITE", to: gateway)
        try Self.bye(answer, 1, in: &bench)
        bench.receive(bench.response(200, to: invite), from: gateway)
        #expect(try bench.liveCalls(1) == 0)
        bench.receive(bench.response(200, to: invite, toTag: "fork"), from: gateway)
        #expect(try bench.liveCalls(1) == 1)
        let fork = try bench.last("200", to: bench.caller)
        try Self.bye(fork, 2, in: &bench)
        #expect(try bench.liveCalls(1) == 0)
    }

    @Test func `refused, cancelled, silent: the place is free with the end of the attempt`() throws {
        var bench = try Bench()
        let (first, second) = (try bench.gateway(1), try bench.gateway(2))
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.advance(.seconds(2))
        #expect(try bench.liveCalls(1) == 0, "silent")
        #expect(try bench.liveCalls(2) == 1)
        let invite = try bench.last("INVITE", to: second)
        bench.receive(bench.response(180, to: invite), from: second)
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        #expect(try bench.liveCalls(2) == 1, "until the gateway has let it go")
        bench.receive(bench.response(487, to: invite), from: second)
        #expect(try bench.liveCalls(2) == 0)
        bench.advance(.seconds(100))

        bench.receive(bench.request("INVITE", branch: "z9hG4bK2", callID: "call-2"), from: bench.caller)
        bench.receive(bench.response(486, to: try bench.last("INVITE", to: first)), from: first)
        #expect(try bench.liveCalls(1) == 0)
        bench.receive(bench.request("INVITE", branch: "z9hG4bK3", callID: "call-3"), from: bench.caller)
        bench.transportFailed(to: first)
        #expect(try bench.liveCalls(1) == 0)
    }

    @Test func `the last place is taken once: who comes second skips the gateway, and 503 says when none is left`()
        throws
    {
        var bench = try Bench()
        try bench.changeGateway(2) { $0.limits.maxCalls = 1 }
        for number in 1...2 {
            bench.receive(
                bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "call-\(number)"), from: bench.caller)
        }
        let first = try bench.gateway(1)
        let invites = bench.look().filter { $0.kind == "INVITE" }
        for invite in invites { bench.receive(bench.response(500, to: invite), from: first) }
        #expect(bench.trace().filter { $0 == "INVITE>g2" }.count == 1)
        #expect(bench.worker.counters.skippedFull == 1)
        #expect(try bench.liveCalls(2) == 1)

        bench = try Bench(gateways: 1)
        try bench.changeGateway(1) { $0.limits.maxCalls = 1 }
        let answer = try Self.answer(1, in: &bench)
        bench.receive(bench.request("INVITE", branch: "z9hG4bKnext", callID: "next"), from: bench.caller)
        #expect(try bench.last("503", to: bench.caller).first("Call-ID") == "next")
        #expect(bench.worker.counters.everyGatewayFull == 1)
        try Self.bye(answer, 1, in: &bench)
        bench.receive(bench.request("INVITE", branch: "z9hG4bKlast", callID: "last"), from: bench.caller)
        #expect(try bench.last("INVITE", to: try bench.gateway(1)).first("Call-ID") == "last")
    }

    @Test func `a lost BYE takes no place for ever: the lease ends it, a request within the call begins it anew`()
        throws
    {
        var bench = try Bench { $0.callLease = .seconds(1000) }
        let answer = try Self.answer(1, in: &bench)
        bench.advance(.seconds(900))
        bench.receive(
            try bench.withinDialog("UPDATE", of: answer, cSeq: 2, branch: "z9hG4bKu", callID: "call-1"),
            from: bench.caller)
        bench.advance(.seconds(900))
        #expect(try bench.liveCalls(1) == 1)
        bench.advance(.seconds(200))
        #expect(try bench.liveCalls(1) == 0)
        #expect(bench.worker.counters.liveCallsExpired == 1)
        #expect(bench.worker.nextTimer == nil, "nothing is swept where nothing is")

        _ = try Self.answer(2, in: &bench, extra: ["Session-Expires: 120;refresher=uac"])
        bench.advance(.seconds(150))
        #expect(try bench.liveCalls(1) == 1)
        bench.advance(.seconds(100))
        #expect(try bench.liveCalls(1) == 0, "its session timer says that it is over")
        _ = try Self.answer(3, in: &bench, extra: ["x:30"])
        bench.advance(.seconds(100))
        #expect(try bench.liveCalls(1) == 1, "less than 90 s is none")
    }

    @Test func `a session timer of a hundred million seconds takes no place for years`() throws {
        var bench = try Bench { $0.callLease = .seconds(100) }
        _ = try Self.answer(1, in: &bench, extra: ["Session-Expires: 99999999"])
        bench.advance(.seconds(390))
        #expect(try bench.liveCalls(1) == 1)
        bench.advance(.seconds(80))
        #expect(try bench.liveCalls(1) == 0)
        #expect(bench.worker.nextTimer == nil)
    }

    @Test func `a BYE that comes to another worker tells the one that has the call`() throws {
        var bench = try Bench { $0.workerCount = 2 }
        let answer = try Self.answer(1, in: &bench)
        let other = bench.neighbour()
        let bye = try bench.withinDialog("BYE", of: answer, cSeq: 2, branch: "z9hG4bKbye", callID: "call-1")
        let output = other.receive(
            Array(bye.utf8), from: bench.caller, on: Bench.proxy, snapshot: bench.snapshot, now: bench.now)
        #expect(output.datagrams.map(\.destination) == [try bench.gateway(1)])
        let notice = try #require(output.notices.first)
        #expect(output.notices.count == 1 && notice.worker == 0 && notice.kind == .ended)
        #expect(notice.withBytes { CallNotice(bytes: $0) } == notice)
        #expect(try bench.liveCalls(1) == 1)
        #expect(bench.worker.receive(notice, now: bench.now).calls.endings.count == 1)
        #expect(try bench.liveCalls(1) == 0)
        #expect(bench.worker.receive(notice, now: bench.now).calls.endings.isEmpty)
    }

    @Test func `after a restart a BYE of an unknown call changes nothing; without Record-Route an answer ends it`()
        throws
    {
        var bench = try Bench()
        let answer = try Self.answer(1, in: &bench)
        let restarted = VirtualWorker(settings: bench.settings, table: bench.table, now: bench.now)
        let bye = try bench.withinDialog("BYE", of: answer, cSeq: 2, branch: "z9hG4bKbye", callID: "call-1")
        let output = restarted.receive(
            Array(bye.utf8), from: bench.caller, on: Bench.proxy, snapshot: bench.snapshot, now: bench.now)
        #expect(output.datagrams.count == 1 && output.calls.endings.isEmpty)
        #expect(try bench.liveCalls(1) == 1, "the one of the other process")

        bench = try Bench { $0.isRecordRouting = false }
        _ = try Self.answer(1, in: &bench)
        #expect(try bench.liveCalls(1) == 0)
        bench = try Bench()
        bench.changeSettings { $0.isRecordRouting = false }
        #expect(try Self.answer(1, in: &bench).all("Record-Route") == [], "a setting of the API")
        #expect(try bench.liveCalls(1) == 0)
    }

    @Test func `trial: exactly one call is let through, the others skip it, and its answer puts the gateway back`()
        throws
    {
        var bench = try Bench()
        try bench.changeGateway(1) { $0.recovery = .trial }
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.transportFailed(to: try bench.gateway(1))
        let second = try bench.gateway(2)
        bench.receive(bench.response(486, to: try bench.last("INVITE", to: second)), from: second)
        bench.advance(.seconds(61))
        _ = bench.look()
        for number in 2...4 {
            bench.receive(
                bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "call-\(number)"), from: bench.caller)
        }
        for invite in bench.sent where invite.kind == "INVITE" && invite.to == second {
            bench.receive(bench.response(100, to: invite), from: second)
        }
        #expect(bench.trace().filter { $0.hasPrefix("INVITE") } == ["INVITE>g1", "INVITE>g2", "INVITE>g2"])
        bench.advance(.milliseconds(100))
        bench.receive(bench.request("INVITE", branch: "z9hG4bK5", callID: "call-5"), from: bench.caller)
        let gateway = try bench.gateway(1)
        bench.receive(bench.response(100, to: try bench.last("INVITE", to: second)), from: second)
        #expect(bench.trace() == ["100>caller", "INVITE>g2"])
        bench.advance(.milliseconds(1900))
        #expect(try bench.status(1).status == .outOfService, "the trial was in vain")
        #expect(bench.transitions.last?.before.status == .outOfService)
        bench.advance(.seconds(121))
        _ = bench.look()
        bench.receive(bench.request("INVITE", branch: "z9hG4bK6", callID: "call-6"), from: bench.caller)
        bench.receive(bench.response(100, to: try bench.last("INVITE", to: gateway)), from: gateway)
        #expect(try bench.status(1).status == .inService)
        #expect(bench.transitions.last?.after.cause == .trialAnswered)
    }

    @Test func `a gateway that was locked since the selection is skipped`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: try bench.gateway(1))
        try bench.changeGateway(2) { $0.administrativeState = .locked }
        bench.receive(bench.response(500, to: invite), from: try bench.gateway(1))
        #expect(bench.trace().suffix(2) == ["ACK>g1", "500>caller"])
        #expect(bench.worker.counters.skippedLocked == 1)
    }

    @Test func `an ingress peer's calls count from INVITE to BYE, whatever they try; one too many is 503`() throws {
        var bench = try Bench()
        bench.limitCaller(CallLimits(maxCalls: 1))
        bench.receive(bench.request("INVITE"), from: bench.caller)
        #expect(try bench.callerCalls() == 1)
        bench.receive(bench.request("INVITE", branch: "z9hG4bKfull", callID: "full"), from: bench.caller)
        #expect(try bench.last("503", to: bench.caller).first("Call-ID") == "full")
        #expect(bench.records.map(\.result) == [.peerFull])
        #expect(bench.worker.counters.peerFull == 1)
        bench.advance(.seconds(2))
        #expect(try bench.callerCalls() == 1, "the next gateway, the same call")
        let second = try bench.gateway(2)
        bench.receive(bench.response(486, to: try bench.last("INVITE", to: second)), from: second)
        #expect(try bench.callerCalls() == 0)
        bench.advance(.seconds(70))

        let answer = try Self.answer(1, in: &bench)
        #expect(try bench.callerCalls() == 1)
        bench.advance(.seconds(100))
        #expect(try bench.callerCalls() == 1, "the dialog has it")
        try Self.bye(answer, 1, in: &bench)
        #expect(try bench.callerCalls() == 0)
        bench.receive(
            bench.request("INVITE", uri: "sip:331@10.0.0.1", branch: "z9hG4bK4", callID: "c-4"), from: bench.caller)
        #expect(bench.records.last?.result == .noRoute)
        #expect(try bench.callerCalls() == 0)
    }

    @Test func `an ingress peer's calls of one second, over both roles`() throws {
        var bench = try Bench()
        bench.limitCaller(CallLimits(maxCallsPerSecond: 2))
        for number in 1...3 {
            bench.receive(
                bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "call-\(number)"), from: bench.caller,
                on: number == 1 ? Bench.redirect : Bench.proxy)
        }
        #expect(bench.look().filter { $0.to == bench.caller }.map(\.kind) == ["300", "100", "503"])
        bench.advance(.seconds(1))
        bench.receive(bench.request("INVITE", branch: "z9hG4bK4", callID: "call-4"), from: bench.caller)
        #expect(bench.trace().contains("100>caller"))
    }
}
