import Simulation
import Testing
import Time

@Suite struct SimulationTests {
    @Test(arguments: 1...16 as ClosedRange<UInt64>)
    func `callers, gateways, losses and deaths: every invariant holds`(seed: UInt64) {
        var simulation = Simulation(seed: seed)
        let report = simulation.run()
        #expect(report.violations.isEmpty, "\(report)")
        #expect(report.counts.answered > 10, "\(report)")
        #expect(report.counts.checks > report.counts.steps, "\(report)")
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `redirect servers elsewhere that die and come back, and lost reports of nobody: every invariant holds`(
        seed: UInt64
    ) {
        var settings = Simulation.Settings()
        settings.redirectServerCount = 1 + Int(seed % 3)
        var simulation = Simulation(seed: seed, settings: settings)
        let report = simulation.run()
        #expect(report.violations.isEmpty, "\(report)")
        #expect(report.counts.answered > 5 && report.counts.reports > 0, "\(report)")
    }

    @Test func `nothing lost and no death of the process: nobody waits in vain`() {
        var settings = Simulation.Settings(callCount: 300)
        (settings.lossPerMille, settings.processCrashCount) = (0, 0)
        var simulation = Simulation(seed: 11, settings: settings)
        let report = simulation.run()
        #expect(report.violations.isEmpty, "\(report)")
        #expect(report.counts.lost == 0, "\(report)")
        let counts = report.counts
        #expect(min(counts.cancels, counts.withinDialogs, counts.forks, counts.failovers) > 0, "\(report)")
    }

    @Test func `the same seed is the same run, another seed another one`() {
        var (first, again, other) = (Simulation(seed: 77), Simulation(seed: 77), Simulation(seed: 78))
        let report = first.run()
        #expect(report == again.run(), "\(report)")
        #expect(report.digest != other.run().digest)
    }

    @Test func `a fifth of all datagrams lost, two workers, three deaths: every invariant holds`() {
        var settings = Simulation.Settings()
        (settings.lossPerMille, settings.workerCount, settings.callCount) = (200, 2, 40)
        settings.processCrashCount = 3
        var simulation = Simulation(seed: 5, settings: settings)
        let report = simulation.run()
        #expect(report.violations.isEmpty, "\(report)")
        #expect(report.counts.handedOver > 0 && report.counts.processCrashes > 0, "\(report)")
    }

    /// The bugs and what each of them breaks first and foremost.
    private static let broken: [PlantedBug: Invariant] = [
        .forgottenTimerL: .lastTimer, .forgottenTimerC: .lastTimer, .doubleForward: .forwardedOnce,
        .lostCancel: .cancelledIsSilent, .doubleFinal: .oneFinal, .wrongVia: .readable,
        .wrongUpstream: .rightUpstream, .lostAcknowledgement: .acknowledgedOnce,
    ]

    @Test(arguments: PlantedBug.allCases.filter { !$0.isOfMethod })
    func `a planted bug is found and named, and without it the same seeds hold`(bug: PlantedBug) throws {
        let invariant = try #require(Self.broken[bug])
        var settings = Simulation.Settings()
        var found: (seed: UInt64, report: SimulationReport)?
        for seed: UInt64 in 1...6 where found == nil {
            settings.plantedBug = nil
            var sound = Simulation(seed: seed, settings: settings)
            let soundReport = sound.run()
            #expect(soundReport.violations.isEmpty, "\(soundReport)")
            settings.plantedBug = bug
            var simulation = Simulation(seed: seed, settings: settings)
            let report = simulation.run()
            if !report.violations.isEmpty { found = (seed, report) }
        }
        let (seed, report) = try #require(found)
        let violation = try #require(report.violations.first { $0.invariant == invariant }, "\(report)")
        #expect(report.description.contains("broken: \"\(invariant.rawValue)\" at "), "\(report)")
        let call = try #require(violation.call, "\(report)")
        let trail = Simulation.trail(ofCall: call, seed: seed, settings: settings)
        #expect(trail.contains { $0.contains("invite (1 INVITE)") }, "\(trail)")
    }

    @Test func `a broken run breaks again in the same way`() {
        var settings = Simulation.Settings()
        settings.plantedBug = .doubleForward
        var (first, again) = (Simulation(seed: 9, settings: settings), Simulation(seed: 9, settings: settings))
        let report = first.run()
        #expect(!report.violations.isEmpty)
        #expect(report == again.run(), "\(report)")
    }
}
