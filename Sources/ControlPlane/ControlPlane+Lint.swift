import Dispatch
import Routing
package import Store
import Synchronization
package import Time

extension ControlPlane {
    /// What is allowed in the routing data and yet likely wrong. `whenDone` is called once, perhaps at once, and must
    /// not block.
    ///
    /// A look at a million routes takes a while, so it happens beside: one at a time, whoever asks meanwhile shares it,
    /// and what was found counts for some seconds as long as the revision stays.
    package func lint(whenDone: @escaping @Sendable (LintReport) -> Void) {
        let state = state
        let now = clock.now
        let known: LintReport? = lintDesk.withLock { desk in
            if let last = desk.last, last.report.revision == state.position.revision.number,
                now - last.at < LintDesk.keptFor
            {
                return last.report
            }
            desk.waiting.append(whenDone)
            guard desk.waiting.count == 1 else { return nil }
            DispatchQueue.global(qos: .utility).async { [self] in lookAround() }
            return nil
        }
        if let known { whenDone(known) }
    }

    private func lookAround() {
        let report = Linter.report(of: state, at: clock.wallTime)
        let waiting = lintDesk.withLock { desk in
            defer { desk.waiting = [] }
            desk.last = (report, clock.now)
            return desk.waiting
        }
        for whenDone in waiting { whenDone(report) }
    }

    /// The same of a database that nobody need have open.
    package static func lint(fileAt path: String, at time: WallTime) throws(StoreError) -> LintReport {
        var builder = SnapshotBuilder()
        let loaded = try builder.load(table: GatewayInformationTable()) { object, route throws(StoreError) in
            try Store.forEachObject(inFileAt: path, object, route: route)
        }
        let state = CommittedState(
            position: Position(epoch: 0, revision: loaded.revision, digest: []), builder: builder,
            settings: loaded.settings, tests: loaded.tests)
        return Linter.report(of: state, at: time)
    }
}

/// Who waits for lint, and what it found last.
struct LintDesk {
    static let keptFor = Duration.seconds(5)

    var waiting: [@Sendable (LintReport) -> Void] = []
    var last: (report: LintReport, at: Instant)?
}
