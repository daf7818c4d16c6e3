import Foundation
import Glibc
import Testing

extension IntegrationTests {
    /// A proxy whose redirect servers are elsewhere, beyond the claims: several of them, over TCP, of others' making.
    @Suite(.serialized, .enabled(if: Sipp.isInstalled, "sipp is not installed (Debian: sip-tester)"))
    struct ApartTests {
        /// A proxy and two redirect servers that know the same gateway.
        private func servingTwo(
            _ body: (_ proxy: TandemProcess, _ servers: [TandemProcess], _ gateway: SippGateway) throws -> Void
        ) throws {
            try TandemProcess.serving { first in
                try TandemProcess.serving { second in
                    try TandemProcess.serving { proxy in
                        let gateway = try SippGateway(in: proxy.folder)
                        defer { gateway.stop() }
                        for server in [first, second] {
                            try server.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                        }
                        let settings = """
                            {"redirect_servers":["sip:\(first.redirect)","sip:\(second.redirect)"],
                            "report_to":"http://\(second.api)","gateway_defaults":{"response_timeout_ms":700}}
                            """
                        let answer = try proxy.patch("settings", settings)
                        try #require(answer.status == 200, "\(answer.body)")
                        try body(proxy, [first, second], gateway)
                    }
                }
            }
        }

        @Test(arguments: [SIGKILL, SIGSTOP])
        func `a redirect server that dies or stands still under calls costs none of them`(signal: Int32) throws {
            try servingTwo { proxy, servers, gateway in
                let calls = try ChildProcess(
                    "sipp",
                    [
                        proxy.proxy, "-sf", Sipp.scenario("caller"), "-i", "127.0.0.1", "-p", "\(try Sipp.freePort())",
                        "-s", "442071234567", "-m", "150", "-r", "50", "-nostdin", "-timeout", "40",
                    ], in: proxy.folder, output: "calls")
                defer { calls.stop() }
                #expect(eventually(within: 20) { gateway.callIDs.count >= 40 })
                servers[0].process.signal(signal)
                defer { servers[0].process.signal(SIGCONT) }
                #expect(try calls.waitForEnd(seconds: 60) == .exit(0), "150 of 150: \(calls.output.suffix(800))")
                #expect(gateway.callIDs.count == 150)
                let outcome = signal == SIGKILL ? "transport-error" : "no-response"
                let lost = try proxy.metric("tandem_inquiries_ended_total", label: "\"\(outcome)\"")
                #expect((1...110).contains(lost), "\(lost)")
                #expect(try proxy.metric("tandem_inquiries_ended_total", label: "\"targets\"", reaches: 150))
                #expect(try servers[1].metric("tandem_redirects_total") >= 90)
                let first = "redirect_server=\"sip:\(servers[0].redirect)\""
                #expect(try proxy.metric("tandem_redirect_server_in_service", label: first) == 0)
                guard signal == SIGSTOP else { return }
                // It goes on: one call asks it, and from then on all do.
                servers[0].process.signal(SIGCONT)
                let isBack = try eventually(within: 45) {
                    _ = try Sipp.call(proxy.proxy, in: proxy.folder, count: 1)
                    return try proxy.metric("tandem_redirect_server_in_service", label: first) == 1
                }
                #expect(isBack)
            }
        }

        @Test func `over TCP the redirect server is asked as well, and its reports name the proxy`() throws {
            try TandemProcess.serving(["--redirect", "tcp:127.0.0.1:0"]) { server in
                try TandemProcess.serving(["--proxy", "tcp:127.0.0.1:0"]) { proxy in
                    let gateway = try SippGateway(in: proxy.folder)
                    defer { gateway.stop() }
                    let redirect = "127.0.0.1:\(server.redirectPorts[1])"
                    try server.provisionTwoGateways(
                        ports: (try UDPPeer().port, gateway.port), settings: #","response_timeout_ms":300,"resends":0"#)
                    let settings = """
                        {"redirect_servers":["sip:\(redirect);transport=tcp"],"report_to":"http://\(server.api)"}
                        """
                    #expect(try proxy.patch("settings", settings).status == 200)
                    #expect(try Sipp.call(proxy.proxy, in: proxy.folder, count: 20).ending == .exit(0))
                    let isReported = try eventually(within: 10) {
                        try server.status(of: "gw1")["status"].string == "out-of-service"
                    }
                    #expect(isReported)
                    let record = try server.get("/v1/status-records?gateway=gw1").document["items"][0]
                    #expect(record["reporter"].string == proxy.proxy && record["cause"].string == "reported")
                    #expect(record["call_id"].string?.isEmpty == false)
                    #expect(try proxy.metric("tandem_status_reports_total", label: "sent") >= 1)
                    let lookup = try proxy.get("/v1/lookup?number=44").document
                    #expect(lookup["redirect_servers"][0].string == "sip:\(redirect);transport=tcp")
                }
            }
        }

        @Test(.enabled(if: ChildProcess.isInstalled("kamailio"), "kamailio is not installed"))
        func `Kamailio as the redirect server: its Contacts are followed in their order, its refusal goes back`() throws
        {
            try TandemProcess.serving { proxy in
                let gateway = try SippGateway(in: proxy.folder)
                defer { gateway.stop() }
                let silent = try UDPPeer()
                let port = try Sipp.freePort()
                let contacts =
                    "Contact: <sip:$rU@127.0.0.1:\(gateway.port)>;q=0.5, <sip:$rU@127.0.0.1:\(silent.port)>;q=0.9\\r\\n"
                let configuration = """
                    listen=udp:127.0.0.1:\(port)
                    children=1
                    log_stderror=yes
                    loadmodule "sl.so"
                    loadmodule "pv.so"
                    loadmodule "textops.so"
                    request_route {
                        if (is_method("ACK")) { exit; }
                        if ($rU =~ "^33") { sl_send_reply("404", "Not Here"); exit; }
                        append_to_reply("\(contacts)");
                        sl_send_reply("302", "Moved Temporarily");
                        exit;
                    }
                    """
                let file = proxy.folder.appendingPathComponent("kamailio.cfg")
                try configuration.write(to: file, atomically: true, encoding: .utf8)
                let kamailio = try ChildProcess(
                    "kamailio",
                    [
                        "-DD", "-E", "-f", file.path, "-m", "16", "-M", "4", "-w", proxy.folder.path, "-Y",
                        proxy.folder.path,
                    ],
                    in: proxy.folder, output: "kamailio.log")
                defer { kamailio.stop() }
                let entry = String(format: ":%04X ", port)
                #expect(eventually(within: 15) { Sipp.text(at: "/proc/net/udp").contains(entry) }, "\(kamailio.output)")
                let settings =
                    #"{"redirect_servers":["sip:127.0.0.1:\#(port)"],"gateway_defaults":{"response_timeout_ms":400}}"#
                #expect(try proxy.patch("settings", settings).status == 200)
                let calls = try Sipp.call(proxy.proxy, in: proxy.folder, count: 10)
                #expect(calls.ending == .exit(0), "\(kamailio.output.suffix(1500))")
                #expect(gateway.callIDs.count == 10)
                let tried = Set(silent.drain().flatMap { SIPText.field("Call-ID", in: $0) })
                #expect(
                    (1..<10).contains(tried.count), "preferred by q, and last once it was found dead: \(tried.count)")
                let refused = try Sipp.call(
                    proxy.proxy, in: proxy.folder, count: 1, scenario: "refused", number: "331234")
                #expect(refused.ending == .exit(0) && !refused.received("SIP/2.0 404 Not Here").isEmpty)
            }
        }
    }
}
