import Foundation
import JSON
import Synchronization
import Testing
import Time

@testable import HTTPAPI

/// Call records (API section 8) as whoever keeps them hands them over, and the page for people.
struct CallEndpointTests {
    @Test func `filters and the cursor reach whoever keeps the records; next leads to the next page`() throws {
        let seen = Mutex<[CallQuery]>([])
        let api = try APIFixture { _, surroundings in
            surroundings.calls = { query in
                seen.withLock { $0.append(query) }
                return CallPage(items: [.object(["id": .string("c1")])], next: query.cursor == nil ? "17" : nil)
            }
            surroundings.call = { $0 == "c1" ? .object(["id": .string("c1")]) : nil }
        }
        let first = try api.request(
            "GET", "/v1/calls?number=%2B44&gateway=lon1&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&limit=1")
        #expect(first.status == 200)
        let next = try #require(first.text("next"))
        #expect(next.hasPrefix("/v1/calls?number=") && next.contains("limit=1"))
        let second = try api.request("GET", next)
        #expect(second.status == 200 && second.json["next"] == nil)
        let queries = seen.withLock { $0 }
        #expect(queries.map(\.cursor) == [nil, "17"])
        #expect(queries.allSatisfy { $0.number == "+44" && $0.gateway == "lon1" && $0.limitCount == 1 })
        #expect(queries[0].from?.rfc3339 == "2026-01-01T00:00:00.000Z")
        #expect(queries[0].to?.rfc3339 == "2026-01-02T00:00:00.000Z")
        #expect(try api.request("GET", "/v1/calls/c1").text("id") == "c1")
        #expect(try api.request("GET", "/v1/calls/c2").text("type") == "/problems/not-found")
        #expect(try api.request("GET", "/v1/calls?from=yesterday").text("type") == "/problems/malformed")
    }

    @Test func `the page for people needs nothing from outside and obeys no foreign script`() throws {
        let api = try APIFixture()
        let page = try api.request("GET", "/")
        #expect(page.status == 200 && page["Content-Type"] == "text/html; charset=utf-8")
        let policy = try #require(page["Content-Security-Policy"])
        #expect(policy.hasPrefix("default-src 'none'") && !policy.contains("unsafe"))
        #expect(!page.body.contains("http://") && !page.body.contains("https://") && !page.body.contains("@nonce@"))
        let nonce = try #require(policy.split(separator: "'").first { $0.hasPrefix("nonce-") }).dropFirst(6)
        #expect(page.body.components(separatedBy: "nonce=\"\(nonce)\"").count == 3, "of its style and its script")
        #expect(try api.request("GET", "/")["Content-Security-Policy"] != policy)
        for path in ["/v1/gateway-groups", "/v1/status", "/v1/events", "/v1/lookup"] {
            #expect(page.body.contains(path))
        }
    }
}
