import JSON
import Testing

@testable import HTTPAPI

/// `Idempotency-Key` on POST (API section 2).
struct OnceTests {
    private func replay(
        _ api: APIFixture, key: String, _ body: String = #"{"after":0}"#, webhook: String = "w"
    ) throws -> RawClient.Response {
        try api.request(
            "POST", "/v1/webhooks/\(webhook)/replay", headers: ["Idempotency-Key": key], body: body)
    }

    private func fixture() throws -> APIFixture {
        let api = try APIFixture()
        for id in ["w", "v"] {
            let made = try api.request(
                "PUT", "/v1/webhooks/\(id)", body: #"{"url":"https://example.com/hook","enabled":false}"#)
            #expect(made.status == 201, "\(made.body)")
        }
        return api
    }

    @Test func `the same key and body get the first answer again; another body is 422`() throws {
        let api = try fixture()
        let first = try replay(api, key: "k-1")
        #expect(first.status == 202 && first["Idempotency-Replayed"] == nil, "\(first.body)")
        let again = try replay(api, key: "k-1")
        #expect(again.status == 202 && again.body == first.body && again["Idempotency-Replayed"] == "true")
        let other = try replay(api, key: "k-1", #"{"after":1}"#)
        #expect(other.status == 422 && other.text("type") == "/problems/invalid")
        #expect(
            try replay(api, key: "k-1", webhook: "v")["Idempotency-Replayed"] == nil, "another path, another request")
        #expect(try replay(api, key: "k-2")["Idempotency-Replayed"] == nil)
    }

    @Test func `a refusal is not kept, and a key that is none is malformed`() throws {
        let api = try fixture()
        #expect(try replay(api, key: "k", #"{"after":-1}"#).status == 422)
        let mended = try replay(api, key: "k")
        #expect(mended.status == 202 && mended["Idempotency-Replayed"] == nil)
        #expect(try replay(api, key: "k", webhook: "nobody").status == 404)
        #expect(try replay(api, key: String(repeating: "k", count: 256)).text("type") == "/problems/malformed")
        #expect(try replay(api, key: "a b").text("type") == "/problems/malformed")
    }
}
