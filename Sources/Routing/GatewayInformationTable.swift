import Synchronization
package import Time

/// The gateway information table: the live status of every gateway, one row of atomic words a slot, shared by all
/// snapshots and all threads.
///
/// A change is one compare-and-swap of the status word, so that of all threads that see a gateway fail exactly one
/// makes the change and gets the `StatusTransition` to pass on. A row is never moved or freed while the table lives.
package final class GatewayInformationTable: Sendable {
    /// How many gateways one process can hold.
    package static let slotLimitCount = 1 << 16

    private let rows: Rows
    /// Those that were found dead last.
    package let fallen = FallenGateways()

    /// A table in which every row is in-service and of generation 0.
    package init() { rows = Rows(count: Self.slotLimitCount) }

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
        /// The round trip of the last answered probe, us.
        package let lastProbeMicroseconds: UInt32
        /// Probes in a row that were not acknowledged.
        package let probeFailures: UInt32
    }

    /// Makes the row a new gateway's: in-service, counts at zero, the next generation.
    ///
    /// Only the builder calls this, before the snapshot that names the slot is shown.
    package func open(_ index: UInt16) -> GatewaySlot {
        let row = rows[index]
        let generation = StatusWord(bits: row.pointee.status.load(ordering: .acquiring)).generation &+ 1
        reset(row)
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
            lastProbeMicroseconds: UInt32(truncatingIfNeeded: probe),
            probeFailures: row.pointee.probeFailures.load(ordering: .relaxed))
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

    /// In-service when the time value is reached (the method, step 3). Nil when there is nothing to do.
    package func recoverIfDue(_ slot: GatewaySlot, now: Instant) -> StatusTransition? {
        guard status(of: slot).status == .outOfService else { return nil }
        return change(slot, now, .clock, 0, ShortText()) { word in
            word.status == .outOfService && word.isUsable(at: now) ? (.inService, .timeValueReached, nil) : nil
        }
    }

    // What is counted for a gateway that has gone is dropped: its successor in the row is not blamed, nor praised.

    /// Counts an attempt that the gateway answered. It vetoes the probes that were missed before (API section 6).
    package func countAnswer(_ slot: GatewaySlot) {
        guard status(of: slot).generation == slot.generation else { return }
        let row = rows[slot.index]
        row.pointee.answered.wrappingAdd(1, ordering: .relaxed)
        if row.pointee.consecutiveFailures.load(ordering: .relaxed) != 0 {
            row.pointee.consecutiveFailures.store(0, ordering: .relaxed)
        }
        if row.pointee.probeFailures.load(ordering: .relaxed) != 0 {
            row.pointee.probeFailures.store(0, ordering: .relaxed)
        }
    }

    /// Counts an attempt in which the gateway failed.
    package func countFailure(_ slot: GatewaySlot) {
        guard status(of: slot).generation == slot.generation else { return }
        let row = rows[slot.index]
        row.pointee.failed.wrappingAdd(1, ordering: .relaxed)
        row.pointee.consecutiveFailures.wrappingAdd(1, ordering: .relaxed)
    }

    /// Notes a probe's end: `sipStatus` 0 when no answer came. Returns how many in a row were not acknowledged.
    package func noteProbe(
        _ slot: GatewaySlot, at now: Instant, sipStatus: UInt16, roundTrip: Duration, isAcknowledged: Bool
    ) -> UInt32 {
        guard status(of: slot).generation == slot.generation else { return 0 }
        let row = rows[slot.index]
        let microseconds = UInt64(clamping: roundTrip.nanoseconds / 1000)
        row.pointee.lastProbeAt.store(now.nanoseconds, ordering: .relaxed)
        row.pointee.lastProbe.store(UInt64(sipStatus) << 32 | min(microseconds, 0xFFFF_FFFF), ordering: .relaxed)
        if isAcknowledged {
            row.pointee.probeFailures.store(0, ordering: .relaxed)
            return 0
        }
        return row.pointee.probeFailures.wrappingAdd(1, ordering: .relaxed).newValue
    }

    private typealias Change = (status: GatewayStatus, cause: StatusCause, timeValue: Instant?)

    /// One compare-and-swap loop for every change: `decide` names the new status or refuses.
    private func change(
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
                return StatusTransition(
                    slot: slot, before: word, after: after, at: now, reporter: reporter, sipStatus: sipStatus,
                    callID: callID)
            }
            word = StatusWord(bits: original)
        }
        return nil
    }

    private func reset(_ row: UnsafePointer<Row>) {
        row.pointee.answered.store(0, ordering: .relaxed)
        row.pointee.failed.store(0, ordering: .relaxed)
        row.pointee.consecutiveFailures.store(0, ordering: .relaxed)
        row.pointee.probeFailures.store(0, ordering: .relaxed)
        row.pointee.lastProbeAt.store(0, ordering: .relaxed)
        row.pointee.lastProbe.store(0, ordering: .relaxed)
    }
}

/// One gateway's words. 64 bytes: what one call changes of one gateway lies in one cache line.
private struct Row: ~Copyable {
    let status = Atomic<UInt64>(0)
    let answered = Atomic<UInt64>(0)
    let failed = Atomic<UInt64>(0)
    let consecutiveFailures = Atomic<UInt32>(0)
    let probeFailures = Atomic<UInt32>(0)
    let lastProbeAt = Atomic<Int64>(0)
    /// Status code in the high half, round trip in us in the low one.
    let lastProbe = Atomic<UInt64>(0)
    private let padding: (UInt64, UInt64) = (0, 0)
}

/// The rows at an address that stays; every index is a `UInt16`, so none lies outside.
private struct Rows: ~Copyable, @unchecked Sendable {
    private let base: UnsafeMutablePointer<Row>
    private let count: Int

    init(count: Int) {
        self.count = count
        base = .allocate(capacity: count)
        for index in 0..<count { (base + index).initialize(to: Row()) }
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    subscript(index: UInt16) -> UnsafePointer<Row> { UnsafePointer(base + Int(index)) }
}
