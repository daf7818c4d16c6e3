import Routing
import Synchronization
import Time

/// When the changes go back that nobody confirms, by the clock that nobody sets: the wall clock says so only when a
/// change is first seen to wait, which after a restart is the start.
final class ConfirmationDeadlines: Sendable {
    private struct State {
        var deadlines: [Revision: Instant] = [:]
        var obstacles: [Revision: String] = [:]
    }

    /// What waits longer is looked at all the same: a machine that slept has another idea of how long that was. And
    /// what could not go back at once is not tried again without a rest.
    private static let longestPauseMilliseconds = 1000

    private let clock: any TimeSource
    private let state = Mutex(State())

    init(clock: any TimeSource) { self.clock = clock }

    /// How long until the first of them goes back, 1...1000 ms; nil: none waits.
    func pauseMilliseconds(_ confirmations: PendingConfirmations) -> Int? {
        let now = clock.now
        return deadlines(of: confirmations).map { revision, deadline in
            let wait = deadline - now
            // Its time came a moment ago, or it could not go back.
            guard wait > .zero else { return obstacle(to: revision) == nil ? 1 : Self.longestPauseMilliseconds }
            // Never before its time: who wakes too early finds nothing to do.
            return Int(min(Int64(Self.longestPauseMilliseconds), wait.milliseconds + 1))
        }.min()
    }

    /// Those whose time has come, the newest first.
    func due(_ confirmations: PendingConfirmations) -> [Revision] {
        let now = clock.now
        return deadlines(of: confirmations).filter { $0.deadline <= now }.map(\.revision).reversed()
    }

    private func deadlines(of confirmations: PendingConfirmations) -> [(revision: Revision, deadline: Instant)] {
        state.withLock { state in
            let revisions = confirmations.revisions
            guard !revisions.isEmpty || !state.deadlines.isEmpty else { return [] }
            var next = State()
            for revision in revisions {
                guard let pending = confirmations[revision] else { continue }
                next.deadlines[revision] = state.deadlines[revision] ?? clock.instant(of: pending.confirmBy)
                next.obstacles[revision] = state.obstacles[revision]
            }
            state = next
            return revisions.compactMap { revision in next.deadlines[revision].map { (revision, $0) } }
        }
    }

    /// One could not go back.
    func note(_ obstacle: String, against revision: Revision) {
        state.withLock { $0.obstacles[revision] = obstacle }
    }

    /// Why one is there still; nil: its time has not come, or it is gone.
    func obstacle(to revision: Revision) -> String? { state.withLock { $0.obstacles[revision] } }
}
