import ArgumentParser
import MethodSimulation
import Simulation

/// `tandem simulate`.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run the deterministic simulation: the same seed, the same run. Exit code 1 when an invariant broke.")

    @Option(help: "The one seed of a single run; drawn at random by default.")
    var seed: UInt64?
    @Option(help: "One run for each of these seeds, as A..B, both included.")
    var seeds: SeedRange?
    @Flag(
        help: """
            The world of the method: 100 gateways in 20 groups, each with rules of its own, in every kind of trouble; \
            a network manager who keeps the status records; a wall clock that is set by an hour.
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
        if let plant, plant.isOfMethod != method {
            throw ValidationError("--plant \(plant.rawValue): \(method ? "not with" : "only with") --method")
        }
    }

    func run() throws {
        let seeds = seeds?.range ?? (seed ?? UInt64.random(in: 0..<1_000_000_000)).asRange
        var settings =
            method
            ? Simulation.Settings.method(callCount: calls ?? 400) : Simulation.Settings(callCount: calls ?? 60)
        settings.plantedBug = plant
        settings.redirectServerCount = redirectServers
        var total = SimulationReport.Counts()
        var brokenCount = 0
        for seed in seeds {
            // Before the run: whatever becomes of it, the seed is known.
            if !summary { print("seed \(seed) ...") }
            var simulation = Simulation(seed: seed, settings: settings)
            let report = simulation.run()
            total.add(report.counts)
            if !summary || !report.violations.isEmpty { print(report) }
            guard !report.violations.isEmpty else { continue }
            brokenCount += 1
            if let call = report.violations.lazy.compactMap(\.call).first {
                print("  the messages of call \(call):")
                for line in Simulation.trail(ofCall: call, seed: seed, settings: settings) { print("    \(line)") }
            }
        }
        print("\(seeds.count) seeds from \(seeds.lowerBound): \(total)")
        guard brokenCount == 0 else {
            throw Failure.work("\(brokenCount) of \(seeds.count) runs broke an invariant")
        }
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

extension UInt64 {
    fileprivate var asRange: ClosedRange<UInt64> { self...self }
}
