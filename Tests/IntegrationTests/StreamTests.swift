import Foundation
import Glibc
import Testing

extension IntegrationTests {
    /// SIP over TCP, as sipp and others speak it: RFC 3261 section 18.
    @Suite(.serialized) struct StreamTests {
        private static let bothTransports = ["--proxy", "127.0.0.1:0", "--redirect", "127.0.0.1:0"]

        /// A server whose roles listen over UDP and TCP at one port; the first addresses are of UDP alone.
        private func serving(_ body: (_ tandem: TandemProcess, _ proxy: UInt16, _ redirect: UInt16) throws -> Void)
            throws
        {
            try TandemProcess.serving(Self.bothTransports) { tandem in
                let (proxies, redirects) = (tandem.proxyPorts, tandem.redirectPorts)
                #expect(proxies.count == 3 && proxies[1] == proxies[2])
                #expect(redirects.count == 3 && redirects[1] == redirects[2])
                try body(tandem, proxies[2], redirects[2])
            }
        }

        @Test(
            .enabled(if: Sipp.isInstalled, "sipp is not installed (Debian: sip-tester)"),
            arguments: ["t1", "tn"])
        func `sipp by TCP, one connection or one a call: through the proxy to UDP, and redirected`(transport: String)
            throws
        {
            try serving { tandem, proxy, redirect in
                let gateway = try SippGateway(in: tandem.folder)
                defer { gateway.stop() }
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                let calls = try Sipp.call(
                    "127.0.0.1:\(proxy)", in: tandem.folder, count: 100, rate: 50, transport: transport)
                #expect(calls.ending == .exit(0))
                #expect(gateway.callIDs.count == 100)
                #expect(gateway.callIDs(of: "ACK").count == 100)
                #expect(gateway.callIDs(of: "BYE").count == 100)
                #expect(calls.received("SIP/2.0 200").allSatisfy { $0.contains("Via: SIP/2.0/TCP ") })
                let redirected = try Sipp.call(
                    "127.0.0.1:\(redirect)", in: tandem.folder, count: 100, rate: 50, scenario: "redirected",
                    transport: transport)
                #expect(redirected.ending == .exit(0))
                #expect(try tandem.metric("tandem_tcp_messages_received_total", reaches: 500))
                #expect(try tandem.metric("tandem_tcp_messages_dropped_total") == 0)
                #expect(try eventually(within: 5) { try tandem.metric("tandem_tcp_connections ") == 0 })
            }
        }

