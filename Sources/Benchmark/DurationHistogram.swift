/// How often something took how long: 128 buckets an octave, so that each time is known to a hundredth.
package struct DurationHistogram: Sendable {
    private static let bits = 7

    private var buckets = [UInt32](repeating: 0, count: (65 - Self.bits) << Self.bits)
    /// How many were added.
    package private(set) var count = 0
    /// The longest, ns.
    package private(set) var maximum: Int64 = 0

    /// Nothing yet.
    package init() {}

    /// Adds one; a negative one counts as 0.
    package mutating func add(nanoseconds: Int64) {
        let value = UInt64(clamping: nanoseconds)
        buckets[Self.bucket(of: value)] &+= 1
        count += 1
        maximum = max(maximum, nanoseconds)
    }

    /// Adds all of another.
    mutating func add(_ other: DurationHistogram) {
        for (index, number) in other.buckets.enumerated() { buckets[index] &+= number }
        count += other.count
        maximum = max(maximum, other.maximum)
    }

    /// The time that this share of all, 0...1, did not exceed, ns; 0 for none.
    package func quantile(_ share: Double) -> Int64 {
        var left = Int((share * Double(count)).rounded(.down))
        for (index, number) in buckets.enumerated() {
            left -= Int(number)
            if left < 0 { return Int64(clamping: Self.beginning(of: index)) }
        }
        return maximum
    }

    private static func bucket(of value: UInt64) -> Int {
        guard value >= 1 << UInt64(bits) else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount - bits
        return (exponent + 1) << bits + Int(value >> UInt64(exponent) & (1 << UInt64(bits) - 1))
    }

    private static func beginning(of bucket: Int) -> UInt64 {
        guard bucket >= 1 << bits else { return UInt64(bucket) }
        let (exponent, rest) = (bucket >> bits - 1, bucket & (1 << bits - 1))
        return UInt64(1 << bits | rest) << UInt64(exponent)
    }
}
