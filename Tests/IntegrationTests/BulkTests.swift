import Foundation
import Glibc
import Testing

extension IntegrationTests {
    /// Whole tables of routes, as users send and fetch them (API section 3).
    @Suite(.serialized) struct BulkTests {
        private static let path = "/v1/routing-plans/default/routes"

        /// Writes a file of so many routes and gives its name.
        private func file(_ name: String, _ tandem: TandemProcess, count: Int, list: (Int) -> String) throws -> String {
            var text = "prefix,routing_list\r\n"
            for number in 0..<count { text += "\(10_000_000 + number * 7),\(list(number))\r\n" }
            let url = tandem.folder.appendingPathComponent(name)
            try text.write(to: url, atomically: false, encoding: .utf8)
            return url.path
        }

        private func send(
            _ tandem: TandemProcess, _ method: String, _ file: String, type: String = "text/csv"
        ) throws -> CurlAnswer {
            try Curl.ask(
                "http://\(tandem.api)\(Self.path)",
                ["-X", method, "-H", "Content-Type: \(type)", "--data-binary", "@\(file)"], seconds: 60)
        }

        private func table(_ tandem: TandemProcess, _ type: String) throws -> String {
            try Curl.ask("http://\(tandem.api)\(Self.path)", ["-H", "Accept: \(type)"], seconds: 60).body
        }

        private func provision(_ tandem: TandemProcess) throws {
            try tandem.provision("gateways/g", #"{"uri":"sip:192.0.2.1"}"#)
            try tandem.provision("gateway-groups/g", #"{"members":[{"gateway":"g"}]}"#)
            for list in ["a", "b"] { try tandem.provision("routing-lists/\(list)", #"{"groups":[{"group":"g"}]}"#) }
        }

        private func leftFiles(_ tandem: TandemProcess) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: tandem.folder.path).filter { $0.contains("-bulk-") }
        }

        private func list(_ tandem: TandemProcess, of number: Int) throws -> String? {
            try tandem.get("/v1/lookup?number=\(number)").document["routing_list"].string
        }

        @Test
        func `a table of 130,000 routes goes in and out, and what was fetched changes nothing when it is put back`()
            throws
        {
            try TandemProcess.serving { tandem in
                try provision(tandem)
                let count = 130_000  // more than are changed row by row
                let first = try file("first.csv", tandem, count: count) { $0 % 2 == 0 ? "a" : "b" }
                let put = try send(tandem, "PUT", first)
                #expect(put.status == 200, "\(put.body)")
                #expect(try put.document["counts"]["created"].integer == count)
                #expect(try list(tandem, of: 10_000_007) == "b")
                let fetched = tandem.folder.appendingPathComponent("fetched")
                for type in ["text/csv", "application/x-ndjson"] {
                    try table(tandem, type).write(to: fetched, atomically: false, encoding: .utf8)
                    let again = try send(tandem, "PUT", fetched.path, type: type)
                    #expect(again.status == 200 && again.revision == put.revision, "\(again.body.prefix(500))")
                }
                // The same with other lists is a table beside that takes the place of the first.
                let second = try file("second.csv", tandem, count: count - 1) { $0 % 2 == 0 ? "b" : "a" }
                let replaced = try send(tandem, "PUT", second).document["counts"]
                #expect(replaced["replaced"].integer == count - 1 && replaced["deleted"].integer == 1)
                #expect(try list(tandem, of: 10_000_007) == "a")
                let revision = try #require(put.revision)
                let then = try tandem.get("/v1/lookup?number=10000007&revision=\(revision)").document
                #expect(then["routing_list"].string == "b")
                try tandem.restart()
                #expect(try list(tandem, of: 10_000_007) == "a")
                #expect(try table(tandem, "text/csv").utf8.count { $0 == 10 } == count)
                #expect(try leftFiles(tandem).isEmpty)
                tandem.process.stop()
                let check = try ChildProcess.run(
                    TandemProcess.binary(), ["check", "--database", tandem.folder.path + "/test.db"], seconds: 60)
                #expect(check.ending == .exit(0), "\(check.output)")
            }
        }

        @Test func `a bad line behind 29,998 good ones is named, and nothing of them is there`() throws {
            try TandemProcess.serving { tandem in
                try provision(tandem)
                let name = try file("bad.csv", tandem, count: 30_000) { $0 == 29_998 ? "none" : "a" }
                let before = try tandem.get("/livez").revision
                let answer = try send(tandem, "PUT", name)
                #expect(answer.status == 422)
                let error = try answer.document["errors"][0]
                #expect(error["line"].integer == 30_000 && error["column"].integer == 2)
                #expect(error["value"].string == "none")
                #expect(try tandem.get("/livez").revision == before)
                #expect(try tandem.get("\(Self.path)?limit=1").document["items"].elements.isEmpty)
                #expect(eventually(within: 10) { (try? leftFiles(tandem).isEmpty) ?? false })
            }
        }

        @Test func `while a slow client sends its table, changes, other tables and calls go on`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provisionTwoGateways(ports: (5080, 5081))
                let caller = try UDPPeer()
                let name = try file("slow.csv", tandem, count: 20_000) { _ in "all" }
                let slow = try ChildProcess(
                    "curl",
                    [
                        "-s", "-i", "-X", "PATCH", "-H", "Content-Type: text/csv", "--limit-rate", "60K",
                        "--data-binary",
                        "@\(name)", "http://\(tandem.api)\(Self.path)",
                    ], in: tandem.folder, output: "slow")
                defer { slow.stop() }
                #expect(eventually(within: 20) { (try? !leftFiles(tandem).isEmpty) ?? false })
                let other = try file("other.csv", tandem, count: 10) { _ in "all" }
                for number in 0..<20 {
                    #expect(try tandem.put("gateway-groups/g\(number)", "{}").status == 201)
                    #expect(try send(tandem, "PATCH", other).status == 200)
                    let call = SIPCall(caller, to: tandem.redirectPort)
                    call.send(call.request("INVITE"))
                    let response = try call.receiveFinal()
                    call.acknowledge(response)
                    #expect(response.hasPrefix("SIP/2.0 300"))
                }
                #expect(try slow.waitForEnd(seconds: 60) == .exit(0))
                #expect(slow.output.contains("HTTP/1.1 200"), "\(slow.output)")
                #expect(try tandem.get("/v1/routing-plans/default/routes/10139993").status == 200)
            }
        }

