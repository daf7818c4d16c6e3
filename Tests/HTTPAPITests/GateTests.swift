import JSON
import Testing

@testable import HTTPAPI

/// Routing tests and lint over HTTP (API section 4).
struct GateTests {
    @Test func `a routing test is a resource like others, and a change that would make it fail is 422`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let client = try api.client()
        let body =
            "{\"number\":\"442071234567\",\"source\":\"127.0.0.1\",\"expect\":{\"gateways\":[\"lon1\",\"lon2\"]}}"
        let made = try client.request("PUT", "/v1/routing-tests/uk", body: body)
        #expect(made.status == 201 && made["Location"] == "/v1/routing-tests/uk" && made["ETag"] == "\"r7\"")
        #expect(try client.request("GET", "/v1/routing-tests/uk").body == made.body)
        let list = try client.request("GET", "/v1/routing-tests?limit=1")
        #expect(list.json["items"] == .array([made.json]) && list.json["next"] == nil)
        let refused = try client.request("DELETE", "/v1/routing-plans/default/routes/44")
        #expect(refused.status == 422 && refused.text("type") == "/problems/test-failed")
        #expect(refused.json["failed_count"] == .integer(1) && refused["Tandem-Revision"] == "7")
        guard case .array(let failed)? = refused.json["failed_tests"] else {
            throw RawClient.Failure(reason: refused.body)
        }
        #expect(failed.first?["routing_test"]?.text == "uk" && failed.first?["got"]?["status"] == .integer(404))
        let stale = try client.request("DELETE", "/v1/routing-tests/uk", headers: ["If-Match": "\"r1\""])
        #expect(stale.status == 412)
        #expect(try client.request("DELETE", "/v1/routing-tests/uk").status == 204)
        #expect(try client.request("DELETE", "/v1/routing-plans/default/routes/44").status == 204)
    }

    @Test func `lint names severity, rule, object and remedy, and follows the next change`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let client = try api.client()
        let clean = try client.request("GET", "/v1/lint")
        #expect(clean.status == 200 && clean.json["items"] == .array([]), "\(clean.body)")
        _ = try client.request("PUT", "/v1/gateway-groups/paris", body: "{}")
        let found = try client.request("GET", "/v1/lint")
        #expect(found["Tandem-Revision"] == "7" && found.json["counts"]?["warning"] == .integer(1))
        guard case .array(let items)? = found.json["items"] else { throw RawClient.Failure(reason: found.body) }
        #expect(items.map { $0["rule"]?.text } == ["group-without-member", "group-in-no-list"])
        #expect(items.allSatisfy { $0["object"]?.text == "gateway-groups/paris" && $0["remedy"]?.text != nil })
        #expect(try client.request("POST", "/v1/lint").status == 405)
    }
}
