/// Figures in the text form that Prometheus reads (version 0.0.4): the samples of a metric stand together under one
/// HELP and one TYPE, however they come in.
package struct PrometheusText: Sendable {
    private struct Family {
        let name: String
        let kind: String
        let help: String
        var samples: [String]
    }

    private var families: [Family] = []
    private var positions: [String: Int] = [:]

    /// No figure yet.
    package init() {}

    /// A count that only grows; its name ends in `_total`.
    package mutating func counter(
        _ name: String, _ help: String, labels: [(name: String, value: String)] = [], value: UInt64
    ) {
        add(name, "counter", help, name + Self.text(of: labels) + " \(value)")
    }

    /// A sum that only grows, such as seconds; its name ends in `_total`.
    package mutating func counter(
        _ name: String, _ help: String, labels: [(name: String, value: String)] = [], value: Double
    ) {
        add(name, "counter", help, name + Self.text(of: labels) + " " + Self.text(of: value))
    }

    /// A figure that goes up and down.
    package mutating func gauge(
        _ name: String, _ help: String, labels: [(name: String, value: String)] = [], value: Double
    ) {
        add(name, "gauge", help, name + Self.text(of: labels) + " " + Self.text(of: value))
    }

    /// How often a figure was how high; its name ends in its unit.
    ///
    /// - Parameters:
    ///   - bars: each bar's upper bound (nil: none, the last one) and how many were not higher.
    ///   - sum: of all figures.
    package mutating func histogram(
        _ name: String, _ help: String, bars: [(bound: Double?, count: UInt64)], sum: Double
    ) {
        for bar in bars {
            let bound = bar.bound.map { Self.text(of: $0) } ?? "+Inf"
            add(name, "histogram", help, "\(name)_bucket{le=\"\(bound)\"} \(bar.count)")
        }
        add(name, "histogram", help, "\(name)_sum " + Self.text(of: sum))
        add(name, "histogram", help, "\(name)_count \(bars.last?.count ?? 0)")
    }

    /// The whole text.
    package var text: String {
        var text = ""
        for family in families {
            text += "# HELP \(family.name) \(Self.escaped(family.help, quotes: false))\n"
            text += "# TYPE \(family.name) \(family.kind)\n"
            for sample in family.samples { text += sample + "\n" }
        }
        return text
    }

    private mutating func add(_ name: String, _ kind: String, _ help: String, _ sample: String) {
        if let position = positions[name] {
            families[position].samples.append(sample)
        } else {
            positions[name] = families.count
            families.append(Family(name: name, kind: kind, help: help, samples: [sample]))
        }
    }

    private static func text(of labels: [(name: String, value: String)]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{" + labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }.joined(separator: ",") + "}"
    }

    private static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        guard let whole = Int64(exactly: value) else { return "\(value)" }
        return "\(whole)"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
