import Synchronization
import Time

/// How long one gateway's first responses took: counts in buckets of half an octave, from half a millisecond to half a
/// minute. Old ones fade: when a bucket is full, all are halved.
struct ResponseTimes: ~Copyable {
    private static let bucketCount = 32
    private static let limitCount: UInt32 = 1 << 10
    /// The first bucket holds what is shorter, us.
    private static let shortest: Int64 = 512

    private let buckets = InlineArray<32, Atomic<UInt32>> { _ in Atomic(0) }

    func reset() {
        for index in 0..<Self.bucketCount { buckets[index].store(0, ordering: .relaxed) }
    }

    func note(_ duration: Duration) {
        let index = Self.bucket(of: duration)
        guard buckets[index].wrappingAdd(1, ordering: .relaxed).newValue >= Self.limitCount else { return }
        // Another thread may add meanwhile: one response more or less is no matter.
        for index in 0..<Self.bucketCount {
            let count = buckets[index].load(ordering: .relaxed)
            if count > 0 { buckets[index].store(count / 2, ordering: .relaxed) }
        }
    }

    /// Nil when there is none.
    var percentiles: (p50: Duration, p95: Duration)? {
        var counts = InlineArray<32, UInt64>(repeating: 0)
        var total: UInt64 = 0
        for index in 0..<Self.bucketCount {
            counts[index] = UInt64(buckets[index].load(ordering: .relaxed))
            total += counts[index]
        }
        guard total > 0 else { return nil }
        func percentile(_ percent: UInt64) -> Duration {
            let wanted = (total * percent + 99) / 100
            var passed: UInt64 = 0
            for index in 0..<Self.bucketCount {
                passed += counts[index]
                if passed >= wanted { return Self.middle(of: index) }
            }
            return Self.middle(of: Self.bucketCount - 1)
        }
        return (percentile(50), percentile(95))
    }

    private static func bucket(of duration: Duration) -> Int {
        let units = max(0, duration.nanoseconds / 1000) / shortest
        guard units > 0 else { return 0 }
        let octave = Int64.bitWidth - 1 - units.leadingZeroBitCount
        let isUpperHalf = octave > 0 && units >> Int64(octave - 1) & 1 == 1
        return min(bucketCount - 1, 1 + 2 * octave + (isUpperHalf ? 1 : 0))
    }

    private static func middle(of bucket: Int) -> Duration {
        guard bucket > 0 else { return .microseconds(shortest / 2) }
        let (octave, half) = (bucket - 1).quotientAndRemainder(dividingBy: 2)
        return .microseconds((shortest << Int64(octave)) * (half == 0 ? 5 : 7) / 4)
    }
}
