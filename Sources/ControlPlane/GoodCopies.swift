import Foundation
import Routing
package import Store
import Synchronization
package import Time

/// Keeps the copy of the database that calls go on from when the database is found damaged at a start: renews it beside
/// everything else, some time after a change.
package final class GoodCopies: Sendable {
    /// What became of a copy.
    package enum Outcome: Sendable {
        /// It is of this revision.
        case renewed(revision: Int64)
        /// It is as it was, and why.
        case failed(reason: String)
    }

    private let store: Store
    private let clock: any TimeSource
    private let tell: @Sendable (Outcome) -> Void
    private let schedule: Mutex<GoodCopySchedule>
    private let isStopping = Mutex(false)
    private let wake = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - interval: how soon after a copy the next is made at the earliest.
    ///   - tell: is called from a thread of its own.
    package init(
        of store: Store, every interval: Duration, clock: any TimeSource, tell: @escaping @Sendable (Outcome) -> Void
    ) {
        (self.store, self.clock, self.tell) = (store, clock, tell)
        schedule = Mutex(GoodCopySchedule(every: interval, copied: store.goodCopyPosition))
    }

    /// Starts the thread. To be called once.
    package func start() {
        let thread = Thread { [self] in
            while !isStopping.withLock({ $0 }) {
                look()
                _ = wake.wait(timeout: .now() + .milliseconds(500))
            }
            ended.signal()
        }
        thread.name = "tandem-good-copy"
        thread.qualityOfService = .utility
        thread.start()
    }

    /// Returns when the thread has ended, and with it a copy that is being made. To be called once, after `start`.
    package func stop() {
        isStopping.withLock { $0 = true }
        wake.signal()
        ended.wait()
    }

    /// Makes a copy when it is time. By one thread.
    func look() {
        let began = clock.now
        let position = store.position
        guard schedule.withLock({ $0.isDue(position, at: began) }) else { return }
        do throws(StoreError) {
            try store.keepGoodCopy()
            // A change that came meanwhile may be in it or not: it is copied once more then.
            let ended = clock.now
            schedule.withLock { $0.noteCopy(of: position, from: began, to: ended) }
            tell(.renewed(revision: position.revision.number))
        } catch {
            let ended = clock.now
            schedule.withLock { $0.noteFailure(from: began, to: ended) }
            tell(.failed(reason: error.detail))
        }
    }
}

/// When the copy is to be renewed: when the data are others, and not so often that it would be felt.
struct GoodCopySchedule {
    /// A copy takes no more than this part of the time.
    static let leastPauses = 100

    private let interval: Duration
    private var copied: Position?
    private var notBefore = Instant(nanoseconds: .min)

    init(every interval: Duration, copied: Position?) { (self.interval, self.copied) = (interval, copied) }

    func isDue(_ position: Position, at now: Instant) -> Bool { position != copied && now >= notBefore }

    mutating func noteCopy(of position: Position, from began: Instant, to ended: Instant) {
        copied = position
        noteFailure(from: began, to: ended)
    }

    mutating func noteFailure(from began: Instant, to ended: Instant) {
        notBefore = ended + max(interval, (ended - began) * Self.leastPauses)
    }
}
