import Foundation
import Testing

extension IntegrationTests {
    /// All routing data out of one server and into another (API section 4), with the real program.
    @Suite(.serialized) struct TransferTests {
        private func export(_ tandem: TandemProcess, to name: String) throws -> (file: String, lines: [Substring]) {
            let url = tandem.folder.appendingPathComponent(name)
            let (ending, output) = try ChildProcess.run(
                "curl", ["-sS", "--fail-with-body", "-o", url.path, "http://\(tandem.api)/v1/export"], seconds: 60)
            #expect(ending == .exit(0), "\(output)")
            let text = String(decoding: try Data(contentsOf: url), as: UTF8.self)
            return (url.path, text.split(separator: "\n"))
        }

        private func send(
            _ tandem: TandemProcess, _ file: String, mode: String, type: String? = "application/x-ndjson"
        ) throws -> CurlAnswer {
            let options = type.map { ["-H", "Content-Type: \($0)"] } ?? []
            return try Curl.ask(
                "http://\(tandem.api)/v1/import?mode=\(mode)",
                options + ["-X", "POST", "--data-binary", "@\(file)"], seconds: 60)
        }

        @Test func `130,000 routes of two plans go from one server to another, which is then the same`() throws {
            try TandemProcess.serving { first in
                try first.provisionTwoGateways(ports: (5080, 5081))
                try first.provision("routing-plans/other", "{}")
                let table = first.folder.appendingPathComponent("table.csv")
                var rows = "prefix,routing_list\n"
                for number in 0..<65_000 { rows += "\(10_000_000 + number * 7),all\n" }
                try rows.write(to: table, atomically: false, encoding: .utf8)
                for plan in ["default", "other"] {
                    let put = try Curl.ask(
                        "http://\(first.api)/v1/routing-plans/\(plan)/routes",
                        ["-X", "PUT", "-H", "Content-Type: text/csv", "--data-binary", "@\(table.path)"], seconds: 60)
                    #expect(put.status == 200, "\(put.body)")
                }
                let (file, lines) = try export(first, to: "export")
                #expect(lines.count > 130_000)
                let revision = try first.get("/livez").revision
                // As curl sends it when it is told nothing.
                let merged = try send(first, file, mode: "merge", type: nil)
                #expect(merged.status == 200 && merged.revision == revision, "\(merged.body)")
                try TandemProcess.serving { second in
                    try second.provision("gateways/gone", #"{"uri":"sip:192.0.2.9"}"#)
                    let made = try send(second, file, mode: "replace")
                    #expect(try made.document["counts"]["routes"]["created"].integer == 130_000, "\(made.body)")
                    #expect(try export(second, to: "export").lines.dropFirst() == lines.dropFirst())
                    #expect(try second.get("/v1/gateways/gone").status == 404)
                    let lookup = try second.get("/v1/lookup?number=10000007&plan=other").document
                    #expect(lookup["routing_list"].string == "all")
                    try second.restart()
                    #expect(try export(second, to: "again").lines.dropFirst() == lines.dropFirst())
                    // And back to where it was, which is the way of a bulk too.
                    let back = try Curl.ask("http://\(second.api)/v1/revisions/2/restore", ["-X", "POST"], seconds: 60)
                    #expect(try back.document["counts"]["routes"]["deleted"].integer == 130_000, "\(back.body)")
                    #expect(try export(second, to: "back").lines.count == 6)
                    second.process.stop()
                    let check = try ChildProcess.run(
                        TandemProcess.binary(), ["check", "--database", second.folder.path + "/test.db"], seconds: 60)
                    #expect(check.ending == .exit(0), "\(check.output)")
                }
            }
        }

        @Test func `a bad last line behind 30,000 good ones is named, and nothing of them is there`() throws {
            try TandemProcess.serving { tandem in
                let before = try export(tandem, to: "before").lines
                var text = before.dropLast().joined(separator: "\n") + "\n"
                for number in 0..<30_000 {
                    text += #"{"path":"routing-plans/default/routes/\#(10_000_000 + number)","value":"#
                    text += number == 29_999 ? "{}}\n" : "{\"reject\":{\"status\":603}}}\n"
                }
                let file = tandem.folder.appendingPathComponent("bad")
                try (text + "{\"end\":true}\n").write(to: file, atomically: false, encoding: .utf8)
                let answer = try send(tandem, file.path, mode: "replace")
                #expect(answer.status == 422)
                let error = try answer.document["errors"][0]
                #expect(error["line"].integer == before.count - 1 + 30_000)
                #expect(error["pointer"].string == "/value/routing_list")
                #expect(try answer.document["error_count"].integer == 1)
                #expect(try export(tandem, to: "after").lines == before)
                let left = { () -> Bool in
                    let names = try? FileManager.default.contentsOfDirectory(atPath: tandem.folder.path)
                    return names?.contains { $0.contains("-bulk-") } ?? true
                }
                #expect(eventually(within: 10) { !left() })
            }
        }

        @Test func `what it takes is measured with a server of its own, and nothing of that is left`() throws {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("bench-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { _ = try? FileManager.default.removeItem(at: folder) }
            let (ending, output) = try ChildProcess.run(
                TandemProcess.binary(),
                ["bench", "import", "--routes", "2000", "--seconds", "1", "--folder", folder.path, "--json"],
                seconds: 60)
            #expect(ending == .exit(0), "\(output)")
            let figures = try Document(output)
            #expect(figures["benchmark"].string == "import" && figures["routes"].integer == 2000)
            for name in ["table_in_s", "table_out_s", "import_in_s", "export_out_s"] {
                #expect(figures[name] != Document.null && figures["\(name)_budget"] != Document.null, "\(name)")
            }
            #expect(figures["failed"].integer == 0, "\(output)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }
}
