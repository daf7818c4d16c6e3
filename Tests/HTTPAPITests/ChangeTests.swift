import ControlPlane
import JSON
import Testing

@testable import HTTPAPI

/// Change sets and the history, as clients see them (API section 4).
struct ChangeTests {
    private func post(
        _ api: APIFixture, _ path: String, _ body: String? = nil, headers: [String: String] = [:]
    ) throws -> RawClient.Response {
        try api.request("POST", "/v1/\(path)", headers: headers, body: body)
    }

    private static let move =
        #"""
        {"operations":[{"op":"put","path":"gateways/lon3","value":{"uri":"sip:192.0.2.12"}},
        {"op":"patch","path":"gateway-groups/london","value":{"members":[{"gateway":"lon3"}]}}],"comment":"move"}
        """#

    @Test func `a change set is answered 200 with its revision, and a stale one 412 with the present`() throws {
        let api = try APIFixture()
        #expect(try api.provision() == [201, 201, 201, 201, 201])
        let stale = try post(api, "changes", #"{"if_revision":5,"# + Self.move.dropFirst())
        #expect(stale.status == 412 && stale.text("type") == "/problems/stale", "\(stale.body)")
        #expect(stale.json["revision"] == .integer(6))
        let done = try post(api, "changes", #"{"if_revision":6,"# + Self.move.dropFirst())
        #expect(done.status == 200 && done["Tandem-Revision"] == "7", "\(done.body)")
        #expect(done.json["revision"] == .integer(7) && done.json["confirm_by"] == .null)
        #expect(done.json["preview"]?["groups"] == .array([.string("london")]))
        let etag = try api.request("GET", "/v1/gateways/lon3")["ETag"]
        guard case .array(let operations)? = done.json["operations"] else { throw RawClient.Failure(reason: done.body) }
        #expect(operations.first?["etag"]?.text == etag)
        #expect(try post(api, "changes", #"{"operations":[{}]}"#).status == 422)
        #expect(try post(api, "changes").status == 400)
    }

    @Test func `a dry run reflects the present revision and changes nothing`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let answer = try post(api, "changes", #"{"dry_run":true,"# + Self.move.dropFirst())
        #expect(answer.status == 200 && answer["Tandem-Revision"] == "6" && answer.json["revision"] == .integer(7))
        #expect(try api.request("GET", "/v1/gateways/lon3").status == 404)
    }

    @Test func `the same Idempotency-Key makes one change`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let first = try post(api, "changes", Self.move, headers: ["Idempotency-Key": "k"])
        let again = try post(api, "changes", Self.move, headers: ["Idempotency-Key": "k"])
        #expect(first.status == 200 && again.status == 200 && again.body == first.body)
        #expect(again["Idempotency-Replayed"] == "true" && again["Tandem-Revision"] == "7")
    }

    @Test func `the history: newest first, page by page, each with who, why, what was before and after`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        _ = try post(api, "changes", Self.move)
        var target: String? = "/v1/revisions?limit=3"
        var seen: [JSONValue] = []
        while let page = try target.map({ try api.request("GET", $0) }), seen.count < 20 {
            seen += page.json.list("items")
            target = page.text("next")
        }
        #expect(seen.compactMap { $0["revision"] } == (1...7).reversed().map { .integer($0) })
        #expect(seen.first?["comment"] == .string("move") && seen.first?["confirmation"] == .null)
        #expect(seen.first?["counts"] == .object(["put": .integer(2), "deleted": .integer(0)]))
        let one = try api.request("GET", "/v1/revisions/7")
        #expect(one.status == 200 && one.text("who") == "anonymous@127.0.0.1", "\(one.body)")
        let group = try #require(one.json.list("operations").first { $0["path"] == .string("gateway-groups/london") })
        #expect(group["op"] == .string("put"))
        #expect(group["before"]?.list("members").count == 2 && group["after"]?.list("members").count == 1)
        let part = try api.request("GET", "/v1/revisions/7?limit=1")
        let rest = try api.request("GET", try #require(part.text("next")))
        #expect(part.json.list("operations").count == 1 && rest.json.list("operations").count == 1)
        #expect(rest.text("next") == nil)
        for path in ["revisions/8", "revisions/0", "revisions/x", "revisions/-1", "revisions/99999999999999999999"] {
            #expect(try api.request("GET", "/v1/\(path)").status == 404, "\(path)")
        }
        for query in ["revisions?cursor=AAAA", "revisions/7?cursor=AAAA", "revisions/7/diff?to=0"] {
            #expect(try api.request("GET", "/v1/\(query)").status == 400, "\(query)")
        }
    }

    @Test func `diff leads from one revision to another, either way, and a secret is never shown`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        _ = try post(api, "changes", Self.move)
        _ = try api.request("PATCH", "/v1/settings", body: #"{"report_token":"hidden-token","report_to":null}"#)
        let there = try api.request("GET", "/v1/revisions/6/diff")
        #expect(there.json["from"] == .integer(6) && there.json["to"] == .integer(8))
        #expect(
            Set(there.json.list("items").compactMap { $0["path"]?.text })
                == ["gateways/lon3", "gateway-groups/london", "settings"])
        let back = try api.request("GET", "/v1/revisions/8/diff?to=6&limit=1")
        var items = back.json.list("items")
        var next = back.text("next")
        while let target = next, items.count < 10 {
            #expect(target.contains("to=6"))
            let page = try api.request("GET", target)
            items += page.json.list("items")
            next = page.text("next")
        }
        let gateway = items.first { $0["path"] == .string("gateways/lon3") }
        #expect(items.count == 3 && gateway?["op"] == .string("delete") && gateway?["after"] == .null)
        #expect(!there.body.contains("hidden-token") && !back.body.contains("hidden-token"))
        #expect(try api.request("GET", "/v1/revisions/6/diff?to=6").json.list("items").isEmpty)
        #expect(try api.request("GET", "/v1/revisions/6/diff?to=9").status == 404)
    }

    @Test func `restore needs no body; look-ups are again as they were, also at an earlier revision`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        _ = try post(api, "changes", Self.move)
        func first(_ query: String = "") throws -> String? {
            try api.request("GET", "/v1/lookup?number=442071234567\(query)").json.list("targets").first?["gateway"]?
                .text
        }
        #expect(try first() == "lon3" && first("&revision=6") == "lon1")
        let answer = try post(api, "revisions/6/restore")
        #expect(answer.status == 200 && answer.json["restores"] == .integer(6), "\(answer.body)")
        #expect(answer["Tandem-Revision"] == "8" && answer.json["counts"] != nil && answer.json["operations"] == nil)
        #expect(try first() == "lon1" && first("&revision=7") == "lon3")
        let refused = try post(api, "revisions/6/restore", #"{"if_revision":7}"#)
        #expect(refused.status == 412)
        #expect(try post(api, "revisions/9/restore").status == 404)
        #expect(try post(api, "revisions/6/restore", #"{"operations":[]}"#).status == 422)
    }

    @Test func `what waits for its confirmation is shown with its deadline, blocks what meets it, and is confirmed`()
        throws
    {
        let api = try APIFixture()
        _ = try api.provision()
        let made = try post(api, "changes", #"{"confirm_within_s":3600,"# + Self.move.dropFirst())
        let until = try #require(made.text("confirm_by"))
        let listed = try api.request("GET", "/v1/revisions?limit=1").json.list("items").first?["confirmation"]
        #expect(listed?["state"] == .string("pending") && listed?["confirm_by"] == .string(until))
        let blocked = try api.request("DELETE", "/v1/gateways/lon3")
        #expect(blocked.status == 409, "in use; and when it is not, it waits still")
        let waiting = try api.request("PATCH", "/v1/gateways/lon3", body: #"{"resends":1}"#)
        #expect(waiting.status == 409 && waiting.json["revision"] == .integer(7) && waiting["Retry-After"] != nil)
        #expect(try post(api, "revisions/7/confirm", #"{"x":1}"#).status == 400)
        let confirmed = try post(api, "revisions/7/confirm")
        #expect(confirmed.status == 200, "\(confirmed.body)")
        #expect(confirmed.json["confirmation"]?["state"] == .string("confirmed"))
        #expect(try post(api, "revisions/7/take-back").status == 409, "it was confirmed")
        #expect(try post(api, "revisions/6/confirm").status == 409)
        #expect(try post(api, "revisions/17/confirm").status == 404)
        #expect(try api.request("PATCH", "/v1/gateways/lon3", body: #"{"resends":1}"#).status == 200)
    }

    @Test func `an operator changes neither settings nor past the stored tests, and does not restore`() throws {
        let api = try APIFixture { settings, _ in settings.needsToken = true }
        api.controlPlane.tokens.setFileToken("the-admins-own-token")
        let admin = ["Authorization": "Bearer the-admins-own-token"]
        let token = try api.request("PUT", "/v1/tokens/oss", headers: admin, body: #"{"role":"operator"}"#)
        let oss = ["Authorization": "Bearer \(token.text("token") ?? "")"]
        let plain = #"{"operations":[{"op":"put","path":"gateways/a","value":{"uri":"sip:192.0.2.1"}}]}"#
        let settings = #"{"operations":[{"op":"patch","path":"settings","value":{"record_route":false}}]}"#
        let overriding = #"{"override_tests":true,"# + plain.dropFirst()
        #expect(try post(api, "changes", plain, headers: oss).status == 200)
        for body in [settings, overriding] {
            #expect(try post(api, "changes", body, headers: oss).status == 403)
            #expect(try post(api, "changes", body, headers: admin).status == 200)
        }
        #expect(try post(api, "revisions/1/restore", headers: oss).status == 403)
    }
}

extension JSONValue {
    /// The values of a member that is a list; none for anything else.
    fileprivate func list(_ name: String) -> [JSONValue] {
        guard case .array(let values)? = self[name] else { return [] }
        return values
    }
}
