import Addressing
import Fixtures
import Foundation
import JSON
import Testing

@testable import HTTPAPI

/// API section 9 and the guard of section 2.
struct LimitTests {
    @Test func `a body above the limit is 413 and names it: announced, chunked, or while the client waits for 100`()
        throws
    {
        let api = try APIFixture { settings, _ in settings.bodyLimitBytes = 1000 }
        let big = String(repeating: "x", count: 1001)
        let announced = try api.request("PUT", "/v1/gateways/a", body: big)
        #expect(announced.status == 413 && announced.text("detail")?.contains("1000") == true)
        let chunked = try api.client()
        chunked.send("PUT /v1/gateways/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<3 { chunked.send("200\r\n\(String(repeating: "x", count: 512))\r\n") }
        chunked.send("0\r\n\r\n")
        #expect(try chunked.response().text("type") == "/problems/too-large")
        let waiting = try api.client()
        waiting.send(
            "PUT /v1/gateways/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n")
        #expect(try waiting.response().status == 413)
        #expect(try api.request("GET", "/v1/gateways").status == 200)
    }

    @Test func `a client that waits for 100 is told to go on, and a chunked body is read`() throws {
        let api = try APIFixture()
        let client = try api.client()
        let body = "{\"uri\":\"sip:192.0.2.1\"}"
        client.send(
            "PUT /v1/gateways/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n"
                + "Expect: 100-continue\r\n\r\n")
        #expect(try client.headers().status == 100)
        client.send(body)
        #expect(try client.response().status == 201)
        client.send("PUT /v1/gateways/b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send("\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n")
        #expect(try client.response().status == 201)
    }

    @Test func `headers above the limit are 431`() throws {
        let api = try APIFixture()
        let large = String(repeating: "x", count: 17_000)
        let answer = try api.request("GET", "/v1/gateways", headers: ["X-Large": large])
        #expect(answer.status == 431 && answer.text("detail")?.contains("16384") == true)
        let fits = try api.request("GET", "/v1/gateways", headers: ["X-Large": String(repeating: "x", count: 15_000)])
        #expect(fits.status == 200)
    }

    @Test(arguments: [
        ("localhost:8080", nil, 200), ("127.0.0.1", nil, 200), ("[::1]:80", nil, 200), ("LocalHost", nil, 200),
        ("evil.example", nil, 403), ("localhost.evil.example", nil, 403), ("192.0.2.7", nil, 403), ("", nil, 403),
        ("tandem.example", nil, 200), ("localhost", "null", 403), ("localhost", "https://evil.example", 403),
        ("localhost:9000", "http://localhost:9000", 200), ("LocalHost:80", "http://localhost", 200),
        ("localhost", "http://LOCALHOST:80", 200), ("[::1]:8080", "http://[::1]:8080", 200),
        ("tandem.example", "https://tandem.example", 200), ("tandem.example:443", "https://tandem.example", 200),
        ("localhost:8080", "http://localhost:3000", 403), ("localhost", "http://localhost:3000", 403),
        ("localhost:8080", "http://localhost", 403), ("127.0.0.1:8000", "http://127.99.1.2:8000", 403),
        ("localhost:8080", "http://127.0.0.1:8080", 403), ("localhost", "http://localhost:443", 403),
        ("localhost", "ftp://localhost", 403), ("localhost", "localhost", 403),
    ])
    func `Host and Origin must be ours`(host: String, origin: String?, status: Int) throws {
        let api = try APIFixture { settings, _ in settings.hostNames = ["tandem.example"] }
        var headers = ["Host": host]
        if let origin { headers["Origin"] = origin }
        let answer = try api.request("GET", "/v1/gateways", headers: headers)
        #expect(answer.status == status, "\(answer.body)")
        if status == 403 { #expect(answer.text("type") == "/problems/forbidden") }
    }

    @Test func `a port in use is one clear line, and a port that was just left can be bound again`() throws {
        let first = try APIFixture()
        let port = first.port
        #expect(throws: HTTPServerError("127.0.0.1:\(port): address already in use")) {
            _ = try APIFixture { settings, _ in settings.port = port }
        }
        #expect(try first.request("GET", "/livez").status == 200)
        first.server.stop()
        let second = try APIFixture { settings, _ in settings.port = port }
        #expect(try second.request("GET", "/livez").status == 200)
    }

    @Test func `random bytes and half requests leave the server alive`() throws {
        let api = try APIFixture()
        let seed = UInt64.random(in: .min ... .max)
        print("seed of the random bytes: \(seed)")
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let client = try api.client()
            client.sendBytes(
                (0..<200).map { _ in UInt8.random(in: .min ... .max, using: &generator) } + [13, 10, 13, 10])
        }
        let half = try api.client()
        half.send("PUT /v1/gateways/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        #expect(try api.request("GET", "/livez").status == 200)
    }

    @Test(arguments: [
        ("GET /livez HTTP/1.1\r\n\r\n", "Host is missing"),
        ("GET /livez HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n", "Host is given 2 times"),
        (
            "PUT /v1/gateways/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
            "Content-Length is given 2 times"
        ),
        (
            "PUT /v1/gateways/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "both Content-Length and Transfer-Encoding"
        ),
    ])
    func `what two readers could take for different requests is refused and ends the connection (RFC 9112)`(
        _ request: String, _ detail: String
    ) throws {
        let api = try APIFixture()
        let client = try api.client()
        client.send(request)
        let answer = try client.response()
        #expect(answer.status == 400 && answer.text("detail")?.contains(detail) == true, "\(answer.body)")
        #expect(answer["Connection"]?.lowercased() == "close")
        #expect(client.isClosed(afterMilliseconds: 5000))
    }

    @Test func `the host of a target in absolute form counts, not the Host beside it; HTTP 1.0 needs none`() throws {
        let api = try APIFixture()
        #expect(try api.request("GET", "http://localhost/livez").status == 200)
        #expect(try api.request("GET", "http://evil.example/livez").status == 403)
        let old = try api.client()
        old.send("GET /livez HTTP/1.0\r\n\r\n")
        #expect(try old.response().status == 200)
    }

    @Test func `a body that does not come in time is 408, and so are headers`() throws {
        let api = try APIFixture { settings, _ in
            settings.bodyTimeout = .milliseconds(10)
            settings.headersTimeoutSeconds = 1
        }
        let body = try api.client()
        body.send("PUT /v1/gateways/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        let late = try body.response()
        #expect(late.status == 408 && late.text("type") == "/problems/too-slow")
        #expect(late.text("detail")?.contains("body") == true)
        #expect(late["Tandem-Revision"] == "1" && late["Tandem-Request-Id"] == late.text("instance"))
        #expect(body.isClosed(afterMilliseconds: 5000))
        let headers = try api.client()
        headers.send("GET /livez HTTP/1.1\r\nHo")
        let lateHeaders = try headers.response()
        #expect(lateHeaders.status == 408 && lateHeaders["Tandem-Revision"] == "1")
    }

    @Test func `connections from one address above the limit are 429, and the answer names the limit`() throws {
        let api = try APIFixture { settings, _ in settings.connectionsPerAddressLimitCount = 3 }
        let streams = try (0..<3).map { _ in
            let stream = try api.client()
            stream.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            #expect(try stream.headers().status == 200)
            return stream
        }
        let fourth = try api.client()
        let refused = try fourth.response()
        #expect(refused.status == 429 && refused["Retry-After"] == "1" && refused["Tandem-Revision"] == "1")
        #expect(refused.text("detail")?.contains("3 connections from one address") == true)
        #expect(fourth.isClosed(afterMilliseconds: 5000))
        #expect(streams.count == 3)
        // The line is written behind the answer.
        var isLogged = false
        for _ in 0..<2000 where !isLogged {
            isLogged = api.log.all.contains { $0.contains("a connection was turned away") && $0.contains("address") }
            if !isLogged { usleep(5000) }
        }
        #expect(isLogged)
    }

    @Test func `who dawdles makes room for who comes and asks`() throws {
        let api = try APIFixture { settings, _ in settings.connectionsPerAddressLimitCount = 3 }
        let slow = try (0..<3).map { _ in
            let client = try api.client()
            client.send("GET /livez HTTP/1.1\r\nHost: loc")
            return client
        }
        var status = 0
        for _ in 0..<10_000 where status != 200 {
            do { status = try api.request("GET", "/livez").status } catch { continue }
        }
        #expect(status == 200)
        #expect(try slow[0].response().status == 429, "the one that came first")
    }

    @Test func `no more event streams than the limit: 429 that names it`() throws {
        let api = try APIFixture { settings, _ in settings.eventStreamLimitCount = 1 }
        let stream = try api.client()
        let request = "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        stream.send(request)
        #expect(try stream.headers().status == 200)
        let second = try api.client()
        second.send(request)
        let refused = try second.response()
        #expect(refused.status == 429 && refused.text("detail")?.contains("--api-event-streams") == true)
    }

    @Test func `a client that is too slow with its headers is shut out although it is never silent`() throws {
        let api = try APIFixture { settings, _ in settings.headersTimeoutSeconds = 1 }
        let client = try api.client()
        client.send("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        var sentCount = 0
        while sentCount < 1000, !client.hasAnswer(afterMilliseconds: 100) {
            client.send("x")
            sentCount += 1
        }
        #expect(sentCount < 1000)
        #expect(try client.response().status == 408)
        #expect(try api.request("GET", "/livez").status == 200)
    }
}
