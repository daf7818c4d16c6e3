import Foundation
import Glibc
import Testing

extension IntegrationTests {
    /// Requests within a dialog, and who is heard at all: API section 10.
    @Suite(.serialized) struct DialogTests {
        /// A call that the gateway has answered and the caller acknowledged.
        private func answered(_ tandem: TandemProcess, _ gateway: UDPPeer) throws -> (call: SIPCall, answer: String) {
            let call = SIPCall(try UDPPeer(), to: tandem.proxyPort)
            call.send(call.request("INVITE"))
            gateway.answer(200, to: try gateway.receiveRequest("INVITE", of: call))
            let answer = try call.receive(200)
            call.send(call.withinDialog("ACK", of: answer, cSeq: 1))
            let ack = try gateway.receiveRequest("ACK", of: call)
            #expect(SIPText.field("Route", in: ack).isEmpty, "our own Route is taken off")
            return (call, answer)
        }

        /// The BYE of the callee by the route set that the INVITE gave him.
        private func hangUp(_ call: SIPCall, _ answer: String, _ gateway: UDPPeer, route: String? = nil) -> String {
            [
                "BYE sip:caller@127.0.0.1:\(call.caller.port) SIP/2.0",
                "Via: SIP/2.0/UDP 127.0.0.1:\(gateway.port);rport;branch=z9hG4bK-\(UUID().uuidString)",
                "Max-Forwards: 70", "Route: \(route ?? SIPText.field("Record-Route", in: answer).first ?? "")",
                "From: \(SIPText.field("To", in: answer).first ?? "")",
                "To: \(SIPText.field("From", in: answer).first ?? "")",
                "Call-ID: \(call.callID)", "CSeq: 7 BYE", "Content-Length: 0", "", "",
            ].joined(separator: "\r\n")
        }

        @Test func `both sides hang up along Record-Route, also after a restart; its mark needs no state`() throws {
            try TandemProcess.serving { tandem in
                let gateway = try UDPPeer()
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                let calls = try (0..<4).map { _ in try answered(tandem, gateway) }
                for (number, (call, answer)) in calls.enumerated() {
                    if number == 2 {
                        tandem.process.signal(SIGKILL)
                        try tandem.restart(keepingProxyPort: true)
                        // Nobody is a peer any more: what is within a dialog needs none.
                        #expect(try tandem.delete("ingress-peers/loopback").status == 204)
                    }
                    if number % 2 == 0 {
                        call.send(call.withinDialog("BYE", of: answer, cSeq: 2))
                        gateway.answer(200, to: try gateway.receiveRequest("BYE", of: call))
                        _ = try call.receive(200, to: "BYE")
                    } else {
                        gateway.send(hangUp(call, answer, gateway), to: tandem.proxyPort)
                        call.caller.answer(200, to: try call.caller.receiveRequest("BYE", of: call))
                        #expect(gateway.receive("SIP/2.0 200", callID: call.callID, seconds: 5) != nil)
                    }
                }
            }
        }

