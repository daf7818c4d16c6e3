import Synchronization
package import Time

// Whether the fault is more likely our own network's than the gateways'. The network manager decides; all follow.
extension GatewayInformationTable {
    /// True while our own network is suspected and the setting says `hold`: silence takes no gateway out, and lists are
    /// tried in order.
    package var isNetworkSuspected: Bool { isStatusHeld.load(ordering: .relaxed) }

    /// Sets whether the last known status is held. Only the network manager calls this.
    package func holdStatus(_ isHeld: Bool) { isStatusHeld.store(isHeld, ordering: .relaxed) }

    /// In-service again, as if it had not fallen: its silence was our own network's. Nil when silence is not why it is
    /// out, or it has gone.
    package func undoFall(_ slot: GatewaySlot, now: Instant) -> StatusTransition? {
        let transition = putBack(slot, cause: .reported, now: now, reporter: .networkManager) { $0.isOfSilence }
        if transition != nil {
            rows[slot.index].pointee.forgetFailures()
            rows[slot.index].pointee.rampBegan.store(0, ordering: .relaxed)
        }
        return transition
    }

    /// When the gateway last showed life by any response, to a call or a probe; nil: never.
    package func lastLife(of slot: GatewaySlot) -> Instant? {
        let row = rows[slot.index]
        var at = row.pointee.answeredAt.load(ordering: .relaxed)
        if row.pointee.lastProbe.load(ordering: .relaxed) >> 32 != 0 {
            at = max(at, row.pointee.lastProbeAt.load(ordering: .relaxed))
        }
        return at == 0 ? nil : Instant(nanoseconds: at)
    }

    /// When the gateway was last silent, to a call or a probe; nil: never.
    package func lastSilence(of slot: GatewaySlot) -> Instant? {
        let row = rows[slot.index]
        var at = row.pointee.silentAt.load(ordering: .relaxed)
        if row.pointee.lastProbe.load(ordering: .relaxed) >> 32 == 0 {
            at = max(at, row.pointee.lastProbeAt.load(ordering: .relaxed))
        }
        return at == 0 ? nil : Instant(nanoseconds: at)
    }
}
