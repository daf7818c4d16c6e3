import Simulation
import Testing

@Suite struct SimulationTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `every call ends, every status change is one change, nothing is left alive`(seed: UInt64) {
        var simulation = Simulation(seed: seed)
        let report = simulation.run()
        #expect(report.violations.isEmpty, "\(report)")
        #expect(report.calls == report.answered + report.refused + report.gaveUp, "\(report)")
        #expect(report.answered > 10, "\(report)")
        #expect(report.gaveUp <= 1, "\(report)")
    }

    @Test func `the same seed is the same run, another seed another one`() {
        var (first, again, other) = (Simulation(seed: 77), Simulation(seed: 77), Simulation(seed: 78))
        let report = first.run()
        #expect(report == again.run(), "\(report)")
        #expect(report.digest != other.run().digest)
    }

    @Test func `a fifth of all datagrams lost, two workers: calls still end`() {
        var settings = Simulation.Settings()
        (settings.lossPerMille, settings.workerCount, settings.callCount) = (200, 2, 40)
        var simulation = Simulation(seed: 5, settings: settings)
        let report = simulation.run()
        #expect(report.violations.isEmpty, "\(report)")
        #expect(report.handedOver > 0, "\(report)")
    }
}
