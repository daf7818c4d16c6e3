import Addressing
import Fixtures
import Foundation
import Synchronization
import Testing
import Time

@testable import HTTPClient

/// The machine's monotonic clock; the wall clock plays no part here.
struct MachineClock: TimeSource {
    var now: Instant { Instant(nanoseconds: Int64(DispatchTime.now().uptimeNanoseconds)) }
    var wallTime: WallTime { WallTime(milliseconds: 0) }
}

struct HTTPClientTests {
    private let loopback = DestinationRule.publicOr(["127.0.0.0/8", "::1/128"].compactMap { Network($0) })

    private func withClient<Value>(_ body: (HTTPClient) async throws -> Value) async rethrows -> Value {
        let client = HTTPClient(userAgent: "Tandem/test", clock: MachineClock())
        client.start()
        defer { client.stop() }
        return try await body(client)
    }

    private func send(
        _ client: HTTPClient, _ url: String, rule: DestinationRule? = nil, _ adjust: (inout HTTPPost) -> Void = { _ in }
    ) async throws -> HTTPPostResult {
        var post = HTTPPost(to: try WebURL(url), rule: rule ?? loopback)
        adjust(&post)
        let adjusted = post
        return await withCheckedContinuation { continuation in
            client.post(adjusted) { continuation.resume(returning: $0) }
        }
    }

    private func reason(_ result: HTTPPostResult) -> HTTPPostFailure.Reason? {
        guard case .failure(let failure) = result.outcome else { return nil }
        return failure.reason
    }

    @Test func `body and header fields arrive; the status code and Retry-After come back`()
        async throws
    {
        let receiver = try WebReceiver { request in
            .answer(request.body == "again" ? 503 : 204, headers: ["Retry-After: 7"])
        }
        defer { receiver.stop() }
        try await withClient { client in
            let first = try await send(client, "http://127.0.0.1:\(receiver.port)/hook?x=1") {
                $0.body = Array("{\"a\":1}".utf8)
                $0.headers = [("Content-Type", "application/json"), ("webhook-id", "17")]
            }
            #expect(first.isSuccess)
            let second = try await send(client, "http://127.0.0.1:\(receiver.port)/") { $0.body = Array("again".utf8) }
            #expect(second.outcome == .response(status: 503, retryAfter: .seconds(7)))
            #expect(!second.isSuccess)
        }
        let request = try #require(receiver.requests.first)
        #expect(request.line == "POST /hook?x=1 HTTP/1.1" && request.body == "{\"a\":1}")
        #expect(request.headers["content-type"] == "application/json" && request.headers["webhook-id"] == "17")
        #expect(request.headers["user-agent"] == "Tandem/test" && request.headers["expect"] == nil)
    }

    @Test func `a redirect is an answer, not a way`() async throws {
        let receiver = try WebReceiver { _ in .answer(307, headers: ["Location: http://127.0.0.1:1/elsewhere"]) }
        defer { receiver.stop() }
        let result = try await withClient { try await send($0, "http://127.0.0.1:\(receiver.port)/") }
        #expect(result.outcome == .response(status: 307, retryAfter: nil) && !result.isSuccess)
        #expect(receiver.requests.count == 1)
    }

    @Test func `an address that the rule refuses is never connected to, by name or by number, kept or new`()
        async throws
    {
        let receiver = try WebReceiver { _ in .answer(204) }
        defer { receiver.stop() }
        try await withClient { client in
            for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
                let url = "http://\(host):\(receiver.port)/"
                #expect(reason(try await send(client, url, rule: .publicOr([]))) == .addressRefused, "\(host)")
            }
            #expect(receiver.connectionCount == 0)
            // A connection that was opened while the network was allowed is not used when it no longer is.
            #expect(try await send(client, "http://127.0.0.1:\(receiver.port)/").isSuccess)
            let late = try await send(client, "http://127.0.0.1:\(receiver.port)/", rule: .publicOr([]))
            #expect(reason(late) == .addressRefused)
            #expect(receiver.requests.count == 1)
        }
    }

    @Test func `a receiver that hangs costs the deadline; one that resets or isn't there, nothing`() async throws {
        let hanging = try WebReceiver { _ in .hang }
        let resetting = try WebReceiver { _ in .reset }
        let gone = try WebReceiver { _ in .answer(200) }
        gone.stop()
        defer {
            hanging.stop()
            resetting.stop()
        }
        try await withClient { client in
            let late = try await send(client, "http://127.0.0.1:\(hanging.port)/") { $0.timeout = .milliseconds(200) }
            #expect(reason(late) == .timedOut && late.duration >= .milliseconds(150))
            #expect(reason(try await send(client, "http://127.0.0.1:\(resetting.port)/")) == .broken)
            #expect(reason(try await send(client, "http://127.0.0.1:\(gone.port)/")) == .notConnected)
            let mute = try await send(client, "https://127.0.0.1:\(hanging.port)/") {
                $0.connectTimeout = .milliseconds(200)
            }
            #expect(reason(mute) == .timedOut)
        }
    }

    @Test func `a response's body is bounded; its status counts`() async throws {
        let receiver = try WebReceiver { _ in .answer(200, body: String(repeating: "x", count: 300_000)) }
        defer { receiver.stop() }
        let result = try await withClient { client in
            try await send(client, "http://127.0.0.1:\(receiver.port)/") { $0.responseLimitBytes = 1000 }
        }
        #expect(result.isSuccess)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "HTTP/1.1 2", "hello\r\n\r\n", "", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n\r",
    ])
    func `half a response is none`(text: String) async throws {
        let receiver = try WebReceiver { _ in .raw(text) }
        defer { receiver.stop() }
        let result = try await withClient { try await send($0, "http://127.0.0.1:\(receiver.port)/") }
        #expect(reason(result) == .broken, "\(result)")
    }

    @Test func `a response in chunks with a trailer, behind an interim one, is a response`() async throws {
        let receiver = try WebReceiver { _ in
            .raw(
                "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n"
                    + "1\r\nx\r\n0\r\nA: b\r\n\r\n")
        }
        defer { receiver.stop() }
        let result = try await withClient { try await send($0, "http://127.0.0.1:\(receiver.port)/") }
        #expect(result.outcome == .response(status: 200, retryAfter: nil))
    }

    @Test func `many at once are all answered; whoever is under way when it stops, is told so`() async throws {
        let receiver = try WebReceiver { $0.body == "hang" ? .hang : .answer(204) }
        defer { receiver.stop() }
        let client = HTTPClient(userAgent: "Tandem/test", clock: MachineClock())
        client.start()
        let url = try WebURL("http://127.0.0.1:\(receiver.port)/")
        let rule = loopback
        let count = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        client.post(HTTPPost(to: url, rule: rule)) { continuation.resume(returning: $0.isSuccess) }
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(count == 200)
        let told = Mutex<[HTTPPostFailure.Reason?]>([])
        var hanging = HTTPPost(to: url, rule: rule)
        hanging.body = Array("hang".utf8)
        client.post(hanging) { result in told.withLock { $0.append(reason(result)) } }
        client.stop()
        client.post(hanging) { result in told.withLock { $0.append(reason(result)) } }
        #expect(told.withLock { $0 } == [.stopped, .stopped])
    }
}
