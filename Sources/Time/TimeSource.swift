/// Where threads of the control plane learn the time. Cores get it as `now` instead.
package protocol TimeSource: Sendable {
    /// The present on the monotonic time line, by which everything is timed.
    var now: Instant { get }
    /// The present as people read it; it may jump.
    var wallTime: WallTime { get }
}

extension TimeSource {
    /// The wall time of a point on the monotonic time line, as the clocks stand to each other now.
    package func wallTime(of instant: Instant) -> WallTime { wallTime + (instant - now) }

    /// The point on the monotonic time line of a wall time, as the clocks stand to each other now.
    package func instant(of time: WallTime) -> Instant {
        let wallTime = self.wallTime
        let (difference, overflow) = time.milliseconds.subtractingReportingOverflow(wallTime.milliseconds)
        return now + .milliseconds(overflow ? (time < wallTime ? .min : .max) : difference)
    }
}
