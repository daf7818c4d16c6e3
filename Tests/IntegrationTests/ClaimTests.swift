import Foundation
import Testing

extension IntegrationTests {
    /// The method, claim by claim, on the real binary: with its redirect server in the same process, and with two
    /// processes that do it together.
    @Suite(.serialized, .enabled(if: Sipp.isInstalled, "sipp is not installed (Debian: sip-tester)"))
    struct ClaimTests {
        /// The predetermined times of these tests: short ones.
        static let times = #""response_timeout_ms":400,"resends":1"#

        /// Two gateways, tried in this order by every call to a number that begins with 44.
        private func provision(_ tandem: TandemProcess, _ ports: (UInt16, UInt16), _ more: String = "") throws {
            try tandem.provisionTwoGateways(ports: ports, settings: ",\(Self.times)\(more)")
        }

        /// Waits until the gateway information table says so.
        private func table(_ tandem: TandemProcess, says status: String, of gateway: String) throws -> Bool {
            try eventually(within: 10) { try tandem.status(of: gateway)["status"].string == status }
        }

        // MARK: from the source user agent to the first gateway

        @Test(arguments: Arrangement.allCases)
        func `a call setup request is addressed to the proxy, which gets routing information for it`(
            arrangement: Arrangement
        ) throws {
            try arrangement.serving { deployment in
                let (tandem, proxy) = (deployment.server, deployment.proxy)
                let gateway = try SippGateway(in: tandem.folder)
                defer { gateway.stop() }
                try provision(tandem, (gateway.port, try UDPPeer().port))
                let calls = try Sipp.call(proxy.proxy, in: proxy.folder, count: 5)
                #expect(calls.ending == .exit(0))
                #expect(gateway.callIDs.count == 5)
                guard arrangement == .apart else { return }
                #expect(try proxy.metric("tandem_inquiries_ended_total", label: "targets", reaches: 5))
                #expect(try tandem.metric("tandem_redirects_total", reaches: 5))
                #expect(try tandem.metric("tandem_attempts_total") == 0, "the redirect server forwards nothing")
                let call = try #require(try proxy.get("/v1/calls").document["items"].elements.first)
                #expect(call["redirect_server"].string == "sip:\(tandem.redirect)")
                #expect(call["redirect_servers_asked"].integer == 1 && call["routed_ms"].integer != nil)
                #expect(call["attempts"][0]["gateway"].string == "gw1")
                // What was seen of the gateway is counted where its status is kept.
                #expect(
                    try eventually(within: 10) { (try tandem.status(of: "gw1")["calls_answered"].integer ?? 0) > 0 })
            }
        }

        @Test(arguments: Arrangement.allCases)
        func `a request failure of the redirect server goes back to the source and ends the session`(
            arrangement: Arrangement
        ) throws {
            try arrangement.serving { deployment in
                let (tandem, proxy) = (deployment.server, deployment.proxy)
                try provision(tandem, (try UDPPeer().port, try UDPPeer().port))
                let call = SIPCall(try UDPPeer(), to: proxy.proxyPort, number: "339999")
                call.send(call.request("INVITE"))
                let final = try call.receiveFinal()
                #expect(final.hasPrefix("SIP/2.0 404 "))
                call.acknowledge(final)
                #expect(call.caller.receive("SIP/2.0 404", callID: call.callID, seconds: 1.2) == nil, "it has ended")
            }
        }

