import ControlPlane
import JSON
import Testing

@testable import HTTPAPI

struct SystemTests {
    @Test func `readiness tells why not`() throws {
        #expect(try APIFixture().request("GET", "/readyz").body.contains("\"ready\""))
        let api = try APIFixture { _, surroundings in surroundings.readiness = { ["draining"] } }
        let answer = try api.request("GET", "/readyz")
        #expect(answer.status == 503 && answer.json["reasons"] == .array([.string("draining")]))
        #expect(try api.request("GET", "/livez").status == 200)
    }

    @Test func `figures: those of the process, the gateways' status, requests by method and status`() throws {
        let api = try APIFixture { _, surroundings in
            surroundings.metrics = { $0.counter("tandem_sip_requests_total", "SIP requests.", value: UInt64(3)) }
        }
        _ = try api.provision()
        api.takeOut("lon2")
        let text = try api.request("GET", "/metrics").body
        #expect(text.contains("tandem_sip_requests_total 3\n"))
        #expect(text.contains("tandem_gateway_in_service{gateway=\"lon1\"} 1\n"))
        #expect(text.contains("tandem_gateway_in_service{gateway=\"lon2\"} 0\n"))
        #expect(text.contains("tandem_http_requests_total{method=\"PUT\",status=\"201\"} 5\n"))
        #expect(text.contains("tandem_routing_revision 6\n"))
    }

    @Test func `every problem has its page`() throws {
        let api = try APIFixture()
        let client = try api.client()
        for kind in ProblemKind.allCases {
            let page = try client.request("GET", "/problems/\(kind.rawValue)")
            #expect(page.status == 200 && page.text("explanation") == kind.explanation)
            #expect(page.text("remedy")?.isEmpty == false && page.text("type") == "/problems/\(kind.rawValue)")
            let example = page.json["example"]
            #expect(example?["type"] == page.json["type"] && example?["status"] == .integer(Int64(kind.status)))
            #expect(example?["detail"]?.text?.isEmpty == false && example?["title"] == .string(kind.title))
            let accept = ["Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"]
            let html = try client.request("GET", "/problems/\(kind.rawValue)", headers: accept)
            #expect(html["Content-Type"]?.hasPrefix("text/html") == true && html.body.contains("<h2>Example</h2>"))
            #expect(!html.body.contains("{{") && html.body.contains("/problems/\(kind.rawValue)"))
        }
        #expect(try client.request("GET", "/problems/other").status == 404)
        #expect(try client.request("GET", "/").body.contains("/openapi.yaml"))
        #expect(try client.request("GET", "/v1/version").text("version") == "1.2.3")
    }

    @Test func `every problem that the contract names is one of ours, and no other name is written anywhere`() {
        let contract = [
            "malformed", "unauthorised", "forbidden", "not-found", "method-not-allowed", "not-acceptable",
            "unsupported-media-type", "in-use", "conflict", "stale", "too-large", "headers-too-large", "too-slow",
            "invalid", "test-failed", "too-many-requests", "read-only", "no-quorum", "outcome-unknown", "internal",
        ]
        #expect(Set(contract).isSubset(of: Set(ProblemKind.allCases.map(\.rawValue))))
        for problem in Refusal.Problem.allCases { #expect(ProblemKind(problem).rawValue == problem.rawValue) }
    }

    /// The operations of the document that don't list 401, where a token may be needed, and 403 (a Host that is not
    /// ours, at least).
    private static func withoutAccessAnswers(_ text: String) -> [Substring] {
        var operations: [[Substring]] = []
        let paths = text.split(separator: "\n").drop { $0 != "paths:" }
        for line in paths.prefix(while: { $0 != "components:" }) where line.hasPrefix("    ") {
            if line.hasPrefix("     ") {
                operations.indices.last.map { operations[$0].append(line) }
            } else if !line.hasPrefix("    parameters:") {
                operations.append([line])
            }
        }
        return operations.filter { lines in
            let whole = lines.joined(separator: "\n")
            return !whole.contains("\"403\":") || !(whole.contains("\"401\":") || whole.contains("security: []"))
        }.map { $0[0] }
    }

    @Test func `the served document names exactly the methods and paths that are served`() throws {
        let text = try APIFixture().request("GET", "/openapi.yaml").body
        var described: Set<String> = []
        var path: Substring?
        for line in text.split(separator: "\n") {
            if line.hasPrefix("components:") { break }
            if line.hasPrefix("  /"), line.hasSuffix(":") {
                path = line.dropFirst(2).dropLast()
            } else if let path, line.hasPrefix("    "), !line.hasPrefix("     ") {
                let method = line.dropFirst(4).prefix { $0 != ":" }.uppercased()
                if method != "PARAMETERS" { described.insert("\(method) \(path)") }
            }
        }
        #expect(Self.withoutAccessAnswers(text).isEmpty)
        #expect(described == Set(Endpoint.all.map { "\($0.method.rawValue) \($0.template)" }))
        for parameter in Endpoint.all.flatMap(\.parameters) { #expect(text.contains("name: \(parameter),")) }
        for kind in ProblemKind.allCases where kind != .tooSlow { #expect(text.contains("\(kind.status)")) }
    }
}
