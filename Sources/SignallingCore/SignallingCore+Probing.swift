import Addressing
import Probing
package import Routing
import SIPMessage
import SIPTransaction
package import Time

// Probing: OPTIONS to one gateway after another (the method, step 8).

/// One question that waits for its answer.
struct ProbeRecord: BitwiseCopyable {
    typealias Handle = Slab<ProbeRecord>.Handle

    let slot: GatewaySlot
    let begun: Instant
    let rules: StatusRules
    let thresholds: ProbeVerdict.Thresholds
    /// Names whoever asked out of turn; 0: it was the gateway's turn.
    let ticket: UInt64
    /// The question, for as long as it may have to be sent again.
    var request = ByteStore.Block.empty
}

/// What came of one probe that was asked for.
package struct ProbeAnswer: Equatable, Sendable, BitwiseCopyable {
    /// How it ended.
    package enum Outcome: Equatable, Sendable, BitwiseCopyable {
        /// A final response with this status.
        case answered(sipStatus: Int)
        /// None in the predetermined wait.
        case noResponse
        /// It could not be sent, or the transport failed.
        case transportError
        /// No question was asked: the gateway has gone, or nobody asks any more.
        case notAsked
    }

    /// What the asker called it.
    package let ticket: UInt64
    /// How it ended.
    package let outcome: Outcome
    /// From the question to its end.
    package let roundTrip: Duration
    /// True when it says that the gateway is available.
    package let isAcknowledged: Bool
    /// The change of the status that it made; nil: none.
    package let change: StatusTransition?

    /// An answer of its parts.
    package init(
        ticket: UInt64, outcome: Outcome, roundTrip: Duration = .zero, isAcknowledged: Bool = false,
        change: StatusTransition? = nil
    ) {
        (self.ticket, self.outcome, self.roundTrip) = (ticket, outcome, roundTrip)
        (self.isAcknowledged, self.change) = (isAcknowledged, change)
    }

    /// True when both tell the same of the same question.
    package static func == (left: ProbeAnswer, right: ProbeAnswer) -> Bool {
        left.ticket == right.ticket && left.outcome == right.outcome && left.roundTrip == right.roundTrip
            && left.isAcknowledged == right.isAcknowledged && left.change?.after == right.change?.after
    }
}

extension SignallingCore {
    /// How many gateways are asked in one go at most.
    private static var probesAtOnce: Int { 16 }

    /// Asks whose turn it is and arms the timer of the next turn.
    mutating func probeNext(
        _ snapshot: borrowing PinnedSnapshot, _ now: Instant, _ actions: inout SignallingActions
    ) {
        guard !isDraining else { return }
        var again = now
        for _ in 0..<Self.probesAtOnce where again <= now {
            let turn = snapshot.withSnapshot { probeSchedule.next(in: $0, now: now) }
            again = turn.again
            guard let gateway = turn.gateway else { break }
            ask(gateway, ticket: 0, now, &actions)
        }
        let due = max(again, now + .milliseconds(1))
        actions.timers.append(.init(at: due, token: TimerToken(.probing, nil, slot: 0, generation: 0)))
    }

    /// Asks one gateway out of turn. What comes of it is in `SignallingActions.probeAnswers`, sooner or later, once.
    package mutating func probeNow(
        _ slot: GatewaySlot, ticket: UInt64, snapshot: borrowing PinnedSnapshot, now: Instant,
        into actions: inout SignallingActions
    ) {
        guard !isDraining, let gateway = snapshot.withSnapshot({ $0.gateway(in: slot) }) else {
            actions.probeAnswers.append(ProbeAnswer(ticket: ticket, outcome: .notAsked))
            return
        }
        probeSchedule.noteBegin()
        ask(gateway, ticket: ticket, now, &actions)
    }

