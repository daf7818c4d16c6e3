import Synchronization
package import Time

/// The clocks of the simulated process: one that only goes forward, and one that somebody sets now and then.
package final class SimulatedClock: TimeSource {
    private struct State {
        var now: Instant
        /// By how much the wall clock has been set.
        var step = Duration.zero
    }

    private static let epoch = WallTime(milliseconds: 1_767_261_600_000)
    private let state: Mutex<State>
    private let begin: Instant
    private let isOneClock: Bool

    /// - Parameter isOneClock: a planted bug: whoever asks for the monotonic time gets what the wall clock shows.
    init(now: Instant, isOneClock: Bool = false) {
        (begin, self.isOneClock) = (now, isOneClock)
        state = Mutex(State(now: now))
    }

    /// The present on the monotonic time line.
    package var now: Instant { state.withLock { isOneClock ? $0.now + $0.step : $0.now } }
    /// The present as people read it.
    package var wallTime: WallTime { state.withLock { Self.epoch + ($0.now - begin) + $0.step } }

    func move(to now: Instant) { state.withLock { $0.now = now } }

    func setWallClock(by step: Duration) { state.withLock { $0.step += step } }

    /// What the wall clock would show of an instant, had it been set by so much.
    func wallTime(of instant: Instant, afterStep step: Duration) -> WallTime {
        Self.epoch + (instant - begin) + step
    }

    /// By how much the wall clock has been set.
    var step: Duration { state.withLock { $0.step } }

    /// What the wall clock shows less what the monotonic one does, ms.
    var offsetMilliseconds: Int64 {
        state.withLock { (Self.epoch + ($0.now - begin) + $0.step).milliseconds - $0.now.milliseconds }
    }
}
