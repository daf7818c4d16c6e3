import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

@Suite struct ProxyCallTests {
    /// A call that has been answered by the first gateway.
    static func answered() throws -> (bench: Bench, answer: Sent) {
        var bench = try Bench()
        bench.receive(bench.request("INVITE", body: "v=0"), from: bench.caller)
        bench.receive(
            bench.response(200, to: try bench.last("INVITE", to: try bench.gateway(1))), from: try bench.gateway(1))
        let answer = try bench.last("200", to: bench.caller)
        _ = bench.look()
        return (bench, answer)
    }

    @Test func `a whole call: INVITE, 100, 180, 200, ACK, BYE, 200 through Record-Route (§16)`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE", extra: ["X-Odd:  kept  "], body: "v=0\r\n"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        #expect(bench.sent.map(\.kind) == ["100", "INVITE"])
        #expect(invite.startLine == "INVITE sip:+442071234567@10.2.0.1:5060 SIP/2.0")
        #expect(invite.all("Via").count == 2)
        #expect(invite.first("Max-Forwards") == "69")
        #expect(invite.first("X-Odd") == " kept  ", "byte for byte")
        #expect(invite.first("Record-Route").hasPrefix("<sip:10.0.0.1:5060;lr;m="))
        #expect(invite.body == "v=0\r\n")
        _ = bench.look()
        bench.receive(bench.response(100, to: invite, toTag: nil), from: gateway)
        #expect(bench.look().isEmpty, "a 100 goes no further (§16.7 step 5)")
        bench.receive(bench.response(180, to: invite), from: gateway)
        bench.advance(.seconds(3))
        bench.receive(bench.response(200, to: invite), from: gateway)
        let answer = try bench.last("200", to: bench.caller)
        #expect(answer.all("Via") == ["SIP/2.0/UDP 10.1.0.1:5080;branch=z9hG4bKcaller1"])
        #expect(bench.trace() == ["180>caller", "200>caller"])

