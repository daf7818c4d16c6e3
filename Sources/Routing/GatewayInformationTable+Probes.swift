import Synchronization
package import Time

// What probes say, counted; what it means for the status is `Probing`'s to judge.
extension GatewayInformationTable {
    /// How probes ended lately.
    package struct ProbeRun: Equatable, Sendable {
        /// In a row that were not acknowledged.
        package let failures: UInt32
        /// In a row that were.
        package let successes: UInt32

        /// A run of its parts.
        package init(failures: UInt32, successes: UInt32) { (self.failures, self.successes) = (failures, successes) }
    }

    /// Notes a probe's end: `sipStatus` 0 when no answer came, `isTransportError` when it could not be sent.
    ///
    /// A call that was answered after the probe had begun vetoes a probe that was missed (API section 6): it does not
    /// count.
    package func noteProbe(
        _ slot: GatewaySlot, begun: Instant? = nil, at now: Instant, sipStatus: UInt16, isTransportError: Bool = false,
        roundTrip: Duration, isAcknowledged: Bool
    ) -> ProbeRun {
        guard status(of: slot).generation == slot.generation else { return ProbeRun(failures: 0, successes: 0) }
        let row = rows[slot.index]
        var low = min(UInt64(clamping: roundTrip.nanoseconds / 1000), 0xFFFF_FFFF)
        if sipStatus == 0 { low = isTransportError ? TableRow.transportError : 0 }
        row.pointee.lastProbeAt.store(now.nanoseconds, ordering: .relaxed)
        row.pointee.lastProbe.store(UInt64(sipStatus) << 32 | low, ordering: .relaxed)
        if sipStatus != 0 { clearSuspicion(slot) }
        if isAcknowledged {
            TableRow.clear(row.pointee.probeFailures)
            return ProbeRun(
                failures: 0, successes: row.pointee.probeSuccesses.wrappingAdd(1, ordering: .relaxed).newValue)
        }
        TableRow.clear(row.pointee.probeSuccesses)
        let answeredAt = row.pointee.answeredAt.load(ordering: .relaxed)
        if let begun, answeredAt != 0, answeredAt >= begun.nanoseconds {
            return ProbeRun(failures: row.pointee.probeFailures.load(ordering: .relaxed), successes: 0)
        }
        return ProbeRun(
            failures: row.pointee.probeFailures.wrappingAdd(1, ordering: .relaxed).newValue, successes: 0)
    }

    /// Out-of-service for the hold since probes were not acknowledged. Nil when it is out already or has gone, and for
    /// silence while our own network is suspected.
    package func takeOut(
        _ slot: GatewaySlot, probed rules: StatusRules, cause: StatusCause, now: Instant, sipStatus: UInt16
    ) -> StatusTransition? {
        guard cause != .probeNoResponse || !isNetworkSuspected else { return nil }
        return fall(
            slot, rules, cause: cause, until: nil, begun: Instant(nanoseconds: .min), now: now, reporter: .probe,
            sipStatus: sipStatus, callID: ShortText())
    }

    /// In-service since a probe was acknowledged. Nil when `mayEnd` says no of the very word that is replaced.
    package func putBack(
        _ slot: GatewaySlot, probed sipStatus: UInt16, now: Instant, where mayEnd: (StatusWord) -> Bool
    ) -> StatusTransition? {
        let transition = putBack(
            slot, cause: .probeAnswered, now: now, reporter: .probe, sipStatus: sipStatus, where: mayEnd)
        if transition != nil { TableRow.clear(rows[slot.index].pointee.repeats) }
        return transition
    }
}
