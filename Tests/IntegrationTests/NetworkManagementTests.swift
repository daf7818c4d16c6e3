import Foundation
import Testing

extension IntegrationTests {
    /// What an operator, an OSS and a remote proxy say over HTTP, and what the settings do: API sections 3, 5 and 6.
    @Suite(.serialized) struct NetworkManagementTests {
        private func post(
            _ tandem: TandemProcess, _ path: String, _ body: String, _ options: [String] = []
        ) throws -> CurlAnswer {
            try Curl.ask("http://\(tandem.api)/v1/\(path)", ["-X", "POST", "-d", body] + options)
        }

        @Test func `the operator's word holds for the next call and over a kill, and its record is acknowledged`()
            throws
        {
            try TandemProcess.serving { tandem in
                try tandem.provisionTwoGateways(ports: (5080, 5081))
                let out = try tandem.put(
                    "gateways/gw1/status",
                    #"{"status":"out-of-service","until":"2099-01-01T00:00:00Z","note":"card replaced"}"#)
                #expect(out.status == 200, "\(out.body)")
                let lookup = try tandem.get("/v1/lookup?number=4420").document
                #expect(lookup["targets"].elements.map { $0["gateway"].string } == ["gw2"])
                #expect(lookup["left_out"][0]["reason"].string == "out-of-service")
                tandem.process.signal(SIGKILL)
                _ = try tandem.process.waitForEnd(seconds: 10)
                try tandem.restart()
                let row = try tandem.status(of: "gw1")
                #expect(row["status"].string == "out-of-service" && row["cause"].string == "operator")
                #expect(row["reporter"].string == "operator")
                let records = try tandem.get("/v1/status-records?gateway=gw1").document["items"].elements
                #expect(records.count == 1 && records[0]["note"].string == "card replaced")
                let number = try #require(records[0]["sequence"].integer)
                let acknowledged = try post(
                    tandem, "status-records/\(number)/acknowledge", #"{"who":"night shift","note":"seen"}"#)
                #expect(acknowledged.status == 200, "\(acknowledged.body)")
                let shown = try tandem.get("/v1/status-records?cause=operator").document["items"][0]
                #expect(shown["acknowledgement"]["who"].string == "night shift")
                #expect(try tandem.put("gateways/gw1/status", #"{"status":"in-service"}"#).status == 200)
                let availability = try tandem.get("/v1/gateways/gw1/availability").document
                #expect(availability["outages"].integer == 1)
                #expect(try tandem.get("/v1/gateway-groups/both/status").document["status"].string == "in-service")
            }
        }

        @Test func `reports of others take a gateway out by their name, once for one Idempotency-Key`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provisionTwoGateways(ports: (5080, 5081))
                let body = #"{"reporter":"proxy-2","reports":[{"gateway":"gw1","outcome":"no-response"}]}"#
                let first = try post(tandem, "status-reports", body, ["-H", "Idempotency-Key: r-1"])
                #expect(first.status == 200, "\(first.body)")
                #expect(try first.document["taken"].integer == 1)
                let again = try post(tandem, "status-reports", body, ["-H", "Idempotency-Key: r-1"])
                #expect(again.body == first.body && again.headers["idempotency-replayed"] == "true")
                #expect(try post(tandem, "status-reports", "{}", ["-H", "Idempotency-Key: r-1"]).status == 422)
                let row = try tandem.status(of: "gw1")
                #expect(row["status"].string == "out-of-service" && row["cause"].string == "reported")
                #expect(row["reporter"].string == "proxy-2" && row["calls_failed"].integer == 1)
                let out = try tandem.get("/v1/status?status=out-of-service&group=both").document["items"].elements
                #expect(out.map { $0["gateway"].string } == ["gw1"])
            }
        }

        @Test func `a probe now says how it ended and what it means`() throws {
            try TandemProcess.serving { tandem in
                let silent = try UDPPeer()
                try tandem.provision(
                    "gateways/gw1",
                    #"{"uri":"sip:127.0.0.1:\#(silent.port)","probe":{"interval_s":0,"timeout_ms":200,"failures":1}}"#)
                let answer = try withExtendedLifetime(silent) { try post(tandem, "gateways/gw1/probe", "{}") }
                #expect(answer.status == 200, "\(answer.body)")
                let found = try answer.document
                #expect(found["result"].string == "no-response" && found["acknowledged"] == .bool(false))
                #expect(found["status_changed"] == .bool(true))
                #expect(found["status"]["cause"].string == "probe-no-response")
                #expect(try tandem.get("/v1/status-records").document["items"].elements.count == 1)
            }
        }

        @Test func `settings are merged, apply to gateways at once, and never show the token`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provisionTwoGateways(ports: (5080, 5081))
                let patched = try tandem.patch(
                    "settings", #"{"gateway_defaults":{"response_timeout_ms":750},"report_token":"s3cret"}"#)
                #expect(patched.status == 200 && !patched.body.contains("s3cret"), "\(patched.body)")
                let targets = try tandem.get("/v1/lookup?number=44").document["targets"].elements
                #expect(targets.map { $0["response_timeout_ms"].integer } == [750, 750])
                let past = try tandem.get("/v1/lookup?number=44&revision=\((patched.revision ?? 0) - 1)").document
                #expect(past["targets"][0]["response_timeout_ms"].integer == 2000)
                let bad = try tandem.patch("settings", #"{"gateway_defaults":{"hold_s":0},"record_route":5,"x":1}"#)
                #expect(bad.status == 422)
                let pointers = try bad.document["errors"].elements.compactMap { $0["pointer"].string }
                #expect(pointers == ["/gateway_defaults/hold_s", "/record_route", "/x"])
                #expect(try tandem.get("/v1/settings").headers["etag"] == patched.headers["etag"])
            }
        }

        @Test func `gateways are listed by label, routes by what lies below a prefix`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provisionTwoGateways(ports: (5080, 5081), settings: #","labels":{"site":"lon"}"#)
                try tandem.provision("gateways/gw3", #"{"uri":"sip:127.0.0.1:5082","labels":{"site":"par"}}"#)
                let london = try tandem.get("/v1/gateways?label=site:lon").document["items"].elements
                #expect(london.compactMap { $0["id"].string } == ["gw1", "gw2"])
                try tandem.provision("routing-plans/default/routes/4420", #"{"reject":{"status":603}}"#)
                try tandem.provision("routing-plans/default/routes/5", #"{"routing_list":"all","min_digits":4}"#)
                let below = try tandem.get("/v1/routing-plans/default/routes?prefix=44").document["items"].elements
                #expect(below.compactMap { $0["prefix"].string } == ["44", "4420"])
                #expect(try tandem.get("/v1/lookup?number=44201").document["status"].integer == 603)
                #expect(try tandem.get("/v1/lookup?number=512").document["status"].integer == 484)
                #expect(try tandem.get("/v1/calls").document["items"] == .array([]))
            }
        }
    }
}
