import ControlPlane
import Testing

@testable import HTTPAPI

/// Where a request ends, and what two readers could take for different requests: RFC 9112 sections 5 and 6.
struct FramingTests {
    private static let hidden = "DELETE /v1/gateway-groups/kept HTTP/1.1\r\nHost: localhost\r\n\r\n"

    private func expectRefusal(_ head: String, _ detail: String, at place: SourceLocation = #_sourceLocation) throws {
        let api = try APIFixture()
        #expect(try api.request("PUT", "/v1/gateway-groups/kept", body: "{}").status == 201)
        let client = try api.client()
        client.send("\(head)\r\n\r\n\(Self.hidden)")
        let answer = try client.response()
        #expect(answer.status == 400 && answer.text("type") == "/problems/malformed", sourceLocation: place)
        #expect(answer.text("detail")?.contains(detail) == true, "\(answer.body)", sourceLocation: place)
        #expect(answer["Connection"]?.lowercased() == "close", sourceLocation: place)
        #expect(client.isClosed(afterMilliseconds: 5000), "nothing more is said", sourceLocation: place)
        #expect(try api.request("GET", "/v1/gateway-groups/kept").status == 200, sourceLocation: place)
    }

    @Test(arguments: [
        "Content-Length : 73", "Content-Length\t: 73", "Content-Length:\r\n 73", "Content-Length:\r\n\t73",
        "Content-Length: 7\r\n 3", "X: y\r\n Content-Length: 73", "Conten: 73\r\n t-Length", "X: y\r\n z",
        "Transfer-Encoding : chunked", "Transfer-Encoding:\r\n chunked", "Transfer-Encoding: chunked\r\n , identity",
        "Authorization : Bearer x", "Authorization:\r\n Bearer-x", "If-Match:\r\n *", "If-None-Match :*",
        "a b: c", "(: c", "Host : localhost",
    ])
    func `a blank before the colon and a folded line are refused, and what is behind is not carried out`(
        _ field: String
    ) throws {
        try expectRefusal(
            "PUT /v1/gateway-groups/x HTTP/1.1\r\nHost: localhost\r\n\(field)", "is folded, or its name is none")
        try expectRefusal("GET /livez HTTP/1.1\r\nHost: localhost\r\n\(field)\r\nAccept: */*", "is folded")
    }

    @Test(arguments: ["Host:\r\n localhost", "Host: local\r\n host", "Host : localhost"])
    func `a folded Host is refused as such`(_ field: String) throws {
        try expectRefusal("GET /livez HTTP/1.1\r\n\(field)", "is folded")
    }

    @Test(arguments: [
        ("Transfer-Encoding: xchunked", "chunked alone is taken"),
        ("Transfer-Encoding: gzip, chunked", "chunked alone is taken"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "given 2 times"),
        ("Transfer-Encoding: chunked\r\ntransfer-encoding: chunked", "given 2 times"),
        ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "given 2 times"),
        ("Transfer-Encoding:", "chunked alone is taken"),
        ("Content-Length: 73\r\nTransfer-Encoding: chunked", "both Content-Length and Transfer-Encoding"),
    ])
    func `a Transfer-Encoding other than chunked, once, is refused at once`(_ fields: String, _ detail: String) throws {
        try expectRefusal("PUT /v1/gateway-groups/x HTTP/1.1\r\nHost: localhost\r\n\(fields)", detail)
    }

    @Test func `no other fault of the same request comes before`() throws {
        let large = "X-Large: \(String(repeating: "x", count: 17_000))"
        try expectRefusal(
            "GET /none HTTP/1.1\r\nHost: evil.example\r\n\(large)\r\nContent-Length : 73", "is folded")
    }

    @Test func `HTTP 1.0 has no Transfer-Encoding`() throws {
        try expectRefusal(
            "PUT /v1/gateway-groups/x HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked", "HTTP/1.0")
    }

    @Test func `names in any case, blanks around a value, empty values and unknown fields are as good as ever`() throws
    {
        let api = try APIFixture()
        let client = try api.client()
        client.send(
            "PUT /v1/gateway-groups/a HTTP/1.1\r\nhost: \t localhost \t\r\ntransfer-encoding: Chunked\r\n"
                + "Accept-Encoding:\r\nX_Custom.~!: \r\nx-folding:a b\tc\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        #expect(try client.response().status == 201)
        client.send("GET /v1/gateway-groups/a HTTP/1.1\r\nHost:localhost\r\nAccept:\t*/*\r\n\r\n")
        #expect(try client.response().status == 200, "the connection goes on")
    }

    @Test(arguments: [false, true])
    func `who goes on sending a body that is not taken is told why in the midst of it`(isKnown: Bool) throws {
        let api = try APIFixture { settings, _ in
            (settings.bodyLimitBytes, settings.needsToken) = (1000, true)
        }
        api.controlPlane.tokens.setFileToken("the-admins-own-token")
        let client = try api.client()
        client.send(
            "PUT /v1/gateway-groups/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
                + (isKnown ? "Authorization: Bearer the-admins-own-token\r\n\r\n" : "\r\n"))
        for _ in 0..<20 { client.send("200\r\n\(String(repeating: "x", count: 512))\r\n") }
        let answer = try client.response()
        #expect(answer.status == (isKnown ? 413 : 401), "\(answer.body)")
        #expect(answer["Connection"] == "close" && answer["Content-Type"] == "application/problem+json")
        // Nothing more is said, whether the rest comes or not.
        client.send("0\r\n\r\n" + Self.hidden)
        #expect(client.isClosed(afterMilliseconds: 5000))
        let other = try api.request("GET", "/livez")
        #expect(other.status == 200)
    }

    @Test func `the body of a refused bulk is read for some MiB, however small other bodies have to be`() throws {
        let api = try APIFixture { settings, _ in settings.bodyLimitBytes = 1000 }
        let client = try api.client()
        client.send(
            "PUT /v1/routing-plans/none/routes HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n")
        let piece = "10000\r\n" + String(repeating: "x", count: 65536) + "\r\n"
        for _ in 0..<32 { client.send(piece) }
        client.send("0\r\n\r\n")
        #expect(try client.response().status == 404)
        #expect(try client.request("GET", "/livez").status == 200, "the connection goes on")
    }
}
