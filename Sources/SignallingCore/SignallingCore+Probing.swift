import Addressing
import Probing
import Routing
import SIPMessage
import SIPTransaction
import Time

// Probing: OPTIONS to one gateway after another (the method, step 8).
extension SignallingCore {
    /// Asks the next gateway and arms the timer of the one after.
    mutating func probeNext(
        _ snapshot: borrowing PinnedSnapshot, _ now: Instant, _ actions: inout SignallingActions
    ) {
        guard !isDraining else { return }
        let (gateway, again) = snapshot.withSnapshot { probeSchedule.next(in: $0, now: now) }
        actions.timers.append(.init(at: again, token: TimerToken(.probing, nil, slot: 0, generation: 0)))
        guard let gateway else { return }
        let machine = NonInviteClientTransaction(
            resendLimit: settings.probing.resendLimit, responseTimeout: settings.probing.timeout,
            timers: settings.timers, reliable: gateway.address.isReliable)
        let egress = egress(to: gateway.address, preferring: nil)
        let handle = takeClient(
            .nonInvite(machine),
            .probe(gateway.slot, address: gateway.address, hold: gateway.timing.hold, begun: now),
            gateway.address, egress, now)
        counters.probes &+= 1
        let isReachable = egress != nil
        drive(
            handle, invite: .start, nonInvite: isReachable ? .start : .transportFailure, now, &actions)
    }

    /// Writes the probe of a client transaction and sends it.
    mutating func sendProbe(_ handle: ClientRecord.Handle, _ actions: inout SignallingActions) {
        guard case .probe(_, let address, _, _) = clients[handle].purpose else { return }
        let listener = clients[handle].listener
        let start = actions.bytes.count
        ProbeRequest(
            gateway: address, advertised: settings.listeners[Int(listener.index)].advertised,
            branch: Branch(worker: settings.worker, slot: handle.slot, generation: handle.generation),
            branchKey: settings.workerSecret, userAgent: settings.serverName
        ).write(into: &actions.bytes)
        actions.datagrams.append(
            .init(start: start, count: actions.bytes.count - start, destination: address, listener: listener))
    }

    /// A probe was answered, or nobody answered in time.
    mutating func endProbe(
        _ slot: GatewaySlot, _ sipStatus: Int?, _ hold: Duration, _ begun: Instant, _ now: Instant,
        _ actions: inout SignallingActions
    ) {
        let isAcknowledged = sipStatus.map { ProbeVerdict.isAcknowledgement($0) } ?? false
        if !isAcknowledged { counters.probesFailed &+= 1 }
        let status = UInt16(clamping: sipStatus ?? 0)
        let run = table.noteProbe(
            slot, begun: begun, at: now, sipStatus: status, roundTrip: now - begun, isAcknowledged: isAcknowledged)
        let verdict = ProbeVerdict.judge(
            sipStatus: sipStatus, failures: run.failures, status: table.status(of: slot), settings: settings.probing)
        let transition: StatusTransition? =
            switch verdict {
            case .keep: nil
            case .putBack:
                table.putBack(
                    slot, cause: .probeAnswered, now: now, reporter: .probe, sipStatus: status,
                    where: ProbeVerdict.isOverruledByAnswer)
            case .takeOut(let cause):
                table.takeOut(slot, until: now + hold, cause: cause, now: now, reporter: .probe, sipStatus: status)
            }
        if let transition { actions.transitions.append(transition) }
    }
}
