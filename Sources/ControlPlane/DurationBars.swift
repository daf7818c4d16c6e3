import Time

/// How long something took, as a histogram counts it.
package struct DurationBars: Equatable, Sendable {
    /// The upper bounds of the bars but the last, s.
    package static let bounds: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    private var counts: [UInt64] = Array(repeating: 0, count: bounds.count + 1)
    private var nanoseconds: UInt64 = 0

    /// Nothing counted.
    package init() {}

    /// Counts one.
    package mutating func count(_ duration: Duration) {
        let taken = UInt64(clamping: duration.nanoseconds)
        let seconds = Double(taken) / 1e9
        counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] &+= 1
        nanoseconds &+= taken
    }

    /// Each bar's upper bound, s (nil: none, the last one), and how many were not longer.
    package var bars: [(bound: Double?, count: UInt64)] {
        var sum: UInt64 = 0
        return counts.enumerated().map { index, count in
            sum &+= count
            return (index < Self.bounds.count ? Self.bounds[index] : nil, sum)
        }
    }

    /// All of them together, s.
    package var sumSeconds: Double { Double(nanoseconds) / 1e9 }
}
