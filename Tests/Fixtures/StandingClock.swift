import Synchronization
package import Time

/// A clock that stands still until a test moves it.
package final class StandingClock: TimeSource {
    private let passed = Mutex(Duration.seconds(1000))
    private let step = Mutex(Duration.zero)

    package init() {}

    package var now: Instant { Instant(nanoseconds: 0) + passed.withLock { $0 } }
    package var wallTime: WallTime {
        WallTime(milliseconds: 1_767_261_600_000) + (passed.withLock { $0 } + step.withLock { $0 })
    }

    package func move(by duration: Duration) { passed.withLock { $0 += duration } }

    /// Somebody sets the wall clock.
    package func setWallClock(by duration: Duration) { step.withLock { $0 += duration } }
}
