import JSON
import Testing

@testable import HTTPAPI

/// API section 2, over real sockets and the real control plane.
struct ConventionTests {
    @Test func `the five curl commands are answered 201 and the look-up names lon1 then lon2`() throws {
        let api = try APIFixture()
        #expect(try api.provision() == [201, 201, 201, 201, 201])
        let lookup = try api.request("GET", "/v1/lookup?number=%2B442071234567")
        #expect(lookup.status == 200)
        guard case .array(let targets)? = lookup.json["targets"] else { throw RawClient.Failure(reason: lookup.body) }
        #expect(targets.map { $0["gateway"]?.text } == ["lon1", "lon2"])
        #expect(lookup["Tandem-Revision"] == "6")
    }

    @Test func `PUT: 201 with Location, then 200, the same again adds no revision; GET gives ETag; DELETE 204`() throws
    {
        let api = try APIFixture()
        let client = try api.client()
        let first = try client.request("PUT", "/v1/gateways/a", body: "{\"uri\":\"sip:192.0.2.1\"}")
        #expect(first.status == 201 && first["Location"] == "/v1/gateways/a" && first["Tandem-Revision"] == "2")
        let second = try client.request("PUT", "/v1/gateways/a", body: "{\"uri\":\"sip:192.0.2.2\"}")
        #expect(second.status == 200 && second["Location"] == nil && second["Tandem-Revision"] == "3")
        let same = try client.request("PUT", "/v1/gateways/a", body: "{\"uri\":\"sip:192.0.2.2\"}")
        #expect(same.status == 200 && same["Tandem-Revision"] == "3" && same["ETag"] == second["ETag"])
        let patched = try client.request("PATCH", "/v1/gateways/a", body: "{\"resends\":1}")
        #expect(patched.status == 200 && patched.json["resends"] == .integer(1))
        let read = try client.request("GET", "/v1/gateways/a")
        #expect(read.body == patched.body && read["ETag"] == patched["ETag"])
        #expect(try client.request("PUT", "/v1/gateways/a", body: read.body)["Tandem-Revision"] == "4")
        let head = try client.request("HEAD", "/v1/gateways/a")
        #expect(head.status == 200 && head["Content-Length"] == "\(read.body.utf8.count)" && head.body.isEmpty)
        let gone = try client.request("DELETE", "/v1/gateways/a")
        #expect(gone.status == 204 && gone["Tandem-Revision"] == "5")
        #expect(try client.request("GET", "/v1/gateways/a").status == 404)
    }

