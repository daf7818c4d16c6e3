import Foundation
import Testing

extension IntegrationTests {
    /// Calls that get no gateway, as sipp sees them: each with its own status, and under its own name in the metrics
    /// and the call records of whoever routed it (API sections 8 and 10).
    @Suite(.serialized, .enabled(if: Sipp.isInstalled, "sipp is not installed (Debian: sip-tester)"))
    struct RefusedCallTests {
        /// One call that is refused, and what sipp received.
        private func refused(
            _ deployment: Deployment, _ status: Int, as name: String, by router: TandemProcess? = nil,
            number: String = "442071234567", sourceLocation: SourceLocation = #_sourceLocation
        ) throws -> String {
            let router = router ?? deployment.server
            let before = try router.metric("tandem_requests_refused_total", label: "\"\(Self.metric(of: name))\"")
            let call = try Sipp.call(
                deployment.proxy.proxy, in: deployment.proxy.folder, count: 1, scenario: "refused", number: number)
            #expect(call.ending == .exit(0), sourceLocation: sourceLocation)
            let answers = call.received("SIP/2.0 \(status) ")
            #expect(!answers.isEmpty, "\(name): \(call.messages.suffix(1500))", sourceLocation: sourceLocation)
            let isCounted = try router.metric(
                "tandem_requests_refused_total", label: "\"\(Self.metric(of: name))\"", reaches: before + 1)
            #expect(isCounted, "\(name)", sourceLocation: sourceLocation)
            let callID = answers.first.flatMap { SIPText.field("Call-ID", in: $0).first }
            let isRecorded = try eventually(within: 10) {
                try router.get("/v1/calls").document["items"].elements.contains {
                    $0["call_id"].string == callID && $0["result"].string == name
                        && $0["status"].integer == status
                }
            }
            #expect(isRecorded, "\(name)", sourceLocation: sourceLocation)
            return answers.first ?? ""
        }

        private static func metric(of name: String) -> String { name == "unknown-peer" ? "stranger" : name }

        private func retryAfter(_ answer: String) -> Int? {
            SIPText.field("Retry-After", in: answer).first.flatMap { Int($0) }
        }

        @Test(arguments: Arrangement.allCases)
        func `no prefix is 404, too short 484, full 503, an unknown peer 403`(arrangement: Arrangement) throws {
            try arrangement.serving { deployment in
                let server = deployment.server
                try server.provisionTwoGateways(ports: (try UDPPeer().port, try UDPPeer().port))
                _ = try refused(deployment, 404, as: "no-route", number: "339999")
                try server.provision("routing-plans/default/routes/4420", #"{"routing_list":"all","min_digits":8}"#)
                _ = try refused(deployment, 484, as: "incomplete-number", number: "4420712")
                for name in ["gw1", "gw2"] {
                    #expect(try server.patch("gateways/\(name)", #"{"max_calls":0}"#).status == 200)
                }
                _ = try refused(deployment, 503, as: "every-gateway-full")
                try server.provision("ingress-peers/loopback", #"{"networks":["127.0.0.0/8"],"max_calls":0}"#)
                #expect(retryAfter(try refused(deployment, 503, as: "peer-full")) == 1)
                #expect(try deployment.proxy.delete("ingress-peers/loopback").status == 204)
                _ = try refused(deployment, 403, as: "unknown-peer", by: deployment.proxy)
            }
        }

        @Test(arguments: Arrangement.allCases)
        func `all gateways down is 503 with Retry-After equal to the earliest time value`(arrangement: Arrangement)
            throws
        {
            try arrangement.serving { deployment in
                let server = deployment.server
                try server.provisionTwoGateways(
                    ports: (try UDPPeer().port, try UDPPeer().port),
                    settings: #","response_timeout_ms":300,"resends":0,"hold_s":40"#)
                #expect(try server.patch("gateways/gw2", #"{"hold_s":25}"#).status == 200)
                // Nobody is there; ICMP or silence says so.
                let first = SIPCall(try UDPPeer(), to: deployment.proxy.proxyPort)
                first.send(first.request("INVITE"))
                first.acknowledge(try first.receiveFinal())
                let areOut = try eventually(within: 10) {
                    try ["gw1", "gw2"].allSatisfy { try server.status(of: $0)["status"].string == "out-of-service" }
                }
                #expect(areOut)
                let until = try #require(try server.status(of: "gw2")["time_value"].string.flatMap { Self.seconds($0) })
                #expect(
                    try #require(try server.status(of: "gw1")["time_value"].string.flatMap { Self.seconds($0) }) > until
                )
                let before = Date().timeIntervalSince1970
                let answer = try refused(deployment, 503, as: "every-gateway-out")
                let after = Date().timeIntervalSince1970
                let wait = try #require(retryAfter(answer))
                // Whole seconds, rounded up, from some moment between the two.
                #expect(Double(wait) >= until - after - 0.1 && Double(wait) <= until - before + 1.1)
            }
        }

        /// Seconds since 1970 of a time of the API.
        private static func seconds(_ text: String) -> Double? {
            let formatter = ISO8601DateFormatter()
            formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
            return formatter.date(from: text)?.timeIntervalSince1970
        }

        @Test
        func `when every redirect server is dead calls are 503 with Retry-After, and go on as soon as one is back`()
            throws
        {
            try Arrangement.apart.serving { deployment in
                let (proxy, server) = (deployment.proxy, deployment.server)
                let gateway = try SippGateway(in: proxy.folder)
                defer { gateway.stop() }
                try server.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                server.process.signal(SIGKILL)
                _ = try server.process.waitForEnd(seconds: 10)
                // ICMP says at once that nobody is there: three times, and nobody asks any more.
                for _ in 0..<3 { _ = try refused(deployment, 503, as: "every-redirect-server-out", by: proxy) }
                let answer = try refused(deployment, 503, as: "every-redirect-server-out", by: proxy)
                #expect((1...31).contains(try #require(retryAfter(answer))))
                #expect(try proxy.metric("tandem_redirect_server_in_service") == 0)
                #expect(proxy.process.output.contains("redirect server status changed"))
                try server.restart(keepingRedirectPort: true)
                let isBack = try eventually(within: 40) {
                    try Sipp.call(proxy.proxy, in: proxy.folder, count: 1).ending == .exit(0)
                }
                #expect(isBack)
                #expect(try eventually(within: 5) { try proxy.metric("tandem_redirect_server_in_service") == 1 })
            }
        }
    }
}