        @Test(arguments: Arrangement.allCases)
        func `an answer in the predetermined time sets the session up through the first gateway`(
            arrangement: Arrangement
        ) throws {
            try arrangement.serving { deployment in
                let (tandem, proxy) = (deployment.server, deployment.proxy)
                let (first, second) = (try UDPPeer(), try UDPPeer())
                try provision(tandem, (first.port, second.port))
                let call = SIPCall(try UDPPeer(), to: proxy.proxyPort)
                call.send(call.request("INVITE"))
                let invite = try first.receiveRequest("INVITE", of: call)
                first.answer(180, to: invite)
                _ = try call.receive(180)
                // From the first response on, the call waits under Timer C.
                #expect(first.receive("CANCEL", callID: call.callID, seconds: 1) == nil)
                first.answer(200, to: invite)
                let answer = try call.receiveFinal()
                #expect(answer.hasPrefix("SIP/2.0 200 "))
                call.send(call.withinDialog("ACK", of: answer, cSeq: 1))
                _ = try first.receiveRequest("ACK", of: call)
                call.send(call.withinDialog("BYE", of: answer, cSeq: 2))
                first.answer(200, to: try first.receiveRequest("BYE", of: call))
                _ = try call.receive(200, to: "BYE")
                #expect(second.receive("INVITE", callID: call.callID, seconds: 0.1) == nil)
                #expect(try tandem.status(of: "gw1")["status"].string == "in-service")
            }
        }

        // MARK: from one gateway to the next

        @Test(arguments: Arrangement.allCases)
        func `without an answer the request is sent again so many times, then goes to the next gateway`(
            arrangement: Arrangement
        ) throws {
            try arrangement.serving { deployment in
                let (tandem, proxy) = (deployment.server, deployment.proxy)
                let (silent, second) = (try UDPPeer(), try UDPPeer())
                let times = #"{"response_timeout_ms":1900,"resends":2}"#
                try provision(tandem, (silent.port, second.port))
                #expect(try tandem.patch("gateways/gw1", times).status == 200)
                let call = SIPCall(try UDPPeer(), to: proxy.proxyPort)
                call.send(call.request("INVITE"))
                let copies = try (0..<3).map { _ in try silent.receiveRequest("INVITE", of: call) }
                #expect(Set(copies).count == 1, "the same request each time")
                let invite = try second.receiveRequest("INVITE", of: call)
                #expect(SIPText.branch(of: invite) != SIPText.branch(of: copies[0]))
                #expect(silent.receive("INVITE", callID: call.callID, seconds: 0.3) == nil, "no fourth time")
                second.answer(200, to: invite)
                #expect(try call.receiveFinal().hasPrefix("SIP/2.0 200 "))
            }
        }

