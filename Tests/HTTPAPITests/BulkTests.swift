import ControlPlane
import Foundation
import JSON
import Routing
import Store
import Testing

@testable import HTTPAPI

@Suite struct BulkTests {
    private let csv = "text/csv"
    private let lines = "application/x-ndjson"
    private let path = "/v1/routing-plans/default/routes"

    private func send(
        _ api: APIFixture, _ method: String, _ type: String?, _ body: String?, _ headers: [String: String] = [:]
    ) throws -> RawClient.Response {
        let fields = type.map { ["Content-Type": $0] } ?? [:]
        return try api.request(method, path, headers: fields.merging(headers) { $1 }, body: body)
    }

    private func table(_ api: APIFixture, _ type: String, _ query: String = "") throws -> RawClient.Response {
        try api.request("GET", path + query, headers: ["Accept": type])
    }

    /// Nothing of a bulk is left.
    private func expectNothingLeft(_ api: APIFixture) {
        for _ in 0..<1000 where api.controlPlane.bulksUnderWay > 0 { usleep(10_000) }
        #expect(api.controlPlane.bulksUnderWay == 0)
    }

    @Test func `a whole table is replaced, merged, and read in both forms`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let put = try send(api, "PUT", csv, "prefix,routing_list\n45,uk\n44,uk\n")
        #expect(put.status == 200 && put["Tandem-Revision"] == "7" && put["ETag"] == "\"r7\"")
        #expect(
            put.body
                == #"{"counts":{"created":1,"deleted":0,"replaced":0},"revision":7,"routing_plan":"default"}"# + "\n")
        let patch = try send(
            api, "PATCH", "\(lines); charset=utf-8", #"{"prefix":"44","delete":true}"#, ["If-Match": "\"r7\""])
        #expect(patch.status == 200)
        let read = try table(api, csv)
        #expect(read.status == 200 && read["Content-Type"]?.hasPrefix("text/csv") == true && read["ETag"] == "\"r8\"")
        #expect(read.body.hasSuffix("description\r\n45,uk,,,,,,,\r\n"))
        #expect(try table(api, lines).body == "{\"prefix\":\"45\",\"routing_list\":\"uk\"}\n")
        #expect(try table(api, lines, "?prefix=44").body.isEmpty)
        #expect(try table(api, "*/*").json["items"] != nil)
        #expect(try table(api, "text/csv;q=0.5, application/json;q=0.4")["Content-Type"]?.hasPrefix(csv) == true)
        #expect(try table(api, "image/png").status == 406)
        #expect(try table(api, csv, "?limit=5").status == 400)
        let head = try api.request("HEAD", path, headers: ["Accept": csv])
        #expect(head.status == 200 && head["ETag"] == "\"r8\"")
        #expect(try send(api, "PUT", csv, "prefix\n", ["If-Match": "\"r7\""]).status == 412)
        #expect(try send(api, "PUT", csv, "prefix\n", ["If-Match": "\"r8\""]).status == 200)
        #expect(try table(api, lines).body.isEmpty)
    }

