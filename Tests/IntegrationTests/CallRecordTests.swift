import Foundation
import Testing

extension IntegrationTests {
    /// Call records (API section 8), as the API shows them after calls by sipp.
    @Suite(.serialized, .enabled(if: Sipp.isInstalled, "sipp is not installed (Debian: sip-tester)"))
    struct CallRecordTests {
        @Test
        func `each call is recorded: who answered, which gateways were tried and why they were left, when it ended`()
            throws
        {
            try TandemProcess.serving { tandem in
                let gateway = try SippGateway(in: tandem.folder)
                defer { gateway.stop() }
                // Nobody is at the first one: ICMP says so at once.
                try tandem.provisionTwoGateways(ports: (try UDPPeer().port, gateway.port))
                let calls = try Sipp.call(tandem.proxy, in: tandem.folder, count: 5)
                #expect(calls.ending == .exit(0))
                let isThere = try eventually(within: 10) {
                    let page = try tandem.get("/v1/calls").document["items"].elements
                    return page.count == 5 && page.allSatisfy { $0["ended_by"].string == "request" }
                }
                #expect(isThere)
                let page = try tandem.get("/v1/calls?limit=2").document
                #expect(page["items"].elements.count == 2)
                let call = try #require(page["items"].elements.first)
                #expect(call["result"].string == "answered")
                #expect(call["status"].integer == 200)
                #expect(call["answered_by"].string == "gateway")
                #expect(call["attempts"].elements.last?["gateway"].string == "gw2")
                #expect(call["attempts"].elements.last?["end"].string == "answered")
                let id = try #require(call["id"].string)
                #expect(try tandem.get("/v1/calls/\(id)").document["call_id"].string == call["call_id"].string)
                let first = try #require(try tandem.get("/v1/calls?gateway=gw1").document["items"].elements.last)
                #expect(first["attempts"].elements.map { $0["end"].string } == ["transport-error", "answered"])
                #expect(try tandem.metric("tandem_live_calls") == 0)
            }
        }
    }
}
