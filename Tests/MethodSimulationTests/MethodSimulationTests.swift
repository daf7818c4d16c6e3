import MethodSimulation
import Simulation
import Testing

/// The method among 100 gateways, with the network manager that the process has. `tandem simulate --method` runs more.
@Suite struct MethodSimulationTests {
    private static let settings = Simulation.Settings.method(callCount: 150)

    private static func report(_ seed: UInt64, changing change: (inout Simulation.Settings) -> Void = { _ in })
        -> SimulationReport
    {
        var settings = settings
        change(&settings)
        var simulation = Simulation(seed: seed, settings: settings)
        return simulation.run()
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `calls complete, records follow the table, counts are the live calls, all come back`(seed: UInt64) {
        let report = Self.report(seed)
        #expect(report.violations.isEmpty, "\(report)")
        let counts = report.counts
        #expect(counts.answered > 60 && counts.failovers > 0, "\(report)")
        #expect(counts.transitions > 20 && counts.statusRecords > 20 && counts.clockSteps > 0, "\(report)")
        #expect(counts.checks > counts.steps, "\(report)")
        #expect(report.simulated > .seconds(900), "\(report)")
    }

    @Test func `what is to go wrong goes wrong: deaths, words of the operator, searches that end at their bound`() {
        var counts = SimulationReport.Counts()
        for seed: UInt64 in 11...16 { counts.add(Self.report(seed) { $0.processCrashCount = 2 }.counts) }
        #expect(counts.processCrashes >= 10, "\(counts)")
        #expect(counts.operatorWords > 20, "\(counts)")
        #expect(counts.searchesGivenUp > 0, "\(counts)")
    }

    /// As long as the process lives: the next one knows no other time than the wall clock's.
    @Test func `an hour on the wall clock moves nothing: without it the same happens`() {
        let stepped = Self.report(3) { $0.processCrashCount = 0 }
        let steady = Self.report(3) {
            $0.processCrashCount = 0
            $0.method?.hasClockSteps = false
        }
        #expect(stepped.counts.clockSteps > 0 && steady.counts.clockSteps == 0)
        #expect(stepped.digest == steady.digest, "\(stepped)\n\(steady)")
        #expect(stepped.counts.statusRecords == steady.counts.statusRecords)
    }

    @Test func `the same seed is the same run`() {
        let report = Self.report(7)
        #expect(report == Self.report(7), "\(report)")
    }

    /// The bugs and what each of them breaks first and foremost.
    private static let broken: [PlantedBug: Invariant] = [
        .lostRecord: .recordForChange, .doubledRecord: .recordForChange, .counterLeak: .callsAreCounted,
        .shortSearch: .completes, .lateSweep: .statusHasCause, .oneClock: .heldByRule, .neverPutBack: .healed,
        .forgottenStatus: .restored, .repeatedRecord: .recordForChange, .overruledWord: .wordHolds,
        .ignoredLock: .lockHolds, .endlessSearch: .givesUp,
    ]

    @Test(arguments: PlantedBug.allCases.filter(\.isOfMethod))
    func `a planted bug is found and named, and without it the same seeds hold`(bug: PlantedBug) throws {
        let invariant = try #require(Self.broken[bug])
        var found: SimulationReport?
        for seed: UInt64 in 1...6 where found == nil {
            let report = Self.report(seed) {
                $0.plantedBug = bug
                // What some need to be seen would hide others.
                $0.processCrashCount = bug == .forgottenStatus || bug == .repeatedRecord ? 1 : 0
            }
            if !report.violations.isEmpty { found = report }
        }
        let report = try #require(found)
        #expect(report.violations.contains { $0.invariant == invariant }, "\(report)")
        #expect(report.description.contains("broken: \"\(invariant.rawValue)\" at "), "\(report)")
    }
}
