import ControlPlane
import JSON
import Testing
import Time

@testable import HTTPAPI

/// API section 7, over real sockets and the real control plane.
struct EventTests {
    private let stream = ["Accept": "text/event-stream"]

    private func open(_ api: APIFixture, _ target: String, _ headers: [String: String] = [:]) throws -> RawClient {
        let client = try api.client()
        let fields = stream.merging(headers) { $1 }.map { "\($0.key): \($0.value)\r\n" }.joined()
        client.send("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n")
        let head = try client.headers()
        guard head.status == 200, head["Content-Type"] == "text/event-stream" else {
            throw RawClient.Failure(reason: "\(head.status)")
        }
        return client
    }

    @Test func `a stream from 0 has every event in order, goes on, and is resumed without gap or repeat`() throws {
        let api = try APIFixture()
        let client = try open(api, "/v1/events?after=0")
        _ = try client.stream(until: "event: server.started\n")
        _ = try api.provision()
        var text = ""
        while text.components("id: ").count < 5 { text += try client.stream(until: "event: routing.changed") }
        let ids = text.components("id: ").map { $0.prefix { $0.isNumber } }.compactMap { Int($0) }
        #expect(ids == Array((ids.first ?? 0)..<((ids.first ?? 0) + ids.count)))
        let last = try #require(ids.first)
        let resumed = try open(api, "/v1/events?after=0", ["Last-Event-ID": "\(last)"])
        let next = try resumed.stream(until: "id: ")
        #expect(next.contains("id: \(last + 1)\n") && !next.contains("id: \(last)\n"))
    }

    @Test func `a stream without a position begins now; a status change is seen exactly once, filtered by type`() throws
    {
        let api = try APIFixture()
        _ = try api.provision()
        let client = try open(api, "/v1/events?types=gateway.status.changed")
        api.takeOut("lon1")
        var text = try client.stream(until: "data: ")
        #expect(text.contains("\"gateway\":\"lon1\"") && text.contains("\"to\":\"out-of-service\""))
        api.takeOut("lon2")
        text += try client.stream(until: "\"gateway\":\"lon2\"")
        #expect(text.components("event: ").count == 2 && !text.contains("routing.changed"))
        let status = try api.request("GET", "/v1/status?status=out-of-service&limit=1")
        #expect(status.text("next")?.contains("status=out-of-service") == true)
        let records = try api.request("GET", "/v1/status-records?group=london&cause=no-response&limit=1")
        let next = try #require(records.text("next"))
        let second = try api.request("GET", next)
        #expect(second.body.contains("lon2") && second.text("next") == nil)
        #expect(try api.request("GET", "/v1/status-records?to=2000-01-01T00:00:00Z").body == "{\"items\":[]}\n")
        #expect(try api.request("GET", "/v1/gateway-groups/london/status").text("status") == "out-of-service")
    }

