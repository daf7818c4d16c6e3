import ArgumentParser
import Benchmark
import Foundation
import SignallingIO

extension BenchCommand {
    /// `tandem bench import`.
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Very many routes into a server over HTTP and out again, and what others notice of it.",
            discussion: """
                Starts a server of its own on free ports, with a database in a new folder that is removed at the end. \
                The table of a plan goes in and out as CSV, then all routing data as an import and an export; single \
                changes and calls go on meanwhile. Budgets are for a million routes: 10 s in, 5 s out, memory twice \
                the file's size, 3 s for the longest change.
                """)

        @Option(help: "Routes, 1000...10000000.")
        var routes = 1_000_000
        @Option(help: "How long changes and calls are timed without anything else, 1...3600 s.")
        var seconds = 5
        @Option(help: "Where the folder is made; the file system counts.", completion: .directory)
        var folder = "."
        @Flag(help: "One JSON object instead of lines.")
        var json = false

        func validate() throws {
            try BenchCommand.check(routes, in: 1000...10_000_000, "routes")
            try BenchCommand.check(seconds, in: 1...3600, "seconds")
        }

        func run() throws {
            let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
            var settings = ImportBenchmark.Settings(program: program, folder: folder)
            (settings.routeCount, settings.idleSeconds) = (routes, seconds)
            try BenchCommand.show(asJSON: json) { () throws(BenchmarkFailure) in
                try ImportBenchmark(settings).run(clock: SystemClock())
            }
        }
    }
}