        @Test func `a Route that we did not give out sends nothing anywhere`() throws {
            try TandemProcess.serving { tandem in
                let (gateway, victim, stranger) = (try UDPPeer(), try UDPPeer(), try UDPPeer("127.0.0.2"))
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                try tandem.provision("ingress-peers/loopback", #"{"networks":["127.0.0.1/32"]}"#)
                let (call, answer) = try answered(tandem, gateway)
                let ours = SIPText.field("Record-Route", in: answer).first ?? ""
                let mark = ours.components(separatedBy: ";m=").last?.prefix { $0 != ">" } ?? ""
                try #require(mark.count == 16)
                let elsewhere = SIPCall(stranger, to: tandem.proxyPort)
                let target = "sip:victim@127.0.0.1:\(victim.port)"
                let routes = [
                    "<sip:127.0.0.1:\(tandem.proxyPort);lr>",
                    ours.replacingOccurrences(of: mark, with: "0123456789abcdef"),
                    ours,  // of another dialog
                    "<sip:127.0.0.1:\(victim.port);lr>",
                ]
                for (number, route) in routes.enumerated() {
                    for (sender, refusal) in [(elsewhere, 403), (SIPCall(call.caller, to: tandem.proxyPort), 481)] {
                        for method in ["ACK", "BYE", "INVITE"] {
                            sender.send(
                                sender.request(
                                    method, uri: target, branch: "made-up-\(number)-\(method)", to: "<\(target)>;tag=x",
                                    extra: ["Route: \(route)"]))
                            guard method != "ACK" else { continue }
                            let refused = try sender.receive(refusal, to: method)
                            if method == "INVITE", refusal == 481 { sender.acknowledge(refused) }
                        }
                    }
                }
                #expect(victim.receive(seconds: 0.5) == nil)
                #expect(gateway.receive("BYE", callID: call.callID, seconds: 0.1) == nil)
                #expect(try tandem.metric("tandem_datagrams_dropped_total", label: "stray-ack", reaches: 8))
            }
        }

        @Test func `strangers get 403, gateways are heard for OPTIONS alone, and OPTIONS to ourselves is 200`() throws {
            try TandemProcess.serving { tandem in
                let (gateway, stranger) = (try UDPPeer(), try UDPPeer("127.0.0.2"))
                for port in [tandem.proxyPort, tandem.redirectPort] {
                    let call = SIPCall(stranger, to: port)
                    call.send(call.request("OPTIONS", uri: "sip:127.0.0.1:\(port)"))
                    _ = try call.receive(200, to: "OPTIONS")
                }
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                #expect(try tandem.delete("ingress-peers/loopback").status == 204)
                for port in [tandem.proxyPort, tandem.redirectPort] {
                    let call = SIPCall(stranger, to: port)
                    for method in ["INVITE", "OPTIONS", "CANCEL", "MESSAGE"] {
                        call.send(call.request(method, branch: method))
                        let refusal = try call.receive(403, to: method)
                        #expect(refusal.hasPrefix("SIP/2.0 403 Forbidden\r\n"))
                        #expect(SIPText.field("Server", in: refusal).first?.hasPrefix("Tandem/") == true)
                    }
                    let fromGateway = SIPCall(gateway, to: port)
                    fromGateway.send(fromGateway.request("OPTIONS", uri: "sip:127.0.0.1:\(port)", branch: "o"))
                    _ = try fromGateway.receive(200, to: "OPTIONS")
                    fromGateway.send(fromGateway.request("INVITE"))
                    fromGateway.acknowledge(try fromGateway.receive(403))
                }
                #expect(stranger.receive(seconds: 0.7) == nil, "a stranger's refusal is not sent again")
                #expect(gateway.receive("INVITE", callID: "call-", seconds: 0.1) == nil)
                #expect(try tandem.metric("tandem_requests_refused_total", label: "stranger", reaches: 10))
            }
        }

        @Test func `what the proxy itself refuses: 404, 483, 420 with Unsupported, 416, 414, 513, 400, 505`() throws {
            try TandemProcess.serving { tandem in
                let (gateway, caller) = (try UDPPeer(), try UDPPeer())
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                let refusals: [(Int, (SIPCall) -> String)] = [
                    (404, { $0.request("INVITE", uri: "sip:33123@127.0.0.1") }),
                    (404, { $0.request("INVITE", uri: "sip:alice@127.0.0.1") }),
                    (483, { $0.request("INVITE", maxForwards: 0) }),
                    (420, { $0.request("INVITE", extra: ["Proxy-Require: foo, bar"]) }),
                    (416, { $0.request("INVITE", uri: "mailto:a@b") }),
                    (414, { $0.request("INVITE", uri: "sip:44;" + String(repeating: "x", count: 5000) + "@h") }),
                    (513, { $0.request("INVITE", body: String(repeating: "x", count: 64_100)) }),
                    (400, { $0.request("INVITE", uri: "tel:+4420@127.0.0.1:\(gateway.port)") }),
                    (505, { $0.request("INVITE").replacingOccurrences(of: " SIP/2.0\r\n", with: " SIP/3.0\r\n") }),
                ]
                for (status, text) in refusals {
                    let call = SIPCall(caller, to: tandem.proxyPort)
                    call.send(text(call))
                    let refusal = try call.receiveFinal()
                    #expect(refusal.hasPrefix("SIP/2.0 \(status) "), "\(refusal)")
                    if status == 420 { #expect(SIPText.field("Unsupported", in: refusal) == ["foo, bar"]) }
                    call.acknowledge(refusal)
                }
                let call = SIPCall(caller, to: tandem.proxyPort)
                call.send(call.request("INVITE", uri: "tel:+44-20-7123-4567"))
                let invite = try gateway.receiveRequest("INVITE", of: call)
                #expect(invite.hasPrefix("INVITE sip:+44-20-7123-4567@127.0.0.1:\(gateway.port) SIP/2.0\r\n"))
                #expect(SIPText.field("Max-Forwards", in: invite) == ["69"])
                gateway.answer(486, to: invite)
                call.acknowledge(try call.receiveFinal())
                #expect(try tandem.status(of: "gw1")["status"].string == "in-service")
            }
        }

        @Test func `a gateway is asked by OPTIONS soon after it was made, and its answer is shown`() throws {
            try TandemProcess.serving { tandem in
                let gateway = try UDPPeer()
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                let probe = try #require(gateway.receive("OPTIONS ", callID: "probe-", seconds: 5))
                #expect(probe.hasPrefix("OPTIONS sip:127.0.0.1:\(gateway.port) SIP/2.0\r\n"))
                gateway.answer(405, to: probe)
                let isNoted = try eventually(within: 5) {
                    try tandem.status(of: "gw1")["probe"]["last_result"].integer == 405
                }
                #expect(isNoted)
            }
        }
    }
}
