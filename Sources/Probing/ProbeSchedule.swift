package import Routing
package import Time

// How this room works. `ProbeSchedule` says which gateway is asked next and when, `ProbeRequest` writes the question,
// `ProbeVerdict` says what an answer, or its absence, means for the status. `SignallingCore` sends, waits and writes
// the status.

/// What is the same for all gateways; the rest stands in each one's `ProbeRules`.
package struct ProbeSettings: Sendable {
    /// Whether anyone is asked at all.
    package var isEnabled = true
    /// How often a question is sent again within its predetermined wait.
    package var resendLimit = 2
    /// More unanswered questions than this at once: the next one waits.
    package var outstandingLimitCount = 1024
    /// Gateways that are new are asked soon, one after another so long apart.
    package var firstSpacing: Duration = .milliseconds(50)

    /// The defaults.
    package init() {}
}

/// Whom to ask next. Each gateway is asked once in its own interval, at a phase of its own, so that the questions lie
/// evenly over the interval however many there are: the phases follow the golden ratio, which of all numbers leaves the
/// most even gaps.
///
/// A question costs the logarithm of the number of gateways. The routing data is looked through for gateways that came
/// or changed a part at a time, and only when there is a new snapshot.
package struct ProbeSchedule: Sendable {
    /// What the schedule knows of a row of the gateway information table.
    private struct Row: Sendable, BitwiseCopyable {
        var generation: UInt8 = 0
        var isKnown = false
        var intervalSeconds: UInt32 = 0
        /// The entry of the queue that holds.
        var stamp: UInt32 = 0
    }

    private static let rowsAtOnce = 256
    /// How soon a part of the routing data follows the one before.
    private static let scanPause = Duration.milliseconds(20)
    /// How often it is seen whether there is a new snapshot.
    private static let lookPause = Duration.seconds(1)
    /// Questions leave at multiples of this, some at once where there are many: to wake for each one costs more than to
    /// ask it.
    private static let beat = Duration.milliseconds(20)
    /// How long to wait when too many questions are unanswered.
    private static let crowdedPause = Duration.milliseconds(50)

    private let settings: ProbeSettings
    private var queue = DueQueue()
    private var rows: [Row] = []
    /// The snapshot that was, or is being, looked through.
    private var scanned: Revision?
    /// The row behind which the look goes on; nil: it is over.
    private var scanBehind: Int?
    private var nextFirst = Instant(nanoseconds: .min)
    /// Questions that neither an answer nor silence has ended.
    package private(set) var outstandingCount = 0

    /// A schedule that knows no gateway yet.
    package init(_ settings: ProbeSettings) { self.settings = settings }

    /// The gateway to ask now, nil when it is nobody's turn, and when to come back. Whoever asks calls `noteEnd` once.
    package mutating func next(in snapshot: RoutingSnapshot, now: Instant) -> (
        gateway: SnapshotGateway?, again: Instant
    ) {
        scan(snapshot, now)
        while let entry = queue.first, entry.at <= now {
            guard outstandingCount < settings.outstandingLimitCount else { return (nil, now + Self.crowdedPause) }
            queue.removeFirst()
            guard let gateway = take(entry, snapshot, now) else { continue }
            outstandingCount += 1
            return (gateway, wake(now))
        }
        return (nil, wake(now))
    }

    /// A question that was asked out of turn.
    package mutating func noteBegin() { outstandingCount += 1 }

    /// A question is answered, or given up.
    package mutating func noteEnd() { outstandingCount = max(0, outstandingCount - 1) }

    private func wake(_ now: Instant) -> Instant {
        let look = now + (scanBehind == nil ? Self.lookPause : Self.scanPause)
        guard let due = queue.first?.at else { return look }
        return max(now, min(Self.beat(notBefore: due), look))
    }

    /// The gateway of a due entry, if it is to be asked; its next turn is noted.
    private mutating func take(_ entry: DueQueue.Entry, _ snapshot: RoutingSnapshot, _ now: Instant) -> SnapshotGateway?
    {
        let index = Int(entry.index)
        guard rows[index].stamp == entry.stamp else { return nil }
        let slot = GatewaySlot(index: entry.index, generation: rows[index].generation)
        guard let gateway = snapshot.gateway(in: slot) else {
            rows[index] = Row(stamp: rows[index].stamp)  // a successor will be found by the next look
            return nil
        }
        // Half an interval at least lies between two questions, also behind a first one that came early.
        let interval = Self.interval(rows[index].intervalSeconds)
        enter(entry.index, at: Self.turn(of: entry.index, interval, notBefore: now + interval / 2 + .nanoseconds(1)))
        return gateway.gateway.administrativeState == .locked ? nil : gateway
    }

    /// Looks through a part of the routing data for gateways that are new or whose interval has changed.
    private mutating func scan(_ snapshot: RoutingSnapshot, _ now: Instant) {
        if scanBehind == nil {
            guard scanned != snapshot.revision else { return }
            (scanned, scanBehind) = (snapshot.revision, -1)
        }
        guard var behind = scanBehind else { return }
        for _ in 0..<Self.rowsAtOnce {
            guard let gateway = snapshot.gateway(after: behind) else {
                scanBehind = nil
                return
            }
            behind = Int(gateway.slot.index)
            note(gateway, now)
        }
        scanBehind = behind
    }

    private mutating func note(_ gateway: SnapshotGateway, _ now: Instant) {
        let index = Int(gateway.slot.index)
        while rows.count <= index { rows.append(Row()) }
        let seconds = gateway.gateway.probe.intervalSeconds
        let row = rows[index]
        guard !row.isKnown || row.generation != gateway.slot.generation || row.intervalSeconds != seconds else {
            return
        }
        rows[index] = Row(
            generation: gateway.slot.generation, isKnown: true, intervalSeconds: seconds, stamp: row.stamp &+ 1)
        guard seconds > 0 else { return }
        let turn = Self.turn(of: gateway.slot.index, Self.interval(seconds), notBefore: now)
        nextFirst = max(now, nextFirst + settings.firstSpacing)
        enter(gateway.slot.index, at: min(turn, nextFirst))
    }

    private mutating func enter(_ index: UInt16, at instant: Instant) {
        rows[Int(index)].stamp &+= 1
        queue.insert(DueQueue.Entry(at: instant, index: index, stamp: rows[Int(index)].stamp))
    }

    private static func interval(_ seconds: UInt32) -> Duration { .seconds(Int64(min(max(1, seconds), 86_400))) }

    private static func beat(notBefore instant: Instant) -> Instant {
        let past = instant.nanoseconds % beat.nanoseconds
        return past <= 0 ? instant : instant + .nanoseconds(beat.nanoseconds - past)
    }

    /// The first of a gateway's turns that is not before an instant.
    private static func turn(of index: UInt16, _ interval: Duration, notBefore instant: Instant) -> Instant {
        let length = interval.nanoseconds
        // The golden ratio's fraction of 2**32, times the row: a fraction of the interval, and another for each row.
        let fraction = Int64(UInt32(index) &* 0x9E37_79B9)
        let phase = length / (1 << 20) * (fraction >> 12) % length
        let past = (instant.nanoseconds % length + length) % length  // since the last multiple of the interval
        let wait = (phase - past + length) % length
        return instant + .nanoseconds(wait)
    }
}
