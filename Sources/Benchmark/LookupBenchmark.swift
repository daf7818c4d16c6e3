import CInstruments
import Routing
package import Time

/// What a look-up in very many routes costs, and what they weigh.
package struct LookupBenchmark {
    /// How much is measured.
    package struct Settings: Sendable {
        /// Routes of the table.
        package var routeCount = 10_000_000
        /// Numbers that are looked up, in a random order, several times.
        package var numberCount = 262_144
        /// Changes of one route each.
        package var changeCount = 10_000

        /// The figures of the budgets.
        package init() {}
    }

    private static let roundCount = 9
    private static let routesAtOnce = 131_072
    private static let lookupNanosecondsBudget = 300.0
    private static let bytesPerRouteBudget = 32.0
    private static let listCount: UInt64 = 500

    private let settings: Settings

    /// A measurement that has not begun.
    package init(_ settings: Settings) { self.settings = settings }

    /// Measures.
    package func run(clock: some TimeSource) -> BenchmarkFigures {
        var figures = BenchmarkFigures("lookup")
        var plan = NumberingPlan(seed: 4)
        let memoryBefore = PrefixTable.memoryBytes
        let begin = clock.now
        var (table, numbers) = build(&plan)
        let buildTime = clock.now - begin
        figures.add("routes", Double(table.count))
        figures.add("build", Double(buildTime.nanoseconds) / 1e6, "ms")
        let bytes = Double(PrefixTable.memoryBytes - memoryBefore) / Double(max(1, table.count))
        figures.add("memory_per_route", bytes, "B", budget: Self.bytesPerRouteBudget)
        for index in numbers.indices.reversed() {
            numbers.swapAt(index, Int(plan.draw(below: UInt64(index + 1))))
        }
        let times = measure(table, numbers)
        figures.add("time", times.apart, "ns", budget: Self.lookupNanosecondsBudget)
        figures.add("time_one_after_another", times.inTurn, "ns")
        let isCounting = cins_count_begin()
        var found = 0
        for number in numbers.prefix(1000) { found += table.longestMatch(number)?.digitCount ?? 0 }
        let allocationCount = cins_count_end()
        if isCounting { figures.add("allocations_of_1000", Double(allocationCount), budget: 0) }
        change(&table, clock, &plan, into: &figures)
        figures.add("digits_found", Double(found))
        return figures
    }

    private func build(_ plan: inout NumberingPlan) -> (table: PrefixTable, numbers: [DialledNumber]) {
        var (table, numbers): (PrefixTable, [DialledNumber]) = (PrefixTable(), [])
        var changes: [(prefix: Prefix, value: PrefixTable.Value?)] = []
        let step = max(1, settings.routeCount / max(1, settings.numberCount))
        for index in 0..<settings.routeCount {
            let text = plan.next()
            guard let prefix = Prefix(text) else { continue }
            changes.append((prefix, PrefixTable.Value(plan.draw(below: Self.listCount))))
            if index % step == 0 { numbers.append(plan.number(beginning: text)) }
            if changes.count == Self.routesAtOnce || index == settings.routeCount - 1 {
                table = table.changing(changes)
                changes.removeAll(keepingCapacity: true)
            }
        }
        return (table, numbers)
    }

    /// CPU time of a look-up, ns, the median of several rounds: of look-ups of which the processor may begin the next
    /// before the last has its answer, and of those that have to wait for it.
    private func measure(_ table: PrefixTable, _ numbers: [DialledNumber]) -> (apart: Double, inTurn: Double) {
        var (apart, inTurn): ([Double], [Double]) = ([], [])
        var sum = 0
        for _ in 0..<Self.roundCount {
            var begin = cins_thread_cpu_nanoseconds()
            for number in numbers { sum &+= table.longestMatch(number)?.digitCount ?? 0 }
            apart.append(Double(cins_thread_cpu_nanoseconds() - begin) / Double(max(1, numbers.count)))
            begin = cins_thread_cpu_nanoseconds()
            var index = 0
            while index < numbers.count {
                let value = table.longestMatch(numbers[index])?.value ?? 0
                index += 1 + Int(value >> 31)  // no value is that large, which only we know
            }
            inTurn.append(Double(cins_thread_cpu_nanoseconds() - begin) / Double(max(1, numbers.count)))
        }
        precondition(sum > 0 || numbers.isEmpty, "every number has a route")
        return (apart.sorted()[Self.roundCount / 2], inTurn.sorted()[Self.roundCount / 2])
    }

    private func change(
        _ table: inout PrefixTable, _ clock: some TimeSource, _ plan: inout NumberingPlan,
        into figures: inout BenchmarkFigures
    ) {
        var histogram = DurationHistogram()
        for index in 0..<settings.changeCount {
            guard let prefix = Prefix(plan.next()) else { continue }
            let begin = clock.now
            table = table.changing([(prefix, PrefixTable.Value(index % 2))])
            histogram.add(nanoseconds: (clock.now - begin).nanoseconds)
        }
        figures.add("change_p50", Double(histogram.quantile(0.5)) / 1e3, "us")
        figures.add("change_p99", Double(histogram.quantile(0.99)) / 1e3, "us")
        figures.add("change_max", Double(histogram.maximum) / 1e3, "us")
    }
}
