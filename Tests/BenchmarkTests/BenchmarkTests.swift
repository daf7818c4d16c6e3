import Fixtures
import Foundation
import JSON
import SignallingCore
import SignallingIO
import Testing
import Time

@testable import Benchmark

@Suite struct BenchmarkTests {
    /// No call takes any time by it, so that the limit of calls alone ends the measurement.
    private struct StandingClock: TimeSource {
        let now = Instant(nanoseconds: 1)
        let wallTime = WallTime(milliseconds: 1)
    }

    private func settings(_ role: SignallingSettings.Role) -> Benchmark.Settings {
        var settings = Benchmark.Settings(role: role)
        (settings.routeCount, settings.callLimitCount, settings.callsPerSecond, settings.heldCount) = (
            1000, 200, 20, 50
        )
        return settings
    }

    @Test(arguments: [SignallingSettings.Role.redirect, .proxy])
    func `every call of a measurement goes as it should, and none outlives its transactions`(
        role: SignallingSettings.Role
    ) throws {
        var settings = settings(role)
        settings.isRinging = true
        let report = Benchmark(settings).run(clock: StandingClock())
        #expect(report.failedCount == 0)
        #expect(report.times.count == 200)
        // 20 calls a second: INVITE server 5 s after its ACK; with 2xx two INVITE transactions, a BYE's server 32 s,
        // its client 5 s, and the contexts of both.
        let limit = role == .redirect ? 20 * 6 : 20 * 33 * 5
        #expect(report.liveTransactionCount > 0 && report.liveTransactionCount < limit)
        // What they weigh is the whole process's memory: other tests' too.
        #expect(report.bytesPerFinishedCall != nil && report.bytesPerUnansweredCall != nil)
    }

    #if DEBUG
        /// Builds that are not optimised allocate for values in transit; more than this is another matter.
        static let allocationLimits = [(SignallingSettings.Role.redirect, 150.0), (.proxy, 500.0)]
    #else
        /// A whole call has so many; the half is what growing arrays cost now and then.
        static let allocationLimits = [(SignallingSettings.Role.redirect, 2.5), (.proxy, 6.5)]
    #endif

    @Test(arguments: allocationLimits)
    func `in the steady state a call allocates no more than its budget`(
        role: SignallingSettings.Role, limit: Double
    ) throws {
        let report = Benchmark(settings(role)).run(clock: StandingClock())
        let count = try #require(report.allocationsPerCall, "malloc's slot in the Swift runtime is found")
        #expect(count <= limit)
    }

    @Test func `figures are JSON too, with their units in the names`() throws {
        let report = Benchmark(settings(.redirect)).run(clock: StandingClock())
        let document = try JSONValue(parsing: Array(report.figures.json.utf8))
        #expect(document["benchmark"]?.text == "redirect")
        #expect(document["calls_per_second"] != nil && document["failed_verdict"]?.text == "met")
        #expect(document["cpu_per_call_us"] != nil)
        #expect(document["memory_per_finished_call_bytes"] != nil)
        #expect("\(report.figures)".split(separator: "\n").count == report.figures.figures.count)
    }

    @Test func `look-ups and changes among many routes are measured, each with its budget`() throws {
        var settings = LookupBenchmark.Settings()
        (settings.routeCount, settings.numberCount, settings.changeCount) = (5000, 500, 50)
        let figures = LookupBenchmark(settings).run(clock: StandingClock())
        let document = try JSONValue(parsing: Array(figures.json.utf8))
        #expect(document["benchmark"]?.text == "lookup")
        #expect(document["time_ns_budget"] == .number(300) || document["time_ns_budget"] == .integer(300))
        #expect(document["memory_per_route_bytes"] != nil)
        #expect("\(figures)".split(separator: "\n").count == figures.figures.count)
        #expect(figures.figures.contains { $0.name == "allocations_of_1000" })
    }

