import CInstruments
import Routing
package import SignallingCore
package import Time

// How this room works. `Benchmark` puts calls through one worker's `SignallingCore` and `TimerWheel` without a kernel,
// on one thread, under virtual time, and measures what a call costs: `BenchedWorker` is that worker, `RedirectCalls`
// and `ProxyCalls` are what a call is, `MessageRecipe` writes the peers' messages at next to no cost, so that a profile
// of the loop shows the core. `BenchmarkReport` is what came out. `LookupBenchmark`, `ChangeBenchmark` (on a
// database) and `ProbingBenchmark` (with sockets) measure what scale asks for. All show `BenchmarkFigures`.

/// What one call costs a worker without its sockets.
package struct Benchmark {
    /// How much is measured.
    package struct Settings: Sendable {
        /// Which role the calls go to.
        package var role: SignallingSettings.Role
        /// Routes of the table, at least 9.
        package var routeCount = 100_000
        /// At most so many calls are measured; nil: as many as the time allows.
        package var callLimitCount: Int?
        /// At most so long is measured.
        package var duration: Duration = .seconds(5)
        /// Calls a second of virtual time: with the lives of transactions it decides how many are alive meanwhile.
        package var callsPerSecond = 2000
        /// Calls that are held alive to weigh one; 0: none is weighed.
        package var heldCount = 20_000
        /// Whether gateways ring (180) before they answer.
        package var isRinging = false

        /// Five seconds of calls to this role.
        package init(role: SignallingSettings.Role) { self.role = role }
    }

    /// A transaction is over after 64 x T1 (timers B, F, H, J, L, M); then as many end as begin.
    private static let settlingSeconds = 33
    private static let countedCallCount = 2000

    private let settings: Settings

    /// A measurement that has not begun.
    package init(_ settings: Settings) { self.settings = settings }

    /// Measures. `clock` is read before and after each call.
    package func run(clock: some TimeSource) -> BenchmarkReport {
        let scenery = RoutingScenery(routeCount: settings.routeCount)
        return switch settings.role {
        case .redirect: run(RedirectCalls(numbers: scenery.numbers), scenery, clock)
        case .proxy: run(ProxyCalls(numbers: scenery.numbers, isRinging: settings.isRinging), scenery, clock)
        }
    }

    private func run(_ calls: some BenchedCalls, _ scenery: RoutingScenery, _ clock: some TimeSource) -> BenchmarkReport
    {
        var report = BenchmarkReport(role: settings.role, routeCount: settings.routeCount)
        if settings.heldCount > 0 {
            report.bytesPerUnansweredCall = weigh(calls, scenery, isWhole: false)
            report.bytesPerFinishedCall = weigh(calls, scenery, isWhole: true)
        }
        PinnedSnapshot.lending(scenery.snapshot) { snapshot in
            var worker = BenchedWorker(table: scenery.table)
            var calls = calls
            let step = Duration.nanoseconds(1_000_000_000 / Int64(clamping: max(1, settings.callsPerSecond)))
            for _ in 0..<Self.settlingSeconds * settings.callsPerSecond {
                calls.place(isWhole: true, in: &worker, snapshot)
                worker.pass(step, snapshot)
            }
            measure(&calls, &worker, snapshot, step, clock, &report)
            let isCounting = cins_count_begin()
            for _ in 0..<Self.countedCallCount {
                calls.place(isWhole: true, in: &worker, snapshot)
                worker.pass(step, snapshot)
            }
            let count = cins_count_end()
            if isCounting { report.allocationsPerCall = Double(count) / Double(Self.countedCallCount) }
            report.liveTransactionCount = worker.liveTransactionCount
            report.failedCount = calls.failedCount
        }
        return report
    }

    /// The loop that a profile is to show.
    private func measure(
        _ calls: inout some BenchedCalls, _ worker: inout BenchedWorker, _ snapshot: borrowing PinnedSnapshot,
        _ step: Duration, _ clock: some TimeSource, _ report: inout BenchmarkReport
    ) {
        var histogram = DurationHistogram()
        let limit = settings.callLimitCount ?? .max
        let begin = clock.now
        let end = begin + settings.duration
        let beginCPU = cins_thread_cpu_nanoseconds()
        var before = begin
        while histogram.count < limit, before < end {
            calls.place(isWhole: true, in: &worker, snapshot)
            worker.pass(step, snapshot)
            let after = clock.now
            histogram.add(nanoseconds: (after - before).nanoseconds)
            before = after
        }
        report.cpu = .nanoseconds(cins_thread_cpu_nanoseconds() - beginCPU)
        report.elapsed = before - begin
        report.times = histogram
    }

    /// Bytes of memory of one call, of many that are alive at the same time in a worker of their own.
    private func weigh(_ calls: some BenchedCalls, _ scenery: RoutingScenery, isWhole: Bool) -> Double {
        PinnedSnapshot.lending(scenery.snapshot) { snapshot in
            var worker = BenchedWorker(table: scenery.table)
            var calls = calls
            calls.place(isWhole: isWhole, in: &worker, snapshot)
            let before = cins_allocated_bytes()
            for _ in 0..<settings.heldCount { calls.place(isWhole: isWhole, in: &worker, snapshot) }
            return Double(Int64(clamping: cins_allocated_bytes()) - Int64(clamping: before))
                / Double(settings.heldCount)
        }
    }
}
