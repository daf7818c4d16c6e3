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
            let figures = LookupBenchmark(settings).run(clock: SystemClock())
            print(json ? figures.json : "\(figures)")
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
            do throws(ChangeBenchmark.Failed) {
                let figures = try ChangeBenchmark(settings).run(clock: SystemClock())
                print(json ? figures.json : "\(figures)")
            } catch {
                throw Failure.work(error.detail)
            }
        }
    }
}
