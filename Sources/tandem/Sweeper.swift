import Foundation
import NetworkManager
import Synchronization

/// The thread that lets the network manager look at the table again and again: an expired time value is recorded within
/// a second even when no call comes.
final class Sweeper: Sendable {
    private static let interval = 0.25  // s

    private let networkManager: NetworkManager
    private let isStopping = Mutex(false)
    private let wake = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    init(_ networkManager: NetworkManager) { self.networkManager = networkManager }

    func start() {
        let thread = Thread { [self] in
            while !isStopping.withLock({ $0 }) {
                networkManager.sweep()
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