    @Test func `a table that the client has already is 304`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        for type in [csv, lines] {
            let etag = try #require(try table(api, type)["ETag"])
            let known = try api.request("GET", path, headers: ["Accept": type, "If-None-Match": "\"x\", \(etag)"])
            #expect(known.status == 304 && known["ETag"] == etag && known.body.isEmpty)
            #expect(known["Content-Type"] == nil)
            let other = try api.request("GET", path, headers: ["Accept": type, "If-None-Match": "\"r1\""])
            #expect(other.status == 200 && other.body.contains("44"))
            #expect(try api.request("GET", path, headers: ["Accept": type, "If-None-Match": "x"]).status == 400)
        }
        #expect(try api.request("GET", path, headers: ["If-None-Match": "x"]).status == 400)
        #expect(try api.request("GET", path, headers: ["If-None-Match": "*"]).status == 200)
    }

    @Test func `only the types of bulks are taken, and only for plans that are there`() throws {
        let api = try APIFixture()
        for type in ["application/json", "application/x-www-form-urlencoded", nil] {
            let answer = try send(api, "PUT", type, "{}")
            #expect(answer.status == 415 && answer["Accept"] == "text/csv, application/x-ndjson")
        }
        #expect(try send(api, "PATCH", "text/plain", "x")["Accept-Patch"] == "text/csv, application/x-ndjson")
        let none = try api.request(
            "PUT", "/v1/routing-plans/none/routes", headers: ["Content-Type": csv], body: "prefix\n")
        #expect(none.status == 404)
        let options = try api.request("OPTIONS", path)
        #expect(options["Allow"] == "GET, HEAD, PUT, PATCH, OPTIONS")
        #expect(try send(api, "PUT", lines, nil).status == 422)
        expectNothingLeft(api)
    }

    @Test func `a refusal names lines and columns`() throws {
        let api = try APIFixture()
        let answer = try send(api, "PUT", csv, "prefix,routing_list\n44,us\n4x,\n")
        #expect(answer.status == 422 && answer["Content-Type"] == "application/problem+json")
        let errors = answer.json.array("errors")
        #expect(errors.first?["line"] == .integer(2) && errors.first?["column"] == .integer(2))
        #expect(answer.json["error_count"] == .integer(3))
        #expect(
            answer.text("detail") == "Nothing was changed. Line 2, routing_list: no such routing list (and 2 more).")
        expectNothingLeft(api)
    }

    @Test func `a body may come in chunks, larger than any other body may be, and faster than it is read`() throws {
        let api = try APIFixture { settings, _ in settings.bodyLimitBytes = 1000 }
        _ = try api.provision()
        let client = try api.client()
        client.send(
            "PUT \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n")
        func chunk(_ text: String) { client.send("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n") }
        chunk("prefix,routing_list\r\n")
        for part in 0..<200 { chunk((0..<200).map { "\(100_000 + part * 200 + $0),uk\r\n" }.joined()) }
        client.send("0\r\n\r\n")
        let answer = try client.response()
        #expect(answer.status == 200 && answer.json["counts"]?["created"] == .integer(40_000))
        #expect(try client.request("GET", "/livez").status == 200)  // the connection goes on
        let read = try table(api, csv)
        #expect(read.body.utf8.count { $0 == UInt8(ascii: "\n") } == 40_001)
    }

    @Test func `a bulk that is too large is refused, at once where its length says so`() throws {
        let api = try APIFixture { settings, _ in settings.bulkLimitBytes = 10_000 }
        let said = try send(api, "PUT", csv, nil, ["Content-Length": "10001", "Expect": "100-continue"])
        #expect(said.status == 413 && said.text("detail")?.contains("--api-bulk-limit-bytes") == true)
        let client = try api.client()
        client.send(
            "PUT \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<11 { client.send("3e8\r\n\(String(repeating: "x", count: 1000))\r\n") }
        client.send("0\r\n\r\n")
        #expect(try client.response().status == 413)
        expectNothingLeft(api)
    }

    @Test func `a client that breaks off leaves nothing behind, and delays nobody`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let before = try table(api, csv).body
        let revision = api.controlPlane.revision
        var client: RawClient? = try api.client()
        client?.send(
            "PUT \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 5000\r\n\r\n"
                + "prefix,reject_status\n1,603\n2,603\n")
        for _ in 0..<1000 where api.controlPlane.bulksUnderWay == 0 { usleep(10_000) }
        // Another bulk and a single change while the first client dawdles.
        #expect(try send(api, "PATCH", csv, "prefix,routing_list\n45,uk\n").status == 200)
        #expect(try api.request("PUT", "/v1/gateway-groups/g", body: "{}").status == 201)
        client = nil
        expectNothingLeft(api)
        #expect(api.controlPlane.revision == revision + 2)
        #expect(try table(api, csv).body == before + "45,uk,,,,,,,\r\n")
    }

    @Test func `a bulk that comes too slowly is told so and ended`() throws {
        let api = try APIFixture { settings, _ in
            settings.bodyTimeout = .milliseconds(300)
            settings.leastBytesPerSecond = 1 << 20
        }
        let client = try api.client()
        client.send(
            "PUT \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 5000\r\n\r\nprefix\n")
        let answer = try client.response()
        #expect(answer.status == 408)
        expectNothingLeft(api)
    }

    @Test func `a server that stops does not wait for a body that is still to come`() throws {
        let api = try APIFixture()
        let client = try api.client()
        client.send(
            "PUT \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 5000\r\n\r\nprefix\n")
        for _ in 0..<1000 where api.controlPlane.bulksUnderWay == 0 { usleep(10_000) }
        api.server.stop()
        #expect(client.isClosed(afterMilliseconds: 10_000))
        expectNothingLeft(api)
    }

    @Test func `a reader may not send bulks, and a client that reads slowly gets all of one revision`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let rows = (0..<30_000).map { "\(100_000 + $0),uk\n" }.joined()
        #expect(try send(api, "PUT", csv, "prefix,routing_list\n" + rows).status == 200)
        let slow = try api.client()
        slow.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n")
        let head = try slow.headers()
        #expect(try send(api, "PUT", csv, "prefix,routing_list\n1,uk\n").status == 200)
        #expect(try api.request("DELETE", path + "/1").status == 204)
        var text = ""
        while let chunk = try slow.chunk() { text += String(decoding: chunk, as: UTF8.self) }
        #expect(text.utf8.count { $0 == UInt8(ascii: "\n") } == 30_000)
        #expect(text.hasPrefix("{\"prefix\":\"100000\",\"routing_list\":\"uk\"}\n"))
        #expect(head["Tandem-Revision"] == "7")
        let need = Endpoint.all.filter { !$0.bulkTypes.isEmpty }.map(\.need)
        #expect(!need.isEmpty && need.allSatisfy { $0 == .role(.operator) })
    }
}

extension JSONValue {
    func array(_ name: String) -> [JSONValue] {
        guard case .array(let values)? = self[name] else { return [] }
        return values
    }
}