    @Test func `a start, changes and calls meanwhile are measured on a real database, which is gone then`() throws {
        let folder = try TemporaryFolder()
        var settings = ChangeBenchmark.Settings(folder: folder.path)
        (settings.routeCount, settings.changeCount, settings.secondsOfCalls) = (2000, 5, 2)
        settings.changesPerSecond = 50
        let figures = try ChangeBenchmark(settings).run(clock: SystemClock()).figures
        for name in ["start_to_first_call", "change_to_bare_commit", "call_p999_to_idle", "changes_while_calls"] {
            #expect(figures.contains { $0.name == name && $0.value > 0 }, "\(name)")
        }
        #expect(figures.contains { $0.name == "changes_refused" && $0.value == 0 })
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func `gateways are asked and answer over sockets: each in its interval, and none is found dead`() throws {
        let folder = try TemporaryFolder()
        var settings = ProbingBenchmark.Settings(folder: folder.path)
        (settings.gatewayCount, settings.intervalSeconds, settings.seconds) = (20, 1, 2)
        settings.warmUp = .seconds(1)
        let figures = try ProbingBenchmark(settings).run(clock: SystemClock()).figures
        for name in ["probes", "cpu_per_probe", "cpu_of_a_core", "cpu_of_answering"] {
            #expect(figures.contains { $0.name == name && $0.value > 0 }, "\(name)")
        }
        #expect(figures.contains { $0.name == "gateways_out_of_service" && $0.verdict == .met })
        #expect(figures.contains { $0.name == "cpu_of_a_core" && $0.budget == 2 })
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func `a figure with a budget says met or exceeded, in both forms; one without says nothing`() throws {
        var figures = BenchmarkFigures("some")
        figures.add("told", 7, "us")
        figures.add("low", 300, "ns", budget: 300)
        figures.add("high", 2.01, "%", budget: 2)
        figures.add("none", .nan, budget: 1)
        #expect(figures.figures.map(\.verdict) == [nil, .met, .exceeded, .exceeded])
        let lines = "\(figures)".split(separator: "\n")
        #expect(lines[0].hasSuffix("7 us"))
        #expect(lines[1].hasSuffix("300 ns  (budget 300 ns, met)"))
        #expect(lines[2].hasSuffix("2.01 %  (budget 2 %, exceeded)"))
        #expect(lines[3].hasSuffix("(budget 1, exceeded)"))
        let document = try JSONValue(parsing: Array(figures.json.utf8))
        #expect(document["told_us_verdict"] == nil && document["low_ns_verdict"]?.text == "met")
        #expect(document["high_percent_verdict"]?.text == "exceeded" && document["high_percent_budget"] != nil)
    }

    @Test func `the histogram knows each time to a hundredth`() {
        var histogram = DurationHistogram()
        #expect(histogram.quantile(0.5) == 0)
        for value in 1...Int64(10_000) { histogram.add(nanoseconds: value * 1000) }
        #expect(histogram.count == 10_000)
        #expect(histogram.maximum == 10_000_000)
        for (share, value) in [(0.5, 5e6), (0.99, 9.9e6), (0.999, 9.99e6)] {
            #expect(abs(Double(histogram.quantile(share)) - value) < value / 100)
        }
        histogram.add(nanoseconds: -5)
        histogram.add(nanoseconds: .max)
        #expect(histogram.quantile(0) == 0)
        #expect(histogram.quantile(1) == .max)
    }

    @Test func `a recipe puts marks, numbers and copied lines where they belong`() {
        var recipe = MessageRecipe([
            .text("A !!!!!!!! ############\r\n"), .fields("Via"), .text("T: "), .value("To"), .text(";x\r\n"),
        ])
        var call = BenchedCall(numbers: Array("111111111111222222222222".utf8))
        for (mark, number, to) in [("1", "222222222222", "b"), ("2", "111111111111", "longer")] {
            call.next()
            let source = Array("S\r\nVia: one\r\nTo: \(to)\r\nVia: two\r\n\r\nVia: body\r\n".utf8)
            recipe.fill(call, from: source.span)
            let text = String(decoding: recipe.bytes, as: UTF8.self)
            #expect(text == "A 0000000\(mark) \(number)\r\nVia: one\r\nVia: two\r\nT: \(to);x\r\n")
        }
    }
}
