import Foundation
import Synchronization
import Time

/// The room's one thread for what happens by the clock: keep-alive comments, deadlines of long polls, slow connections.
final class Timekeeper: Sendable {
    /// Something to do at an instant.
    private struct Entry {
        var deadline: Instant
        var interval: Duration?
        let action: @Sendable () -> Void
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var lastNumber: UInt64 = 0
        var isStopped = false
        var hasThread = false
    }

    private let clock: any TimeSource
    private let state = Mutex(State())
    private let changed = NSCondition()

    init(clock: any TimeSource) { self.clock = clock }

    /// Calls `action` on the timekeeper's thread after `delay`, and then every `interval` when there is one. It must
    /// not block. Returns the entry's number.
    func schedule(
        after delay: Duration, every interval: Duration? = nil, _ action: @escaping @Sendable () -> Void
    ) -> UInt64 {
        let entry = Entry(deadline: clock.now + delay, interval: interval, action: action)
        let number = state.withLock { state in
            state.lastNumber &+= 1
            state.entries[state.lastNumber] = entry
            return state.lastNumber
        }
        signal()
        return number
    }

    /// Takes an entry out; an action that has begun is not waited for.
    func cancel(_ number: UInt64) { state.withLock { _ = $0.entries.removeValue(forKey: number) } }

    /// Starts the thread.
    func start() {
        let isNew = state.withLock { state in
            defer { state.hasThread = true }
            return !state.hasThread
        }
        guard isNew else { return }
        let thread = Thread { [self] in run() }
        thread.name = "tandem-http-time"
        thread.start()
    }

    /// Ends the thread and forgets what was scheduled.
    func stop() {
        state.withLock { state in
            state.entries = [:]
            state.isStopped = true
        }
        signal()
    }

    private func signal() {
        changed.lock()
        changed.signal()
        changed.unlock()
    }

    private func run() {
        changed.lock()
        while true {
            let now = clock.now
            let (due, next, isStopped) = takeDue(now)
            if isStopped { break }
            guard due.isEmpty else {
                changed.unlock()
                for action in due { action() }
                changed.lock()
                continue
            }
            let pause = next.map { min(max($0 - now, .milliseconds(1)), .seconds(60)) } ?? .seconds(60)
            _ = changed.wait(until: Date(timeIntervalSinceNow: Double(pause.milliseconds + 1) / 1000))
        }
        changed.unlock()
    }

    /// The actions whose time has come, and when the next one's comes.
    private func takeDue(_ now: Instant) -> (due: [@Sendable () -> Void], next: Instant?, isStopped: Bool) {
        state.withLock { state in
            var due: [@Sendable () -> Void] = []
            for (number, entry) in state.entries where entry.deadline <= now {
                due.append(entry.action)
                if let interval = entry.interval {
                    state.entries[number]?.deadline = now + interval
                } else {
                    state.entries[number] = nil
                }
            }
            return (due, state.entries.values.map(\.deadline).min(), state.isStopped)
        }
    }
}