    private mutating func ask(
        _ gateway: SnapshotGateway, ticket: UInt64, _ now: Instant, _ actions: inout SignallingActions
    ) {
        let rules = gateway.gateway.probe
        let machine = NonInviteClientTransaction(
            resendLimit: settings.probing.resendLimit,
            responseTimeout: .milliseconds(Int64(max(1, rules.timeoutMilliseconds))), timers: settings.timers,
            reliable: gateway.address.isReliable)
        let egress = egress(to: gateway.address, preferring: nil)
        let probe = probes.take(
            ProbeRecord(
                slot: gateway.slot, begun: now, rules: gateway.gateway.statusRules,
                thresholds: ProbeVerdict.Thresholds(gateway.gateway), ticket: ticket))
        let handle = takeClient(.nonInvite(machine), .probe(probe), gateway.address, egress, now)
        if let egress { write(probe, to: gateway, through: egress, by: handle) }
        counters.probes &+= 1
        drive(
            handle, invite: .start, nonInvite: egress == nil ? .transportFailure : .start, now, &actions)
    }

    /// Writes the question once and keeps it: a resending is the same bytes again.
    private mutating func write(
        _ probe: ProbeRecord.Handle, to gateway: SnapshotGateway, through listener: ListenerNumber,
        by handle: ClientRecord.Handle
    ) {
        responseBytes.removeAll()
        ProbeRequest(
            gateway: gateway.address, advertised: settings.listeners[Int(listener.index)].advertised,
            branch: Branch(worker: settings.worker, slot: handle.slot, generation: handle.generation),
            branchKey: settings.workerSecret, userAgent: settings.serverName, from: gateway.gateway.probe.from
        ).write(into: &responseBytes)
        probes[probe].request = responseBytes.withUnsafeBufferPointer { store.keep($0) }
    }

    /// Sends the probe of a client transaction.
    mutating func sendProbe(_ handle: ClientRecord.Handle, _ actions: inout SignallingActions) {
        guard case .probe(let probe) = clients[handle].purpose, probes.contains(probe) else { return }
        let (destination, listener) = (clients[handle].destination, clients[handle].listener)
        probes[probe].request.withSpan { actions.send($0, to: destination, through: listener) }
    }

    /// A probe was answered, or nobody answered in time.
    mutating func endProbe(
        _ handle: ProbeRecord.Handle, _ outcome: ProbeAnswer.Outcome, _ now: Instant,
        _ actions: inout SignallingActions
    ) {
        guard probes.contains(handle) else { return }
        store.release(&probes[handle].request)
        let probe = probes[handle]
        probes.giveBack(handle)
        probeSchedule.noteEnd()
        var sipStatus: Int?
        if case .answered(let status) = outcome { sipStatus = status }
        let isAcknowledged = probe.thresholds.isAcknowledgement(sipStatus)
        if !isAcknowledged { counters.probesFailed &+= 1 }
        let status = UInt16(clamping: sipStatus ?? 0)
        var isTransportError = false
        if case .transportError = outcome { isTransportError = true }
        let run = table.noteProbe(
            probe.slot, begun: probe.begun, at: now, sipStatus: status, isTransportError: isTransportError,
            roundTrip: now - probe.begun, isAcknowledged: isAcknowledged)
        let verdict = ProbeVerdict.judge(
            sipStatus: sipStatus, run: run, status: table.status(of: probe.slot), thresholds: probe.thresholds,
            now: now)
        let transition: StatusTransition? =
            switch verdict {
            case .keep: nil
            case .putBack:
                table.putBack(probe.slot, probed: status, now: now) {
                    probe.thresholds.endsByAcknowledgement($0, at: now)
                }
            case .takeOut(let cause):
                table.takeOut(probe.slot, probed: probe.rules, cause: cause, now: now, sipStatus: status)
            }
        if let transition { actions.transitions.append(transition) }
        guard probe.ticket != 0 else { return }
        actions.probeAnswers.append(
            ProbeAnswer(
                ticket: probe.ticket, outcome: outcome, roundTrip: now - probe.begun, isAcknowledged: isAcknowledged,
                change: transition))
    }
}
