import Routing
import SignallingCore
import Time

extension WorkerLoop {
    // Bounds on what one turn fires and moves, so that the sockets do not starve.
    private static let timerLimitCount = 1024
    private static let timerStepLimitCount = 4096

    /// Fires timers that are due, and says how many, and whether there may be more.
    ///
    /// One that was taken fires some places later: its record has been fetched by then, and what its end changes.
    mutating func fireTimers(
        _ snapshot: borrowing PinnedSnapshot, _ now: Instant
    ) -> (count: Int, hasMore: Bool) {
        var due = InlineArray<8, TimerToken>(repeating: TimerToken(bits: 0))
        var (taken, fetched, fired, steps) = (0, 0, 0, Self.timerStepLimitCount)
        var isLeft = true
        while true {
            let token = isLeft && taken < Self.timerLimitCount ? wheel.takeDue(at: now, steps: &steps) : nil
            isLeft = token != nil
            if let token {
                core.prefetchRecord(of: token)
                due[taken % due.count] = token
                taken += 1
            } else if fired == taken {
                return (fired, fired == Self.timerLimitCount || steps == 0)
            }
            if fetched < taken, !isLeft || taken - fetched > due.count / 2 {
                core.prefetchBelongings(of: due[fetched % due.count])
                fetched += 1
            }
            if !isLeft || taken - fired == due.count {
                core.fire(due[fired % due.count], snapshot: snapshot, now: now, into: &actions)
                fired += 1
            }
        }
    }
}