        @Test(arguments: Arrangement.allCases)
        func `gateways are tried until one is available, or the session ends when none is`(
            arrangement: Arrangement
        ) throws {
            try arrangement.serving { deployment in
                let (tandem, proxy) = (deployment.server, deployment.proxy)
                // Four at once that say nothing look like a fault of our own, and their status would be held.
                #expect(try tandem.patch("settings", #"{"when_network_suspected":"ignore"}"#).status == 200)
                let gateways = try (0..<4).map { _ in try UDPPeer() }
                for (number, gateway) in gateways.enumerated() {
                    try tandem.provision(
                        "gateways/gw\(number + 1)", #"{"uri":"sip:127.0.0.1:\#(gateway.port)",\#(Self.times)}"#)
                }
                let names = gateways.indices.map { "gw\($0 + 1)" }
                try tandem.provision("gateway-groups/all", TandemProcess.group(names))
                try tandem.provision("routing-lists/all", #"{"groups":[{"group":"all"}]}"#)
                try tandem.provision("routing-plans/default/routes/44", #"{"routing_list":"all"}"#)
                let first = SIPCall(try UDPPeer(), to: proxy.proxyPort)
                first.send(first.request("INVITE"))
                for gateway in gateways.prefix(3) { _ = try gateway.receiveRequest("INVITE", of: first) }
                gateways[3].answer(200, to: try gateways[3].receiveRequest("INVITE", of: first))
                #expect(try first.receiveFinal().hasPrefix("SIP/2.0 200 "))
                for name in names.prefix(3) { #expect(try table(tandem, says: "out-of-service", of: name)) }
                #expect(try tandem.status(of: "gw4")["status"].string == "in-service")

                let second = SIPCall(try UDPPeer(), to: proxy.proxyPort)
                second.send(second.request("INVITE"))
                _ = try gateways[3].receiveRequest("INVITE", of: second)
                let final = try second.receiveFinal()
                #expect(final.hasPrefix("SIP/2.0 408 "), "tried in vain")
                second.acknowledge(final)
                #expect(try table(tandem, says: "out-of-service", of: "gw4"))

                let third = SIPCall(try UDPPeer(), to: proxy.proxyPort)
                third.send(third.request("INVITE"))
                let refusal = try third.receiveFinal()
                #expect(refusal.hasPrefix("SIP/2.0 503 "), "every gateway is out-of-service")
                let wait = try #require(SIPText.field("Retry-After", in: refusal).first.flatMap { Int($0) })
                #expect((1...60).contains(wait))
                third.acknowledge(refusal)
            }
        }

        // MARK: the gateway information table

        @Test(arguments: Arrangement.allCases)
        func `who did not answer is out-of-service, and left out while its time value is later than now`(
            arrangement: Arrangement
        ) throws {
            try arrangement.serving { deployment in
                let (tandem, proxy) = (deployment.server, deployment.proxy)
                let (silent, second) = (try UDPPeer(), try SippGateway(in: tandem.folder))
                defer { second.stop() }
                try provision(tandem, (silent.port, second.port))
                #expect(try Sipp.call(proxy.proxy, in: proxy.folder, count: 1).ending == .exit(0))
                #expect(try table(tandem, says: "out-of-service", of: "gw1"))
                let status = try tandem.status(of: "gw1")
                #expect(status["time_value"].string != nil)
                let started = ContinuousClock.now
                #expect(
                    try Sipp.call(proxy.proxy, in: proxy.folder, count: 10).ending == .exit(0))
                #expect(ContinuousClock.now - started < .seconds(20))
                #expect(second.callIDs.count == 11)
                let invites = silent.drain().filter { $0.hasPrefix("INVITE ") }
                #expect(Set(invites.flatMap { SIPText.field("Call-ID", in: $0) }).count == 1, "only the first call")
                let lookup = try tandem.get("/v1/lookup?number=442071234567").document
                #expect(lookup["left_out"][0]["gateway"].string == "gw1")
                #expect(lookup["targets"].elements.map { $0["gateway"].string } == ["gw2"])
            }
        }

        @Test(arguments: Arrangement.allCases)
        func `a gateway whose time value is reached is put in the list again and recorded in-service`(
            arrangement: Arrangement
        ) throws {
            try arrangement.serving { deployment in
                let (tandem, proxy) = (deployment.server, deployment.proxy)
                let (first, second) = (try UDPPeer(), try SippGateway(in: tandem.folder))
                defer { second.stop() }
                try provision(tandem, (first.port, second.port), #","hold_s":2"#)
                #expect(try Sipp.call(proxy.proxy, in: proxy.folder, count: 1).ending == .exit(0))
                #expect(try table(tandem, says: "out-of-service", of: "gw1"))
                #expect(try table(tandem, says: "in-service", of: "gw1"))
                let call = SIPCall(try UDPPeer(), to: proxy.proxyPort)
                call.send(call.request("INVITE"))
                first.answer(200, to: try first.receiveRequest("INVITE", of: call))
                #expect(try call.receiveFinal().hasPrefix("SIP/2.0 200 "))
                let isRecorded = try eventually(within: 5) {
                    try tandem.get("/v1/status-records?gateway=gw1").document["items"].elements
                        .count == 2
                }
                #expect(isRecorded)
                let records = try tandem.get("/v1/status-records?gateway=gw1").document["items"]
                let causes = Set(records.elements.map { $0["cause"].string })
                #expect(causes.contains("time-value-reached"))
            }
        }

        @Test(arguments: Arrangement.allCases)
        func `a group is in-service while one of its gateways is, and the redirect server says so`(
            arrangement: Arrangement
        ) throws {
            try arrangement.serving { deployment in
                let tandem = deployment.server
                try tandem.provisionTwoGateways(ports: (try UDPPeer().port, try UDPPeer().port))
                let status = { try tandem.get("/v1/gateway-groups/both/status").document["status"].string }
                #expect(try status() == "in-service")
                let out = #"{"status":"out-of-service","until":"2099-01-01T00:00:00.000Z","note":"works"}"#
                #expect(try tandem.put("gateways/gw1/status", out).status == 200)
                #expect(try status() == "in-service")
                #expect(try tandem.put("gateways/gw2/status", out).status == 200)
                #expect(try status() == "out-of-service")
                #expect(try tandem.put("gateways/gw2/status", #"{"status":"in-service"}"#).status == 200)
                #expect(try status() == "in-service")
            }
        }

        // MARK: counting, telling, asking

        @Test(arguments: Arrangement.allCases)
        func `received requests are counted, the first and each further copy`(
            arrangement: Arrangement
        ) throws {
            try arrangement.serving { deployment in
                let (tandem, proxy) = (deployment.server, deployment.proxy)
                let gateway = try UDPPeer()
                try tandem.provisionTwoGateways(ports: (gateway.port, try UDPPeer().port))
                let call = SIPCall(try UDPPeer(), to: proxy.proxyPort)
                for _ in 0..<4 {
                    call.send(call.request("INVITE"))
                    _ = try call.receive(100)
                }
                gateway.answer(486, to: try gateway.receiveRequest("INVITE", of: call))
                call.acknowledge(try call.receiveFinal())
                #expect(try proxy.metric("tandem_requests_received_total", label: "INVITE", reaches: 4))
                #expect(try proxy.metric("tandem_retransmissions_received_total", reaches: 3))
                var record = Document.null
                _ = try eventually(within: 5) {
                    record =
                        try proxy.get("/v1/calls").document["items"].elements
                        .first { $0["call_id"].string == call.callID } ?? .null
                    return record != .null
                }
                #expect(record["copies"].integer == 3)
                #expect(record["attempts"].elements.map { $0["gateway"].string } == ["gw1"])
                #expect(record["attempts"][0]["final_status"].integer == 486)
            }
        }

        @Test(arguments: Arrangement.allCases)
        func `the redirect server tells the network manager of every change of status`(
            arrangement: Arrangement
        ) throws {
            try arrangement.serving { deployment in
                let (tandem, proxy) = (deployment.server, deployment.proxy)
                let second = try SippGateway(in: tandem.folder)
                defer { second.stop() }
                try provision(tandem, (try UDPPeer().port, second.port), #","hold_s":2"#)
                let stream = try EventStream(
                    tandem, query: "?after=0&types=gateway.status.changed", file: "events")
                defer { stream.stop() }
                #expect(try Sipp.call(proxy.proxy, in: proxy.folder, count: 1).ending == .exit(0))
                let events = try stream.wait(for: 2, seconds: 15)
                #expect(events.prefix(2).map { $0.document["data"]["to"].string } == ["out-of-service", "in-service"])
                #expect(events.allSatisfy { $0.document["data"]["gateway"].string == "gw1" })
                #expect(events.first?.document["data"]["time_value"].string != nil)
            }
        }

        @Test(arguments: Arrangement.allCases)
        func `gateways are asked one after another until the status of each is determined`(
            arrangement: Arrangement
        ) throws {
            try arrangement.serving { deployment in
                let tandem = deployment.server
                let answering = try (0..<3).map { _ in try SippGateway(in: tandem.folder) }
                defer { answering.forEach { $0.stop() } }
                let silent = try UDPPeer()
                let probe = #""probe":{"interval_s":1,"timeout_ms":300,"failures":2}"#
                for (number, port) in (answering.map(\.port) + [silent.port]).enumerated() {
                    try tandem.provision("gateways/gw\(number)", #"{"uri":"sip:127.0.0.1:\#(port)",\#(probe)}"#)
                }
                let isDetermined = try eventually(within: 20) {
                    let items = try tandem.get("/v1/status").document["items"].elements
                    return items.count == 4 && items.allSatisfy { $0["probe"]["last_at"].string != nil }
                        && items.contains { $0["status"].string == "out-of-service" }
                }
                #expect(isDetermined)
                let status = try tandem.status(of: "gw3")
                #expect(status["status"].string == "out-of-service")
                #expect(status["cause"].string == "probe-no-response")
                for number in 0..<3 { #expect(try tandem.status(of: "gw\(number)")["status"].string == "in-service") }
                #expect(silent.drain().allSatisfy { $0.hasPrefix("OPTIONS ") })
            }
        }
    }
}
