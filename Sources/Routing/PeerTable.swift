import Synchronization
package import Time

/// The row of an ingress peer in the peer table. A peer keeps it as long as it lives, whatever becomes of its networks,
/// its plan and its limits.
package struct PeerSlot: Hashable, Sendable, BitwiseCopyable {
    /// 0..<`PeerTable.slotLimitCount`.
    package let index: UInt16
    /// Tells successive peers in one row apart, so that a call that ends late is not taken from its peer's successor.
    package let generation: UInt16

    /// The slot of its parts.
    package init(index: UInt16, generation: UInt16) { (self.index, self.generation) = (index, generation) }
}

/// How many calls each ingress peer has: one row of atomic words a slot, shared by all snapshots and all threads. A row
/// is never moved or freed while the table lives.
package final class PeerTable: Sendable {
    /// How many ingress peers one process can hold.
    package static let slotLimitCount = 1 << 16

    private let rows: PeerRows

    /// A table in which nobody has a call.
    package init() { rows = PeerRows(count: Self.slotLimitCount) }

    /// How many calls the peer has now.
    package func liveCalls(_ slot: PeerSlot) -> UInt32 {
        let word = CallWord(bits: rows[slot.index].pointee.calls.load(ordering: .relaxed))
        return word.generation == slot.generation ? word.count : 0
    }

    /// True when the peer may have another call now, at once and in this second. Takes nothing.
    package func allows(_ slot: PeerSlot, _ limits: CallLimits, now: Instant) -> Bool {
        if let limit = limits.maxCalls, liveCalls(slot) >= limit { return false }
        guard let limit = limits.maxCallsPerSecond else { return true }
        return SecondWord(bits: rows[slot.index].pointee.rate.load(ordering: .relaxed)).count(now) < limit
    }

    /// Counts a call that begins; whoever gets true calls `endCall` once. False when it would be one too many at once
    /// or in this second, over all workers.
    ///
    /// The first call of a peer makes the row its own. A call of a peer that has gone, whose row is another's, counts
    /// for nobody and is let through: the snapshot by which it came still allows it.
    package func beginCall(_ slot: PeerSlot, _ limits: CallLimits, now: Instant) -> Bool {
        guard allows(slot, limits, now: now) else { return false }
        let row = rows[slot.index]
        var word = CallWord(bits: row.pointee.calls.load(ordering: .relaxed))
        while true {
            if word.isNewer(than: slot) { return true }
            let count = word.generation == slot.generation ? word.count : 0
            guard count < min(limits.maxCalls ?? .max, .max - 1) else { return false }
            let next = CallWord(generation: slot.generation, count: count + 1)
            let (exchanged, original) = row.pointee.calls.weakCompareExchange(
                expected: word.bits, desired: next.bits, ordering: .relaxed)
            if exchanged { break }
            word = CallWord(bits: original)
        }
        if takeShareOfSecond(row, limits, now) { return true }
        endCall(slot)
        return false
    }

    /// Counts a call that ended. Never below zero; one of a peer that has gone counts for nobody.
    package func endCall(_ slot: PeerSlot) {
        let row = rows[slot.index]
        var word = CallWord(bits: row.pointee.calls.load(ordering: .relaxed))
        while word.generation == slot.generation, word.count > 0 {
            let next = CallWord(generation: word.generation, count: word.count - 1)
            let (exchanged, original) = row.pointee.calls.weakCompareExchange(
                expected: word.bits, desired: next.bits, ordering: .relaxed)
            if exchanged { return }
            word = CallWord(bits: original)
        }
    }

    private func takeShareOfSecond(_ row: UnsafePointer<PeerRow>, _ limits: CallLimits, _ now: Instant) -> Bool {
        guard let limit = limits.maxCallsPerSecond else { return true }
        var word = SecondWord(bits: row.pointee.rate.load(ordering: .relaxed))
        while true {
            guard word.count(now) < limit else { return false }
            let (exchanged, original) = row.pointee.rate.weakCompareExchange(
                expected: word.bits, desired: word.countingOne(now).bits, ordering: .relaxed)
            if exchanged { return true }
            word = SecondWord(bits: original)
        }
    }
}

/// Whose calls, and how many.
private struct CallWord {
    let bits: UInt64

    init(bits: UInt64) { self.bits = bits }

    init(generation: UInt16, count: UInt32) { bits = UInt64(generation) << 32 | UInt64(count) }

    var generation: UInt16 { UInt16(truncatingIfNeeded: bits >> 32) }
    var count: UInt32 { UInt32(truncatingIfNeeded: bits) }

    /// Generations go round: the one that is less than half the way ahead is the newer one.
    func isNewer(than slot: PeerSlot) -> Bool { Int16(bitPattern: generation &- slot.generation) > 0 }
}

/// Which second, and how many calls began in it.
private struct SecondWord {
    let bits: UInt64

    init(bits: UInt64) { self.bits = bits }

    /// A worker whose `now` is a moment older counts in the later second.
    func count(_ now: Instant) -> UInt32 {
        let second = Self.second(of: now)
        return bits >> 32 == second || bits >> 32 == second + 1 ? UInt32(truncatingIfNeeded: bits) : 0
    }

    func countingOne(_ now: Instant) -> SecondWord {
        count(now) > 0 ? SecondWord(bits: bits + 1) : SecondWord(bits: Self.second(of: now) << 32 | 1)
    }

    private static func second(of now: Instant) -> UInt64 {
        UInt64(UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000_000))
    }
}

/// One peer's words. 64 bytes: peers that call at the same time don't share a cache line.
private struct PeerRow: ~Copyable {
    let calls = Atomic<UInt64>(0)
    let rate = Atomic<UInt64>(0)
    private let padding: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
}

/// The rows at an address that stays; every index is a `UInt16`, so none lies outside.
private struct PeerRows: ~Copyable, @unchecked Sendable {
    private let base: UnsafeMutablePointer<PeerRow>
    private let count: Int

    init(count: Int) {
        self.count = count
        base = .allocate(capacity: count)
        for index in 0..<count { (base + index).initialize(to: PeerRow()) }
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    subscript(index: UInt16) -> UnsafePointer<PeerRow> { UnsafePointer(base + Int(index)) }
}
