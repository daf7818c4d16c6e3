import Time

/// A duration in whole nanoseconds, at most 292 years: half as large as a `Duration` in machines of which there are
/// hundreds of thousands, and added to an instant without a division of 128 bits.
struct Interval: Comparable, Hashable, Sendable, BitwiseCopyable {
    let nanoseconds: Int64

    init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// What is finer than a nanosecond is dropped; beyond 292 years it stays there.
    init(_ duration: Duration) { nanoseconds = duration.nanoseconds }

    var duration: Duration { .nanoseconds(nanoseconds) }

    static func < (left: Interval, right: Interval) -> Bool { left.nanoseconds < right.nanoseconds }

    /// So many times as long, at most 292 years.
    static func * (interval: Interval, factor: Int64) -> Interval {
        let (product, overflow) = interval.nanoseconds.multipliedReportingOverflow(by: factor)
        return Interval(nanoseconds: overflow ? (interval.nanoseconds < 0 ? .min : .max) : product)
    }

    /// The instant that lies so much later; at the end of the time line it stays there.
    static func + (instant: Instant, interval: Interval) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(interval.nanoseconds)
        return Instant(nanoseconds: overflow ? (interval.nanoseconds < 0 ? .min : .max) : sum)
    }
}
