import Foundation
import Testing

extension IntegrationTests {
    /// Routing data over HTTP: API sections 2, 3 and 5.
    @Suite(.serialized) struct ProvisioningTests {
        @Test func `five commands are answered 201, and the look-up names lon1 then lon2`() throws {
            try TandemProcess.serving { tandem in
                let before = try tandem.get("/v1/status").revision
                let commands = [
                    ("gateways/lon1", #"{"uri":"sip:192.0.2.10:5060"}"#),
                    ("gateways/lon2", #"{"uri":"sip:192.0.2.11:5060","description":"London, second"}"#),
                    (
                        "gateway-groups/london",
                        #"{"policy":"ordered","members":[{"gateway":"lon1"},{"gateway":"lon2"}]}"#
                    ),
                    ("routing-lists/uk", #"{"groups":[{"group":"london"}]}"#),
                    ("routing-plans/default/routes/44", #"{"routing_list":"uk"}"#),
                ]
                for (index, (path, body)) in commands.enumerated() {
                    let answer = try tandem.put(path, body)
                    #expect(answer.status == 201, "\(path): \(answer.body)")
                    #expect(answer.headers["etag"] != nil)
                    #expect(answer.revision == before.map { $0 + index + 1 }, "every change adds one")
                }
                let lookup = try tandem.get("/v1/lookup?number=%2B442071234567")
                #expect(lookup.status == 200)
                let answer = try lookup.document
                #expect(answer["outcome"].string == "targets")
                #expect(answer["targets"].elements.map { $0["gateway"].string } == ["lon1", "lon2"])
                #expect(answer["targets"][0]["request_uri"].string == "sip:+442071234567@192.0.2.10:5060")
                #expect(answer["matched_prefix"].string == "44")
                #expect(answer["routing_list"].string == "uk")
                #expect(answer["revision"].integer == lookup.revision)
                let none = try tandem.get("/v1/lookup?number=49301234").document
                #expect(none["outcome"].string == "failure" && none["status"].integer == 404)
            }
        }

        @Test func `PATCH merges, GET shows what was set and what applies`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provision("gateways/gw1", #"{"uri":"sip:192.0.2.10:5060","description":"old"}"#)
                let patched = try tandem.patch("gateways/gw1", #"{"hold_s":7,"description":null}"#)
                #expect(patched.status == 200, "\(patched.body)")
                let shown = try tandem.get("/v1/gateways/gw1").document
                #expect(shown["uri"].string == "sip:192.0.2.10:5060")
                #expect(shown["hold_s"].integer == 7)
                #expect(shown["description"].string == nil)
                #expect(shown["id"].string == "gw1")
                #expect(shown["effective"]["response_timeout_ms"].integer == 2000)
                #expect(try tandem.patch("gateways/gw9", "{}").status == 404)
            }
        }

        @Test func `what GET gave can be PUT back, and changes nothing`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provision("gateways/gw1", #"{"uri":"sip:192.0.2.10:5060","hold_s":7}"#)
                let shown = try tandem.get("/v1/gateways/gw1")
                let again = try tandem.put("gateways/gw1", shown.body)
                #expect(again.status == 200, "\(again.body)")
                #expect(again.revision == shown.revision, "changing nothing adds no revision")
                #expect(again.headers["etag"] == shown.headers["etag"])
                let changed = try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.10:5060","hold_s":8}"#)
                #expect(changed.revision == shown.revision.map { $0 + 1 })
                #expect(changed.headers["etag"] != shown.headers["etag"])
            }
        }

        @Test func `a stale If-Match is 412 with the present tag, and nothing is changed`() throws {
            try TandemProcess.serving { tandem in
                let first = try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.10"}"#)
                let tag = try #require(first.headers["etag"])
                let second = try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.11"}"#, ["-H", "If-Match: \(tag)"])
                #expect(second.status == 200)
                let present = try #require(second.headers["etag"])
                for answer in [
                    try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.12"}"#, ["-H", "If-Match: \(tag)"]),
                    try tandem.patch("gateways/gw1", #"{"hold_s":9}"#, ["-H", "If-Match: \(tag)"]),
                    try tandem.delete("gateways/gw1", ["-H", "If-Match: \(tag)"]),
                ] {
                    #expect(answer.status == 412)
                    #expect(answer.headers["etag"] == present)
                    #expect(answer.revision == second.revision)
                }
                let made = try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.12"}"#, ["-H", "If-None-Match: *"])
                #expect(made.status == 412, "create only")
                let shown = try tandem.get("/v1/gateways/gw1", ["-H", "If-None-Match: \(present)"])
                #expect(shown.status == 304)
                #expect(try tandem.get("/v1/gateways/gw1").document["uri"].string == "sip:192.0.2.11")
            }
        }

        @Test func `DELETE is 204, 404 afterwards, and 409 naming who refers to it`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provisionTwoGateways(ports: (5080, 5081))
                let used = try tandem.delete("gateway-groups/both")
                #expect(used.status == 409)
                #expect(try used.document["type"].string == "/problems/in-use")
                #expect(used.body.contains("routing-lists/all") || used.body.contains("\"all\""), "\(used.body)")
                #expect(try tandem.delete("gateways/gw1").status == 409)
                #expect(try tandem.delete("routing-plans/default/routes/44").status == 204)
                #expect(try tandem.delete("routing-lists/all").status == 204)
                #expect(try tandem.delete("gateway-groups/both").status == 204)
                #expect(try tandem.get("/v1/gateway-groups/both").status == 404)
                #expect(try tandem.delete("gateway-groups/both").status == 404)
            }
        }

        @Test func `a walk over pages sees each object exactly once`() throws {
            try TandemProcess.serving { tandem in
                let ids = (0..<7).map { "gw\($0)" }
                for id in ids { try tandem.provision("gateways/\(id)", #"{"uri":"sip:192.0.2.10"}"#) }
                var seen: [String] = []
                var next: String? = "/v1/gateways?limit=3"
                for _ in 0..<4 {
                    guard let path = next else { break }
                    let page = try tandem.get(path).document
                    #expect(page["items"].elements.count <= 3)
                    seen += page["items"].elements.compactMap { $0["id"].string }
                    next = page["next"].string
                }
                #expect(next == nil)
                #expect(seen == ids)
                #expect(try tandem.get("/v1/gateways?limit=0").status == 400)
            }
        }

        @Test func `an ingress peer and a route of the longest prefix decide`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provisionTwoGateways(ports: (5080, 5081))
                try tandem.provision("gateway-groups/second", TandemProcess.group(["gw2"]))
                try tandem.provision("routing-lists/second", #"{"groups":[{"group":"second"}]}"#)
                try tandem.provision("routing-plans/default/routes/4420", #"{"routing_list":"second"}"#)
                let long = try tandem.get("/v1/lookup?number=442071234567").document
                #expect(long["targets"].elements.map { $0["gateway"].string } == ["gw2"])
                let short = try tandem.get("/v1/lookup?number=441611234567").document
                #expect(short["targets"].elements.map { $0["gateway"].string } == ["gw1", "gw2"])
                #expect(try tandem.put("ingress-peers/lab", #"{"networks":["198.51.100.0/24"]}"#).status == 201)
                let twice = try tandem.put("ingress-peers/lab2", #"{"networks":["198.51.100.0/24"]}"#)
                #expect(twice.status == 409, "\(twice.body)")
                let peers = try tandem.get("/v1/ingress-peers").document["items"].elements
                #expect(peers.compactMap { $0["id"].string } == ["lab", "loopback"])
            }
        }
    }
}
