import ArgumentParser
import MethodSimulation
import Simulation
import Time

/// `tandem simulate`.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run the deterministic simulation: the same seed, the same run. Exit code 1 when an invariant broke.",
        discussion: """
            Every run prints its seed before it begins. --hours counts the time that goes by in the simulated world, \
            not that of the machine: the same seed and the same hours are the same runs everywhere.
            """)

    @Option(help: "The seed of a single run, or of the first one with --hours; drawn at random by default.")
    var seed: UInt64?
    @Option(help: "One run for each of these seeds, as A..B, both included.")
    var seeds: SeedRange?
    @Option(
        help: """
            One run after another, each with the next seed, until so many hours went by in them: above 0 and up to \
            100000, a fraction is allowed.
            """)
    var hours: Double?
    @Flag(
        help: """
            The world of the method: 100 gateways in 20 groups, each with rules of its own, in every kind of trouble; \
            a network manager who keeps the status records; an operator who locks gateways and says what their status \
            is; a wall clock that is set by an hour; a process that dies and begins anew from its records.
            """)
    var method = false
    @Option(help: "Calls in each run, 1...50000; 60 by default, in the world of the method 400.")
    var calls: Int?
    @Option(help: "Redirect servers elsewhere, which the proxy asks, die and come back; 0...16, 0: the co-located one.")
    var redirectServers = 0
    @Option(help: "A bug to plant between the core and its world: \(PlantedBug.names). The run must find it.")
    var plant: PlantedBug?
    @Flag(help: "One line in all instead of one a run.")
    var summary = false

    func validate() throws {
        guard (1...50_000).contains(calls ?? 1) else { throw ValidationError("--calls: 1...50000") }
        guard (0...16).contains(redirectServers) else { throw ValidationError("--redirect-servers: 0...16") }
        guard redirectServers == 0 || !method else { throw ValidationError("--redirect-servers: not with --method") }
        guard seed == nil || seeds == nil else { throw ValidationError("--seed or --seeds, not both") }
        guard hours == nil || seeds == nil else { throw ValidationError("--hours or --seeds, not both") }
        if let hours, !(hours > 0 && hours <= 100_000) {
            throw ValidationError("--hours: a number above 0 and up to 100000 is accepted, as 0.5")
        }
        if let plant, plant.isOfMethod != method {
            throw ValidationError("--plant \(plant.rawValue): \(method ? "not with" : "only with") --method")
        }
    }

    func run() throws {
        var settings =
            method
            ? Simulation.Settings.method(callCount: calls ?? 400) : Simulation.Settings(callCount: calls ?? 60)
        settings.plantedBug = plant
        settings.redirectServerCount = redirectServers
        let first = seeds?.range.lowerBound ?? seed ?? UInt64.random(in: 0..<1_000_000_000)
        var (total, simulated) = (SimulationReport.Counts(), Duration.zero)
        var (next, brokenCount) = (first, 0)
        repeat {
            let report = run(next, settings)
            total.add(report.counts)
            simulated += report.simulated
            brokenCount += report.violations.isEmpty ? 0 : 1
            next &+= 1
        } while isBefore(end: next, simulated)
        let count = next &- first
        print("\(count) seeds from \(first), \(Self.hours(simulated)) hours of simulated time: \(total)")
        guard brokenCount == 0 else {
            throw Failure.work("\(brokenCount) of \(count) runs broke an invariant")
        }
    }

    /// One run, told as it is asked for.
    private func run(_ seed: UInt64, _ settings: Simulation.Settings) -> SimulationReport {
        // Before the run: whatever becomes of it, the seed is known.
        if !summary { print("seed \(seed) ...") }
        var simulation = Simulation(seed: seed, settings: settings)
        let report = simulation.run()
        if !summary || !report.violations.isEmpty { print(report) }
        if let call = report.violations.lazy.compactMap(\.call).first {
            print("  the messages of call \(call):")
            for line in Simulation.trail(ofCall: call, seed: seed, settings: settings) { print("    \(line)") }
        }
        return report
    }

    /// True while another run is asked for.
    private func isBefore(end next: UInt64, _ simulated: Duration) -> Bool {
        if let hours { return Double(simulated.nanoseconds) < hours * 3.6e12 }
        return seeds.map { $0.range.contains(next) } ?? false
    }

    private static func hours(_ duration: Duration) -> String {
        let hundredths = (duration.milliseconds + 18_000) / 36_000
        return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
    }
}

/// `A..B`.
struct SeedRange: ExpressibleByArgument {
    let range: ClosedRange<UInt64>

    init?(argument: String) {
        let parts = argument.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1].isEmpty, let first = UInt64(parts[0]), let last = UInt64(parts[2]),
            first <= last, last - first < 10_000_000
        else { return nil }
        range = first...last
    }
}

extension PlantedBug: ExpressibleByArgument {
    fileprivate static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
