import Dispatch
import Store
import Synchronization
import Time

/// What waits for the writer: changes from any thread, and the word that status changes wait at the network manager.
final class Inbox: Sendable {
    /// One change and who waits for it.
    struct Waiting: Sendable {
        let change: Change
        /// When it came.
        let since: Instant
        let whenDone: @Sendable (Result<ChangeResult, Refusal>) -> Void
    }

    /// What the writer gets.
    struct Delivery {
        let changes: [Waiting]
        /// The inbox is stopped and empty.
        let isLast: Bool
    }

    /// More than this many waiting changes are refused.
    static let limitCount = 10_000

    private struct State {
        var changes: [Waiting] = []
        var hasStatusChanges = false
        var isStopped = false
        var isRung = false
        /// No status change is tried before, unless there is a change to try too. ns of uptime.
        var statusNotBefore: UInt64 = 0
    }

    private let state = Mutex(State())
    private let bell = DispatchSemaphore(value: 0)

    /// How many changes wait.
    var count: Int { state.withLock { $0.changes.count } }

    /// Why a change is not let in.
    enum Closed: Error { case full, stopped }

    func add(_ waiting: Waiting) throws(Closed) {
        try state.withLock { (state) throws(Closed) in
            guard !state.isStopped else { throw .stopped }
            guard state.changes.count < Self.limitCount else { throw .full }
            state.changes.append(waiting)
        }
        ring()
    }

    func noteStatusChanges() {
        state.withLock { $0.hasStatusChanges = true }
        ring()
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        ring()
    }

    /// The writer failed with status changes in hand: it tries them again after a while, or with the next change.
    func holdStatusChanges(milliseconds: UInt64) {
        state.withLock {
            $0.hasStatusChanges = true
            $0.statusNotBefore = DispatchTime.now().uptimeNanoseconds + milliseconds * 1_000_000
        }
    }

    /// The disk is well again: status changes need not wait.
    func releaseStatusChanges() { state.withLock { $0.statusNotBefore = 0 } }

    /// Waits until there is something to do, at most so long, and takes at most so many changes.
    ///
    /// - Parameter milliseconds: nil: as long as it takes.
    /// - Returns: nil when the time is over.
    func next(limitCount: Int, within milliseconds: Int?) -> Delivery? {
        let deadline = milliseconds.map { DispatchTime.now() + .milliseconds($0) }
        while true {
            let (delivery, wakeAt) = take(limitCount: limitCount)
            if let delivery { return delivery }
            let until = [deadline, wakeAt].compactMap { $0 }.min() ?? .distantFuture
            if bell.wait(timeout: until) == .timedOut, let deadline, deadline <= .now() { return nil }
        }
    }

    private func take(limitCount: Int) -> (delivery: Delivery?, wakeAt: DispatchTime?) {
        state.withLock { state in
            state.isRung = false
            let mayTakeStatus = state.hasStatusChanges && state.statusNotBefore <= DispatchTime.now().uptimeNanoseconds
            guard !state.changes.isEmpty || mayTakeStatus || state.isStopped else {
                let wakeAt = state.hasStatusChanges ? DispatchTime(uptimeNanoseconds: state.statusNotBefore) : nil
                return (nil, wakeAt)
            }
            let taken = Array(state.changes.prefix(limitCount))
            state.changes.removeFirst(taken.count)
            state.hasStatusChanges = false
            let isLast = state.isStopped && state.changes.isEmpty
            return (Delivery(changes: taken, isLast: isLast), nil)
        }
    }

    /// At most one signal is under way, so that a thousand changes don't wake the writer a thousand times.
    private func ring() {
        let isFirst = state.withLock { state in
            defer { state.isRung = true }
            return !state.isRung
        }
        if isFirst { bell.signal() }
    }
}
