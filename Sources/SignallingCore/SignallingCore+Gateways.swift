import Addressing
import Proxy
import Routing
import SIPMessage
import SIPTransaction
import Time

// What a search and the gateway information table tell each other: whether a target can be had, what it did.
extension SignallingCore {
    /// Why a target gets nothing although it was selected: what happened to its gateway since.
    enum SkipReason {
        /// It has become out-of-service, or has gone.
        case out
        /// The operator takes no new calls to it.
        case locked
        /// It has as many calls as it may have.
        case full
        /// Another call tries whether it is back.
        case trial
    }

    /// What one attempt took of its gateway, to be given back once.
    struct Claim: BitwiseCopyable {
        /// Whose; nil within a dialog, where nobody is chosen.
        var gateway: GatewaySlot?
        /// A place among its live calls.
        var holdsCall = false
        /// The place of its one trial call.
        var holdsTrial = false
    }

    enum ClaimResult {
        case taken(Claim)
        case skipped(SkipReason)
    }

    /// Takes what an attempt at the target needs of its gateway, or tells why there is nothing to be had.
    mutating func claim(
        _ target: Int, of handle: ContextRecord.Handle, _ now: Instant, _ actions: inout SignallingActions
    ) -> ClaimResult {
        guard let gateway = contexts[handle].targets[target] else { return .taken(Claim()) }
        if let reason = reasonToSkip(gateway, target, of: handle, now) { return .skipped(reason) }
        var claim = Claim(gateway: gateway.slot)
        let status = table.status(of: gateway.slot)
        if status.status == .outOfService, !isTriedThoughOut(target, status, of: handle) {
            switch gateway.recovery {
            case .timed:
                if let transition = table.recoverIfDue(gateway.slot, now: now) {
                    actions.transitions.append(transition)
                }
            case .trial:
                let lease = settings.timers.transactionTimeout + .seconds(Int64(gateway.timing.answerTimeoutSeconds))
                guard table.claimTrial(gateway.slot, now: now, lease: lease) else { return .skipped(.trial) }
                claim.holdsTrial = true
            case .probe: return .skipped(.out)
            }
        }
        if contexts[handle].isInvite, target >= contexts[handle].serverCount {
            guard table.beginCall(gateway.slot, limits: gateway.limits, now: now) else {
                if claim.holdsTrial { table.endTrial(gateway.slot) }
                return .skipped(.full)
            }
            heldCallCount += 1
            claim.holdsCall = true
        }
        return .taken(claim)
    }

    /// Why a target can't be had, as far as can be seen without taking anything.
    func reasonToSkip(_ target: Int, of handle: ContextRecord.Handle, _ now: Instant) -> SkipReason? {
        contexts[handle].targets[target].flatMap { reasonToSkip($0, target, of: handle, now) }
    }

    private func reasonToSkip(
        _ gateway: TargetSet.Target, _ target: Int, of handle: ContextRecord.Handle, _ now: Instant
    ) -> SkipReason? {
        let status = table.status(of: gateway.slot)
        guard status.generation == gateway.slot.generation else { return .out }
        if !status.isUsable(at: now), !isTriedThoughOut(target, status, of: handle) { return .out }
        // What was selected a moment ago was not locked, and of a remote one we do not know.
        guard target > 0, let pinned, !gateway.slot.isRemote else { return nil }
        let state = pinned._withUnsafeGuaranteedRef { $0.gateway(in: gateway.slot)?.gateway.administrativeState }
        return state == .unlocked ? nil : .locked
    }

    /// True for a target that was selected though its gateway was out-of-service: its list, or the network's
    /// suspected fault, wants it tried. Never against the operator's word, which may have come since.
    private func isTriedThoughOut(_ target: Int, _ status: StatusWord, of handle: ContextRecord.Handle) -> Bool {
        status.cause != .operatorWord && target < UInt64.bitWidth
            && contexts[handle].triedThoughOut & 1 << UInt64(target) != 0
    }

    /// A bit for each target of a set that was just selected though its gateway is out-of-service and no trial.
    func targetsOut(of set: TargetSet) -> UInt64 {
        var bits: UInt64 = 0
        for (position, target) in set.targets.enumerated() where position < UInt64.bitWidth && !target.isTrial {
            if table.status(of: target.slot).status == .outOfService { bits |= 1 << UInt64(position) }
        }
        return bits
    }

    mutating func countSkip(_ reason: SkipReason) {
        switch reason {
        case .out: counters.skippedOut &+= 1
        case .locked: counters.skippedLocked &+= 1
        case .full: counters.skippedFull &+= 1
        case .trial: counters.skippedTrial &+= 1
        }
    }

