import JSON
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

    /// All figures in order: a name, the number, its unit.
    package var figures: [(name: String, value: Double, unit: String)] {
        let calls = Double(max(1, times.count))
        let seconds = Double(elapsed.nanoseconds) / 1e9
        var figures: [(name: String, value: Double, unit: String)] = [
            ("routes", Double(routeCount), ""),
            ("calls", Double(times.count), ""),
            ("failed", Double(failedCount), ""),
            ("live_transactions", Double(liveTransactionCount), ""),
            ("cpu_per_call", Double(cpu.nanoseconds) / calls / 1e3, "us"),
            ("calls_per_second", seconds > 0 ? Double(times.count) / seconds : 0, "/s"),
            ("time_p50", Double(times.quantile(0.5)) / 1e3, "us"),
            ("time_p99", Double(times.quantile(0.99)) / 1e3, "us"),
            ("time_p999", Double(times.quantile(0.999)) / 1e3, "us"),
            ("time_max", Double(times.maximum) / 1e3, "us"),
        ]
        if let allocationsPerCall { figures.append(("allocations_per_call", allocationsPerCall, "")) }
        if let bytesPerUnansweredCall { figures.append(("memory_per_unanswered_call", bytesPerUnansweredCall, "B")) }
        if let bytesPerFinishedCall { figures.append(("memory_per_finished_call", bytesPerFinishedCall, "B")) }
        return figures
    }

    /// One JSON object on one line, units at the ends of the names.
    package var json: String {
        var members: [String: JSONValue] = ["benchmark": .string(role.rawValue)]
        for (name, value, unit) in figures {
            let suffix = ["us": "_us", "B": "_bytes"][unit] ?? ""
            members[name + suffix] = .number((value * 100).rounded() / 100)
        }
        return JSONValue.object(members).canonicalText
    }
}

extension BenchmarkReport: CustomStringConvertible {
    /// One figure a line, in columns.
    package var description: String {
        let width = figures.map(\.name.count).max() ?? 0
        return figures.map { name, value, unit in
            let isWhole = value == value.rounded() || value >= 1000
            let hundredths = Int((value * 100).rounded())
            let fraction = hundredths % 100
            let number =
                isWhole ? "\(Int(value.rounded()))" : "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
            let gap = String(repeating: " ", count: width - name.count + max(1, 14 - number.count))
            return "\(role.rawValue) \(name)\(gap)\(number)\(unit.isEmpty ? "" : " \(unit)")"
        }.joined(separator: "\n")
    }
}
