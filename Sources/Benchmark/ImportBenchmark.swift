import Foundation
import Glibc
package import Time

/// What it takes to put very many routes into a server over HTTP and to get them out again, and what single changes and
/// calls notice of it meanwhile: with a server of its own process, whose folder is gone afterwards.
package struct ImportBenchmark {
    /// How much is measured.
    package struct Settings: Sendable {
        /// Routes of the table.
        package var routeCount = 1_000_000
        /// How long calls and changes are timed without anything else, before.
        package var idleSeconds = 5
        /// Where the folder is made: the budgets are for the file system that the database will be on.
        package var folder: String
        /// The program whose `serve` is the server.
        package var program: String

        /// The figures of the budgets, with this program in this folder.
        package init(program: String, folder: String) { (self.program, self.folder) = (program, folder) }
    }

    private static let secondsInBudget = 10.0
    private static let secondsOutBudget = 5.0
    private static let memoryToFileBudget = 2.0
    private static let changeMillisecondsBudget = 3000.0
    /// The budgets of time are those of so many routes.
    private static let budgetedRouteCount = 1_000_000
    private static let listCount = 50
    private static let plan = "/v1/routing-plans/default/routes"
    private static let (csv, lines) = ("text/csv", "application/x-ndjson")

    private let settings: Settings

    /// A measurement that has not begun.
    package init(_ settings: Settings) { self.settings = settings }

    /// Measures.
    package func run(clock: some TimeSource) throws(BenchmarkFailure) -> BenchmarkFigures {
        try BenchmarkFolder.lend(in: settings.folder) { try measure(in: $0, clock) }
    }

    private func measure(in folder: String, _ clock: some TimeSource) throws -> BenchmarkFigures {
        let (table, export) = (folder + "/table.csv", folder + "/export.ndjson")
        try write(to: table, head: "prefix,routing_list\n", end: "") { "\($0),list-\($1)\n" }
        try write(
            to: export, head: "{\"format\":\"tandem-export\",\"version\":1}\n", end: "{\"end\":true}\n"
        ) {
            // Other lists than in the table: every route is changed.
            let list = ($1 + 1) % Self.listCount
            return "{\"path\":\"routing-plans/default/routes/\($0)\",\"value\":{\"routing_list\":\"list-\(list)\"}}\n"
        }
        let server = try ServedProcess(settings.program, in: folder)
        defer { server.stop() }
        let connection = try ServerConnection(port: server.apiPort)
        try provision(connection)
        var (figures, meanwhile) = (BenchmarkFigures("import"), BenchedTraffic.Times())
        figures.add("routes", Double(settings.routeCount))
        let traffic = try BenchedTraffic(server, numbers: (0..<64).map { "\(Self.prefix($0 * 997))55" }, clock: clock)
        defer { traffic.end() }
        Thread.sleep(forTimeInterval: Double(settings.idleSeconds))
        let idle = traffic.take()
        func step(_ name: String, budget: Double, _ file: String, _ body: () throws(BenchmarkFailure) -> Int) throws {
            try time(name, budget: budget, file, server, clock, into: &figures, body)
            meanwhile.add(traffic.take())
        }
        try step("table_in", budget: Self.secondsInBudget, table) { () throws(BenchmarkFailure) in
            try connection.request("PUT", Self.plan, type: Self.csv, file: table).created(settings.routeCount)
        }
        try step("table_out", budget: Self.secondsOutBudget, folder + "/table-out") { () throws(BenchmarkFailure) in
            try connection.get(Self.plan, type: Self.csv, into: folder + "/table-out").bodyBytes
        }
        try step("import_in", budget: Self.secondsInBudget, export) { () throws(BenchmarkFailure) in
            try connection.request("POST", "/v1/import?mode=merge", type: Self.lines, file: export)
                .replaced(settings.routeCount)
        }
        try step("export_out", budget: Self.secondsOutBudget, folder + "/export-out") { () throws(BenchmarkFailure) in
            try connection.get("/v1/export", type: Self.lines, into: folder + "/export-out").bodyBytes
        }
        add(idle, "idle", into: &figures)
        add(meanwhile, "meanwhile", into: &figures)
        figures.add(
            "change_longest", Double(meanwhile.changes.maximum) / 1e6, "ms", budget: Self.changeMillisecondsBudget)
        figures.add("failed", Double(idle.failedCount + meanwhile.failedCount), budget: 0)
        return figures
    }

    /// Times one step and weighs the server meanwhile. Of fewer routes than the budget is for it may take less.
    ///
    /// - Parameter file: what goes in, or what has come out.
    private func time(
        _ name: String, budget: Double, _ file: String, _ server: ServedProcess, _ clock: some TimeSource,
        into figures: inout BenchmarkFigures, _ body: () throws(BenchmarkFailure) -> Int
    ) throws(BenchmarkFailure) {
        server.forgetPeak()
        let before = server.memory.present
        let begin = clock.now
        _ = try body()
        let seconds = Double((clock.now - begin).nanoseconds) / 1e9
        let most = max(0, server.memory.peak - before)
        var status = stat()
        let bytes = stat(file, &status) == 0 ? Double(status.st_size) : 0
        figures.add("\(name)_file", bytes / 1e6, "MB")
        figures.add(
            name, seconds, "s",
            budget: settings.routeCount <= Self.budgetedRouteCount ? budget : nil)
        figures.add("\(name)_memory", Double(most) / 1e6, "MB")
        // Of a small file what a server has anyway is more than it.
        let isLarge = settings.routeCount >= Self.budgetedRouteCount
        figures.add(
            "\(name)_memory_to_file", Double(most) / max(1, bytes), budget: isLarge ? Self.memoryToFileBudget : nil)
    }

    private func add(_ times: BenchedTraffic.Times, _ name: String, into figures: inout BenchmarkFigures) {
        figures.add("calls_\(name)", Double(times.calls.count))
        figures.add("call_\(name)_p50", Double(times.calls.quantile(0.5)) / 1e6, "ms")
        figures.add("call_\(name)_p999", Double(times.calls.quantile(0.999)) / 1e6, "ms")
        figures.add("call_\(name)_max", Double(times.calls.maximum) / 1e6, "ms")
        figures.add("changes_\(name)", Double(times.changes.count))
        figures.add("change_\(name)_p50", Double(times.changes.quantile(0.5)) / 1e6, "ms")
        figures.add("change_\(name)_p99", Double(times.changes.quantile(0.99)) / 1e6, "ms")
    }

    // MARK: what goes in

    /// Different ones in no order, 9 digits each.
    private static func prefix(_ index: Int) -> Int { 100_000_000 + index * 479_001_599 % 900_000_000 }

    private func write(to path: String, head: String, end: String, _ line: (Int, Int) -> String) throws {
        guard FileManager.default.createFile(atPath: path, contents: Data(head.utf8)) else {
            throw BenchmarkFailure(detail: "\(path) can't be written")
        }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.seekToEnd()
        var text = ""
        for index in 0..<settings.routeCount {
            text += line(Self.prefix(index), index % Self.listCount)
            if text.utf8.count > 1 << 20 {
                try file.write(contentsOf: Data(text.utf8))
                text = ""
            }
        }
        try file.write(contentsOf: Data((text + end).utf8))
        try file.close()
    }

    private func provision(_ connection: ServerConnection) throws(BenchmarkFailure) {
        var objects = [
            ("gateways/gateway", "{\"uri\":\"sip:192.0.2.1\",\"probe\":{\"interval_s\":0}}"),
            ("gateway-groups/group", "{\"members\":[{\"gateway\":\"gateway\"}]}"),
        ]
        for list in 0..<Self.listCount {
            objects.append(("routing-lists/list-\(list)", "{\"groups\":[{\"group\":\"group\"}]}"))
        }
        for (path, body) in objects {
            let answer = try connection.request("PUT", "/v1/\(path)", body)
            guard answer.status == 201 else { throw BenchmarkFailure(detail: "\(path): \(answer.body)") }
        }
    }
}

extension BenchedTraffic.Times {
    /// Takes further times in.
    fileprivate mutating func add(_ other: BenchedTraffic.Times) {
        calls.add(other.calls)
        changes.add(other.changes)
        failedCount += other.failedCount
    }
}

extension ServerConnection.Answer {
    fileprivate func created(_ count: Int) throws(BenchmarkFailure) -> Int { try check("created", count) }

    fileprivate func replaced(_ count: Int) throws(BenchmarkFailure) -> Int { try check("replaced", count) }

    /// It was done to as many routes as it should be.
    private func check(_ what: String, _ count: Int) throws(BenchmarkFailure) -> Int {
        guard status == 200, body.contains("\"\(what)\":\(count)") else {
            throw BenchmarkFailure(detail: "\(status): \(body)")
        }
        return count
    }
}
