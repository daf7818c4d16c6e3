import Foundation
import Testing

extension IntegrationTests {
    /// Calls by sipp through both roles: API section 10.
    @Suite(.serialized, .enabled(if: Sipp.isInstalled, "sipp is not installed (Debian: sip-tester)"))
    struct CallTests {
        @Test func `calls through the proxy reach the first gateway, with ACK and BYE along the route set`() throws {
            try TandemProcess.serving { tandem in
                let gateways = (try SippGateway(in: tandem.folder), try SippGateway(in: tandem.folder))
                defer { gateways.0.stop() }
                defer { gateways.1.stop() }
                try tandem.provisionTwoGateways(ports: (gateways.0.port, gateways.1.port))
                let calls = try Sipp.call(tandem.proxy, in: tandem.folder, count: 20)
                #expect(calls.ending == .exit(0))
                #expect(gateways.0.callIDs.count == 20)
                #expect(gateways.1.callIDs.isEmpty)
                let answers = calls.received("SIP/2.0 200").filter { $0.contains("CSeq: 1 INVITE") }
                #expect(answers.count == 20)
                #expect(answers.allSatisfy { SIPText.field("Record-Route", in: $0).count == 1 })
                #expect(try tandem.metric("tandem_requests_received_total", label: "INVITE", reaches: 20))
            }
        }

        @Test func `sipp hangs up while it rings: 200 to its CANCEL, 487 to its INVITE, CANCEL at the gateway`() throws
        {
            try TandemProcess.serving { tandem in
                let gateway = try SippGateway("ringing", in: tandem.folder)
                defer { gateway.stop() }
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                let calls = try Sipp.call(tandem.proxy, in: tandem.folder, count: 20, scenario: "cancelling")
                #expect(calls.ending == .exit(0))
                #expect(gateway.callIDs.count == 20)
                #expect(gateway.callIDs(of: "CANCEL").count == 20)
                #expect(gateway.callIDs(of: "ACK").count == 20)
                #expect(try tandem.metric("tandem_requests_received_total", label: "CANCEL", reaches: 20))
                #expect(try tandem.metric("tandem_failovers_total") == 0)
            }
        }

        @Test func `the redirect role answers 300 with Contacts in order and falling q, 302 for one target`() throws {
            try TandemProcess.serving { tandem in
                let silent = (try UDPPeer(), try UDPPeer())
                try tandem.provisionTwoGateways(ports: (silent.0.port, silent.1.port))
                let both = try Sipp.call(tandem.redirect, in: tandem.folder, count: 1, scenario: "redirected")
                #expect(both.ending == .exit(0))
                let answer = try #require(both.received("SIP/2.0 300").first)
                #expect(SIPText.contactPorts(in: answer) == [silent.0.port, silent.1.port])
                #expect(answer.contains("sip:442071234567@127.0.0.1"))
                let qualities = answer.components(separatedBy: ";q=").dropFirst().compactMap { text in
                    Double(text.prefix { $0.isNumber || $0 == "." })
                }
                #expect(qualities.count == 2 && qualities == qualities.sorted(by: >))
                try tandem.provision("gateway-groups/both", TandemProcess.group(["gw2"]))
                let one = try Sipp.call(tandem.redirect, in: tandem.folder, count: 1, scenario: "redirected")
                #expect(one.ending == .exit(0))
                let single = try #require(one.received("SIP/2.0 302").first)
                #expect(SIPText.contactPorts(in: single) == [silent.1.port])
            }
        }

        @Test func `a silent gateway is given up, its calls go on, and it comes back at its time value`() throws {
            try TandemProcess.serving { tandem in
                let silent = try SippGateway("silent", in: tandem.folder)
                defer { silent.stop() }
                let second = try SippGateway(in: tandem.folder)
                defer { second.stop() }
                try tandem.provisionTwoGateways(
                    ports: (silent.port, second.port), settings: #","response_timeout_ms":400,"resends":1,"hold_s":5"#)
                let stream = try EventStream(tandem, query: "?after=0&types=gateway.status.changed", file: "events")
                defer { stream.stop() }
                let calls = try Sipp.call(tandem.proxy, in: tandem.folder, count: 60, rate: 30)
                #expect(calls.ending == .exit(0), "60 of 60")
                #expect(second.callIDs.count == 60)
                #expect(silent.callIDs.count < 60, "only the calls under way then waited")
                let status = try tandem.status(of: "gw1")
                #expect(status["status"].string == "out-of-service")
                #expect(status["cause"].string == "no-response")
                #expect(status["time_value"].string != nil)
                let lookup = try tandem.get("/v1/lookup?number=442071234567").document
                #expect(lookup["left_out"][0]["gateway"].string == "gw1")
                #expect(lookup["left_out"][0]["reason"].string == "out-of-service")
                #expect(try stream.wait(for: 1, seconds: 5).count == 1, "one change, one event")

                silent.stop()
                let first = try SippGateway(in: tandem.folder, port: silent.port)
                defer { first.stop() }
                #expect(try eventually(within: 15) { try tandem.status(of: "gw1")["status"].string == "in-service" })
                #expect(try Sipp.call(tandem.proxy, in: tandem.folder, count: 5).ending == .exit(0))
                #expect(first.callIDs.count == 5)
                let events = try stream.wait(for: 2, seconds: 5)
                #expect(events.map { $0.document["data"]["to"].string } == ["out-of-service", "in-service"])
                #expect(events.first?.document["data"]["cause"].string == "no-response")
                let records = try tandem.get("/v1/status-records?gateway=gw1").document["items"].elements
                #expect(Set(records.map { $0["to"].string }) == ["out-of-service", "in-service"])
                #expect(records.count == 2)
                let lines = tandem.process.output.components(separatedBy: "\n").filter {
                    $0.contains("gateway status changed")
                }
                #expect(lines.count == 2 && lines.allSatisfy { $0.contains("gw1") }, "\(lines)")
            }
        }

        @Test func `the status and its time value survive a restart`() throws {
            try TandemProcess.serving { tandem in
                let silent = try UDPPeer()
                let second = try SippGateway(in: tandem.folder)
                defer { second.stop() }
                try tandem.provisionTwoGateways(
                    ports: (silent.port, second.port), settings: #","response_timeout_ms":300,"resends":0"#)
                #expect(try Sipp.call(tandem.proxy, in: tandem.folder, count: 1).ending == .exit(0))
                let before = try tandem.status(of: "gw1")
                #expect(before["status"].string == "out-of-service")
                let isStored = try eventually(within: 5) {
                    try tandem.get("/v1/status-records?gateway=gw1").document["items"].elements.count == 1
                }
                #expect(isStored)
                tandem.process.signal(SIGKILL)
                try tandem.restart()
                let after = try tandem.status(of: "gw1")
                #expect(after["status"].string == "out-of-service")
                #expect(after["time_value"] == before["time_value"])
                #expect(try Sipp.call(tandem.proxy, in: tandem.folder, count: 1).ending == .exit(0))
                #expect(second.callIDs.count == 2)
            }
        }
    }
}
