import Time

/// How long a worker has had work without a pause: what tells overload from a burst.
///
/// A socket that has been emptied within the bound holds nothing that waited longer. One that has not is filled faster
/// than it is read; what comes then waits until the kernel drops it, callers send again, and soon no call is completed
/// at all. The bound lies well below T1 (500 ms), when callers send for the second time.
struct BusyPeriod {
    private static let limit = Duration.milliseconds(50)

    private var since: Instant?

    /// True when new calls are to be shed, so that those under way go on.
    private(set) var isOverload = false

    /// Takes in that the worker had nothing to do for a while, whatever its last turn left open: a full batch may have
    /// been all that there was.
    mutating func pause() { (since, isOverload) = (nil, false) }

    /// Takes in how a turn ended.
    ///
    /// - Parameters:
    ///   - hasMore: there is more to do than was done in it.
    ///   - now: when it began.
    mutating func note(hasMore: Bool, now: Instant) {
        guard hasMore else {
            pause()
            return
        }
        let begun = since ?? now
        (since, isOverload) = (begun, now >= begun + Self.limit)
    }
}
