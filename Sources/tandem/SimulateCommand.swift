import ArgumentParser
import Simulation

/// `tandem simulate`.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run the deterministic simulation: the same seed, the same run. Exit code 1 when a rule was broken.")

    @Option(help: "The first seed; drawn at random by default.")
    var seed: UInt64?
    @Option(help: "How many runs, each with the seed after the last one's.")
    var runs = 1

    func run() throws {
        let first = seed ?? UInt64.random(in: 0..<1_000_000_000)
        var brokenCount = 0
        for offset in 0..<UInt64(clamping: runs) {
            var simulation = Simulation(seed: first &+ offset)
            let report = simulation.run()
            print(report)
            brokenCount += report.violations.isEmpty ? 0 : 1
        }
        guard brokenCount == 0 else { throw Failure.work("\(brokenCount) of \(runs) runs broke a rule") }
    }
}