        bench.receive(try bench.withinDialog("ACK", of: answer, cSeq: 1, branch: "z9hG4bKack"), from: bench.caller)
        let ack = try bench.last("ACK", to: gateway)
        #expect(ack.startLine == "ACK sip:gw@10.2.0.1:5060 SIP/2.0")
        #expect(ack.all("Route").isEmpty)
        #expect(ack.all("Via").count == 2)
        bench.receive(try bench.withinDialog("BYE", of: answer, cSeq: 2, branch: "z9hG4bKbye"), from: bench.caller)
        let bye = try bench.last("BYE", to: gateway)
        bench.receive(bench.response(200, to: bye), from: gateway)
        #expect(bench.trace() == ["ACK>g1", "BYE>g1", "200>caller"])
        #expect(bench.worker.callCount == 0)
        bench.advance(.seconds(40))
        #expect(bench.worker.liveCount == 0)
        #expect(bench.worker.clientCount == 0)
        #expect(bench.look().isEmpty)
        #expect(bench.transitions.isEmpty)
        #expect(try bench.status(1).status == .inService)
        #expect(bench.worker.counters.attempts == 1, "the BYE is no attempt")
    }

    @Test func `the callee hangs up: BYE goes to the caller's Contact by the same mark`() throws {
        var (bench, answer) = try Self.answered()
        let route = try #require(answer.all("Record-Route").first)
        let bye = [
            "BYE sip:a@10.1.0.1:5080 SIP/2.0", "Via: SIP/2.0/UDP 10.2.0.1:5060;branch=z9hG4bKgw", "Max-Forwards: 70",
            "Route: \(route)", "From: \(answer.first("To"))", "To: \(answer.first("From"))",
            "Call-ID: \(answer.first("Call-ID"))", "CSeq: 7 BYE", "Content-Length: 0", "", "",
        ].joined(separator: "\r\n")
        bench.receive(bye, from: try bench.gateway(1))
        #expect(bench.trace() == ["BYE>caller"])
        let forged = bye.replacing(";m=", with: ";m=0").replacing("z9hG4bKgw", with: "z9hG4bKgx")
        bench.receive(forged, from: bench.stranger)
        #expect(bench.look().map(\.kind) == ["403"], "a made-up Route sends nothing anywhere (API 10)")
    }

    @Test func `a BYE finds its way after a restart: the mark needs no state (API 10)`() throws {
        let (before, answer) = try Self.answered()
        let bye = try before.withinDialog("BYE", of: answer, cSeq: 2, branch: "z9hG4bKbye")
        var restarted = try Bench()
        restarted.receive(bye, from: restarted.stranger)
        #expect(try restarted.last("BYE", to: try restarted.gateway(1)).all("Route").isEmpty)
        var other = try Bench()
        other.receive(bye.replacing("call-1@10.1.0.1", with: "call-2@10.1.0.1"), from: other.stranger)
        #expect(other.look().map(\.kind) == ["403"], "the mark is good for its own dialog only")
    }

    @Test func `a caller that keeps no route set is routed within his dialog by the number, as before (§16.5)`() throws
    {
        var (bench, answer) = try Self.answered()
        let tag = try #require(answer.first("To").split(separator: "tag=").last.map { String($0) })
        bench.receive(bench.request("ACK", branch: "z9hG4bKack", toTag: tag), from: bench.caller)
        let ack = try bench.last("ACK", to: try bench.gateway(1))
        #expect(ack.startLine == "ACK sip:+442071234567@10.2.0.1:5060 SIP/2.0")
        #expect(ack.all("Via").count == 2)
        bench.receive(bench.request("BYE", branch: "z9hG4bKbye", toTag: tag, cSeq: 2), from: bench.caller)
        bench.receive(
            bench.response(200, to: try bench.last("BYE", to: try bench.gateway(1))), from: try bench.gateway(1))
        #expect(bench.trace() == ["ACK>g1", "BYE>g1", "200>caller"])
        #expect(bench.worker.counters.strayAcknowledgements == 0)
    }

    @Test func `the ACK of a refusal of our own goes no further, also where no transaction is left (§8.2.7)`() throws {
        var bench = try Bench()
        let invite = bench.request("INVITE").replacing("Content-Length: 0", with: "Content-Length: -1")
        bench.receive(invite, from: bench.caller)
        let answer = try #require(bench.look().first)
        #expect(answer.kind == "400")
        let tag = try #require(answer.first("To").split(separator: "tag=").last.map { String($0) })
        bench.receive(bench.request("ACK", toTag: tag), from: bench.caller)
        #expect(bench.look().isEmpty)
        #expect(bench.worker.counters.strayAcknowledgements == 1)
    }

    @Test func `without a route set nobody gets further than his number leads: strangers 403, no number 481`() throws {
        var bench = try Bench()
        for method in ["ACK", "BYE"] {
            bench.receive(bench.request(method, toTag: "t"), from: bench.stranger)
            bench.receive(bench.request(method, uri: "sip:victim@203.0.113.1", toTag: "t"), from: bench.caller)
            bench.receive(bench.request(method, branch: "z9hG4bKgw", toTag: "t"), from: try bench.gateway(1))
        }
        #expect(bench.look().map(\.kind) == ["403", "481", "481"])
        #expect(bench.worker.counters.strayAcknowledgements == 3)
    }

    @Test func `copies of the INVITE are absorbed, in accepted too (§17.2.1, RFC 6026)`() throws {
        var bench = try Bench()
        let invite = bench.request("INVITE")
        bench.receive(invite, from: bench.caller)
        #expect(bench.trace() == ["100>caller", "INVITE>g1"])
        bench.receive(invite, from: bench.caller)
        #expect(bench.trace() == ["100>caller"])
        let (answeredBench, _) = try Self.answered()
        bench = answeredBench
        bench.receive(bench.request("INVITE", body: "v=0"), from: bench.caller)
        #expect(bench.trace() == [])
        #expect(bench.worker.counters.retransmissionsReceived == 1)
    }

    @Test func `copies of a 2xx go upstream for as long as they may come, also after Timer L (§16.7 step 5)`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: try bench.gateway(1))
        _ = bench.look()
        for _ in 0..<3 {
            bench.receive(bench.response(200, to: invite), from: try bench.gateway(1))
            #expect(bench.trace() == ["200>caller"])
            bench.advance(.seconds(10))
        }
        bench.advance(.seconds(3))
        bench.receive(bench.response(200, to: invite), from: try bench.gateway(1))
        #expect(bench.trace() == [], "after Timer M it is a stray (RFC 6026 section 8.9)")
        #expect(bench.worker.counters.strayResponses == 1)
    }

    @Test func `a refusal of the callee is passed on, acknowledged here, and its ACK absorbed (§17.1.1.3)`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        _ = bench.look()
        bench.receive(bench.response(486, to: invite), from: gateway)
        let ack = try bench.last("ACK", to: gateway)
        #expect(ack.all("Via") == [try #require(invite.all("Via").first)])
        #expect(ack.first("To") == "<sip:+442071234567@10.0.0.1>;tag=to1")
        #expect(ack.first("CSeq") == "1 ACK")
        #expect(bench.trace() == ["ACK>g1", "486>caller"])
        bench.receive(bench.response(486, to: invite), from: gateway)
        #expect(bench.trace() == ["ACK>g1"], "each copy is acknowledged, none goes on")
        bench.advance(.milliseconds(1600))
        #expect(bench.trace() == ["486>caller", "486>caller"], "Timer G")
        bench.receive(bench.request("ACK", toTag: "to1"), from: bench.caller)
        bench.advance(.seconds(60))
        #expect(bench.trace() == [])
        #expect(bench.worker.liveCount == 0)
        #expect(try bench.status(1).status == .inService, "the callee failed, not the gateway")
    }

    @Test func `CANCEL after ringing: 200 at once, CANCEL to the gateway, its 487 upstream (§9.2, §16.10)`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        bench.receive(bench.response(180, to: invite), from: gateway)
        _ = bench.look()
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        let cancel = try bench.last("CANCEL", to: gateway)
        #expect(cancel.startLine == "CANCEL sip:+442071234567@10.2.0.1:5060 SIP/2.0")
        #expect(cancel.all("Via") == [try #require(invite.all("Via").first)])
        #expect(bench.trace() == ["200>caller", "CANCEL>g1"])
        bench.receive(bench.response(200, to: cancel), from: gateway)
        bench.receive(bench.response(487, to: invite), from: gateway)
        #expect(bench.trace() == ["ACK>g1", "487>caller"])
        bench.receive(bench.request("ACK", toTag: "to1"), from: bench.caller)
        bench.advance(.seconds(60))
        #expect(bench.worker.liveCount == 0)
        #expect(bench.worker.clientCount == 0)
        #expect(bench.worker.callCount == 0)
    }

    @Test func `CANCEL before any provisional waits for one (§9.1); silence ends it with 487 and no next target`()
        throws
    {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        _ = bench.look()
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        #expect(bench.trace() == ["200>caller"])
        bench.receive(bench.response(100, to: invite, toTag: nil), from: gateway)
        #expect(bench.trace() == ["CANCEL>g1"])

        bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        bench.advance(.milliseconds(2100))
        #expect(bench.trace() == ["100>caller", "INVITE>g1", "200>caller", "INVITE>g1", "INVITE>g1", "487>caller"])
        bench.advance(.seconds(100))
        #expect(bench.worker.liveCount == 0)
        #expect(bench.worker.clientCount == 0)
    }

    @Test func `a cancelled gateway that never ends the INVITE is given up 64 T1 after the CANCEL (§9.1)`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.receive(bench.response(180, to: try bench.last("INVITE", to: gateway)), from: gateway)
        bench.receive(bench.request("CANCEL"), from: bench.caller)
        _ = bench.look()
        bench.advance(.seconds(31))
        #expect(!bench.trace().contains("487>caller"))
        bench.advance(.seconds(2))
        #expect(bench.trace().contains("487>caller"))
        bench.advance(.seconds(100))
        #expect(bench.worker.liveCount == 0)
        #expect(bench.worker.clientCount == 0)
    }

    @Test func `Timer C: a gateway that rings for ever is cancelled and the caller gets 408 (§16.8)`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        bench.receive(bench.response(180, to: invite), from: gateway)
        bench.advance(.seconds(150))
        bench.receive(bench.response(180, to: invite), from: gateway)
        _ = bench.look()
        bench.advance(.seconds(199))
        #expect(bench.trace() == [], "each provisional above 100 starts it anew")
        bench.advance(.seconds(2))
        #expect(bench.trace().prefix(2) == ["CANCEL>g1", "408>caller"])
        bench.advance(.seconds(100))
        #expect(bench.worker.liveCount == 0)
        #expect(bench.worker.clientCount == 0)
        #expect(bench.worker.callCount == 0)
    }

    @Test func `a BYE that nobody answers ends without an answer, its copies absorbed (RFC 4320 section 4.2)`() throws {
        var (bench, answer) = try Self.answered()
        let bye = try bench.withinDialog("BYE", of: answer, cSeq: 2, branch: "z9hG4bKbye")
        bench.receive(bye, from: bench.caller)
        bench.advance(.seconds(33))
        #expect(Set(bench.trace()) == ["BYE>g1", "100>caller"])
        bench.receive(bye, from: bench.caller)
        #expect(bench.trace() == [])
        bench.advance(.seconds(40))
        #expect(bench.worker.liveCount == 0)
        #expect(bench.worker.clientCount == 0)
    }

    @Test func `other than INVITE: a 100 when Timer E is T2, none before, no other provisional (RFC 4320 section 4.1)`()
        throws
    {
        var (bench, answer) = try Self.answered()
        let gateway = try bench.gateway(1)
        let bye = try bench.withinDialog("BYE", of: answer, cSeq: 2, branch: "z9hG4bKbye")
        bench.receive(bye, from: bench.caller)
        let sent = try bench.last("BYE", to: gateway)
        bench.receive(bench.response(183, to: sent), from: gateway)
        bench.receive(bye, from: bench.caller)
        bench.advance(.milliseconds(3499))
        #expect(!bench.trace().contains { $0.hasSuffix("caller") })
        bench.advance(.milliseconds(1))
        #expect(bench.trace().filter { $0.hasSuffix("caller") } == ["100>caller"])
        bench.receive(bye, from: bench.caller)
        #expect(bench.trace() == ["100>caller"])
        bench.receive(bench.response(200, to: sent), from: gateway)
        #expect(bench.trace() == ["200>caller"])
        bench.advance(.seconds(40))
        #expect(bench.trace() == [])
        #expect(bench.worker.liveCount == 0)
    }

    @Test func `a 408 of the gateway to another request than INVITE goes no further (RFC 4320 section 4.2)`() throws {
        var (bench, answer) = try Self.answered()
        bench.receive(try bench.withinDialog("BYE", of: answer, cSeq: 2, branch: "z9hG4bKbye"), from: bench.caller)
        let bye = try bench.last("BYE", to: try bench.gateway(1))
        bench.receive(bench.response(408, to: bye), from: try bench.gateway(1))
        #expect(bench.trace() == ["BYE>g1"])
        bench.advance(.seconds(70))
        #expect(bench.worker.liveCount == 0)
        #expect(bench.worker.clientCount == 0)
    }

    @Test func `the Reason of a CANCEL goes along, also when the CANCEL has to wait (RFC 3326)`() throws {
        let reason = "SIP;cause=200;text=\"Call completed elsewhere\""
        for isRinging in [true, false] {
            var bench = try Bench()
            let gateway = try bench.gateway(1)
            bench.receive(bench.request("INVITE", extra: ["Reason: Q.850;cause=1"]), from: bench.caller)
            let invite = try bench.last("INVITE", to: gateway)
            if isRinging { bench.receive(bench.response(180, to: invite), from: gateway) }
            bench.receive(bench.request("CANCEL", extra: ["Reason: \(reason)"]), from: bench.caller)
            if !isRinging { bench.receive(bench.response(180, to: invite), from: gateway) }
            let cancel = try bench.last("CANCEL", to: gateway)
            #expect(cancel.all("Reason") == [reason])
            _ = bench.look()
            bench.advance(.milliseconds(600))
            #expect(try bench.last("CANCEL", to: gateway).lines == cancel.lines, "Timer E")
        }
    }

    @Test func `responses with a made-up branch, another method or no Via left change nothing (§17.1.3, §16.7)`() throws
    {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        _ = bench.look()
        let good = bench.response(200, to: invite)
        let branch = try #require(invite.first("Via").split(separator: "branch=").last)
        let forged = String(branch.dropLast()) + (branch.last == "0" ? "1" : "0")
        bench.receive(good.replacing(branch, with: forged), from: gateway)
        bench.receive(good.replacing("CSeq: 1 INVITE", with: "CSeq: 1 BYE"), from: gateway)
        bench.receive(
            good.replacing("Via: SIP/2.0/UDP 10.1.0.1:5080;branch=z9hG4bKcaller1\r\n", with: ""), from: gateway)
        #expect(bench.trace() == [])
        #expect(bench.worker.counters.strayResponses == 3)
        bench.receive(good, from: gateway)
        #expect(bench.trace() == ["200>caller"])
    }

    @Test func `one Max-Breadth of at most 60 goes on, in ACK and BYE too; 0 is 440 (RFC 5393 section 5.3.3)`() throws {
        for (number, (fields, passed)) in [
            ([], ["60"]), (["Max-Breadth: 7"], ["7"]), (["max-breadth: 61"], ["60"]),
            (["Max-Breadth: 99999999999"], ["60"]),
        ].enumerated() {
            var bench = try Bench()
            bench.receive(bench.request("INVITE", extra: fields), from: bench.caller)
            #expect(try bench.last("INVITE", to: try bench.gateway(1)).all("Max-Breadth") == passed, "\(number)")
            bench.advance(.seconds(2))
            #expect(try bench.last("INVITE", to: try bench.gateway(2)).all("Max-Breadth") == passed, "one at a time")
        }
        var bench = try Bench()
        bench.receive(bench.request("INVITE", extra: ["Max-Breadth: 0"]), from: bench.caller)
        let refused = try bench.last("440", to: bench.caller)
        #expect(refused.startLine == "SIP/2.0 440 Max-Breadth Exceeded")
        _ = bench.look()
        for (number, fields) in [["Max-Breadth: x"], ["Max-Breadth: 1", "Max-Breadth: 1"]].enumerated() {
            bench.receive(bench.request("INVITE", branch: "z9hG4bKx\(number)", extra: fields), from: bench.caller)
            #expect(bench.trace() == ["400>caller"])
        }
        var (call, answer) = try Self.answered()
        for method in ["ACK", "BYE"] {
            call.receive(
                try call.withinDialog(method, of: answer, cSeq: 2, branch: "z9hG4bK\(method)"), from: call.caller)
            #expect(try call.last(method, to: try call.gateway(1)).all("Max-Breadth") == ["60"])
        }
    }

    @Test func `Max-Forwards 0 is 483, Proxy-Require 420 with Unsupported, another scheme 416 (§16.3)`() throws {
        var bench = try Bench()
        bench.receive(
            bench.request("INVITE").replacing("Max-Forwards: 70", with: "Max-Forwards: 0"), from: bench.caller)
        #expect(bench.trace() == ["483>caller"])
        bench.receive(
            bench.request("INVITE", branch: "z9hG4bKb", extra: ["Proxy-Require: foo"]), from: bench.caller)
        #expect(try bench.last("420", to: bench.caller).all("Unsupported") == ["foo"])
        _ = bench.look()
        bench.receive(
            bench.request(
                "INVITE", branch: "z9hG4bKb2",
                extra: ["Require: bar", "Proxy-Require: a, b ,", "PROXY-REQUIRE:\r\n  c"]), from: bench.caller)
        #expect(try bench.last("420", to: bench.caller).all("Unsupported") == ["a, b, c"], "§8.2.2.3")
        _ = bench.look()
        bench.receive(
            bench.request("INVITE", branch: "z9hG4bKb3", extra: ["Require: bar", "Proxy-Require: "]),
            from: bench.caller)
        #expect(bench.trace() == ["100>caller", "INVITE>g1"], "Require is for the callee")
        bench.receive(bench.request("INVITE", uri: "http://x", branch: "z9hG4bKc"), from: bench.caller)
        #expect(bench.trace() == ["416>caller"])
        bench.receive(bench.request("INVITE", uri: "tel:+442071234567", branch: "z9hG4bKd"), from: bench.caller)
        #expect(bench.look().last?.startLine == "INVITE sip:+442071234567@10.2.0.1:5060 SIP/2.0")
    }
}
