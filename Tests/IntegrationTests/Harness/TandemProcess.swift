import Foundation
import Glibc

/// The real binary, serving in a folder of its own.
final class TandemProcess {
    let folder: URL
    private(set) var process: ChildProcess
    private let extraArguments: [String]
    private let environment: [String: String]
    /// By role, in the order of the arguments.
    private var ports: [String: [UInt16]] = [:]

    var api: String { "127.0.0.1:\(apiPort)" }
    var proxy: String { "127.0.0.1:\(proxyPort)" }
    var redirect: String { "127.0.0.1:\(redirectPort)" }
    var proxyPort: UInt16 { proxyPorts.first ?? 0 }
    var redirectPort: UInt16 { ports["redirect"]?.first ?? 0 }
    var apiPort: UInt16 { ports["api"]?.first ?? 0 }
    /// The first is that of every test's server; others are of further `--proxy` arguments.
    var proxyPorts: [UInt16] { ports["proxy"] ?? [] }
    /// As `proxyPorts`.
    var redirectPorts: [UInt16] { ports["redirect"] ?? [] }
    var database: String { folder.appendingPathComponent("test.db").path }

    /// Runs the body beside a server that has a new database; both are gone afterwards.
    static func serving<Result>(
        _ extra: [String] = [], environment: [String: String] = [:], _ body: (TandemProcess) throws -> Result
    ) throws -> Result {
        try withTemporaryFolder { folder in
            let tandem = try TandemProcess(in: folder, extra, environment)
            defer { tandem.process.stop() }
            let result = try body(tandem)
            if let ending = tandem.process.ending, ending != .exit(0), ending != .signal(SIGKILL) {
                throw HarnessError("the server ended (\(ending)): \(tandem.process.output.suffix(2000))")
            }
            return result
        }
    }

    private init(in folder: URL, _ extra: [String], _ environment: [String: String]) throws {
        (self.folder, extraArguments, self.environment) = (folder, extra, environment)
        process = try Self.launch(Self.arguments(database: "test.db") + extra, in: folder, environment: environment)
        try waitUntilListening()
    }

    /// The same database, another process; the old one has to have ended, or is killed. Its ports are others unless
    /// they are to be kept.
    func restart(keepingProxyPort: Bool = false, keepingRedirectPort: Bool = false) throws {
        process.stop()
        let proxy = "udp:127.0.0.1:\(keepingProxyPort ? proxyPort : 0)"
        let redirect = "udp:127.0.0.1:\(keepingRedirectPort ? redirectPort : 0)"
        let arguments = Self.arguments(database: "test.db", proxy: proxy, redirect: redirect)
        process = try Self.launch(arguments + extraArguments, in: folder, environment: environment)
        try waitUntilListening()
    }

    /// Every flag that keeps a test apart from all others: any free ports, log lines that a program can read.
    static func arguments(
        database: String, api: String = "127.0.0.1:0", proxy: String = "udp:127.0.0.1:0",
        redirect: String = "udp:127.0.0.1:0", logFormat: String = "json"
    ) -> [String] {
        [
            "serve", "--database", database, "--api", api, "--proxy", proxy, "--redirect", redirect, "--workers", "2",
            "--log-format", logFormat,
        ]
    }

    static func launch(
        _ arguments: [String], in folder: URL, output: String = "tandem.log", environment: [String: String] = [:]
    ) throws -> ChildProcess {
        try ChildProcess(try binary(), arguments, in: folder, output: output, environment: environment)
    }

    /// The binary of the same build: beside the test bundle; else the debug build of this package.
    static func binary() throws -> String {
        let environment = ProcessInfo.processInfo.environment["TANDEM_BINARY"]
        let besideBundle = CommandLine.arguments.filter { $0.contains(".xctest") }.map { argument in
            let bundle = argument.components(separatedBy: ".xctest")[0] + ".xctest"
            return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("tandem").path
        }
        let candidates = [environment].compactMap { $0 } + besideBundle + [packageRoot.path + "/.build/debug/tandem"]
        guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw HarnessError("no binary at any of \(candidates)")
        }
        return found
    }

    static let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private func waitUntilListening() throws {
        ports = [:]
        let isUp = eventually(within: 30) { process.output.contains("\"serving\"") || process.ending != nil }
        for line in process.output.split(separator: "\n") where line.contains("\"listening\"") {
            guard let entry = try? Document(line), entry["message"] == .string("listening"),
                let role = entry["role"].string, let address = entry["address"].string
            else { continue }
            ports[role, default: []].append(Self.port(of: address))
        }
        guard isUp, process.ending == nil else {
            process.stop()
            throw HarnessError("the server did not come up: \(process.output.suffix(2000))")
        }
    }

    private static func port(of address: String) -> UInt16 { UInt16(address.split(separator: ":").last ?? "") ?? 0 }

    // MARK: What tests ask of it again and again

    func get(_ path: String, _ options: [String] = []) throws -> CurlAnswer {
        try Curl.ask("http://\(api)\(path)", options)
    }

    func put(_ path: String, _ body: String, _ options: [String] = []) throws -> CurlAnswer {
        try Curl.ask("http://\(api)/v1/\(path)", ["-X", "PUT", "-d", body] + options)
    }

    func patch(_ path: String, _ body: String, _ options: [String] = []) throws -> CurlAnswer {
        try Curl.ask("http://\(api)/v1/\(path)", ["-X", "PATCH", "-d", body] + options)
    }

    func delete(_ path: String, _ options: [String] = []) throws -> CurlAnswer {
        try Curl.ask("http://\(api)/v1/\(path)", ["-X", "DELETE"] + options)
    }

    /// As `put`, but anything else than a success ends the test.
    func provision(_ path: String, _ body: String) throws {
        let answer = try put(path, body)
        guard answer.status == 200 || answer.status == 201 else {
            throw HarnessError("PUT \(path): \(answer.status) \(answer.body)")
        }
    }

    /// Two gateways, tried in this order by every call to a number that begins with 44.
    func provisionTwoGateways(ports: (UInt16, UInt16), settings: String = "") throws {
        try provision("gateways/gw1", #"{"uri":"sip:127.0.0.1:\#(ports.0)"\#(settings)}"#)
        try provision("gateways/gw2", #"{"uri":"sip:127.0.0.1:\#(ports.1)"\#(settings)}"#)
        try provision("gateway-groups/both", Self.group(["gw1", "gw2"]))
        try provision("routing-lists/all", #"{"groups":[{"group":"both"}]}"#)
        try provision("routing-plans/default/routes/44", #"{"routing_list":"all"}"#)
    }

    /// An ordered group of these gateways.
    static func group(_ gateways: [String]) -> String {
        #"{"policy":"ordered","members":[\#(gateways.map { #"{"gateway":"\#($0)"}"# }.joined(separator: ","))]}"#
    }

    /// What the gateway information table says of one gateway.
    func status(of gateway: String) throws -> Document {
        let items = try get("/v1/status").document["items"].elements
        return items.first { $0["gateway"].string == gateway || $0["id"].string == gateway } ?? .null
    }

    /// The sum of a metric's samples whose line holds the label.
    func metric(_ name: String, label: String = "") throws -> Double {
        try get("/metrics").body.split(separator: "\n").filter {
            $0.hasPrefix(name) && (label.isEmpty || $0.contains(label))
        }
        .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }

    /// True as soon as the metric is so high; workers publish their counts ten times a second.
    func metric(_ name: String, label: String = "", reaches value: Double) throws -> Bool {
        try eventually(within: 10) { try metric(name, label: label) >= value }
    }
}
