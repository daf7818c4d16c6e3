import Synchronization
package import Time

/// The gateway information table: the live status of every gateway, one row of atomic words a slot, shared by all
/// snapshots and all threads.
///
/// A change is one compare-and-swap of the status word, so that of all threads that see a gateway fail exactly one
/// makes the change and gets the `StatusTransition` to pass on. A row is never moved or freed while the table lives.
package final class GatewayInformationTable: Sendable {
    /// How many gateways one process can hold, besides those that remote redirect servers name.
    package static let slotLimitCount = rowCount - remoteLimitCount
    static let rowCount = 1 << 16

    let rows = TableRows()
    let remotes = RemoteGateways()
    let isStatusHeld = Atomic(false)
    /// Those that were found dead last.
    package let fallen = FallenGateways()

    /// A table in which every row is in-service and of generation 0.
    package init() {}

    /// Every row that was ever opened has an index below this.
    package var rowLimit: Int { rows.limit }

    /// Counts of one gateway since its row was opened.
    package struct Counts: Equatable, Sendable {
        /// Attempts that got a provisional response or a 2xx.
        package let answered: UInt64
        /// Attempts that got none, or a failure that made the gateway out-of-service.
        package let failed: UInt64
        /// Failures since the last answer.
        package let consecutiveFailures: UInt32
        /// When the last probe was answered or given up; nil before the first.
        package let lastProbeAt: Instant?
        /// The status code of the last probe's answer; 0: none came.
        package let lastProbeStatus: UInt16
        /// True when the last probe could not be sent.
        package let isLastProbeTransportError: Bool
        /// The round trip of the last probe, us, when it was answered.
        package let lastProbeMicroseconds: UInt32
        /// Probes in a row that were not acknowledged.
        package let probeFailures: UInt32
        /// Calls that the gateway has now.
        package let liveCalls: UInt32
    }

    /// Makes the row a new gateway's: in-service, counts at zero, the next generation.
    ///
    /// Only the builder calls this, before the snapshot that names the slot is shown.
    package func open(_ index: UInt16) -> GatewaySlot {
        let row = rows.opened(index)
        let generation = StatusWord(bits: row.pointee.status.load(ordering: .acquiring)).generation &+ 1
        row.pointee.reset(generation: generation)
        let word = StatusWord(.inService, cause: nil, timeValue: nil, changeCount: 0, generation: generation)
        row.pointee.status.store(word.bits, ordering: .releasing)
        return GatewaySlot(index: index, generation: generation)
    }

    /// Puts back what a restart interrupted. The change itself was recorded before, so no transition comes of it.
    package func restore(_ slot: GatewaySlot, _ status: GatewayStatus, cause: StatusCause?, timeValue: Instant?) {
        let word = StatusWord(status, cause: cause, timeValue: timeValue, changeCount: 0, generation: slot.generation)
        rows[slot.index].pointee.status.store(word.bits, ordering: .releasing)
    }

    /// The present status. A slot whose gateway has gone reads as its successor's row.
    package func status(of slot: GatewaySlot) -> StatusWord {
        StatusWord(bits: rows[slot.index].pointee.status.load(ordering: .acquiring))
    }

    /// The counts of the row.
    package func counts(of slot: GatewaySlot) -> Counts {
        let row = rows[slot.index]
        let probeAt = row.pointee.lastProbeAt.load(ordering: .relaxed)
        let probe = row.pointee.lastProbe.load(ordering: .relaxed)
        return Counts(
            answered: row.pointee.answered.load(ordering: .relaxed),
            failed: row.pointee.failed.load(ordering: .relaxed),
            consecutiveFailures: row.pointee.consecutiveFailures.load(ordering: .relaxed),
            lastProbeAt: probeAt == 0 ? nil : Instant(nanoseconds: probeAt),
            lastProbeStatus: UInt16(truncatingIfNeeded: probe >> 32),
            isLastProbeTransportError: probe == TableRow.transportError,
            lastProbeMicroseconds: UInt32(truncatingIfNeeded: probe),
            probeFailures: row.pointee.probeFailures.load(ordering: .relaxed),
            liveCalls: liveCalls(slot))
    }

    /// Failures since the last answer.
    package func consecutiveFailures(of slot: GatewaySlot) -> UInt32 {
        rows[slot.index].pointee.consecutiveFailures.load(ordering: .relaxed)
    }

    /// How long half of its first responses took at most, and 95 of a hundred: of the last thousand or so, each within
    /// a quarter. Nil before the first.
    package func responseTimes(of slot: GatewaySlot) -> (p50: Duration, p95: Duration)? {
        rows[slot.index].pointee.responseTimes.percentiles
    }

    /// The word of the row with this index, whichever gateway has it.
    package func word(at index: UInt16) -> StatusWord {
        StatusWord(bits: rows[index].pointee.status.load(ordering: .acquiring))
    }

    /// When the status last changed, time value and cause included; nil when it never did.
    package func lastChange(of slot: GatewaySlot) -> Instant? {
        let at = rows[slot.index].pointee.changedAt.load(ordering: .relaxed)
        return at == 0 || status(of: slot).generation != slot.generation ? nil : Instant(nanoseconds: at)
    }

    /// Out-of-service until `timeValue`. Nil when it is out already (its time value stays) or the gateway has gone.
    package func takeOut(
        _ slot: GatewaySlot, until timeValue: Instant, cause: StatusCause, now: Instant, reporter: StatusReporter,
        sipStatus: UInt16 = 0, callID: ShortText = ShortText()
    ) -> StatusTransition? {
        change(slot, now, reporter, sipStatus, callID) { word in
            word.status == .outOfService ? nil : (.outOfService, cause, timeValue)
        }
    }

    /// In-service, whatever the time value. Nil when it is so already or the gateway has gone.
    ///
    /// - Parameter mayEnd: asked of the very word that is replaced: false leaves the gateway out.
    package func putBack(
        _ slot: GatewaySlot, cause: StatusCause, now: Instant, reporter: StatusReporter,
        sipStatus: UInt16 = 0, callID: ShortText = ShortText(), where mayEnd: (StatusWord) -> Bool = { _ in true }
    ) -> StatusTransition? {
        change(slot, now, reporter, sipStatus, callID) { word in
            word.status == .outOfService && mayEnd(word) ? (.inService, cause, nil) : nil
        }
    }

    /// In-service when the time value is reached (the method, step 3). Nil when there is nothing to do, as with a
    /// gateway that a trial call or a probe must put back.
    package func recoverIfDue(
        _ slot: GatewaySlot, recovery: RecoveryMode = .timed, now: Instant
    ) -> StatusTransition? {
        guard recovery == .timed, status(of: slot).status == .outOfService else { return nil }
        return change(slot, now, .clock, 0, ShortText()) { word in
            word.status == .outOfService && word.isUsable(at: now) ? (.inService, .timeValueReached, nil) : nil
        }
    }

    /// The operator's word: out-of-service until `timeValue`, nil: until he says otherwise; or in-service. Neither
    /// calls nor probes nor reports overrule it before.
    ///
    /// Of a gateway that is out already, cause and time value are replaced: that is a change too, from out-of-service
    /// to out-of-service. Nil when it changes nothing or the gateway has gone.
    package func order(
        _ slot: GatewaySlot, _ status: GatewayStatus, until timeValue: Instant? = nil, now: Instant
    ) -> StatusTransition? {
        let transition = change(slot, now, .operatorWord, 0, ShortText()) { word in
            switch status {
            case .inService: word.status == .outOfService ? (.inService, .operatorWord, nil) : nil
            case .outOfService where word.isOrdered(until: timeValue): nil
            case .outOfService: (.outOfService, .operatorWord, timeValue)
            }
        }
        // He knows something that doubled holds and failed probes do not.
        if let transition, transition.after.status == .inService { rows[slot.index].pointee.forgetFailures() }
        return transition
    }

    typealias Change = (status: GatewayStatus, cause: StatusCause, timeValue: Instant?)

    /// One compare-and-swap loop for every change: `decide` names the new status or refuses.
    func change(
        _ slot: GatewaySlot, _ now: Instant, _ reporter: StatusReporter, _ sipStatus: UInt16, _ callID: ShortText,
        _ decide: (StatusWord) -> Change?
    ) -> StatusTransition? {
        let row = rows[slot.index]
        var word = StatusWord(bits: row.pointee.status.load(ordering: .acquiring))
        while word.generation == slot.generation, let change = decide(word) {
            let after = StatusWord(
                change.status, cause: change.cause, timeValue: change.timeValue, changeCount: word.changeCount &+ 1,
                generation: word.generation)
            let (exchanged, original) = row.pointee.status.compareExchange(
                expected: word.bits, desired: after.bits, ordering: .acquiringAndReleasing)
            if exchanged {
                row.pointee.noteChange(to: change.status, at: now)
                return StatusTransition(
                    slot: slot, before: word, after: after, at: now, reporter: reporter, sipStatus: sipStatus,
                    callID: callID)
            }
            word = StatusWord(bits: original)
        }
        return nil
    }
}

extension StatusWord {
    /// True when the operator has said so already: a time that was shown on the wall clock comes back a little other.
    fileprivate func isOrdered(until time: Instant?) -> Bool {
        guard status == .outOfService, cause == .operatorWord else { return false }
        guard let timeValue, var time else { return self.timeValue == nil && time == nil }
        time = min(time, StatusWord.lastTimeValue)  // as it was kept
        return timeValue - time <= .milliseconds(10) && time - timeValue <= .milliseconds(10)
    }
}
