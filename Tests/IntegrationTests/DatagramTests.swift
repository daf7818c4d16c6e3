import Fixtures
import Foundation
import Testing

extension IntegrationTests {
    /// Datagrams made by hand: the order of targets after a change, and what no decent program would send.
    @Suite(.serialized) struct DatagramTests {
        private let number = "442071234567"

        /// The response to one INVITE, acknowledged; nil when none came.
        private func redirect(_ peer: UDPPeer, to port: UInt16, callID: String) -> String? {
            let invite = SIPText.invite(number, to: port, from: peer.port, callID: callID)
            for _ in 0..<4 {
                peer.send(invite, to: port)
                guard let response = peer.receive("SIP/2.0 ", callID: callID, seconds: 1) else { continue }
                peer.send(SIPText.acknowledgement(of: response, number, to: port, callID: callID), to: port)
                return response
            }
            return nil
        }

        @Test func `the very next call after the 200 follows the change, 1000 of 1000`() throws {
            try TandemProcess.serving { tandem in
                let (first, second, caller) = (try UDPPeer(), try UDPPeer(), try UDPPeer())
                try tandem.provisionTwoGateways(ports: (first.port, second.port))
                let connection = try HTTPConnection(port: tandem.apiPort)
                var missed: [String] = []
                for turn in 0..<1000 {
                    let isTurned = turn % 2 == 0
                    let order = isTurned ? ["gw2", "gw1"] : ["gw1", "gw2"]
                    let change = try connection.ask("PUT", "/v1/gateway-groups/both", TandemProcess.group(order))
                    let response = redirect(caller, to: tandem.redirectPort, callID: "turn-\(turn)-end") ?? "nothing"
                    let expected = isTurned ? [second.port, first.port] : [first.port, second.port]
                    if change.status != 200 || SIPText.contactPorts(in: response) != expected {
                        missed.append("turn \(turn): \(change.status), \(response)")
                    }
                }
                #expect(missed.isEmpty, "\(missed.count) of 1000; the first: \(missed.first ?? "")")
            }
        }

        @Test func `what is no SIP is dropped and counted, and calls go on`() throws {
            try TandemProcess.serving { tandem in
                let (first, second, peer) = (try UDPPeer(), try UDPPeer(), try UDPPeer())
                try tandem.provisionTwoGateways(ports: (first.port, second.port))
                let seed = UInt64.random(in: 0...UInt64.max)
                print("seed of the random datagrams: \(seed)")
                var random = SeededGenerator(seed: seed)
                let counted = { try tandem.metric("tandem_datagrams_dropped_total", label: "malformed") }
                let before = try counted()
                for port in [tandem.proxyPort, tandem.redirectPort] {
                    for index in 0..<250 {
                        var bytes = (0..<Int.random(in: 1...1400, using: &random)).map { _ in
                            UInt8.random(in: 0...255, using: &random)
                        }
                        if index % 3 == 1 { bytes = Array("INVITE sip:1@127.0.0.1 SIP/2.0\r\n".utf8) + bytes }
                        if index % 3 == 2 { bytes = Array("SIP/2.0 200 OK\r\nVia: ".utf8) + bytes }
                        peer.send(bytes, to: port)
                    }
                    let headless = SIPText.invite(number, to: port, from: peer.port, callID: "no-via", via: false)
                    peer.send(headless, to: port)
                }
                #expect(redirect(peer, to: tandem.redirectPort, callID: "after") != nil, "a call is answered")
                #expect(try tandem.get("/livez").status == 200)
                #expect(tandem.process.ending == nil)
                #expect(try eventually(within: 5) { try counted() >= before + 2 })
                #expect(peer.receive("SIP/2.0", callID: "no-via", seconds: 0.2) == nil, "nowhere to answer to")
            }
        }

        @Test func `every prefix of a message, and every byte of it changed, leaves the process alive`() throws {
            try TandemProcess.serving { tandem in
                let peer = try UDPPeer()
                let message = Array(SIPText.invite(number, to: tandem.proxyPort, from: peer.port, callID: "cut").utf8)
                for port in [tandem.proxyPort, tandem.redirectPort] {
                    for length in 0..<message.count {
                        peer.send(Array(message[..<length]), to: port)
                        var changed = message
                        changed[length] ^= 0xFF
                        peer.send(changed, to: port)
                    }
                }
                let answer = redirect(peer, to: tandem.redirectPort, callID: "no-route")
                #expect(answer?.hasPrefix("SIP/2.0 404") == true, "\(answer ?? "nothing")")
                #expect(try tandem.get("/livez").status == 200)
            }
        }

        @Test func `every gateway out is 503 with Retry-After`() throws {
            try TandemProcess.serving { tandem in
                let (first, second, caller) = (try UDPPeer(), try UDPPeer(), try UDPPeer())
                try tandem.provisionTwoGateways(
                    ports: (first.port, second.port), settings: #","response_timeout_ms":200,"resends":0,"hold_s":30"#)
                let invite = SIPText.invite(number, to: tandem.proxyPort, from: caller.port, callID: "all-silent")
                caller.send(invite, to: tandem.proxyPort)
                let failure = caller.receive("SIP/2.0 408", callID: "all-silent", seconds: 10)
                #expect(failure != nil, "none answered: the best response is 408")
                let refused = try #require(redirect(caller, to: tandem.redirectPort, callID: "all-out"))
                #expect(refused.hasPrefix("SIP/2.0 503"))
                let wait =
                    SIPText.field("Retry-After", in: refused).first.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
                #expect((1...30).contains(wait))
            }
        }
    }
}
