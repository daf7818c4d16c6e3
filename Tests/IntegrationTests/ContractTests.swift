import Fixtures
import Foundation
import Testing

extension IntegrationTests {
    /// The contract that lies beside the repository: what stands there as an example works as typed, and what it names
    /// is there.
    @Suite(.serialized, .enabled(if: Contract.path != nil, "the contract does not lie beside the repository"))
    struct ContractTests {
        @Test func `each operation that the contract names is served`() throws {
            let contract = try Contract()
            let named = contract.operations
            #expect(named.count > 20)
            let served = try TandemProcess.serving { try Contract.operations(served: $0) }
            #expect(named.subtracting(served).isEmpty)
        }

        @Test func `each command and flag that the contract names is in the help`() throws {
            let commands = try Contract().commands
            #expect(commands.count >= 10)
            for (command, flags) in commands {
                let words = ["help"] + command.split(separator: " ").map(String.init)
                let (ending, help) = try ChildProcess.run(TandemProcess.binary(), words)
                #expect(ending == .exit(0), "tandem help \(command)")
                for flag in flags {
                    #expect(help.contains(flag), "tandem \(command) \(flag)")
                }
            }
        }

        @Test func `curl as typed there is answered with success, in that order`() throws {
            try TandemProcess.serving { tandem in
                let served = try Contract.operations(served: tandem)
                try Contract.writeBulkFiles(to: tandem.folder)
                let examples = try Contract().curls
                #expect(examples.count >= 10)
                for example in examples where example.isServed(by: served) {
                    let child = try ChildProcess(
                        "bash", ["-c", example.command(to: tandem.api)], in: tandem.folder, output: "answer")
                    defer { child.stop() }
                    if example.isStream {
                        // It begins when curl has come through, which nothing tells.
                        let hasCome = try eventually(within: 15) {
                            for status in ["out-of-service", "in-service"] {
                                _ = try put(tandem, "gateways/lon1/status", "{\"status\":\"\(status)\"}")
                            }
                            return child.output.contains("data: ")
                        }
                        #expect(hasCome, "\(child.output)")
                    } else {
                        #expect(try child.waitForEnd(seconds: 45) == .exit(0), "\(example.text): \(child.output)")
                    }
                }
            }
        }

        @Test func `each piece of JSON there is taken, or is what comes`() throws {
            try TandemProcess.serving { tandem in
                let contract = try Contract()
                for curl in contract.curls.prefix(5) {
                    let (ending, output) = try ChildProcess.run("bash", ["-c", curl.command(to: tandem.api)])
                    #expect(ending == .exit(0), "\(output)")
                }
                let pieces = contract.pieces
                for piece in pieces { try check(piece, tandem) }
                #expect(pieces.count == Self.pieceCount, "a piece has come or gone: check(_:) tells what to do with it")
                try checkLookup(contract.lookup, tandem)
            }
        }

        private static let pieceCount = 18

        private func put(_ tandem: TandemProcess, _ path: String, _ body: String) throws -> Int {
            try tandem.put(path, body).status
        }

