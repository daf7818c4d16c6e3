/// A time that people read: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
package struct WallTime: Comparable, Hashable, Sendable, BitwiseCopyable {
    /// Milliseconds since the Unix epoch.
    package let milliseconds: Int64

    /// The time so many milliseconds after the Unix epoch.
    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// True when the left one comes first.
    package static func < (left: WallTime, right: WallTime) -> Bool { left.milliseconds < right.milliseconds }

    /// The time that lies `duration` later; at the ends of the range it stays there.
    package static func + (time: WallTime, duration: Duration) -> WallTime {
        let (sum, overflow) = time.milliseconds.addingReportingOverflow(duration.milliseconds)
        return WallTime(milliseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }
}