    @Test func `snapshot=true sends the present status of every gateway first, without numbers`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let client = try open(api, "/v1/events?snapshot=true&types=gateway.status.changed")
        let text = try client.stream(until: "\"gateway\":\"lon2\"")
        #expect(text.components("event: gateway.status.current\n").count == 2)
        #expect(text.contains("\"source\":\"tandem/n1\"") && text.contains("\"subject\":\"gateways/lon1\""))
        api.takeOut("lon1")
        #expect(try client.stream(until: "event: gateway.status.changed").contains("id: "))
    }

    @Test func `a comment keeps a silent stream alive`() throws {
        let api = try APIFixture { settings, _ in settings.keepAliveInterval = .milliseconds(20) }
        let client = try open(api, "/v1/events")
        for _ in 0..<3 { #expect(try client.stream(until: ":\n\n").isEmpty == false) }
    }

    @Test func `a stream too many is 429 with Retry-After, and one that ends makes room`() throws {
        let api = try APIFixture { settings, _ in
            settings.eventStreamLimitCount = 1
            settings.keepAliveInterval = .milliseconds(20)
        }
        let first = try open(api, "/v1/events")
        let refused = try api.request("GET", "/v1/events", headers: stream)
        #expect(refused.status == 429 && refused["Retry-After"] == "5")
        api.server.stop()
        #expect(throws: RawClient.Failure.self) { while true { _ = try first.stream(until: "never") } }
    }

    @Test func `a page holds events and where to go on; it waits for the first one, or until its time is up`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let page = try api.request("GET", "/v1/events?after=0&limit=2")
        guard case .array(let items)? = page.json["items"] else { throw RawClient.Failure(reason: page.body) }
        #expect(items.count == 2 && page.text("next") == "/v1/events?after=2&limit=2")
        let all = try api.request("GET", "/v1/events")
        let next = try #require(all.text("next"))
        let empty = try api.request("GET", next + "&wait_s=1")
        #expect(empty.status == 200 && empty.text("next")?.hasPrefix(next.prefix(12)) == true)
        let waiting = try api.client()
        waiting.send("GET \(next)&wait_s=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        api.takeOut("lon1")
        #expect(try waiting.response().body.contains("gateway.status.changed"))
    }

    @Test(arguments: [
        ("types=x", false), ("after=-1", false), ("wait_s=61", false), ("snapshot=true", false), ("limit=5", true),
        ("snapshot=yes", true),
    ])
    func `parameters of events are checked`(query: String, isStream: Bool) throws {
        let answer = try APIFixture().request("GET", "/v1/events?\(query)", headers: isStream ? stream : [:])
        #expect(answer.status == 400 && answer.text("type") == "/problems/malformed")
    }

    @Test func `a position behind the newest event is gone, with what there is, as a page and as a stream`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let newest = try api.controlPlane.newestEvent()
        let page = try api.request("GET", "/v1/events?after=\(newest + 1)")
        #expect(page.status == 410 && page.json["newest"] == .integer(newest) && page.json["oldest"] == .integer(1))
        let last = "\(Int64.max)"
        let resumed = try api.request(
            "GET", "/v1/events", headers: ["Accept": "text/event-stream", "Last-Event-ID": last])
        #expect(resumed.status == 410)
        #expect(try api.request("GET", "/v1/events?after=\(newest)").status == 200)
    }

    @Test func `a client that went away makes room although nothing happens that could be sent to it`() throws {
        let api = try APIFixture { settings, _ in settings.eventStreamLimitCount = 1 }
        do {
            let client = try open(api, "/v1/events")
            _ = try client.stream(until: ":\n\n")
            #expect(try api.request("GET", "/v1/events", headers: stream).status == 429)
        }
        var status = 429
        let deadline = MachineClock().now + .seconds(10)  // before the first comment
        while status == 429, MachineClock().now < deadline {
            let next = try api.client()
            next.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            status = try next.headers().status
        }
        #expect(status == 200)
    }

    @Test func `a client that goes in the middle of its request makes room at once, not when its time is up`() throws {
        let api = try APIFixture { settings, _ in
            settings.connectionLimitCount = 8
            settings.connectionsPerAddressLimitCount = 8
            settings.headersTimeoutSeconds = 3600
            settings.bodyTimeout = .seconds(3600)
        }
        for number in 0..<8 {
            let client = try api.client()
            client.send("PUT /v1/gateways/a HTTP/1.1\r\nHost: localhost\r\n")
            if number % 2 == 0 { client.send("Content-Length: 100\r\n\r\n{") }
        }
        var status: Int?
        let deadline = MachineClock().now + .seconds(30)
        while status != 200, MachineClock().now < deadline {
            do { status = try api.request("GET", "/livez").status } catch { status = nil }
        }
        #expect(status == 200)
    }

    @Test func `stop answers long polls and ends streams at once`() throws {
        let api = try APIFixture { settings, _ in settings.stopTimeout = .seconds(60) }
        let open = try open(api, "/v1/events")
        _ = try open.stream(until: ":\n\n")
        let waiting = try api.client()
        waiting.send("GET /v1/events?types=webhook.failing&wait_s=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _ = try api.request("GET", "/livez")
        let before = MachineClock().now
        api.server.stop()
        #expect(MachineClock().now - before < .seconds(30), "neither the long poll nor the stop ran to its end")
        #expect(throws: RawClient.Failure.self) { while true { _ = try open.stream(until: "never") } }
    }
}

extension String {
    /// What stands behind each occurrence of `mark`.
    fileprivate func components(_ mark: String) -> [Substring] {
        ranges(of: mark).map { self[$0.upperBound...] }
    }
}
