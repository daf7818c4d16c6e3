import Foundation
import Testing

extension IntegrationTests {
    /// How a search through the targets ends: CANCEL, failures, late answers (RFC 3261 sections 9, 16.7, 16.10).
    @Suite(.serialized) struct SearchTests {
        @Test(arguments: [100, 180])
        func `CANCEL waits for a provisional, then goes by the INVITE's branch, and its 487 reaches the caller`(
            provisional: Int
        ) throws {
            try TandemProcess.serving { tandem in
                let (gateway, other) = (try UDPPeer(), try UDPPeer())
                try tandem.provisionTwoGateways(ports: (gateway.port, other.port))
                let call = SIPCall(try UDPPeer(), to: tandem.proxyPort)
                call.send(call.request("INVITE"))
                _ = try call.receive(100)
                let invite = try gateway.receiveRequest("INVITE", of: call)
                call.send(call.request("CANCEL"))
                _ = try call.receive(200, to: "CANCEL")
                #expect(gateway.receive("CANCEL", callID: call.callID, seconds: 0.2) == nil, "before any provisional")
                gateway.answer(provisional, to: invite)
                let cancel = try gateway.receiveRequest("CANCEL", of: call)
                #expect(SIPText.field("Via", in: cancel) == [SIPText.field("Via", in: invite).first ?? ""])
                #expect(cancel.split(separator: " ")[1] == invite.split(separator: " ")[1], "the same Request-URI")
                #expect(SIPText.field("CSeq", in: cancel) == ["1 CANCEL"])
                gateway.answer(200, to: cancel)
                gateway.answer(487, to: invite)
                let ack = try gateway.receiveRequest("ACK", of: call)
                #expect(SIPText.branch(of: ack) == SIPText.branch(of: invite))
                let final = try call.receiveFinal()
                #expect(final.hasPrefix("SIP/2.0 487"))
                call.acknowledge(final)
                #expect(call.caller.receive("SIP/2.0 487", callID: call.callID, seconds: 1.2) == nil, "acknowledged")
                #expect(other.receive("INVITE", callID: call.callID, seconds: 0.1) == nil)
                #expect(try tandem.status(of: "gw1")["status"].string == "in-service")
            }
        }

        @Test func `a refusal is acknowledged here, resent until the caller's ACK, and that goes no further`() throws {
            try TandemProcess.serving { tandem in
                let gateway = try UDPPeer()
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                let call = SIPCall(try UDPPeer(), to: tandem.proxyPort)
                call.send(call.request("INVITE"))
                let invite = try gateway.receiveRequest("INVITE", of: call)
                gateway.answer(486, to: invite, extra: ["Reason: Q.850;cause=17"])
                let ack = try gateway.receiveRequest("ACK", of: call)
                #expect(SIPText.branch(of: ack) == SIPText.branch(of: invite))
                #expect(SIPText.field("To", in: ack).first?.hasSuffix(";tag=gateway") == true)
                let refusal = try call.receive(486)
                #expect(SIPText.field("Reason", in: refusal) == ["Q.850;cause=17"])
                #expect(try call.receive(486, seconds: 2) == refusal, "Timer G")
                call.acknowledge(refusal)
                gateway.answer(486, to: invite)
                _ = try gateway.receiveRequest("ACK", of: call)
                #expect(gateway.receive("ACK", callID: call.callID, seconds: 1.2) == nil)
                #expect(call.caller.receive("SIP/2.0 486", callID: call.callID, seconds: 0.2) == nil)
            }
        }

        /// What each gateway in turn answers (0: nothing), what the caller gets, and how many gateways were asked.
        static let failures: [(gateways: [Int], expected: Int, asked: Int)] = [
            ([404, 200], 404, 1), ([486, 200], 486, 1), ([603, 200], 603, 1), ([302, 200], 302, 1),
            ([503, 503], 500, 2), ([0, 0], 408, 2), ([503, 486], 486, 2), ([500, 603], 603, 2), ([0, 404], 404, 2),
            ([500, 0], 408, 2), ([503, 500], 500, 2), ([408, 504], 408, 2), ([0, 503], 408, 2), ([502, 200], 200, 2),
        ]

