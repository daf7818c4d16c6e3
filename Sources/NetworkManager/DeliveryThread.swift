import Dispatch
import Foundation
import Synchronization
import Time

/// A thread that takes a step whenever it is woken, and when the time has come that the step before named.
final class DeliveryThread: Sendable {
    private struct State {
        var isRung = false
        var isStopping = false
        var isRunning = false
    }

    private let name: String
    private let clock: any TimeSource
    private let state = Mutex(State())
    private let bell = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    init(name: String, clock: any TimeSource) { (self.name, self.clock) = (name, clock) }

    /// Starts it; a second call does nothing.
    ///
    /// - Parameter step: does what is due and returns until when there is nothing to do; nil: until it is woken.
    func start(_ step: @escaping @Sendable () -> Instant?) {
        let isFirst = state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning && !state.isStopping
        }
        guard isFirst else { return }
        let thread = Thread { [self] in
            while !state.withLock({ $0.isStopping }) {
                state.withLock { $0.isRung = false }
                let until = step()
                let pause = until.map { min(max($0 - clock.now, .zero), .seconds(3600)) }
                let deadline = pause.map { DispatchTime.now() + .nanoseconds(Int(clamping: $0.nanoseconds)) }
                _ = bell.wait(timeout: deadline ?? .distantFuture)
            }
            ended.signal()
        }
        thread.name = name
        thread.start()
    }

    /// There may be something to do. Cannot block.
    func wake() {
        let isFirst = state.withLock { state in
            defer { state.isRung = true }
            return !state.isRung
        }
        if isFirst { bell.signal() }
    }

    /// Returns when the step under way has ended; there is none after it.
    func stop() {
        let wasRunning = state.withLock { state in
            defer { (state.isStopping, state.isRunning) = (true, false) }
            return state.isRunning
        }
        guard wasRunning else { return }
        bell.signal()
        ended.wait()
    }
}
