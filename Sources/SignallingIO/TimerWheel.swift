package import SignallingCore
package import Time

/// The timers of one worker: a hierarchical wheel with ticks of 1 ms, eight wheels of 256 slots, which together span
/// all of time, so that nothing is too far away.
///
/// A timer lies on the wheel of the highest byte in which its tick differs from the present one, in the slot of that
/// byte. So the lowest slot of the lowest wheel in use is always the next: when its time has come, it is either due
/// (wheel 0) or moves down. Arming is O(1), firing O(wheels) a timer; timers are never cancelled. Memory is taken for
/// as many timers as were ever armed at a time, and used again.
package struct TimerWheel: ~Copyable {
    private struct Node {
        var tick: UInt64
        var token: TimerToken
        var next: Int32
    }

    private static let wheelCount = 8
    private static let slotCount = 256
    private static let none: Int32 = -1

    private var nodes: [Node] = []
    private var firstFree = Self.none
    private var heads = [Int32](repeating: Self.none, count: Self.wheelCount * Self.slotCount)
    /// A bit for each slot that is not empty, four words a wheel.
    private var occupied = [UInt64](repeating: 0, count: Self.wheelCount * Self.slotCount / 64)
    /// Everything up to this tick has fired.
    private var current: UInt64

    /// How many timers wait.
    package private(set) var count = 0

    /// A wheel without a timer.
    package init(now: Instant, capacity: Int = 4096) {
        current = Self.tick(before: now)
        nodes.reserveCapacity(capacity)
    }

    /// Starts a timer. One of the past fires at the next tick.
    package mutating func arm(at instant: Instant, _ token: TimerToken) {
        let tick = max(Self.tick(after: instant), current + 1)
        var node = firstFree
        if node == Self.none {
            guard let index = Int32(exactly: nodes.count) else { return }  // 2**31 timers do not fit in memory
            node = index
            nodes.append(Node(tick: tick, token: token, next: Self.none))
        } else {
            firstFree = nodes[Int(node)].next
            nodes[Int(node)] = Node(tick: tick, token: token, next: Self.none)
        }
        count += 1
        place(node)
    }

    /// Takes the next timer that is due at `now`, in the order of their milliseconds. Nil: none is left.
    package mutating func takeDue(at now: Instant) -> TimerToken? {
        let target = max(Self.tick(before: now), current)
        while let (wheel, slot, tick) = next(), tick <= target {
            current = tick
            let index = wheel * Self.slotCount + slot
            let head = heads[index]
            if wheel == 0 {
                let (token, following) = (nodes[Int(head)].token, nodes[Int(head)].next)
                nodes[Int(head)].next = firstFree
                (firstFree, heads[index], count) = (head, following, count - 1)
                if following == Self.none { empty(index) }
                return token
            }
            empty(index)
            var node = head
            while node != Self.none {
                let following = nodes[Int(node)].next
                place(node)
                node = following
            }
        }
        current = target
        return nil
    }

    /// When to ask next: not later than the next timer is due, sometimes a little earlier. Nil without a timer.
    package var nextDue: Instant? {
        guard let (_, _, tick) = next() else { return nil }
        let (nanoseconds, overflow) = Int64(clamping: tick).multipliedReportingOverflow(by: 1_000_000)
        return Instant(nanoseconds: overflow ? .max : nanoseconds)
    }

    /// The lowest slot in use, and the tick at which it begins.
    private func next() -> (wheel: Int, slot: Int, tick: UInt64)? {
        guard count > 0 else { return nil }
        for word in occupied.indices where occupied[word] != 0 {
            let (wheel, slot) = (word / 4, word % 4 * 64 + occupied[word].trailingZeroBitCount)
            let shift = UInt64(wheel * 8)
            // Swift's `<<` yields 0 past the width: the highest wheel has nothing above it.
            let above = current & (UInt64.max << (shift + 8))
            return (wheel, slot, above | UInt64(slot) << shift)
        }
        return nil
    }

    private mutating func place(_ node: Int32) {
        let tick = nodes[Int(node)].tick
        let wheel = (63 - ((tick ^ current) | 1).leadingZeroBitCount) / 8
        let slot = Int(truncatingIfNeeded: tick >> UInt64(wheel * 8) & 255)
        let index = wheel * Self.slotCount + slot
        nodes[Int(node)].next = heads[index]
        heads[index] = node
        occupied[index / 64] |= 1 << UInt64(index % 64)
    }

    private mutating func empty(_ index: Int) {
        heads[index] = Self.none
        occupied[index / 64] &= ~(1 << UInt64(index % 64))
    }

    /// The last tick that has begun by `now`.
    private static func tick(before now: Instant) -> UInt64 { UInt64(clamping: now.nanoseconds) / 1_000_000 }

    /// The first tick that begins at `instant` or after it: no timer fires early.
    private static func tick(after instant: Instant) -> UInt64 {
        let nanoseconds = UInt64(clamping: instant.nanoseconds)
        return nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1)
    }
}