        @Test func `the best failure goes upstream, and a failure that is the callee's ends the search`() throws {
            try TandemProcess.serving { tandem in
                let caller = try UDPPeer()
                for (number, failure) in Self.failures.enumerated() {
                    let peers = try failure.gateways.map { _ in try UDPPeer() }
                    let prefix = "44\(10 + number)"
                    for (position, peer) in peers.enumerated() {
                        try tandem.provision(
                            "gateways/g\(prefix)-\(position)",
                            #"{"uri":"sip:127.0.0.1:\#(peer.port)","response_timeout_ms":300,"resends":0}"#)
                    }
                    try tandem.provision(
                        "gateway-groups/g\(prefix)",
                        TandemProcess.group(peers.indices.map { "g\(prefix)-\($0)" }))
                    try tandem.provision("routing-lists/l\(prefix)", #"{"groups":[{"group":"g\#(prefix)"}]}"#)
                    try tandem.provision(
                        "routing-plans/default/routes/\(prefix)", #"{"routing_list":"l\#(prefix)"}"#)
                    let call = SIPCall(caller, to: tandem.proxyPort, number: prefix + "7")
                    call.send(call.request("INVITE"))
                    for (peer, status) in zip(peers.prefix(failure.asked), failure.gateways) {
                        let invite = try peer.receiveRequest("INVITE", of: call)
                        if status > 0 { peer.answer(status, to: invite) }
                    }
                    let final = try call.receiveFinal()
                    #expect(final.hasPrefix("SIP/2.0 \(failure.expected) "), "\(failure): \(final.prefix(40))")
                    #expect(SIPText.field("To", in: final).first?.contains(";tag=") == true)
                    call.acknowledge(final)
                    for peer in peers.dropFirst(failure.asked) {
                        #expect(peer.receive("INVITE", callID: call.callID, seconds: 0.05) == nil, "\(failure)")
                    }
                }
            }
        }

        @Test func `a late 200 of a gateway that was given up reaches the caller, and the other one is cancelled`()
            throws
        {
            try TandemProcess.serving { tandem in
                let (late, ringing) = (try UDPPeer(), try UDPPeer())
                try tandem.provisionTwoGateways(
                    ports: (late.port, ringing.port), settings: #","response_timeout_ms":200,"resends":0"#)
                let call = SIPCall(try UDPPeer(), to: tandem.proxyPort)
                call.send(call.request("INVITE"))
                let first = try late.receiveRequest("INVITE", of: call)
                let second = try ringing.receiveRequest("INVITE", of: call)
                #expect(SIPText.branch(of: first) != SIPText.branch(of: second))
                ringing.answer(180, to: second)
                _ = try call.receive(180)
                late.answer(200, to: first, toTag: "late")
                let answer = try call.receiveFinal()
                #expect(SIPText.uri(in: answer, of: "Contact") == "sip:127.0.0.1:\(late.port)")
                let cancel = try ringing.receiveRequest("CANCEL", of: call)
                #expect(SIPText.branch(of: cancel) == SIPText.branch(of: second))
                ringing.answer(200, to: cancel)
                ringing.answer(487, to: second)
                _ = try ringing.receiveRequest("ACK", of: call)
                call.send(call.withinDialog("ACK", of: answer, cSeq: 1))
                #expect(try late.receiveRequest("ACK", of: call).contains(";tag=late"))
                call.send(call.withinDialog("BYE", of: answer, cSeq: 2))
                late.answer(200, to: try late.receiveRequest("BYE", of: call))
                _ = try call.receive(200, to: "BYE")
                #expect(call.caller.receive("SIP/2.0", callID: call.callID, seconds: 0.3) == nil, "no 487 upstream")
            }
        }

        @Test func `copies of INVITE, 200 and BYE are absorbed, passed on, and answered again`() throws {
            try TandemProcess.serving { tandem in
                let gateway = try UDPPeer()
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                let call = SIPCall(try UDPPeer(), to: tandem.proxyPort)
                for _ in 0..<3 {
                    call.send(call.request("INVITE"))
                    _ = try call.receive(100)
                }
                let invite = try gateway.receiveRequest("INVITE", of: call)
                gateway.answer(100, to: invite, toTag: nil)
                #expect(gateway.receive("INVITE", callID: call.callID, seconds: 0.7) == nil, "one, and no resending")
                var answer = ""
                for _ in 0..<3 {
                    gateway.answer(200, to: invite)
                    answer = try call.receive(200)
                    call.send(call.withinDialog("ACK", of: answer, cSeq: 1))
                    _ = try gateway.receiveRequest("ACK", of: call)
                }
                let bye = call.withinDialog("BYE", of: answer, cSeq: 2)
                call.send(bye)
                let received = try gateway.receiveRequest("BYE", of: call)
                call.send(bye)
                #expect(gateway.receive("BYE", callID: call.callID, seconds: 0.3) == nil, "absorbed")
                gateway.answer(200, to: received)
                let end = try call.receive(200, to: "BYE")
                call.send(bye)
                #expect(try call.receive(200, to: "BYE") == end)
                #expect(gateway.receive("BYE", callID: call.callID, seconds: 0.3) == nil)
                #expect(try tandem.metric("tandem_retransmissions_received_total", reaches: 4))
            }
        }
    }
}
