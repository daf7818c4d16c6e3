/// A point on the monotonic time line: nanoseconds since an origin that is fixed while the process lives.
///
/// Every timer of Tandem is an `Instant`. It comes in from outside as `now`; nothing here reads a clock. The wall clock
/// (`WallTime`) appears only where a time is shown or stored.
package struct Instant: Comparable, Hashable, Sendable, BitwiseCopyable {
    /// Nanoseconds since the origin.
    package let nanoseconds: Int64

    /// The instant so many nanoseconds after the origin.
    @inlinable
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Whole milliseconds since the origin, rounded down.
    @inlinable
    package var milliseconds: Int64 { nanoseconds / 1_000_000 }

    /// True when the left one comes first.
    @inlinable
    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The instant that lies `duration` later; at the end of the time line it stays there.
    @inlinable
    package static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return Instant(nanoseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    /// The time from `earlier` to `later`; negative when they stand the other way round, at most 292 years.
    @inlinable
    package static func - (later: Instant, earlier: Instant) -> Duration {
        let (difference, overflow) = later.nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
        return .nanoseconds(overflow ? (later < earlier ? .min : .max) : difference)
    }
}

extension Duration {
    /// The duration in whole nanoseconds; beyond 292 years it stays at the end of the range.
    @inlinable
    package var nanoseconds: Int64 {
        // One division of 128 by 64 bits: `components` would take two of 128 by 128, at every timer that is armed.
        let magnitude = attoseconds.magnitude
        let high = UInt64(truncatingIfNeeded: magnitude >> 64)
        guard high < 1_000_000_000 else { return attoseconds < 0 ? .min : .max }
        let low = UInt64(truncatingIfNeeded: magnitude)
        let nanoseconds = (1_000_000_000 as UInt64).dividingFullWidth((high, low)).quotient
        guard nanoseconds <= UInt64(Int64.max) else { return attoseconds < 0 ? .min : .max }
        return attoseconds < 0 ? -Int64(nanoseconds) : Int64(nanoseconds)
    }

    /// The duration in whole milliseconds.
    @inlinable
    package var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
