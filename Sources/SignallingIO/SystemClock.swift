import CSignalling
package import Time

/// The kernel's clocks.
package struct SystemClock: TimeSource {
    /// The kernel's clocks.
    package init() {}

    /// CLOCK_MONOTONIC: since the machine started, without the time that it slept.
    package var now: Instant { Instant(nanoseconds: csig_monotonic_nanoseconds()) }

    /// CLOCK_REALTIME, to the millisecond.
    package var wallTime: WallTime { WallTime(milliseconds: csig_wall_milliseconds()) }
}

/// The processors.
enum Processors {
    /// How many this process may run on, at least 1.
    static var count: Int { Int(csig_processor_count()) }
}