        @Test(arguments: 0..<4)
        func `kill -9 during a bulk leaves the old table whole or has the new one, and nothing between`(
            round: Int
        ) throws {
            try TandemProcess.serving { tandem in
                try provision(tandem)
                let count = 110_000
                let old = try file("old.csv", tandem, count: count) { _ in "a" }
                #expect(try send(tandem, "PUT", old).status == 200)
                let new = try file("new.csv", tandem, count: count) { _ in "b" }
                let curl = try ChildProcess(
                    "curl",
                    [
                        "-s", "-i", "-X", "PUT", "-H", "Content-Type: text/csv", "--data-binary", "@\(new)",
                        "http://\(tandem.api)\(Self.path)",
                    ], in: tandem.folder, output: "put")
                defer { curl.stop() }
                if round > 0 {
                    #expect(eventually(within: 20) { (try? !leftFiles(tandem).isEmpty) ?? true })
                    usleep(useconds_t(300_000 * round))
                }
                tandem.process.signal(SIGKILL)
                #expect(try tandem.process.waitForEnd(seconds: 5) == .signal(SIGKILL))
                try tandem.restart()
                #expect(try leftFiles(tandem).isEmpty)
                let rows = try table(tandem, "text/csv").split(separator: "\r\n").dropFirst()
                let lists = Set(rows.map { $0.split(separator: ",")[1] })
                #expect(rows.count == count && lists.count == 1)
                if curl.output.contains("HTTP/1.1 200") { #expect(lists == ["b"]) }
                // What the bulk had written goes, and the next one is as any other.
                #expect(try send(tandem, "PUT", new).status == 200)
                #expect(try list(tandem, of: 10_000_007) == "b")
                tandem.process.stop()
                let check = try ChildProcess.run(
                    TandemProcess.binary(), ["check", "--database", tandem.folder.path + "/test.db"], seconds: 60)
                #expect(check.ending == .exit(0), "\(check.output)")
            }
        }
    }
}
