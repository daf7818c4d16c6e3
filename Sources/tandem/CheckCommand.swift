import ArgumentParser
import Routing
import Store

/// `tandem check`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Examine a database without changing it: exit code 0 all is well, 1 findings, 2 it can't be read.")

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
        print("no findings")
    }
}
