import ControlPlane
import Foundation
import JSON
import Testing

@testable import HTTPAPI

@Suite struct TransferTests {
    private let path = "/v1/import"

    /// An API that asks for tokens, and one for each role.
    private func guarded() throws -> (api: APIFixture, tokens: [String: String]) {
        let api = try APIFixture { settings, _ in settings.needsToken = true }
        api.controlPlane.tokens.setFileToken("the-admins-own-token")
        var tokens: [String: String] = [:]
        for role in ["reader", "operator", "admin"] {
            let made = try api.request(
                "PUT", "/v1/tokens/\(role)", headers: ["Authorization": "Bearer the-admins-own-token"],
                body: "{\"role\":\"\(role)\"}")
            tokens[role] = "Bearer \(try #require(made.text("token")))"
        }
        return (api, tokens)
    }

    @Test func `an export comes with revision and entity tag, and is not sent again to who has it`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let export = try api.request("GET", "/v1/export")
        #expect(export.status == 200 && export["Content-Type"] == "application/x-ndjson")
        #expect(export["Tandem-Revision"] == "6" && export["ETag"] == "\"r6\"")
        #expect(export["Content-Disposition"] == "attachment; filename=\"tandem-6.ndjson\"")
        #expect(export.body.hasPrefix(#"{"format":"tandem-export","revision":6,"version":1}"# + "\n"))
        #expect(export.body.hasSuffix("{\"end\":true}\n"))
        let again = try api.request("GET", "/v1/export", headers: ["If-None-Match": "\"r6\""])
        #expect(again.status == 304 && again.body.isEmpty && again["ETag"] == "\"r6\"")
        let head = try api.request("HEAD", "/v1/export")
        #expect(head.status == 200 && head["ETag"] == "\"r6\"")
        let first = try api.request("GET", "/v1/export?revision=1")
        #expect(first.status == 200 && first["Tandem-Revision"] == "1" && !first.body.contains("lon1"))
        #expect(try api.request("GET", "/v1/export?revision=7").status == 404)
        #expect(try api.request("GET", "/v1/export?revision=x").status == 400)
    }

    @Test func `what was exported is imported as one change, by curl as it is, and a condition is kept to`() throws {
        let (api, other) = (try APIFixture(), try APIFixture())
        _ = try api.provision()
        let export = try api.request("GET", "/v1/export").body
        let merge = try api.request("POST", "\(path)?mode=merge", body: export)
        #expect(merge.status == 200 && merge["Tandem-Revision"] == "6")
        #expect(merge.body == #"{"counts":{},"dry_run":false,"mode":"merge","revision":6}"# + "\n")
        let type = ["Content-Type": "application/x-www-form-urlencoded"]
        let dry = try other.request("POST", "\(path)?mode=replace&dry_run=true", headers: type, body: export)
        #expect(dry.status == 200 && dry.json["revision"] == .integer(2) && dry["Tandem-Revision"] == "1")
        let made = try other.request(
            "POST", "\(path)?mode=replace&comment=from%20the%20test%20system",
            headers: ["Content-Type": "application/x-ndjson", "If-Match": "\"r1\""], body: export)
        #expect(made.status == 200 && made["ETag"] == "\"r2\"" && made.json["counts"] == dry.json["counts"])
        let shown = try other.request("GET", "/v1/revisions/2")
        #expect(shown.text("comment") == "from the test system" && shown.json["counts"]?["put"] == .integer(5))
        let lines = { (text: String) in text.split(separator: "\n").dropFirst() }
        #expect(try lines(other.request("GET", "/v1/export").body) == lines(export))
        let stale = try other.request("POST", "\(path)?mode=replace", headers: ["If-Match": "\"r1\""], body: export)
        #expect(stale.status == 412 && stale["ETag"] == "\"r2\"")
    }

    @Test func `a query that says nothing, or too much, is malformed; another type of body is not taken`() throws {
        let api = try APIFixture()
        for query in ["", "?mode=", "?mode=put", "?mode=merge&dry_run=1", "?mode=merge&x=y"] {
            let answer = try api.request("POST", path + query, body: "{}")
            #expect(answer.status == 400 && answer.text("type") == "/problems/malformed", "\(query)")
        }
        let comment = String(repeating: "c", count: 1025)
        #expect(try api.request("POST", "\(path)?mode=merge&comment=\(comment)", body: "{}").status == 400)
        let typed = try api.request(
            "POST", "\(path)?mode=merge", headers: ["Content-Type": "text/csv"], body: "prefix\n")
        #expect(typed.status == 415 && typed["Accept"] == "application/x-ndjson")
        let refused = try api.request("POST", "\(path)?mode=merge", body: "{}\n")
        #expect(refused.status == 422 && refused.json.array("errors").first?["line"] == .integer(1))
        #expect(try api.request("POST", "\(path)?mode=merge").status == 422)
        for _ in 0..<1000 where api.controlPlane.bulksUnderWay > 0 { usleep(10_000) }
        #expect(api.controlPlane.bulksUnderWay == 0)
    }

    @Test func `a reader exports, an operator imports, and an admin alone passes over tests and settings`() throws {
        let (api, tokens) = try guarded()
        func ask(_ role: String, _ method: String, _ target: String, _ body: String? = nil) throws -> RawClient.Response
        {
            try api.request(method, target, headers: ["Authorization": tokens[role] ?? ""], body: body)
        }
        let export = try ask("reader", "GET", "/v1/export").body
        #expect(try ask("reader", "POST", "\(path)?mode=merge", export).status == 403)
        #expect(try ask("operator", "POST", "\(path)?mode=replace", export).status == 200)
        let override = try ask("operator", "POST", "\(path)?mode=merge&override_tests=true", export)
        #expect(override.status == 403 && override.text("type") == "/problems/forbidden")
        let settings = export.replacingOccurrences(
            of: #""settings","value":{}"#, with: #""settings","value":{"record_route":false}"#)
        let refused = try ask("operator", "POST", "\(path)?mode=merge", settings)
        #expect(refused.status == 403 && refused.text("type") == "/problems/forbidden")
        let made = try ask("admin", "POST", "\(path)?mode=merge&override_tests=true", settings)
        #expect(made.status == 200 && made.json["counts"]?["settings"]?["replaced"] == .integer(1))
        let shown = try ask("reader", "GET", "/v1/revisions/2")
        #expect(shown.text("who") == "admin")
    }

    @Test func `the same key of another token is another key`() throws {
        let (api, tokens) = try guarded()
        func send(_ role: String, _ description: String) throws -> RawClient.Response {
            let operation =
                "{\"op\":\"put\",\"path\":\"routing-lists/a\",\"value\":{\"description\":\"\(description)\"}}"
            return try api.request(
                "POST", "/v1/changes", headers: ["Authorization": tokens[role] ?? "", "Idempotency-Key": "k"],
                body: "{\"operations\":[\(operation)]}")
        }
        let first = try send("operator", "secret")
        let other = try send("admin", "another")
        #expect(first.status == 200 && other.status == 200 && other["Idempotency-Replayed"] == nil)
        #expect(!other.body.contains("secret"))
        #expect(try send("admin", "another")["Idempotency-Replayed"] == "true")
        #expect(try send("operator", "secret").body == first.body)
    }

    @Test func `with a key an import is carried out once, whole or in pieces`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let export = try api.request("GET", "/v1/export").body
        let other = export.replacingOccurrences(of: "192.0.2.11", with: "192.0.2.12")
        func send(_ body: String, _ query: String = "mode=merge") throws -> RawClient.Response {
            try api.request("POST", "\(path)?\(query)", headers: ["Idempotency-Key": "k"], body: body)
        }
        #expect(try send("{}").status == 422)  // a refusal is not kept
        let first = try send(other)
        #expect(first.status == 200 && first["Idempotency-Replayed"] == nil && first["Tandem-Revision"] == "7")
        _ = try api.request("POST", "\(path)?mode=merge", body: export)
        let again = try send(other)
        #expect(again.status == 200 && again["Idempotency-Replayed"] == "true" && again.body == first.body)
        #expect(try api.request("GET", "/v1/gateways/lon2").body.contains("192.0.2.11"))
        #expect(try send(export).status == 422 && send(other, "mode=replace").status == 422)
        for _ in 0..<1000 where api.controlPlane.bulksUnderWay > 0 { usleep(10_000) }
        #expect(api.controlPlane.bulksUnderWay == 0)
    }
}
