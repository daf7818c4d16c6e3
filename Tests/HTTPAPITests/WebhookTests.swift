import ControlPlane
import Fixtures
import Foundation
import HTTPClient
import JSON
import Synchronization
import Testing

@testable import HTTPAPI

/// Webhooks over real sockets: the resource, and deliveries to a receiver on this machine.
struct WebhookTests {
    private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    /// An API with deliveries under way that may reach this machine.
    private func api() throws -> APIFixture {
        let api = try APIFixture()
        let answer = try api.request("PATCH", "/v1/settings", body: #"{"webhook_networks":["127.0.0.0/8"]}"#)
        guard answer.status == 200 else { throw RawClient.Failure(reason: answer.body) }
        api.beginDeliveries()
        return api
    }

    private func body(_ receiver: WebReceiver, _ more: String = "") -> String {
        #"{"url":"http://127.0.0.1:\#(receiver.port)/hook","secret":"\#(Self.secret)"\#(more)}"#
    }

    /// Waits, at most 20 s.
    private func eventually(_ isDone: () throws -> Bool) rethrows -> Bool {
        for _ in 0..<2000 {
            if try isDone() { return true }
            usleep(10_000)
        }
        return try isDone()
    }

    /// The events' numbers, as they came.
    private func ids(_ receiver: WebReceiver) -> [Int] {
        receiver.requests.compactMap { $0.headers["webhook-id"].flatMap { Int($0) } }
    }

    @Test func `create, read, merge, list and delete, with entity tags and without a revision`() throws {
        let api = try api()
        let revision = try api.request("GET", "/v1/settings")["Tandem-Revision"]
        let made = try api.request(
            "PUT", "/v1/webhooks/oss",
            body: #"{"url":"https://oss.example/hook","secret":"\#(Self.secret)","types":["routing.changed"]}"#)
        #expect(made.status == 201 && made["Location"] == "/v1/webhooks/oss" && made["Tandem-Revision"] == revision)
        #expect(made.json["secret"] == nil && made.json["effective"]?["enabled"] == .bool(true))
        let etag = try #require(made["ETag"])
        let read = try api.request("GET", "/v1/webhooks/oss")
        #expect(read.body == made.body && read["ETag"] == etag)
        #expect(try api.request("GET", "/v1/webhooks/oss", headers: ["If-None-Match": etag]).status == 304)
        // What GET gave can be PUT back, and changes nothing: the secret stays too.
        let again = try api.request("PUT", "/v1/webhooks/oss", body: read.body)
        #expect(again.status == 200 && again["ETag"] == etag && again.body == read.body)
        let merged = try api.request("PATCH", "/v1/webhooks/oss", body: #"{"types":null,"enabled":false}"#)
        #expect(merged.status == 200 && merged["ETag"] != etag && merged.json["types"] == nil)
        let stale = try api.request(
            "PUT", "/v1/webhooks/oss", headers: ["If-Match": etag], body: #"{"url":"https://a.example"}"#)
        #expect(stale.status == 412 && stale["ETag"] == merged["ETag"])
        #expect(
            try api.request(
                "PUT", "/v1/webhooks/oss", headers: ["If-None-Match": "*"], body: #"{"url":"https://a.example"}"#
            ).status == 412)
        let rotated = try api.request(
            "PATCH", "/v1/webhooks/oss", body: #"{"secret":"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#)
        #expect(rotated["ETag"] != merged["ETag"] && rotated.text("previous_secret_until") != nil)
        for id in ["a", "b", "c"] {
            #expect(try api.request("PUT", "/v1/webhooks/\(id)", body: #"{"url":"https://a.example"}"#).status == 201)
        }
        let page = try api.request("GET", "/v1/webhooks?limit=3")
        let next = try #require(page.text("next"))
        #expect(try api.request("GET", next).json["items"].map { "\($0)".contains("oss") } == true)
        #expect(try api.request("DELETE", "/v1/webhooks/oss", headers: ["If-Match": etag]).status == 412)
        #expect(try api.request("DELETE", "/v1/webhooks/oss").status == 204)
        for target in ["", "/deliveries"] {
            #expect(try api.request("GET", "/v1/webhooks/oss\(target)").status == 404)
        }
        #expect(try api.request("DELETE", "/v1/webhooks/oss").status == 404)
        #expect(try api.request("POST", "/v1/webhooks/oss/test").status == 404)
        #expect(try api.request("POST", "/v1/webhooks/oss/replay", body: #"{"after":0}"#).status == 404)
        #expect(try api.request("GET", "/v1/settings")["Tandem-Revision"] == revision)
    }

    @Test func `every field that breaks a rule is told at once, and a secret is never repeated`() throws {
        let api = try APIFixture()
        let answer = try api.request(
            "PUT", "/v1/webhooks/oss",
            body: #"{"url":"https://u:p@x","types":["routing.changed","other","routing.changed"],"secret":"hunter2","#
                + #""enabled":1,"description":5,"color":"red"}"#)
        #expect(answer.status == 422 && !answer.body.contains("hunter2"))
        guard case .array(let errors)? = answer.json["errors"] else {
            Issue.record("\(answer.body)")
            return
        }
        #expect(
            errors.compactMap { $0["pointer"]?.text } == [
                "/url", "/types/1", "/types/2", "/secret", "/enabled", "/description", "/color",
            ])
        #expect(!api.log.all.joined().contains("hunter2"))
        for url in [
            "http://oss.example/", "https://10.0.0.1/", "https://[::1]/", "https://2130706433/", "https://0x7f.1/",
            "https://[::ffff:169.254.169.254]/", "ftp://x", "https://oss.example./",
        ] {
            let answer = try api.request("PUT", "/v1/webhooks/x", body: #"{"url":"\#(url)"}"#)
            #expect(answer.status == 422 && answer.body.contains("/url"), "\(url)")
        }
        #expect(try api.request("PUT", "/v1/webhooks/X", body: #"{"url":"https://a.example"}"#).status == 422)
        #expect(
            try api.request("PUT", "/v1/webhooks/x", body: #"{"url":"https://a.example","types":[]}"#).status == 422)
    }

    @Test func `a secret that is made is shown once, and signs`() throws {
        let receiver = try WebReceiver { _ in .answer(204) }
        defer { receiver.stop() }
        let api = try api()
        let made = try api.request(
            "PUT", "/v1/webhooks/oss", body: #"{"url":"http://127.0.0.1:\#(receiver.port)/"}"#)
        #expect(made.status == 201 && made.text("secret")?.hasPrefix("whsec_") == true)
        for target in ["/v1/webhooks/oss", "/v1/webhooks", "/v1/webhooks/oss/deliveries"] {
            #expect(try !api.request("GET", target).body.contains("whsec_"))
        }
        let test = try api.request("POST", "/v1/webhooks/oss/test")
        #expect(try api.request("POST", "/v1/webhooks/oss/test", body: "{\"a\":1}").status == 422)
        #expect(test.status == 200 && test.text("outcome") == "delivered" && test.json["status"] == .integer(204))
        let request = try #require(receiver.requests.first)
        #expect(request.headers["webhook-signature"]?.hasPrefix("v1,") == true)
        #expect(request.body.contains("\"type\":\"webhook.test\""))
        #expect(!api.log.all.joined().contains("whsec_"))
    }

    @Test func `a receiver that fails, hangs up and recovers gets every event in order; then a replay`() throws {
        let count = Mutex(0)
        let receiver = try WebReceiver { _ in
            let number = count.withLock { count in
                count += 1
                return count
            }
            return number == 2 ? .answer(500) : number == 3 ? .reset : .answer(200)
        }
        defer { receiver.stop() }
        let api = try api()
        let before = try #require(
            Int(
                try api.request("GET", "/v1/events?limit=1000").text("next")?
                    .components(separatedBy: "after=").last?.prefix { $0.isNumber } ?? ""))
        #expect(try api.request("PUT", "/v1/webhooks/oss", body: body(receiver)).status == 201)
        _ = try api.provision()
        #expect(eventually { Set(ids(receiver)) == Set(before + 1...before + 5) })
        let seen = ids(receiver)
        #expect(seen == seen.sorted() && seen.filter { $0 == before + 2 }.count == 3, "\(seen)")
        let first = try #require(receiver.requests.first)
        #expect(first.headers["content-type"] == "application/cloudevents+json; charset=utf-8")
        #expect(first.body.contains("\"id\":\"\(before + 1)\"") && first.body.contains("\"specversion\":\"1.0\""))
        #expect(
            try eventually {
                try api.request("GET", "/v1/webhooks/oss/deliveries").text("cursor") == "\(before + 5)"
                    && api.request("GET", "/v1/webhooks/oss/deliveries").body.contains("\"event\":\"\(before + 5)\"")
            })
        let deliveries = try api.request("GET", "/v1/webhooks/oss/deliveries")
        #expect(deliveries.text("state") == "delivering" && deliveries.json["lag"] == .integer(0))
        #expect(deliveries.body.contains("\"outcome\":\"failed\"") && deliveries.body.contains("\"status\":500"))
        #expect(try api.request("GET", "/metrics").body.contains("tandem_webhook_lag_events{webhook=\"oss\"} 0\n"))

        let replay = try api.request("POST", "/v1/webhooks/oss/replay", body: #"{"after":\#(before + 3)}"#)
        #expect(replay.status == 202)
        #expect(eventually { ids(receiver).count == seen.count + 2 })
        #expect(ids(receiver).suffix(2) == [before + 4, before + 5])
        #expect(try api.request("POST", "/v1/webhooks/oss/replay", body: #"{"after":99999}"#).status == 410)
        for body in [#"{"after":-1}"#, #"{"after":"1"}"#, #"{}"#, #"{"after":1,"x":2}"#] {
            #expect(try api.request("POST", "/v1/webhooks/oss/replay", body: body).status == 422, "\(body)")
        }
    }

    @Test func `a webhook that is off keeps its place; types choose`() throws {
        let receiver = try WebReceiver { _ in .answer(204) }
        defer { receiver.stop() }
        let api = try api()
        let off = body(receiver, #","enabled":false,"types":["gateway.status.changed"]"#)
        #expect(try api.request("PUT", "/v1/webhooks/oss", body: off).status == 201)
        _ = try api.provision()
        api.takeOut("lon1")
        #expect(
            try eventually { try api.request("GET", "/v1/events?types=gateway.status.changed").body.contains("lon1") })
        #expect(try api.request("GET", "/v1/webhooks/oss/deliveries").text("state") == "disabled")
        #expect(receiver.requests.isEmpty)
        #expect(try api.request("PATCH", "/v1/webhooks/oss", body: #"{"enabled":true}"#).status == 200)
        #expect(eventually { receiver.requests.count == 1 })
        #expect(receiver.requests.first?.body.contains("gateway.status.changed") == true)
    }

    @Test func `a network that is allowed no longer is not reached any more, and the reason is told`() throws {
        let receiver = try WebReceiver { _ in .answer(204) }
        defer { receiver.stop() }
        let api = try api()
        #expect(try api.request("PUT", "/v1/webhooks/oss", body: body(receiver)).status == 201)
        #expect(try api.request("POST", "/v1/webhooks/oss/test").text("outcome") == "delivered")
        #expect(try api.request("PATCH", "/v1/settings", body: #"{"webhook_networks":[]}"#).status == 200)
        let count = receiver.requests.count
        let test = try api.request("POST", "/v1/webhooks/oss/test")
        #expect(test.text("outcome") == "failed" && test.text("error")?.contains("loopback") == true)
        #expect(receiver.requests.count <= count + 1)  // the event of the settings may have been under way
    }
}
