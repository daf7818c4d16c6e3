import Foundation
import Synchronization

/// The thread that does what is to be done again and again, such as letting the network manager look at the table: an
/// expired time value is recorded within a second even when no call comes.
final class Sweeper: Sendable {
    private static let interval = 0.25  // s

    private let sweep: @Sendable () -> Void
    private let isStopping = Mutex(false)
    private let wake = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// Calls `sweep` four times a second from `start` on.
    init(_ sweep: @escaping @Sendable () -> Void) { self.sweep = sweep }

    func start() {
        let thread = Thread { [self] in
            while !isStopping.withLock({ $0 }) {
                sweep()
                _ = wake.wait(timeout: .now() + Self.interval)
            }
            ended.signal()
        }
        thread.name = "sweeper"
        thread.start()
    }

    /// Returns when the thread has ended. To be called once, after `start`.
    func stop() {
        isStopping.withLock { $0 = true }
        wake.signal()
        ended.wait()
    }
}
