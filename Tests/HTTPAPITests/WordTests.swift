import ControlPlane
import JSON
import Testing

@testable import HTTPAPI

/// What people and machines say about gateways, over HTTP (API section 6).
struct WordTests {
    @Test func `PUT of a status, the records it makes, their acknowledgement and the availability after it`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let out = try api.request(
            "PUT", "/v1/gateways/lon1/status", body: #"{"status":"out-of-service","note":"works"}"#)
        #expect(out.status == 200 && out.text("status") == "out-of-service", "\(out.body)")
        #expect(try api.request("GET", "/v1/gateways/lon1/status").body == out.body)
        let records = try api.request("GET", "/v1/status-records?gateway=lon1&cause=operator")
        guard case .array(let items)? = records.json["items"] else { throw RawClient.Failure(reason: records.body) }
        #expect(items.count == 1 && items[0]["note"] == .string("works"))
        let acknowledged = try api.request("POST", "/v1/status-records/1/acknowledge", body: #"{"who":"me"}"#)
        #expect(acknowledged.status == 200 && acknowledged.json["acknowledgement"]?["who"] == .string("me"))
        #expect(try api.request("POST", "/v1/status-records/1/acknowledge").text("type") == "/problems/conflict")
        #expect(try api.request("POST", "/v1/status-records/99/acknowledge").status == 404)
        #expect(try api.request("POST", "/v1/status-records/x/acknowledge").status == 404)
        let availability = try api.request("GET", "/v1/gateways/lon1/availability")
        #expect(availability.status == 200 && availability.json["outages"] != nil, "\(availability.body)")
        #expect(try api.request("GET", "/v1/gateways/lon1/availability?from=x").status == 400)
        #expect(try api.request("PUT", "/v1/gateways/lon1/status", body: "{}").text("type") == "/problems/invalid")
        let list = try api.request("GET", "/v1/status?status=out-of-service&group=london")
        guard case .array(let rows)? = list.json["items"] else { throw RawClient.Failure(reason: list.body) }
        #expect(rows.map { $0["gateway"]?.text } == ["lon1"])
    }

    @Test func `of a gateway that is not there, or there no longer, nothing is told or taken but its records`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        _ = try api.request("PUT", "/v1/gateways/spare", body: #"{"uri":"sip:192.0.2.99"}"#)
        _ = try api.request("PUT", "/v1/gateways/spare/status", body: #"{"status":"out-of-service"}"#)
        #expect(try api.request("DELETE", "/v1/gateways/spare").status == 204)
        for id in ["none", "spare"] {
            for path in ["", "/status", "/availability"] {
                #expect(try api.request("GET", "/v1/gateways/\(id)\(path)").status == 404, "\(id)\(path)")
            }
            #expect(try api.request("PUT", "/v1/gateways/\(id)/status", body: "{}").status == 404)
            #expect(try api.request("POST", "/v1/gateways/\(id)/probe").status == 404)
        }
        let records = try api.request("GET", "/v1/status-records?gateway=spare")
        guard case .array(let items)? = records.json["items"] else { throw RawClient.Failure(reason: records.body) }
        #expect(items.count == 1)
    }

    @Test func `reports are taken, and the same Idempotency-Key takes them once`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let body = #"{"reporter":"proxy-2","reports":[{"gateway":"lon1","outcome":"answered"}]}"#
        for isReplayed in [false, true] {
            let answer = try api.request(
                "POST", "/v1/status-reports", headers: ["Idempotency-Key": "r-1"], body: body)
            #expect(answer.status == 200 && answer.json["taken"] == .integer(1), "\(answer.body)")
            #expect((answer["Idempotency-Replayed"] != nil) == isReplayed)
        }
        #expect(try api.request("GET", "/v1/gateways/lon1/status").json["calls_answered"] == .integer(1))
        #expect(try api.request("POST", "/v1/status-reports", body: "{").text("type") == "/problems/malformed")
        #expect(try api.request("POST", "/v1/status-reports", body: "{}").text("type") == "/problems/invalid")
        #expect(try api.request("GET", "/v1/status-reports").status == 405)
    }

    @Test func `a probe now is answered with how it ended and the status after it`() throws {
        let api = try APIFixture { _, surroundings in
            surroundings.probe = { _, tell in
                tell(
                    ProbeOutcome(
                        sipStatus: 200, isTransportError: false, roundTrip: .milliseconds(12), isAcknowledged: true,
                        isChange: false))
            }
        }
        _ = try api.provision()
        let answer = try api.request("POST", "/v1/gateways/lon1/probe")
        #expect(answer.status == 200 && answer.json["result"] == .integer(200), "\(answer.body)")
        #expect(answer.json["round_trip_ms"] == .integer(12) && answer.json["acknowledged"] == .bool(true))
        #expect(answer.json["status"]?["gateway"] == .string("lon1"))
        #expect(try api.request("POST", "/v1/gateways/none/probe").status == 404)
        let deaf = try APIFixture()
        _ = try deaf.provision()
        #expect(try deaf.request("POST", "/v1/gateways/lon1/probe").text("type") == "/problems/conflict")
    }

    @Test func `settings: GET and PATCH with entity tags; PUT and DELETE are no methods of theirs`() throws {
        let api = try APIFixture()
        let first = try api.request("GET", "/v1/settings")
        let tag = try #require(first["ETag"])
        #expect(first.status == 200 && first.json["effective"]?["record_route"] == .bool(true))
        let patched = try api.request(
            "PATCH", "/v1/settings", headers: ["If-Match": tag],
            body: #"{"report_token":"s3cret","record_route":false}"#)
        #expect(patched.status == 200 && !patched.body.contains("s3cret"), "\(patched.body)")
        #expect(try api.request("PATCH", "/v1/settings", headers: ["If-Match": tag], body: "{}").status == 412)
        let unknown = try api.request("PATCH", "/v1/settings", body: #"{"colour":null}"#)
        #expect(unknown.status == 422 && unknown.body.contains("unknown field"), "also where it is taken out only")
        let told = try api.request("POST", "/v1/revisions/1/restore", body: #"{"comment":"a\u0005b","dry_run":true}"#)
        #expect(told.status == 422 && told.body.contains("a control character"))
        #expect(try api.request("PUT", "/v1/settings", body: "{}")["Allow"] == "GET, HEAD, PATCH, OPTIONS")
        let gateway = #"{"uri":"sip:192.0.2.1","labels":{"site":"lon"}}"#
        #expect(try api.request("PUT", "/v1/gateways/a", body: gateway).status == 201)
        let found = try api.request("GET", "/v1/gateways?label=site:lon")
        #expect(found.body.contains("\"id\":\"a\""))
        #expect(try !api.request("GET", "/v1/gateways?label=site:par").body.contains("\"id\":\"a\""))
        #expect(try api.request("GET", "/v1/gateways?label=site").text("type") == "/problems/malformed")
        let marked = try api.request("GET", "/v1/gateways?label=site:%F0%9F%8F%BB")  // a mark that joins the colon
        #expect(marked.status == 200 && !marked.body.contains("\"id\":\"a\""))
    }
}
