import Foundation
import Testing

extension IntegrationTests {
    /// What is refused over HTTP, how it is said, and that the process lives: API section 2.
    @Suite(.serialized) struct RefusalTests {
        /// The answer is a problem of this name; `names` is what its text has to hold.
        private func expect(
            _ answer: CurlAnswer, _ status: Int, _ problem: String, names: [String] = [],
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            #expect(answer.status == status, "\(answer.body)", sourceLocation: sourceLocation)
            #expect(
                answer.headers["content-type"]?.hasPrefix("application/problem+json") == true,
                sourceLocation: sourceLocation)
            let document = try answer.document
            #expect(document["type"].string == "/problems/\(problem)", sourceLocation: sourceLocation)
            #expect(document["status"].integer == status, sourceLocation: sourceLocation)
            #expect(document["title"].string != nil, sourceLocation: sourceLocation)
            for name in names {
                #expect(answer.body.contains(name), "\(name) in \(answer.body)", sourceLocation: sourceLocation)
            }
        }

        @Test func `bad bodies get a clear answer each, nothing changes, and the process lives`() throws {
            try TandemProcess.serving { tandem in
                let before = try tandem.get("/v1/status").revision
                try expect(try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2"#), 400, "malformed")
                try expect(try tandem.put("gateways/gw1", "[]"), 400, "malformed")
                try expect(
                    try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.1","colour":"red"}"#), 422, "invalid",
                    names: ["/colour"])
                try expect(
                    try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.1","max_calls":-1}"#), 422, "invalid",
                    names: ["/max_calls"])
                try expect(try tandem.put("gateways/gw1", "{}"), 422, "invalid", names: ["/uri"])
                try expect(
                    try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.1;transport=tls"}"#), 422, "invalid",
                    names: ["/uri", "tls"])
                try expect(
                    try tandem.put("gateways/gw1", #"{"uri":"sips:192.0.2.1"}"#), 422, "invalid",
                    names: ["/uri", "sips"])
                try expect(
                    try tandem.put("gateway-groups/g", #"{"policy":"by-moon","members":[]}"#), 422, "invalid",
                    names: ["/policy", "by-moon"])
                try expect(
                    try tandem.put("gateway-groups/g", TandemProcess.group(["gw9"])), 422, "invalid",
                    names: ["/members/0/gateway", "gw9"])
                try expect(
                    try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.1","hold_s":"long","resends":11}"#), 422,
                    "invalid", names: ["/hold_s", "/resends"])
                #expect(try tandem.put("gateways/GW1", #"{"uri":"sip:192.0.2.1"}"#).status == 422, "the id's form")
                #expect(try tandem.get("/v1/status").revision == before)
                #expect(try tandem.get("/v1/gateways").document["items"].elements.isEmpty)
            }
        }

        @Test func `a body of 2 MiB is 413, and the next request is answered`() throws {
            try TandemProcess.serving { tandem in
                let file = tandem.folder.appendingPathComponent("large.json")
                let text = #"{"uri":"sip:192.0.2.1","description":""# + String(repeating: "x", count: 2 << 20) + #""}"#
                try Data(text.utf8).write(to: file)
                let answer = try Curl.ask(
                    "http://\(tandem.api)/v1/gateways/gw1", ["-X", "PUT", "--data-binary", "@\(file.path)"])
                try expect(answer, 413, "too-large")
                #expect(try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.1"}"#).status == 201)
            }
        }

        @Test func `unknown paths are 404, wrong methods 405 with Allow`() throws {
            try TandemProcess.serving { tandem in
                try expect(try tandem.get("/v1/nothing"), 404, "not-found")
                try expect(try tandem.get("/v1/gateways/gw9"), 404, "not-found")
                let wrong = try tandem.delete("status")
                try expect(wrong, 405, "method-not-allowed")
                #expect(wrong.headers["allow"]?.contains("GET") == true)
                let object = try Curl.ask("http://\(tandem.api)/v1/gateways/gw1", ["-X", "POST", "-d", "{}"])
                #expect(object.status == 405)
                #expect(object.headers["allow"]?.contains("PUT") == true)
            }
        }

        @Test func `a foreign Host or Origin is 403`() throws {
            try TandemProcess.serving { tandem in
                for header in ["Host: evil.example", "Origin: http://evil.example"] {
                    try expect(try tandem.get("/v1/gateways", ["-H", header]), 403, "forbidden")
                    let answer = try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.1"}"#, ["-H", header])
                    #expect(answer.status == 403)
                }
                #expect(try tandem.get("/v1/gateways/gw1").status == 404)
                let port = tandem.apiPort
                #expect(try tandem.get("/v1/gateways", ["-H", "Host: localhost:\(port)"]).status == 200)
                for (origin, status) in [("127.0.0.1:\(port)", 200), ("127.0.0.1:1", 403), ("localhost:\(port)", 403)] {
                    let answer = try tandem.get("/v1/gateways", ["-H", "Origin: http://\(origin)"])
                    #expect(answer.status == status, "\(origin)")
                }
            }
        }
    }
}