        /// Does with a piece of JSON what the text around it says.
        private func check(_ piece: String, _ tandem: TandemProcess) throws {
            let time = "\"2030-01-01T10:00:00.000Z\""
            func effective(_ path: String, _ field: String) throws {
                #expect(try tandem.get("/v1/\(path)").document["effective"][field] == Document(piece), "\(piece)")
            }
            func patched(_ path: String, _ field: String) throws {
                let answer = try tandem.patch(path, "{\"\(field)\":\(piece)}")
                #expect(answer.status == 200, "\(piece): \(answer.body)")
            }
            switch piece.prefix(12) {
            case #"{"items":[.."#:
                #expect(try tandem.get("/v1/gateways?limit=1").document.keys == ["items", "next"])
            case #"{"pointer":""#:
                let answer = try tandem.put("gateway-groups/x", #"{"members":[{"gateway":"gw9"}]}"#)
                #expect(try answer.document["errors"][0] == Document(piece))
            case #"{"role":"ope"#:
                let answer = try tandem.put("tokens/oss", piece)
                #expect(try answer.status == 201 && answer.document["token"].string != nil)
            case #"{"site":"lon"#:
                try patched("gateways/lon1", "labels")
                let found = try tandem.get("/v1/gateways?label=site:lon").document["items"].elements
                #expect(found.map { $0["id"].string } == ["lon1"])
            case #"["no-respons"# where piece.contains("408"): try effective("gateway-groups/london", "failover_causes")
            case #"["no-respons"#: try effective("gateways/lon1", "out_of_service_causes")
            case #"{"interval_s"#: try effective("gateways/lon1", "probe")
            case #"[{"gateway":"#: try patched("gateway-groups/london", "members")
            case #"[{"group":"l"#: try patched("routing-lists/uk", "groups")
            case #"{"status":60"#:
                #expect(try put(tandem, "routing-plans/default/routes/449", "{\"reject\":\(piece)}") == 201)
            case #"{"operations"#:
                let revision = try tandem.get("/v1/version").revision ?? 0
                let body = piece.replacingOccurrences(of: "{...}", with: #"{"uri":"sip:192.0.2.12"}"#)
                    .replacingOccurrences(
                        of: #""patch",..."#, with: #""patch","path":"gateways/lon3","value":{"hold_s":9}"#
                    )
                    .replacingOccurrences(of: #""delete",..."#, with: #""delete","path":"gateways/lon3""#)
                    .replacingOccurrences(of: ":41,", with: ":\(revision),")
                let answer = try Curl.ask("http://\(tandem.api)/v1/changes", ["-X", "POST", "-d", body])
                #expect(answer.status == 200, "\(body): \(answer.body)")
            case #"{"number":"4"#:
                #expect(try tandem.patch("gateway-groups/london", Self.london).status == 200)
                #expect(try put(tandem, "routing-tests/uk", piece) == 201)
            case #"{"last_at",""#: #expect(try tandem.status(of: "lon1")["probe"].keys == Contract.names(in: piece))
            case #"{"p50","p95""#:
                #expect(try tandem.status(of: "lon1")["response_ms"].keys == Contract.names(in: piece))
            case #"{"status":"o"#:
                let order = piece.replacingOccurrences(of: #""until":"...""#, with: "\"until\":\(time)")
                #expect(try put(tandem, "gateways/lon1/status", order) == 200)
            case #"{"status":"i"#: #expect(try put(tandem, "gateways/lon1/status", piece) == 200)
            case #"{"reporter":"#:
                let report = piece.replacingOccurrences(of: #""at":"...""#, with: "\"at\":null")
                let answer = try Curl.ask("http://\(tandem.api)/v1/status-reports", ["-d", report])
                #expect(try answer.status == 200 && answer.document["taken"].integer == 1, "\(answer.body)")
            case #"{"after":104"#:
                #expect(try tandem.patch("settings", #"{"webhook_networks":["127.0.0.0/8"]}"#).status == 200)
                #expect(try put(tandem, "webhooks/oss", #"{"url":"http://127.0.0.1:9/"}"#) == 201)
                let body = piece.replacingOccurrences(of: "1041", with: "1")
                let answer = try Curl.ask("http://\(tandem.api)/v1/webhooks/oss/replay", ["-d", body])
                #expect(answer.status == 202, "\(answer.body)")
            default: Issue.record("nothing is known of \(piece)")
            }
        }

        private static let london = #"{"members":[{"gateway":"lon1"},{"gateway":"lon2"}]}"#

        /// The answer to the look-up has the members that are shown, and says the same of the same state.
        private func checkLookup(_ shown: Document, _ tandem: TandemProcess) throws {
            #expect(try put(tandem, "gateways/lon1/status", #"{"status":"in-service"}"#) == 200)
            let report = #"{"reporter":"p","reports":[{"gateway":"lon1","outcome":"no-response"}]}"#
            #expect(try Curl.ask("http://\(tandem.api)/v1/status-reports", ["-d", report]).status == 200)
            let answer = try tandem.get("/v1/lookup?number=%2B442071234567").document
            #expect(answer.keys == shown.keys)
            let (target, shownTarget) = (answer["targets"][0], shown["targets"][0])
            for name in shownTarget.keys { #expect(target[name] == shownTarget[name], "\(name)") }
            #expect(answer["left_out"][0].keys == shown["left_out"][0].keys)
            for name in ["routing_plan", "matched_prefix", "routing_list", "outcome"] {
                #expect(answer[name] == shown[name])
            }
        }
    }
}

/// What stands in the contract.
struct Contract {
    static let path = SharedFolder.path(of: "API.md")

    private let text: String

    init() throws { text = try String(contentsOfFile: Self.path ?? "", encoding: .utf8) }

    /// One line that begins with curl.
    struct Example {
        let text: String

        var isStream: Bool { text.contains("curl -N") }

        /// With this server's address, and a number of an event that is there.
        func command(to api: String) -> String {
            let typed = (text.components(separatedBy: "  #").first ?? text).dropFirst(4)
            return "exec curl -sS --fail-with-body"
                + typed.replacingOccurrences(of: "localhost:8080", with: api)
                .replacingOccurrences(of: " .../", with: " \(api)/").replacingOccurrences(
                    of: "after=1041", with: "after=1")
        }

        func isServed(by operations: Set<String>) -> Bool {
            let isBulk = text.contains(" .../")
            let method = text.contains("-X PATCH") ? "PATCH" : "PUT"
            return !isBulk || operations.contains("\(method) /v1/routing-plans/{}/routes")
        }
    }

    /// The lines of indented blocks.
    private var typed: [String] {
        text.components(separatedBy: "\n").filter { $0.hasPrefix("    ") }.map { String($0.dropFirst(4)) }
    }

    var curls: [Example] { typed.filter { $0.hasPrefix("curl ") }.map { Example(text: $0) } }

    /// The answer to a look-up, which stands in lines of its own.
    var lookup: Document {
        get throws {
            let lines = typed.drop { !$0.hasPrefix("{\"revision\"") }.prefix { $0.hasPrefix("{") || $0.hasPrefix(" ") }
            return try Document(lines.joined())
        }
    }

    /// What stands between backticks, line ends as blanks.
    private var quoted: [String] {
        let prose = text.components(separatedBy: "\n").filter { !$0.hasPrefix("    ") }.joined(separator: " ")
        return prose.components(separatedBy: "`").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    }

    /// Pieces of JSON.
    var pieces: [String] { quoted.filter { $0.hasPrefix("{\"") || $0.hasPrefix("[{\"") || $0.hasPrefix("[\"") } }

    /// `METHOD /path` with every place as `{}`.
    var operations: Set<String> {
        var found: Set<String> = []
        for words in quoted.map({ $0.split(separator: " ") }) where words.count == 2 && words[1].hasPrefix("/") {
            guard words[0].allSatisfy({ $0.isUppercase }) else { continue }
            found.insert("\(words[0]) \(Self.plain(words[1].prefix { $0 != "?" }))")
        }
        return found
    }

    /// `COMMAND` with its flags, of `bench` each of those below it; a line that is indented more goes on with the one
    /// before.
    var commands: [(command: String, flags: [String])] {
        var commands: [(command: String, flags: [String])] = []
        for line in typed {
            let words = line.split(whereSeparator: { " []|".contains($0) }).map(String.init)
            let flags = words.filter { $0.hasPrefix("--") }
            if line.hasPrefix("tandem bench ") {
                commands += words[2...].prefix { $0 != "..." }.map { ("bench \($0)", flags) }
            } else if line.hasPrefix("tandem "), words[1].allSatisfy(\.isLowercase) {
                commands.append((words[1], flags))
            } else if line.hasPrefix("     "), !commands.isEmpty, words.first?.hasPrefix("--") == true {
                commands[commands.count - 1].flags += flags
            }
        }
        return commands
    }

    /// The names in `{"a","b"}`.
    static func names(in piece: String) -> Set<String> {
        Set(piece.components(separatedBy: "\"").enumerated().filter { $0.offset % 2 == 1 }.map(\.element))
    }

    /// What the served document describes, in the same form.
    static func operations(served tandem: TandemProcess) throws -> Set<String> {
        var (found, path): (Set<String>, Substring) = ([], "")
        for line in try tandem.get("/openapi.yaml").body.split(separator: "\n") {
            if line.hasPrefix("components:") { break }
            if line.hasPrefix("  /"), line.hasSuffix(":") {
                path = line.dropFirst(2).dropLast()
            } else if !path.isEmpty, line.hasPrefix("    "), !line.hasPrefix("     ") {
                found.insert("\(line.dropFirst(4).prefix { $0 != ":" }.uppercased()) \(plain(path))")
            }
        }
        return found
    }

    private static func plain(_ path: Substring) -> String {
        path.split(separator: "/", omittingEmptySubsequences: false)
            .map { $0.contains("{") || $0 == "NAME" ? "{}" : String($0) }.joined(separator: "/")
    }

    /// The files that the examples of bulk changes send.
    static func writeBulkFiles(to folder: URL) throws {
        try "prefix,routing_list\n44,uk\n4420,uk\n".write(
            to: folder.appendingPathComponent("routes.csv"), atomically: true, encoding: .utf8)
        try "{\"prefix\":\"449\",\"routing_list\":\"uk\"}\n{\"prefix\":\"44\",\"delete\":true}\n".write(
            to: folder.appendingPathComponent("r"), atomically: true, encoding: .utf8)
    }
}