        @Test(.enabled(if: Sipp.isInstalled, "sipp is not installed (Debian: sip-tester)"))
        func `a gateway by TCP takes calls of UDP and TCP, and is asked by OPTIONS`() throws {
            try serving { tandem, proxy, _ in
                let gateway = try SippGateway(in: tandem.folder, isOverTCP: true)
                defer { gateway.stop() }
                try tandem.provisionTwoGateways(ports: (9, 9))
                try tandem.provision("gateways/gw1", #"{"uri":"sip:127.0.0.1:\#(gateway.port);transport=tcp"}"#)
                for transport in ["u1", "t1"] {
                    let calls = try Sipp.call(
                        "127.0.0.1:\(proxy)", in: tandem.folder, count: 20, transport: transport)
                    #expect(calls.ending == .exit(0))
                }
                #expect(gateway.callIDs.count == 40)
                #expect(gateway.callIDs(of: "BYE").count == 40)
                let isAsked = try eventually(within: 10) {
                    try tandem.status(of: "gw1")["probe"]["last_result"].integer == 200
                }
                #expect(isAsked)
            }
        }

        @Test func `a caller whose connection breaks in mid-call: the gateway's BYE fails at once`() throws {
            try serving { tandem, proxy, _ in
                let gateway = try UDPPeer()
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                let call = SIPCall(try UDPPeer(), to: proxy)
                let connection = try SIPConnection(to: proxy)
                let contact = "Contact: <sip:caller@127.0.0.1:\(call.caller.port);transport=tcp>"
                try connection.send(
                    [UInt8](
                        call.request("INVITE").replacingOccurrences(of: "SIP/2.0/UDP", with: "SIP/2.0/TCP")
                            .replacingOccurrences(
                                of: "Contact: <sip:caller@127.0.0.1:\(call.caller.port)>", with: contact
                            )
                            .utf8))
                gateway.answer(200, to: try gateway.receiveRequest("INVITE", of: call))
                let answer = try #require(connection.receive("SIP/2.0 200"))
                let routes = SIPText.field("Record-Route", in: answer)
                #expect(routes.count == 2 && routes.last?.contains(";transport=tcp;lr") == true, "\(routes)")
                let bye = [
                    "BYE sip:caller@127.0.0.1:\(call.caller.port);transport=tcp SIP/2.0",
                    "Via: SIP/2.0/UDP 127.0.0.1:\(gateway.port);branch=z9hG4bK-\(UUID().uuidString)",
                    "Max-Forwards: 70", "Route: \(routes.joined(separator: ", "))",
                    "From: \(SIPText.field("To", in: answer).first ?? "")",
                    "To: \(SIPText.field("From", in: answer).first ?? "")", "Call-ID: \(call.callID)",
                    "CSeq: 7 BYE", "Content-Length: 0", "", "",
                ].joined(separator: "\r\n")
                gateway.send(bye, to: proxy)
                #expect(gateway.receive("SIP/2.0 500", callID: call.callID, seconds: 5) != nil)
            }
        }

        @Test(.enabled(if: SIPTorture.folder != nil, "the folder sip-torture is not there"))
        func `torture messages that name TCP get over TCP what the table says, and the connection goes on`() throws {
            // An unknown scheme is the roles' business, whatever the transport.
            let rows = try SIPTorture.rows().filter { $0[4] == "TCP" && !$0[0].hasSuffix("/unkscm.dat") }
            #expect(rows.count >= 3)
            try serving { tandem, proxy, redirect in
                try tandem.provisionTwoGateways(ports: (try UDPPeer().port, try UDPPeer().port))
                for (port, column) in [(proxy, 8), (redirect, 9)] {
                    let connection = try SIPConnection(to: port, from: "127.0.0.2")
                    for row in rows {
                        try connection.send(try SIPTorture.bytes(of: row[0]))
                        let answer = try #require(connection.receive("SIP/2.0 "), "\(row[0])")
                        #expect(SIPTorture.isExpected(answer, row[column]), "\(row[0]): \(answer.prefix(60))")
                    }
                    try connection.send(try SIPTorture.bytes(of: "rfc4475/ncl.dat"))
                    #expect(connection.receive("SIP/2.0 400") != nil)
                    #expect(connection.receive("SIP/2.0 ") == nil && connection.isEnded)
                }
            }
        }
    }
}

/// The torture messages beside the repository, where they are there.
private enum SIPTorture {
    static let folder: URL? = {
        var folder = TandemProcess.packageRoot
        for _ in 0..<4 {
            let candidate = folder.appendingPathComponent("../shared/sip-torture").standardizedFileURL
            if FileManager.default.fileExists(atPath: candidate.appendingPathComponent("expected.tsv").path) {
                return candidate
            }
            folder.appendPathComponent("..")
        }
        return nil
    }()

    static func bytes(of name: String) throws -> [UInt8] {
        guard let folder, let data = FileManager.default.contents(atPath: folder.appendingPathComponent(name).path)
        else { throw HarnessError("\(name) is not there") }
        return [UInt8](data)
    }

    static func rows() throws -> [[String]] {
        String(decoding: try bytes(of: "expected.tsv"), as: UTF8.self).split(separator: "\n").dropFirst()
            .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map { String($0) } }
    }

    /// `process`: anything but a refusal of the message itself.
    static func isExpected(_ answer: String, _ outcomes: String) -> Bool {
        let status = answer.dropFirst("SIP/2.0 ".count).prefix(3)
        let refusals: Set<Substring> = ["400", "416", "420", "501", "505"]
        return outcomes.split(separator: "|").contains { $0 == status || $0 == "process" && !refusals.contains(status) }
    }
}