    @Test func `conditions: 304, 412 with the present ETag, create only, weak tags (RFC 9110 section 13)`() throws {
        let api = try APIFixture()
        let client = try api.client()
        let etag = try #require(
            try client.request("PUT", "/v1/gateways/a", body: "{\"uri\":\"sip:192.0.2.1\"}")["ETag"])
        func status(_ method: String, _ header: String, _ value: String) throws -> RawClient.Response {
            try client.request(
                method, "/v1/gateways/a", headers: [header: value],
                body: method == "PUT" ? "{\"uri\":\"sip:192.0.2.9\"}" : nil)
        }
        let cached = try status("GET", "If-None-Match", "\"x\", W/\(etag)")
        #expect(cached.status == 304 && cached["ETag"] == etag)
        #expect(try status("GET", "If-None-Match", "\"x\"").status == 200)
        #expect(try status("GET", "If-None-Match", "*").status == 304)
        #expect(try status("GET", "If-None-Match", "x").text("type") == "/problems/malformed")
        let stale = try status("PUT", "If-Match", "\"x\"")
        #expect(stale.status == 412 && stale["ETag"] == etag && stale.text("type") == "/problems/stale")
        #expect(try status("PUT", "If-Match", "W/\(etag)").status == 412)
        #expect(try status("PUT", "If-None-Match", "*").status == 412)
        #expect(try status("DELETE", "If-Match", "\"x\"").status == 412)
        #expect(try status("PUT", "If-Match", "\"x\", \(etag)").status == 200)
        #expect(try status("DELETE", "If-Match", "*").status == 204)
    }

    @Test func `a list on several lines is one, empty elements are passed over (RFC 9110 sections 5.3 and 5.6.1.2)`()
        throws
    {
        let client = try APIFixture().keptClient()
        _ = try client.request("PUT", "/v1/gateways/a", body: "{\"uri\":\"sip:192.0.2.1\"}")
        func status(_ method: String, _ lines: String..., body: String = "") throws -> Int {
            client.client.send(
                "\(method) /v1/gateways/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n"
                    + lines.map { $0 + "\r\n" }.joined() + "\r\n" + body)
            return try client.client.response().status
        }
        #expect(try status("GET", "If-None-Match: \"x\"", "if-none-match: \"r2\"") == 304)
        #expect(try status("GET", "If-None-Match: , \"x\" ,, \"r2\",") == 304)
        #expect(try status("GET", "If-None-Match: \"x\" \"r2\"") == 400)
        #expect(try status("GET", "If-None-Match: , ,") == 400)
        #expect(try status("GET", "If-None-Match: *", "If-None-Match: \"x\"") == 400)
        #expect(try status("GET", "Accept: text/html", "Accept: application/json") == 200)
        #expect(try status("GET", "Accept: text/html", "Accept: text/plain") == 406)
        let body = "{\"resends\":1}"
        #expect(try status("PATCH", "If-Match: \"x\"", "If-Match: \"y\"", body: body) == 412)
        #expect(try status("PATCH", "If-Match: \"x\"", "If-Match: \"r2\"", body: body) == 200)
    }

    @Test(arguments: [
        ("/v1/export", ""), ("/v1/backup", ""), ("/v1/routing-plans/default/routes", "text/csv"),
        ("/v1/routing-plans/default/routes", "application/x-ndjson"), ("/v1/events", "text/event-stream"),
    ])
    func `HEAD of what is made while it is sent says nothing of its length, and nothing follows`(
        path: String, accept: String
    ) throws {
        let client = try APIFixture().keptClient()
        let head = try client.request("HEAD", path, headers: accept.isEmpty ? [:] : ["Accept": accept])
        #expect(head.status == 200 && head["Content-Length"] == nil && head["Content-Type"] != nil)
        #expect(client.client.isClosed(afterMilliseconds: 5000), "without another byte")
    }

    @Test func `a list is walked page by page, each object once, next keeping the other parameters`() throws {
        let api = try APIFixture()
        let client = try api.client()
        _ = try api.provision()
        for prefix in ["441", "4420", "%2344", "1"] {
            let put = try client.request(
                "PUT", "/v1/routing-plans/default/routes/\(prefix)", body: "{\"routing_list\":\"uk\"}")
            #expect(put.status == 201 && put["Location"] == "/v1/routing-plans/default/routes/\(prefix)")
        }
        let hash = try client.request("GET", "/v1/routing-plans/default/routes/%2344")
        #expect(hash.text("id") == "#44")
        let back = try client.request("PUT", "/v1/routing-plans/default/routes/%2344", body: hash.body)
        #expect(back.status == 200 && back["ETag"] == hash["ETag"], "\(back.body)")
        var target: String? = "/v1/routing-plans/default/routes?prefix=44&limit=1"
        var seen: [String?] = []
        while let page = try target.map({ try client.request("GET", $0) }), seen.count < 10 {
            guard case .array(let items)? = page.json["items"] else { throw RawClient.Failure(reason: page.body) }
            seen += items.map { $0["id"]?.text }
            target = page.text("next")
            if let target { #expect(target.contains("prefix=44") && target.contains("limit=1")) }
        }
        #expect(seen == ["44", "441", "4420"])
    }

    @Test(arguments: [
        ("limit", "0"), ("limit", "1001"), ("limit", "x"), ("limit", "-1"), ("limit", ""), ("cursor", "!"),
        ("colour", "red"),
    ])
    func `a query parameter that can't be used is malformed and named`(name: String, value: String) throws {
        let answer = try APIFixture().request("GET", "/v1/gateways?\(name)=\(value)")
        #expect(answer.status == 400 && answer.text("type") == "/problems/malformed")
        #expect(answer.text("detail")?.contains(name) == true)
    }

    @Test(arguments: ["/livez", "/readyz", "/metrics", "/", "/nowhere", "/openapi.yaml", "/v1/gateways"])
    func `every answer says which revision it reflects`(path: String) throws {
        let api = try APIFixture()
        #expect(try api.request("GET", path)["Tandem-Revision"] == "1")
        #expect(try api.request("PUT", path, body: "{}")["Tandem-Revision"] == "1")
    }

    @Test(arguments: [
        ("{\"uri\":", "malformed", 400), ("", "malformed", 400), ("[1]", "malformed", 400), ("\u{0}", "malformed", 400),
        ("{\"uri\":\"sip:192.0.2.1\",\"colour\":\"red\"}", "invalid", 422), ("{}", "invalid", 422),
    ])
    func `a body that can't be used is a problem with its id in the log`(body: String, name: String, status: Int) throws
    {
        let api = try APIFixture()
        let answer = try api.request("PUT", "/v1/gateways/a", body: body)
        #expect(answer.status == status && answer.text("type") == "/problems/\(name)", "\(answer.body)")
        #expect(answer["Content-Type"] == "application/problem+json" && answer["Tandem-Revision"] == "1")
        let id = try #require(answer.text("instance"))
        #expect(answer["Tandem-Request-Id"] == id)
        api.server.stop()
        #expect(api.log.all.contains { $0.contains("id=\(id)") && $0.contains("status=\(status)") })
        if name == "invalid" {
            guard case .array(let errors)? = answer.json["errors"] else { throw RawClient.Failure(reason: answer.body) }
            #expect(errors.first?["pointer"]?.text != nil)
        }
    }

    @Test func `a group in use can't be deleted`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let answer = try api.request("DELETE", "/v1/gateway-groups/london")
        #expect(answer.status == 409 && answer.text("type") == "/problems/in-use")
    }

    @Test func `methods: 405 with Allow, OPTIONS 204 with Allow, unknown paths 404`() throws {
        let client = try APIFixture().keptClient()
        let post = try client.request("POST", "/v1/gateways/a", body: "{}")
        #expect(post.status == 405 && post["Allow"] == "GET, HEAD, PUT, PATCH, DELETE, OPTIONS")
        let options = try client.request("OPTIONS", "/v1/gateways")
        #expect(options.status == 204 && options["Allow"] == "GET, HEAD, OPTIONS")
        #expect(try client.request("GET", "/v1/nothing").text("type") == "/problems/not-found")
        #expect(try client.request("GET", "/v1/gateways/").status == 404)
        #expect(try client.request("GET", "/v1/gateways/%FF").text("type") == "/problems/malformed")
        #expect(try client.request("BREW", "/v1/gateways/%00").status == 400)
    }

    @Test func `types: what is no JSON is 415 and says what is taken; an Accept without JSON is 406`() throws {
        let client = try APIFixture().keptClient()
        let body = "{\"uri\":\"sip:192.0.2.1\"}"
        func put(_ method: String, _ type: String) throws -> RawClient.Response {
            try client.request(method, "/v1/gateways/a", headers: ["Content-Type": type], body: body)
        }
        let csv = try put("PUT", "text/csv")
        #expect(csv.status == 415 && csv.text("detail")?.contains("application/json") == true)
        #expect(try put("PUT", "application/merge-patch+json").status == 415)
        #expect(try put("PUT", "application/json; charset=utf-8").status == 201)
        #expect(try put("PATCH", "application/merge-patch+json").status == 200)
        let html = try client.request("GET", "/v1/gateways", headers: ["Accept": "text/html"])
        #expect(html.status == 406 && html.text("type") == "/problems/not-acceptable")
    }
}

extension APIFixture {
    /// A client whose server lives as long as it does.
    func keptClient() throws -> KeptClient { KeptClient(api: self, client: try client()) }
}

struct KeptClient {
    let api: APIFixture
    let client: RawClient

    func request(
        _ method: String, _ target: String, headers: [String: String] = [:], body: String? = nil
    ) throws -> RawClient.Response {
        try client.request(method, target, headers: headers, body: body)
    }
}
