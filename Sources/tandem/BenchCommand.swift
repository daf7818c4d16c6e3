import ArgumentParser
import Benchmark
import SignallingCore
import SignallingIO

/// `tandem bench`.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure what calls, look-ups, changes, probes and imports cost, one figure a line.",
        discussion: """
            Of redirect and proxy, calls go through one worker without its sockets, on one thread and under virtual \
            time: nothing is sent. A figure that has a budget says whether it is met or exceeded. For the whole \
            server under load see deploy/bench.
            """,
        subcommands: [Redirect.self, Proxy.self, Lookup.self, Change.self, Probing.self, Import.self, Scale.self])

    /// What those of calls have.
    struct Options: ParsableArguments {
        @Option(help: "Routes of the table, 9...10000000.")
        var routes = 100_000
        @Option(help: "Measure at most so many calls; no bound by default.")
        var calls: Int?
        @Option(help: "Measure at most so long, 1...3600 s.")
        var seconds = 5
        @Option(
            help: "Calls a second of virtual time, 1...50000: it decides how many transactions are alive meanwhile.")
        var rate = 2000
        @Option(help: "Calls that are held alive to weigh one, 0...200000; 0 weighs none.")
        var hold = 20_000
        @Flag(help: "One JSON object instead of lines.")
        var json = false

        func settings(_ role: SignallingSettings.Role) -> Benchmark.Settings {
            var settings = Benchmark.Settings(role: role)
            (settings.routeCount, settings.callLimitCount, settings.callsPerSecond) = (routes, calls, rate)
            (settings.duration, settings.heldCount) = (.seconds(seconds), hold)
            return settings
        }

        func validate() throws {
            try BenchCommand.check(routes, in: 9...10_000_000, "routes")
            try BenchCommand.check(calls ?? 1, in: 1...Int.max, "calls")
            try BenchCommand.check(seconds, in: 1...3600, "seconds")
            try BenchCommand.check(rate, in: 1...50_000, "rate")
            try BenchCommand.check(hold, in: 0...200_000, "hold")
        }

        func measure(_ settings: Benchmark.Settings) throws {
            let report = Benchmark(settings).run(clock: SystemClock())
            print(json ? report.figures.json : "\(report.figures)")
            guard report.failedCount == 0 else { throw Failure.work("\(report.failedCount) calls went wrong") }
        }
    }

    static func check(_ value: Int, in possible: ClosedRange<Int>, _ name: String) throws(ValidationError) {
        guard possible.contains(value) else {
            let most = possible.upperBound == .max ? "or more" : "to \(possible.upperBound)"
            throw ValidationError("--\(name) \(value): \(possible.lowerBound) \(most) is accepted")
        }
    }

    /// `tandem bench redirect`.
    struct Redirect: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "redirect", abstract: "INVITE, 300, ACK through the redirect role.")

        @OptionGroup var options: Options

        func run() throws { try options.measure(options.settings(.redirect)) }
    }

    /// `tandem bench proxy`.
    struct Proxy: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "proxy", abstract: "INVITE, 100, 200, ACK, BYE, 200 through the proxy role.")

        @OptionGroup var options: Options
        @Flag(help: "Gateways ring (180) before they answer.")
        var ringing = false

        func run() throws {
            var settings = options.settings(.proxy)
            settings.isRinging = ringing
            try options.measure(settings)
        }
    }
}