    /// The attempt has no place among the gateway's live calls any more.
    mutating func endCall(_ handle: ClientRecord.Handle) {
        guard clients[handle].claim.holdsCall, let gateway = clients[handle].claim.gateway else { return }
        clients[handle].claim.holdsCall = false
        endCall(at: gateway)
    }

    mutating func endCall(at gateway: GatewaySlot) {
        heldCallCount -= 1
        table.endCall(gateway)
    }

    /// The attempt tries its gateway no longer.
    mutating func endTrial(_ handle: ClientRecord.Handle) {
        guard clients[handle].claim.holdsTrial, let gateway = clients[handle].claim.gateway else { return }
        clients[handle].claim.holdsTrial = false
        table.endTrial(gateway)
    }

    /// No target could be had: 503 with the time at which the first gateway comes back (API section 10).
    mutating func refuse(_ handle: ContextRecord.Handle, _ now: Instant, _ actions: inout SignallingActions) {
        let targets = contexts[handle].targets
        let (serverCount, isAsking) = (contexts[handle].serverCount, contexts[handle].machine.isAsking)
        var earliest: Instant?
        for position in (isAsking ? 0 : serverCount)..<max(targets.count, serverCount) {
            guard let gateway = targets[position], let until = table.status(of: gateway.slot).timeValue else {
                continue
            }
            earliest = min(earliest ?? until, until)
        }
        let failure: RoutingFailure =
            isAsking
            ? .everyRedirectServerOut(until: earliest)
            : earliest.map { .everyGatewayOut(until: $0) } ?? .everyGatewayFull(until: nil)
        counters.count(failure)
        if let search = contexts[handle].search { searches[search].record.result = CallRecord.Result(failure) }
        noteAnswer(handle, 503, isForwarded: false)
        answerOriginal(handle, 503, now, retryAfterSeconds: failure.retryAfterSeconds(at: now) ?? 1, &actions)
    }

    /// What a target did, for the gateway information table (the method, step 6).
    mutating func observe(
        _ observation: ResponseContext.Observation, _ target: Int, _ handle: ContextRecord.Handle, _ now: Instant,
        _ actions: inout SignallingActions
    ) {
        // Within a dialog nobody is tried: whom it reaches was settled by the call.
        guard let gateway = contexts[handle].targets[target] else { return }
        let isServer = target < contexts[handle].serverCount
        let client = client(of: target, in: handle)
        let outcome: AttemptOutcome
        var retryAfter: Duration?
        switch observation {
        case .answered: outcome = .answered
        case .noResponse:
            if !isServer { counters.attemptsUnanswered &+= 1 }
            outcome = .noResponse
        case .transportError:
            if !isServer { counters.attemptsUnreachable &+= 1 }
            outcome = .transportError
        case .failureResponse(let status):
            outcome = .failureResponse(status: status)
            retryAfter = retryAfterSeconds.map { .seconds($0) }
        }
        // An answer of a gateway that is in-service makes no change: nobody will ask whose it was.
        let isPlain = outcome == .answered && table.status(of: gateway.slot).status == .inService
        let transition = table.observe(
            gateway.slot, outcome, retryAfter: retryAfter, of: gateway.statusRules,
            begun: client.map { clients[$0].begun } ?? now, now: now,
            callID: isPlain ? ShortText() : callID(of: handle))
        if let client { endTrial(client) }
        if let transition { actions.transitions.append(transition) }
        if gateway.slot.isRemote, gateway.slot != .shared, !isServer {
            see(gateway.slot, outcome, handle, now, &actions)
        }
    }

    /// A call has no response of any kind yet, T1 after its gateway was tried: until the gateway answers, calls that
    /// come meanwhile try others first. Twice the predetermined time is enough for it to be found dead.
    mutating func suspectGateway(of handle: ClientRecord.Handle, _ now: Instant) {
        guard case .attempt(let context, let target) = clients[handle].purpose, contexts.contains(context),
            let gateway = contexts[context].targets[target]
        else { return }
        let isNew = table.suspect(
            gateway.slot, begun: clients[handle].begun, now: now, for: gateway.timing.responseTimeout * 2)
        if isNew { counters.suspicions &+= 1 }
    }

    func callID(of handle: ContextRecord.Handle) -> ShortText {
        let range = contexts[handle].callID
        return contexts[handle].original.withSpan { ShortText($0, range.lowerBound..<range.upperBound) }
    }
}
