package import SignallingCore
import Time

/// What a measurement found.
package struct BenchmarkReport: Sendable {
    /// The role that was measured.
    package let role: SignallingSettings.Role
    /// Routes of the table.
    package let routeCount: Int
    /// CPU time of all measured calls.
    package internal(set) var cpu: Duration = .zero
    /// Time that went by meanwhile.
    package internal(set) var elapsed: Duration = .zero
    /// The time of each measured call.
    package internal(set) var times = DurationHistogram()
    /// Allocations of a call in the steady state; nil where they can't be counted.
    package internal(set) var allocationsPerCall: Double?
    /// Memory of a call whose final response is outstanding: it rings (proxy), or its ACK has not come (redirect).
    package internal(set) var bytesPerUnansweredCall: Double?
    /// Memory of a call that is over, while its transactions live.
    package internal(set) var bytesPerFinishedCall: Double?
    /// Transactions and response contexts that were alive at the end of the measurement.
    package internal(set) var liveTransactionCount = 0
    /// Calls that did not go as they should, of all.
    package internal(set) var failedCount = 0

    init(role: SignallingSettings.Role, routeCount: Int) { (self.role, self.routeCount) = (role, routeCount) }

    /// All figures in order.
    package var figures: BenchmarkFigures {
        let calls = Double(max(1, times.count))
        let seconds = Double(elapsed.nanoseconds) / 1e9
        var figures = BenchmarkFigures(role.rawValue)
        figures.add("routes", Double(routeCount))
        figures.add("calls", Double(times.count))
        figures.add("failed", Double(failedCount), budget: 0)
        figures.add("live_transactions", Double(liveTransactionCount))
        figures.add("cpu_per_call", Double(cpu.nanoseconds) / calls / 1e3, "us")
        figures.add("calls_per_second", seconds > 0 ? Double(times.count) / seconds : 0, "/s")
        figures.add("time_p50", Double(times.quantile(0.5)) / 1e3, "us")
        figures.add("time_p99", Double(times.quantile(0.99)) / 1e3, "us")
        figures.add("time_p999", Double(times.quantile(0.999)) / 1e3, "us")
        figures.add("time_max", Double(times.maximum) / 1e3, "us")
        if let allocationsPerCall { figures.add("allocations_per_call", allocationsPerCall) }
        if let bytesPerUnansweredCall { figures.add("memory_per_unanswered_call", bytesPerUnansweredCall, "B") }
        if let bytesPerFinishedCall { figures.add("memory_per_finished_call", bytesPerFinishedCall, "B") }
        return figures
    }
}
