import Time

/// How long to wait behind failures: twice as long each time, up to a limit, and never all at once.
struct BackOff: Sendable {
    /// The longest wait behind the first failure.
    let first: Duration
    /// The longest wait at all.
    let limit: Duration

    /// The wait behind so many failures in a row (1 and more): between half of the doubled time and all of it.
    ///
    /// - Parameter chance: a random number; where in that half the wait lies.
    func delay(behind failureCount: Int64, chance: UInt64) -> Duration {
        let first = UInt64(clamping: first.nanoseconds)
        let limit = UInt64(clamping: limit.nanoseconds)
        let doublings = UInt64(clamping: min(max(0, failureCount - 1), 62))
        let (product, overflow) = first.multipliedReportingOverflow(by: 1 << doublings)
        let longest = overflow ? limit : min(product, limit)
        let half = longest / 2
        return .nanoseconds(Int64(clamping: longest - half + chance.multipliedFullWidth(by: half).high))
    }
}
