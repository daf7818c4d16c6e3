import JSON

/// Figures of one measurement, each with the budget that it is held against, if it has one.
package struct BenchmarkFigures: Sendable {
    /// One figure.
    package struct Figure: Sendable {
        /// What was measured, as JSON names it.
        package let name: String
        /// How much.
        package let value: Double
        /// Of what: `ns`, `us`, `ms`, `B`, `/s`; empty for a count or a ratio.
        package let unit: String
        /// More than this is too much; nil: the figure is only told.
        package let budget: Double?

        /// True when it is not above its budget.
        package var isWithinBudget: Bool { budget.map { value <= $0 } ?? true }
    }

    /// What was measured.
    package let benchmark: String
    /// In the order in which they are shown.
    package private(set) var figures: [Figure] = []

    init(_ benchmark: String) { self.benchmark = benchmark }

    mutating func add(_ name: String, _ value: Double, _ unit: String = "", budget: Double? = nil) {
        figures.append(Figure(name: name, value: value, unit: unit, budget: budget))
    }

    /// One JSON object on one line, units at the ends of the names, budgets behind.
    package var json: String {
        var members: [String: JSONValue] = ["benchmark": .string(benchmark)]
        for figure in figures {
            let suffix =
                figure.unit.isEmpty ? "" : "_" + (["B": "bytes", "/s": "per_second"][figure.unit] ?? figure.unit)
            members[figure.name + suffix] = .number((figure.value * 100).rounded() / 100)
            if let budget = figure.budget { members["\(figure.name)\(suffix)_budget"] = .number(budget) }
        }
        return JSONValue.object(members).canonicalText
    }
}

extension BenchmarkFigures: CustomStringConvertible {
    /// One figure a line, in columns: name, number, unit, budget.
    package var description: String {
        let width = figures.map(\.name.count).max() ?? 0
        return figures.map { figure in
            let number = Self.text(figure.value)
            let gap = String(repeating: " ", count: width - figure.name.count + max(1, 14 - number.count))
            let unit = figure.unit.isEmpty ? "" : " \(figure.unit)"
            let verdict = figure.isWithinBudget ? "" : ", exceeded"
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
