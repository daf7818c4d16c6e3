import ArgumentParser
import Benchmark
import SignallingIO

extension BenchCommand {
    /// `tandem bench lookup`.
    struct Lookup: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "lookup", abstract: "The longest match among very many routes: time, memory, changes.")

        @Option(help: "Routes of the table, 1...10000000.")
        var routes = 10_000_000
        @Option(help: "Changes of one route each, 0...1000000.")
        var changes = 10_000
        @Flag(help: "One JSON object instead of lines.")
        var json = false

        func validate() throws {
            try BenchCommand.check(routes, in: 1...10_000_000, "routes")
            try BenchCommand.check(changes, in: 0...1_000_000, "changes")
        }

        func run() throws {
            var settings = LookupBenchmark.Settings()
            (settings.routeCount, settings.changeCount) = (routes, changes)
            BenchCommand.show(LookupBenchmark(settings).run(clock: SystemClock()), asJSON: json)
        }
    }

    /// `tandem bench change`.
    struct Change: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "change",
            abstract: "One change with very many routes loaded: its time, calls meanwhile, and the start before it.",
            discussion: """
                On a database of its own in a new folder, which is removed at the end. A change goes through the \
                control plane as a PUT does behind its HTTP form, beside the bare commit of one row.
                """)

        @Option(help: "Routes of the database, 1...10000000.")
        var routes = 1_000_000
        @Option(help: "Changes that are timed, each beside a bare commit, 1...1000000.")
        var changes = 500
        @Option(help: "Changes a second while calls are timed, 1...10000.")
        var rate = 1000
        @Option(help: "How long calls are timed, half of it while changes come, 2...3600 s.")
        var seconds = 10
        @Option(help: "Where the folder is made; the file system counts.", completion: .directory)
        var folder = "."
        @Flag(help: "One JSON object instead of lines.")
        var json = false

        func validate() throws {
            try BenchCommand.check(routes, in: 1...10_000_000, "routes")
            try BenchCommand.check(changes, in: 1...1_000_000, "changes")
            try BenchCommand.check(rate, in: 1...10_000, "rate")
            try BenchCommand.check(seconds, in: 2...3600, "seconds")
        }

        func run() throws {
            var settings = ChangeBenchmark.Settings(folder: folder)
            (settings.routeCount, settings.changeCount) = (routes, changes)
            (settings.changesPerSecond, settings.secondsOfCalls) = (rate, seconds)
            try BenchCommand.show(asJSON: json) { () throws(BenchmarkFailure) in
                try ChangeBenchmark(settings).run(clock: SystemClock())
            }
        }
    }

    /// `tandem bench probing`.
    struct Probing: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "probing",
            abstract: "Very many gateways that are asked with OPTIONS: how much of a core that costs.",
            discussion: """
                The workers with their sockets, the schedule, the gateway information table and the network manager, \
                as in the server; a socket on the loopback answers for all gateways, and its thread is not counted.
                """)

        @Option(help: "Gateways, 1...60000.")
        var gateways = 10_000
        @Option(help: "How often each is asked, every 1...86400 s.")
        var interval = 30
        @Option(help: "How long is measured, 1...3600 s.")
        var seconds = 30
        @Option(help: "Workers, 1...64; one a processor by default.")
        var workers: Int?
        @Option(help: "Where the folder of the database is made.", completion: .directory)
        var folder = "."
        @Flag(help: "One JSON object instead of lines.")
        var json = false

        func validate() throws {
            try BenchCommand.check(gateways, in: 1...60_000, "gateways")
            try BenchCommand.check(interval, in: 1...86_400, "interval")
            try BenchCommand.check(seconds, in: 1...3600, "seconds")
            try BenchCommand.check(workers ?? 1, in: 1...64, "workers")
        }

        func run() throws {
            var settings = ProbingBenchmark.Settings(folder: folder)
            (settings.gatewayCount, settings.intervalSeconds) = (gateways, interval)
            (settings.seconds, settings.workerCount) = (seconds, workers)
            try BenchCommand.show(asJSON: json) { () throws(BenchmarkFailure) in
                try ProbingBenchmark(settings).run(clock: SystemClock())
            }
        }
    }

    /// `tandem bench scale`.
    struct Scale: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "scale",
            abstract: "The whole table: lookup, change and probing one after another, with all of their budgets.",
            discussion: "Takes some minutes and about 2 GB of memory. Exit code 1 when a budget is exceeded.")

        @Option(help: "So much of the sizes that the budgets are for, 1...100 %.")
        var percent = 100
        @Option(help: "Where the folders of databases are made; the file system counts.", completion: .directory)
        var folder = "."
        @Flag(help: "One JSON object for each of them instead of lines.")
        var json = false

        func validate() throws { try BenchCommand.check(percent, in: 1...100, "percent") }

        func run() throws {
            var lookup = LookupBenchmark.Settings()
            var change = ChangeBenchmark.Settings(folder: folder)
            var probing = ProbingBenchmark.Settings(folder: folder)
            lookup.routeCount = lookup.routeCount * percent / 100
            change.routeCount = change.routeCount * percent / 100
            probing.gatewayCount = probing.gatewayCount * percent / 100
            var exceeded = BenchCommand.show(LookupBenchmark(lookup).run(clock: SystemClock()), asJSON: json)
            exceeded += try BenchCommand.show(asJSON: json) { () throws(BenchmarkFailure) in
                try ChangeBenchmark(change).run(clock: SystemClock())
            }
            exceeded += try BenchCommand.show(asJSON: json) { () throws(BenchmarkFailure) in
                try ProbingBenchmark(probing).run(clock: SystemClock())
            }
            guard exceeded.isEmpty else {
                throw Failure.work("budgets exceeded: \(exceeded.joined(separator: ", "))")
            }
        }
    }

    /// Prints figures; the names of those that exceed their budgets.
    @discardableResult
    private static func show(_ figures: BenchmarkFigures, asJSON: Bool) -> [String] {
        print(asJSON ? figures.json : "\(figures)")
        return figures.figures.filter { $0.verdict == .exceeded }.map { "\(figures.benchmark) \($0.name)" }
    }

    @discardableResult
    static func show(
        asJSON: Bool, _ measure: () throws(BenchmarkFailure) -> BenchmarkFigures
    ) throws(Failure) -> [String] {
        do throws(BenchmarkFailure) {
            return show(try measure(), asJSON: asJSON)
        } catch {
            throw .work(error.detail)
        }
    }
}
