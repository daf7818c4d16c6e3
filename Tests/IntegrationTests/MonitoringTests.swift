import Foundation
import Testing

extension IntegrationTests {
    /// What a network manager and a monitoring system read: API sections 6 to 8.
    @Suite(.serialized) struct MonitoringTests {
        @Test func `health, version, metrics and the document are served`() throws {
            try TandemProcess.serving { tandem in
                #expect(try tandem.get("/livez").status == 200)
                #expect(try tandem.get("/readyz").status == 200)
                let metrics = try tandem.get("/metrics")
                #expect(metrics.status == 200)
                #expect(metrics.headers["content-type"]?.hasPrefix("text/plain") == true)
                #expect(metrics.body.contains("# TYPE tandem_requests_received_total counter"))
                let document = try tandem.get("/openapi.yaml")
                #expect(document.status == 200)
                let file = TandemProcess.packageRoot.appendingPathComponent("openapi/tandem.yaml")
                #expect(document.body == String(decoding: try Data(contentsOf: file), as: UTF8.self))
            }
        }

        @Test func `a new gateway is in-service, and no change is recorded`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provision("gateways/gw1", #"{"uri":"sip:192.0.2.10"}"#)
                let status = try tandem.status(of: "gw1")
                #expect(status["status"].string == "in-service")
                #expect(status["administrative_state"].string == "unlocked")
                let records = try tandem.get("/v1/status-records?gateway=gw1")
                #expect(records.status == 200)
                #expect(try records.document["items"].elements.isEmpty)
                #expect(try tandem.get("/v1/status?status=out-of-service").document["items"].elements.isEmpty)
            }
        }

        @Test func `events come as pages in one order without a gap, and a request waits for the next`() throws {
            try TandemProcess.serving { tandem in
                for index in 0..<5 { try tandem.provision("gateways/gw\(index)", #"{"uri":"sip:192.0.2.10"}"#) }
                let all = try tandem.get("/v1/events?after=0&limit=100").document["items"].elements
                let ids = all.compactMap { $0["id"].string.flatMap { Int($0) } }
                #expect(ids.count >= 6, "server.started and five changes")
                #expect(ids == Array(1...max(ids.count, 1)))
                #expect(all.allSatisfy { $0["specversion"].string == "1.0" && $0["time"].string != nil })
                #expect(all.contains { $0["type"].string == "server.started" })
                let two = try tandem.get("/v1/events?after=\(ids.count - 2)&limit=100").document["items"].elements
                #expect(two == Array(all.suffix(2)))
                #expect(all.last?["type"].string == "routing.changed")

                let waiting = try ChildProcess(
                    "curl", ["-s", "-i", "http://\(tandem.api)/v1/events?after=\(ids.count)&wait_s=20"],
                    in: tandem.folder, output: "waiting")
                #expect(!eventually(within: 0.3) { waiting.ending != nil }, "it waits")
                try tandem.provision("gateways/late", #"{"uri":"sip:192.0.2.10"}"#)
                #expect(try waiting.waitForEnd(seconds: 10) == .exit(0))
                let late = try CurlAnswer(printed: waiting.output).document["items"].elements
                #expect(late.map { $0["id"].string } == ["\(ids.count + 1)"])
            }
        }

        @Test func `a stream resumes where Last-Event-ID says, without gap or repeat`() throws {
            try TandemProcess.serving { tandem in
                let first = try EventStream(tandem, query: "?after=0&types=routing.changed", file: "first")
                for index in 0..<3 { try tandem.provision("gateways/gw\(index)", #"{"uri":"sip:192.0.2.10"}"#) }
                let seen = try first.wait(for: 3, seconds: 10)
                first.stop()
                for index in 3..<6 { try tandem.provision("gateways/gw\(index)", #"{"uri":"sip:192.0.2.10"}"#) }
                let last = try #require(seen.last?.id)
                let second = try EventStream(
                    tandem, query: "?types=routing.changed", lastEventID: last, file: "second")
                let resumed = try second.wait(for: 3, seconds: 10)
                second.stop()
                #expect(resumed.count == 3)
                let whole = try tandem.get("/v1/events?after=0&types=routing.changed&limit=1000").document["items"]
                #expect((seen + resumed).map(\.document) == whole.elements)
                #expect((seen + resumed).allSatisfy { $0.document["id"].string == $0.id })
            }
        }
    }
}
