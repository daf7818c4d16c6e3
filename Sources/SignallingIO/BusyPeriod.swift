import Time

/// What a worker has had to do without a pause, and how long what waits at its sockets will wait: what tells overload
/// from a burst, and from callers who keep a worker busy without ever making it late.
///
/// Whoever waits longer than T1 (500 ms) is sent again; what waits then grows by itself, until the kernel drops it and
/// hardly a call is completed. The bounds lie well below.
struct BusyPeriod {
    /// So long without a pause is a burst.
    private static let burst = Duration.milliseconds(50)
    /// So long may a datagram wait: twice through, there and back, is still well below T1, and what piles up while the
    /// machine itself stands still for some tens of ms is worked off without refusing anybody.
    private static let delayLimit = Duration.milliseconds(100)
    /// By how much is judged how fast the worker is.
    private static let window = Duration.milliseconds(200)

    /// What waits at one socket.
    struct Queue {
        /// The memory that it takes in the kernel, bytes.
        var taken: UInt32
        /// The most that it may take, bytes.
        var limit: UInt32

        /// What the kernel takes for a datagram of up to about 600 bytes; a longer one takes up to twice as much, so
        /// that rather too many are counted than too few.
        private static let bytesPerDatagram: UInt32 = 1280

        /// About how many datagrams it holds.
        var count: Int64 { Int64(taken / Self.bytesPerDatagram) }
        /// True when it may soon have to drop some.
        var isHalfFull: Bool { taken > limit / 2 }
    }

    private var since: Instant?
    /// When timers that were due were left over first, of those turns in a row that did.
    private var lateSince: Instant?
    /// From when `count` counts.
    private var countedSince = Instant(nanoseconds: 0)
    private var count: Int64 = 0

    /// True when new calls are to be shed, so that those under way go on.
    private(set) var isOverload = false

    /// Takes in that the worker had nothing to do for a while, whatever its last turn left open: a full batch may have
    /// been all that there was.
    mutating func pause() { (since, lateSince, count, isOverload) = (nil, nil, 0, false) }

    /// Takes in how a turn ended.
    ///
    /// - Parameters:
    ///   - hasMore: there is more to receive than was received in it, as far as is known.
    ///   - isLate: more timers were due than fired in it.
    ///   - receivedCount: so many datagrams were worked off in it.
    ///   - now: when it began.
    ///   - queue: the fullest of the sockets; asked for where it matters only.
    mutating func note(
        hasMore: Bool, isLate: Bool, receivedCount: Int, now: Instant, queue: () -> Queue
    ) {
        guard hasMore || isLate else {
            pause()
            return
        }
        if since == nil { (since, countedSince, count) = (now, now, 0) }
        lateSince = isLate ? lateSince ?? now : nil
        // Of the first turn nobody knows when the next one began.
        let elapsed = now - countedSince
        let isLong = now >= (since ?? now) + Self.burst
        let isLateForLong = lateSince.map { now >= $0 + Self.burst } ?? false
        isOverload = isLateForLong || isLong && hasMore && isOverdue(queue(), elapsed)
        count += Int64(receivedCount)
        if elapsed > Self.window { (countedSince, count) = (now + .nanoseconds(-elapsed.nanoseconds / 2), count / 2) }
    }

    /// True when the last in the queue waits longer than it may: as many as there are, at the pace of late.
    private func isOverdue(_ queue: Queue, _ elapsed: Duration) -> Bool {
        let (product, overflow) = queue.count.multipliedReportingOverflow(by: elapsed.nanoseconds)
        return queue.isHalfFull || overflow || product / max(count, 1) >= Self.delayLimit.nanoseconds
    }
}
