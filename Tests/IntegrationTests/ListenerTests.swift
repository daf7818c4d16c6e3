import Foundation
import Testing

extension IntegrationTests {
    /// Several addresses, both protocols, another address outside: API section 1.
    @Suite(.serialized) struct ListenerTests {
        /// A whole call, hung up by the caller.
        private func talk(
            _ call: SIPCall, _ gateway: UDPPeer
        ) throws -> (
            invite: String, answer: String
        ) {
            call.send(call.request("INVITE"))
            let invite = try gateway.receiveRequest("INVITE", of: call)
            gateway.answer(200, to: invite)
            let answer = try call.receive(200)
            call.send(call.withinDialog("ACK", of: answer, cSeq: 1))
            _ = try gateway.receiveRequest("ACK", of: call)
            call.send(call.withinDialog("BYE", of: answer, cSeq: 2))
            gateway.answer(200, to: try gateway.receiveRequest("BYE", of: call))
            _ = try call.receive(200, to: "BYE")
            return (invite, answer)
        }

        @Test func `calls pass between IPv4 and IPv6 either way, and each side gets a Route that it can reach`() throws
        {
            try TandemProcess.serving(["--proxy", "udp:[::1]:0"]) { tandem in
                let (narrow, wide) = (try UDPPeer(), try UDPPeer("::1"))
                try tandem.provision("gateways/wide", #"{"uri":"sip:[::1]:\#(wide.port)"}"#)
                try tandem.provision("gateways/narrow", #"{"uri":"sip:127.0.0.1:\#(narrow.port)"}"#)
                try tandem.provision("gateway-groups/g", TandemProcess.group(["wide"]))
                try tandem.provision("routing-lists/all", #"{"groups":[{"group":"g"}]}"#)
                try tandem.provision("routing-plans/default/routes/44", #"{"routing_list":"all"}"#)
                let (port4, port6) = (tandem.proxyPorts[0], tandem.proxyPorts[1])
                for (name, gateway) in [("wide", wide), ("narrow", narrow)] {
                    try tandem.provision("gateway-groups/g", TandemProcess.group([name]))
                    for caller in [try UDPPeer(), try UDPPeer("::1")] {
                        let call = SIPCall(caller, to: caller.host == "[::1]" ? port6 : port4)
                        let (invite, answer) = try talk(call, gateway)
                        let via = SIPText.field("Via", in: invite).first ?? ""
                        #expect(via.contains(gateway.host == "[::1]" ? "[::1]:\(port6)" : "127.0.0.1:\(port4)"))
                        let routes = SIPText.field("Record-Route", in: answer)
                        #expect(routes.count == (caller.host == gateway.host ? 1 : 2), "\(routes)")
                        #expect(routes.last?.hasPrefix("<sip:\(caller.host):") == true)
                        #expect(routes.first?.hasPrefix("<sip:\(gateway.host):") == true)
                        let bye = [
                            "BYE sip:caller@\(caller.host):\(caller.port) SIP/2.0",
                            "Via: SIP/2.0/UDP \(gateway.host):\(gateway.port);branch=z9hG4bK-\(UUID().uuidString)",
                            "Max-Forwards: 70", "Route: \(routes.joined(separator: ", "))",
                            "From: \(SIPText.field("To", in: answer).first ?? "")",
                            "To: \(SIPText.field("From", in: answer).first ?? "")", "Call-ID: \(call.callID)",
                            "CSeq: 7 BYE", "Content-Length: 0", "", "",
                        ].joined(separator: "\r\n")
                        gateway.send(bye, to: gateway.host == "[::1]" ? port6 : port4)
                        caller.answer(200, to: try caller.receiveRequest("BYE", of: call))
                        #expect(gateway.receive("SIP/2.0 200", callID: call.callID, seconds: 5) != nil)
                    }
                }
            }
        }

        @Test func `a gateway that no listener of ours reaches is a transport error at once`() throws {
            try TandemProcess.serving { tandem in
                let gateway = try UDPPeer()
                try tandem.provisionTwoGateways(ports: (9, gateway.port))
                try tandem.provision("gateways/gw1", #"{"uri":"sip:[2001:db8::1]:5060"}"#)
                let call = SIPCall(try UDPPeer(), to: tandem.proxyPort)
                _ = try talk(call, gateway)
                let status = try tandem.status(of: "gw1")
                #expect(status["status"].string == "out-of-service")
            }
        }

        @Test func `a gateway that is ourselves is a loop: 482, and nobody goes out for it`() throws {
            try TandemProcess.serving { tandem in
                let other = try UDPPeer()
                try tandem.provisionTwoGateways(ports: (tandem.proxyPort, other.port))
                let call = SIPCall(try UDPPeer(), to: tandem.proxyPort)
                call.send(call.request("INVITE"))
                let refusal = try call.receiveFinal()
                #expect(refusal.hasPrefix("SIP/2.0 482 "))
                call.acknowledge(refusal)
                #expect(try tandem.metric("tandem_attempts_total", reaches: 1))
                #expect(try tandem.metric("tandem_attempts_total") == 1)
                #expect(try tandem.status(of: "gw1")["status"].string == "in-service")
            }
        }

        @Test func `with --advertise our Via and Record-Route name that address, and requests come by it`() throws {
            let arguments = ["--proxy", "udp:0.0.0.0:0", "--proxy", "udp:[::1]:0", "--advertise", "127.0.0.9"]
            try TandemProcess.serving(arguments) { tandem in
                let gateway = try UDPPeer()
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                let port = tandem.proxyPorts[1]
                let call = SIPCall(try UDPPeer(), to: port)
                let (invite, answer) = try talk(call, gateway)
                #expect(SIPText.field("Via", in: invite).first?.hasPrefix("SIP/2.0/UDP 127.0.0.9:\(port);") == true)
                #expect(SIPText.field("Record-Route", in: answer).first?.hasPrefix("<sip:127.0.0.9:\(port);lr") == true)
                let wide = try UDPPeer("::1")
                try tandem.provision("gateways/gw1", #"{"uri":"sip:[::1]:\#(wide.port)"}"#)
                let other = try talk(SIPCall(try UDPPeer("::1"), to: tandem.proxyPorts[2]), wide)
                #expect(SIPText.field("Via", in: other.invite).first?.hasPrefix("SIP/2.0/UDP [::1]:") == true)
            }
        }
    }
}
