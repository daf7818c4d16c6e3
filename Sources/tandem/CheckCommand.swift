import ArgumentParser
import ControlPlane
import Routing
import SignallingIO
import Store
import Time

/// `tandem check`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Examine a database without changing it: exit code 0 all is well, 1 findings, 2 it can't be read.",
        discussion: """
            After the file the routing data are looked at, as GET /v1/lint does it: errors that are found there make \
            the exit code 1; warnings and notes are told and leave it as it is.
            """)

    @Option(help: "The database file.")
    var database = "tandem.db"

    func run() throws {
        let report: StoreReport
        do {
            report = try Store.check(path: database)
        } catch {
            throw Failure.setting(error.detail)
        }
        print(
            "schema \(report.schema), node \(report.node), epoch \(report.position.epoch), "
                + "revision \(report.position.revision.number): \(report.objectCount) objects, "
                + "\(report.routeCount) routes, \(report.eventCount) events")
        for finding in report.findings { print("finding: \(finding)") }
        guard report.findings.isEmpty else {
            throw Failure.work("\(database): \(report.findings.count) findings")
        }
        print("no findings in the file")
        try lint()
    }

    private func lint() throws {
        let report: LintReport
        do {
            report = try ControlPlane.lint(fileAt: database, at: SystemClock().wallTime)
        } catch {
            throw Failure.setting(error.detail)
        }
        for finding in report.findings { print(finding.line) }
        let counts = LintFinding.Severity.allCases.map { "\($0.rawValue)s: \(report.counts[$0] ?? 0)" }
        print(counts.joined(separator: ", ") + (report.omittedCount > 0 ? ", not told: \(report.omittedCount)" : ""))
        let errorCount = report.counts[.error] ?? 0
        guard errorCount == 0 else { throw Failure.work("\(database): \(errorCount) errors in the routing data") }
    }
}
