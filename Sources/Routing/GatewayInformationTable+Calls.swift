import Synchronization
package import Time

// What calls take of a gateway: places, a share of the second, the one trial call.
extension GatewayInformationTable {
    /// How many calls the gateway has now.
    package func liveCalls(_ slot: GatewaySlot) -> UInt32 {
        let word = rows[slot.index].pointee.liveCalls.load(ordering: .relaxed)
        return UInt8(truncatingIfNeeded: word >> 32) == slot.generation ? UInt32(truncatingIfNeeded: word) : 0
    }

    /// Counts a call that begins; whoever gets true calls `endCall` once. False when it would be one too many at once
    /// or in this second, over all workers, or when the gateway has gone.
    package func beginCall(_ slot: GatewaySlot, limits: CallLimits, now: Instant) -> Bool {
        guard rateAllows(slot, limits, now) else { return false }
        let row = rows[slot.index]
        var word = row.pointee.liveCalls.load(ordering: .relaxed)
        while true {
            let count = UInt32(truncatingIfNeeded: word)
            guard UInt8(truncatingIfNeeded: word >> 32) == slot.generation, count < limits.maxCalls ?? .max else {
                return false
            }
            let (exchanged, original) = row.pointee.liveCalls.weakCompareExchange(
                expected: word, desired: word + 1, ordering: .relaxed)
            if exchanged { break }
            word = original
        }
        if takeShareOfSecond(row, limits, now) { return true }
        endCall(slot)
        return false
    }

    /// Counts a call that ended. Never below zero; one of a gateway that has gone counts for nobody.
    package func endCall(_ slot: GatewaySlot) {
        let row = rows[slot.index]
        var word = row.pointee.liveCalls.load(ordering: .relaxed)
        while UInt8(truncatingIfNeeded: word >> 32) == slot.generation, UInt32(truncatingIfNeeded: word) > 0 {
            let (exchanged, original) = row.pointee.liveCalls.weakCompareExchange(
                expected: word, desired: word - 1, ordering: .relaxed)
            if exchanged { return }
            word = original
        }
    }

    /// True when the gateway may have another call in this second. Takes nothing.
    package func rateAllows(_ slot: GatewaySlot, _ limits: CallLimits, _ now: Instant) -> Bool {
        guard let limit = limits.maxCallsPerSecond else { return true }
        let word = rows[slot.index].pointee.callRate.load(ordering: .relaxed)
        return Self.countInSecond(word, now) < limit
    }

    /// True when no trial call holds its place. Of a gateway that is out and whose time value is reached.
    package func isTrialFree(_ slot: GatewaySlot, _ now: Instant) -> Bool {
        rows[slot.index].pointee.trialUntil.load(ordering: .relaxed) <= now.nanoseconds
    }

    /// Takes the place of the one trial call of a gateway that is out and whose time value is reached, over all
    /// workers. Whoever gets true calls `endTrial`, and tells what came of it by `observe`.
    ///
    /// - Parameter lease: the place is free again after this, should `endTrial` never come: longer than any attempt.
    package func claimTrial(_ slot: GatewaySlot, now: Instant, lease: Duration) -> Bool {
        let word = status(of: slot)
        guard word.generation == slot.generation, word.status == .outOfService, word.isUsable(at: now) else {
            return false
        }
        let row = rows[slot.index]
        let held = row.pointee.trialUntil.load(ordering: .relaxed)
        guard held <= now.nanoseconds else { return false }
        return row.pointee.trialUntil.compareExchange(
            expected: held, desired: (now + max(lease, .milliseconds(1))).nanoseconds,
            ordering: .acquiringAndReleasing
        ).exchanged
    }

    /// Gives the place of the trial call back. No matter when it is free already.
    package func endTrial(_ slot: GatewaySlot) {
        guard status(of: slot).generation == slot.generation else { return }
        rows[slot.index].pointee.trialUntil.store(0, ordering: .releasing)
    }

    /// Since when the gateway's share grows: when it came back, or failed since. Nil: out-of-service, or its share is
    /// full since it never was out.
    package func inServiceSince(_ slot: GatewaySlot) -> Instant? {
        let word = status(of: slot)
        let began = rows[slot.index].pointee.rampBegan.load(ordering: .relaxed)
        guard word.generation == slot.generation, word.status == .inService, began != 0 else { return nil }
        return Instant(nanoseconds: began)
    }

    private func takeShareOfSecond(_ row: UnsafePointer<TableRow>, _ limits: CallLimits, _ now: Instant) -> Bool {
        guard let limit = limits.maxCallsPerSecond else { return true }
        var word = row.pointee.callRate.load(ordering: .relaxed)
        while true {
            let count = Self.countInSecond(word, now)
            guard count < limit else { return false }
            let (exchanged, original) = row.pointee.callRate.weakCompareExchange(
                expected: word, desired: count > 0 ? word + 1 : Self.second(of: now) << 32 | 1, ordering: .relaxed)
            if exchanged { return true }
            word = original
        }
    }

    /// A worker whose `now` is a moment older counts in the later second.
    private static func countInSecond(_ word: UInt64, _ now: Instant) -> UInt32 {
        let second = second(of: now)
        return word >> 32 == second || word >> 32 == second + 1 ? UInt32(truncatingIfNeeded: word) : 0
    }

    private static func second(of now: Instant) -> UInt64 {
        UInt64(UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000_000))
    }
}
