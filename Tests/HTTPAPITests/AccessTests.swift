import ControlPlane
import JSON
import Store
import Testing

@testable import HTTPAPI

/// Tokens and roles: API section 2.
struct AccessTests {
    private static let adminToken = "the-admins-own-token"

    private func fixture() throws -> APIFixture {
        let api = try APIFixture { settings, _ in settings.needsToken = true }
        api.controlPlane.tokens.setFileToken(Self.adminToken)
        return api
    }

    private func ask(
        _ api: APIFixture, _ method: String, _ path: String, _ token: String?, body: String? = nil,
        headers: [String: String] = [:]
    ) throws -> RawClient.Response {
        var fields = headers
        if let token { fields["Authorization"] = "Bearer \(token)" }
        return try api.request(method, path, headers: fields, body: body)
    }

    /// A token of that role and id.
    private func newToken(_ api: APIFixture, _ id: String, _ role: String) throws -> String {
        let made = try ask(api, "PUT", "/v1/tokens/\(id)", Self.adminToken, body: "{\"role\":\"\(role)\"}")
        #expect(made.status == 201)
        return try #require(made.text("token"))
    }

    @Test func `without a token, or with one that is not ours: 401 and WWW-Authenticate, and nothing is changed`()
        throws
    {
        let api = try fixture()
        for (authorization, error) in [
            (nil, nil), ("Bearer wrong-token-of-somebody", "invalid_token"), ("Basic dXNlcjpwYXNz", "invalid_request"),
            ("Bearer", "invalid_request"),
        ] {
            let headers = authorization.map { ["Authorization": $0] } ?? [:]
            let answer = try api.request("GET", "/v1/gateways", headers: headers)
            #expect(answer.status == 401 && answer.text("type") == "/problems/unauthorised")
            let challenge = answer["WWW-Authenticate"] ?? ""
            #expect(challenge.hasPrefix("Bearer realm=\"tandem\""))
            #expect(challenge.contains("error=") == (error != nil))
            if let error { #expect(challenge.contains(error)) }
            let change = try api.request(
                "PUT", "/v1/gateways/a", headers: headers, body: "{\"uri\":\"sip:192.0.2.1\"}")
            #expect(change.status == 401)
        }
        #expect(try ask(api, "GET", "/v1/gateways/a", Self.adminToken).status == 404)
        #expect(try ask(api, "GET", "/v1/gateways", Self.adminToken).status == 200)
        let lines = api.log.all.filter { $0.contains("a token was refused") }
        #expect(lines.count == 1 && !lines[0].contains("wrong-token"), "bounded, and without what was sent")
    }

    @Test func `the scheme's name has no case, and two Authorization fields are no request`() throws {
        let api = try fixture()
        let lower = try api.request(
            "GET", "/v1/gateways", headers: ["Authorization": "bearer  \(Self.adminToken)"])
        #expect(lower.status == 200)
        let client = try api.client()
        client.send(
            "GET /v1/gateways HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n"
                + "Authorization: Bearer \(Self.adminToken)\r\n\r\n")
        #expect(try client.response().status == 400)
    }

    @Test func `what is known of a token is 304 for who has it already`() throws {
        let api = try fixture()
        _ = try newToken(api, "oss", "reader")
        let path = "/v1/tokens/oss"
        let etag = try #require(try ask(api, "GET", path, Self.adminToken)["ETag"])
        let known = try ask(api, "GET", path, Self.adminToken, headers: ["If-None-Match": etag])
        #expect(known.status == 304 && known["ETag"] == etag && known["Cache-Control"] == "no-store")
        #expect(known.body.isEmpty && known["Content-Type"] == nil)
        let changed = try ask(api, "PUT", path, Self.adminToken, body: "{\"role\":\"operator\"}")
        #expect(changed.status == 200)
        #expect(try ask(api, "GET", path, Self.adminToken, headers: ["If-None-Match": etag]).status == 200)
    }

    @Test func `every endpoint of the document stands in the table, and its need is enforced`() throws {
        let api = try fixture()
        let tokens = [
            Role.reader: try newToken(api, "r", "reader"), .operator: try newToken(api, "o", "operator"),
            .admin: try newToken(api, "a", "admin"),
        ]
        for endpoint in Endpoint.all {
            let name = "\(endpoint.method.rawValue) \(endpoint.template)"
            #expect(AccessTable.need(name) != nil, "\(name) stands in no line of AccessTable")
            let segments = endpoint.template.split(separator: "/").map { $0.hasPrefix("{") ? "nothing" : $0 }
            let path = "/" + segments.joined(separator: "/")
            let bare = try ask(api, endpoint.method.rawValue, path, nil)
            guard case .role(let needed) = endpoint.need else {
                #expect(bare.status < 400 || bare.status == 404, "\(name): \(bare.status)")
                continue
            }
            #expect(bare.status == 401, "\(name)")
            for (role, token) in tokens {
                let answer = try ask(
                    api, endpoint.method.rawValue, path, token, body: endpoint.method == .get ? nil : "[]")
                #expect((answer.status == 403) == (role < needed), "\(name) as \(role.rawValue): \(answer.status)")
                #expect(answer.status != 401)
            }
        }
    }

    @Test func `an endpoint that the table does not name is the admin's`() {
        let endpoint = Endpoint(.get, "/v1/brand-new") { _, _ throws(HTTPProblem) in .answer(HTTPAnswer(200)) }
        #expect(endpoint.need == .role(.admin))
    }

    @Test func `a token is shown once; role, end and description can be read and changed`() throws {
        let api = try fixture()
        let body = "{\"role\":\"operator\",\"expires_at\":null,\"description\":\"the OSS\"}"
        let made = try ask(api, "PUT", "/v1/tokens/oss", Self.adminToken, body: body)
        #expect(made.status == 201 && made["Location"] == "/v1/tokens/oss" && made["Cache-Control"] == "no-store")
        let token = try #require(made.text("token"))
        #expect(token.hasPrefix("tandem_") && token.count == 50)
        let put = try ask(api, "PUT", "/v1/gateways/a", token, body: "{\"uri\":\"sip:192.0.2.1\"}")
        #expect(put.status == 201)
        let shown = try ask(api, "GET", "/v1/tokens/oss", Self.adminToken)
        #expect(shown.text("role") == "operator" && shown.text("description") == "the OSS")
        #expect(shown.text("last_used_at") != nil && shown.json["token"] == nil && shown.json["digest"] == nil)
        #expect(shown.json["expires_at"] == .null && shown["ETag"] == made["ETag"])
        let list = try ask(api, "GET", "/v1/tokens", Self.adminToken)
        #expect(list.body.contains("\"oss\"") && !list.body.contains(token))
        // What GET gave can be PUT back: nothing changes, no new token is made.
        let same = try ask(api, "PUT", "/v1/tokens/oss", Self.adminToken, body: shown.body)
        #expect(same.status == 200 && same.json["token"] == nil && same["ETag"] == made["ETag"])
        let less = try ask(
            api, "PUT", "/v1/tokens/oss", Self.adminToken, body: "{\"role\":\"reader\"}",
            headers: ["If-Match": made["ETag"] ?? ""])
        #expect(less.status == 200 && less["ETag"] != made["ETag"] && less.json["description"] == nil)
        #expect(try ask(api, "DELETE", "/v1/gateways/a", token).status == 403)
        #expect(try ask(api, "GET", "/v1/gateways/a", token).status == 200)
        let stale = try ask(
            api, "PUT", "/v1/tokens/oss", Self.adminToken, body: body, headers: ["If-Match": made["ETag"] ?? ""])
        #expect(stale.status == 412 && stale["ETag"] == less["ETag"])
        let create = try ask(
            api, "PUT", "/v1/tokens/oss", Self.adminToken, body: body, headers: ["If-None-Match": "*"])
        #expect(create.status == 412)
    }

    @Test func `a revoked token is good for nothing at once, and its stream ends`() throws {
        let api = try fixture()
        let token = try newToken(api, "oss", "reader")
        let stream = try api.client()
        stream.send(
            "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
                + "Authorization: Bearer \(token)\r\n\r\n")
        #expect(try stream.headers().status == 200)
        _ = try stream.chunk()
        let poll = try api.client()
        poll.send(
            "GET /v1/events?types=webhook.failing&wait_s=60 HTTP/1.1\r\nHost: localhost\r\n"
                + "Authorization: Bearer \(token)\r\n\r\n")
        #expect(try ask(api, "GET", "/v1/gateways", token).status == 200)
        #expect(try ask(api, "DELETE", "/v1/tokens/oss", Self.adminToken).status == 204)
        #expect(try ask(api, "GET", "/v1/gateways", token).status == 401)
        #expect(try stream.chunk() == nil, "the stream's end")
        #expect(try poll.response().status == 401)
        #expect(try ask(api, "GET", "/v1/tokens/oss", Self.adminToken).status == 404)
        #expect(try ask(api, "DELETE", "/v1/tokens/oss", Self.adminToken).status == 404)
        #expect(try newToken(api, "oss", "reader") != token)
    }

    @Test func `what a token can't be is told, all at once`() throws {
        let api = try fixture()
        let body = """
            {"role":"king","expires_at":"2001-01-01T00:00:00Z","description":"\(String(repeating: "x", count: 257))",
            "token":"my-own-secret"}
            """
        let answer = try ask(api, "PUT", "/v1/tokens/oss", Self.adminToken, body: body)
        #expect(answer.status == 422 && !answer.body.contains("my-own-secret"))
        for pointer in ["/role", "/expires_at", "/description", "/token"] {
            #expect(answer.body.contains("\"pointer\":\"\(pointer)\""), "\(pointer)")
        }
        for id in ["OSS", "admin-token-file", "x y"] {
            let path = "/v1/tokens/\(id.replacing(" ", with: "%20"))"
            #expect(try ask(api, "PUT", path, Self.adminToken, body: "{\"role\":\"reader\"}").status == 422, "\(id)")
        }
        #expect(try ask(api, "PUT", "/v1/tokens/oss", Self.adminToken, body: "[]").status == 400)
        #expect(try ask(api, "GET", "/v1/tokens", Self.adminToken).body == "{\"items\":[]}\n")
    }

    @Test func `on an open port no token is asked for, but one that is sent says who does it and what it may`() throws {
        let api = try APIFixture()
        let made = try api.request("PUT", "/v1/tokens/oss", body: "{\"role\":\"reader\"}")
        let token = try #require(made.text("token"))
        #expect(try api.request("GET", "/v1/gateways").status == 200)
        #expect(try ask(api, "GET", "/v1/gateways", token).status == 200)
        #expect(try ask(api, "DELETE", "/v1/gateways/a", token).status == 403)
        #expect(try ask(api, "GET", "/v1/gateways", "nobodys-token").status == 401)
        #expect(try ask(api, "GET", "/livez", "nobodys-token").status == 200)
    }

    @Test func `what changed the settings and waits is taken back by admins, all else by operators too`() throws {
        let api = try fixture()
        let token = try newToken(api, "oss", "operator")
        func wait(_ operation: String) throws -> Int64 {
            let body = "{\"confirm_within_s\":3600,\"operations\":[\(operation)]}"
            let made = try ask(api, "POST", "/v1/changes", Self.adminToken, body: body)
            guard case .integer(let revision)? = made.json["revision"] else {
                throw RawClient.Failure(reason: made.body)
            }
            return revision
        }
        let settings = try wait(#"{"op":"patch","path":"settings","value":{"record_route":false}}"#)
        let other = try wait(#"{"op":"put","path":"gateways/a","value":{"uri":"sip:192.0.2.1"}}"#)
        let refused = try ask(api, "POST", "/v1/revisions/\(settings)/take-back", token)
        #expect(refused.status == 403 && refused.text("type") == "/problems/forbidden", "\(refused.body)")
        #expect(try ask(api, "GET", "/v1/settings", token).json["record_route"] == .bool(false))
        #expect(try ask(api, "POST", "/v1/revisions/\(other)/take-back", token).status == 200)
        #expect(try ask(api, "POST", "/v1/revisions/\(settings)/take-back", Self.adminToken).status == 200)
    }

    @Test func `the audit names the token and the request`() throws {
        let api = try fixture()
        let token = try newToken(api, "oss", "operator")
        let put = try ask(api, "PUT", "/v1/gateways/a", token, body: "{\"uri\":\"sip:192.0.2.1\"}")
        let entry = try #require(try api.entries().last)
        #expect(entry.who == "oss" && entry.requestID == put["Tandem-Request-Id"] && entry.requestID != nil)
        _ = try ask(api, "DELETE", "/v1/tokens/oss", Self.adminToken)
        let audit = try api.audit()
        #expect(audit.map(\.action) == ["put", "delete"] && audit.allSatisfy { $0.who == "admin-token-file" })
        #expect(audit.allSatisfy { $0.subject == "tokens/oss" && $0.requestID != nil })
        let hook = "{\"url\":\"https://192.0.32.8/\",\"types\":[\"routing.changed\"]}"
        #expect(try ask(api, "PUT", "/v1/webhooks/w", Self.adminToken, body: hook).status == 201)
        #expect(try ask(api, "PUT", "/v1/webhooks/w", Self.adminToken, body: hook).status == 200, "and nothing new")
        #expect(try ask(api, "DELETE", "/v1/webhooks/w", Self.adminToken).status == 204)
        let later = try api.audit().dropFirst(2)
        #expect(
            later.map { "\($0.action) \($0.subject) \($0.who)" } == [
                "put webhooks/w admin-token-file", "delete webhooks/w admin-token-file",
            ])
        let events = try ask(api, "GET", "/v1/events?types=routing.changed", Self.adminToken).body
        #expect(events.contains("\"who\":\"oss\""))
    }
}
