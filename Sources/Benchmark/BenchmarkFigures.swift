import JSON

/// Figures of one measurement, each with the budget that it is held against, if it has one.
package struct BenchmarkFigures: Sendable {
    /// One figure.
    package struct Figure: Sendable {
        /// What was measured, as JSON names it.
        package let name: String
        /// How much.
        package let value: Double
        /// Of what: `ns`, `us`, `ms`, `s`, `B`, `%`, `/s`; empty for a count or a ratio.
        package let unit: String
        /// More than this is too much; nil: the figure is only told.
        package let budget: Double?

        /// How it stands to its budget; nil: it has none.
        package var verdict: Verdict? { budget.map { value <= $0 ? .met : .exceeded } }
    }

    /// How a figure stands to its budget.
    package enum Verdict: String, Sendable {
        /// It is not above it.
        case met
        /// It is, or it is no number.
        case exceeded
    }

    /// What was measured.
    package let benchmark: String
    /// In the order in which they are shown.
    package private(set) var figures: [Figure] = []

    init(_ benchmark: String) { self.benchmark = benchmark }

    mutating func add(_ name: String, _ value: Double, _ unit: String = "", budget: Double? = nil) {
        figures.append(Figure(name: name, value: value, unit: unit, budget: budget))
    }

    /// One JSON object on one line, units at the ends of the names; what is held against a budget has that and the
    /// verdict beside it: `"time_ns":243,"time_ns_budget":300,"time_ns_verdict":"met"`.
    package var json: String {
        var members: [String: JSONValue] = ["benchmark": .string(benchmark)]
        for figure in figures {
            let name = Self.name(of: figure)
            members[name] = .number((figure.value * 100).rounded() / 100)
            guard let budget = figure.budget, let verdict = figure.verdict else { continue }
            members["\(name)_budget"] = .number(budget)
            members["\(name)_verdict"] = .string(verdict.rawValue)
        }
        return JSONValue.object(members).canonicalText
    }

    private static func name(of figure: Figure) -> String {
        let unit = ["B": "bytes", "/s": "per_second", "%": "percent"][figure.unit] ?? figure.unit
        return unit.isEmpty || figure.name.hasSuffix("_\(unit)") ? figure.name : "\(figure.name)_\(unit)"
    }
}

extension BenchmarkFigures: CustomStringConvertible {
    /// One figure a line, in columns: name, number, unit, budget with its verdict.
    package var description: String {
        let width = figures.map(\.name.count).max() ?? 0
        return figures.map { figure in
            let number = Self.text(figure.value)
            let gap = String(repeating: " ", count: width - figure.name.count + max(1, 14 - number.count))
            let unit = figure.unit.isEmpty ? "" : " \(figure.unit)"
            let verdict = figure.verdict.map { ", \($0.rawValue)" } ?? ""
            let budget = figure.budget.map { "  (budget \(Self.text($0))\(unit)\(verdict))" } ?? ""
            return "\(benchmark) \(figure.name)\(gap)\(number)\(unit)\(budget)"
        }.joined(separator: "\n")
    }

    private static func text(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
        if value == value.rounded() || abs(value) >= 1000 { return "\(Int(value.rounded()))" }
        let hundredths = Int((value * 100).rounded())
        return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
    }
}
