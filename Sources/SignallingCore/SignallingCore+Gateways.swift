import Addressing
import Proxy
import Routing
import SIPMessage
import Time

// What a search and the gateway information table tell each other: whether a target can be had, what it did.
extension SignallingCore {
    /// Why a target gets nothing although it was selected.
    enum SkipReason {
        /// Its gateway has become out-of-service since.
        case out
    }

    /// Why a target is not tried: what happened to its gateway since it was selected. Nil: it is tried.
    func reasonToSkip(_ target: Int, of handle: ContextRecord.Handle, _ now: Instant) -> SkipReason? {
        // Within a dialog nobody is chosen.
        guard let gateway = contexts[handle].targets[target] else { return nil }
        let status = table.status(of: gateway.slot)
        guard status.generation == gateway.slot.generation, status.isUsable(at: now) else { return .out }
        return nil
    }

    mutating func countSkip(_ reason: SkipReason) {
        switch reason {
        case .out: counters.skippedOut &+= 1
        }
    }

    /// No target could be had: 503 with the time at which the first gateway comes back (API section 10).
    mutating func refuse(_ handle: ContextRecord.Handle, _ now: Instant, _ actions: inout SignallingActions) {
        let targets = contexts[handle].targets
        var earliest: Instant?
        for position in 0..<targets.count {
            guard let gateway = targets[position], let until = table.status(of: gateway.slot).timeValue else {
                continue
            }
            earliest = min(earliest ?? until, until)
        }
        counters.everyGatewayOut &+= 1
        let seconds = earliest.flatMap { RoutingFailure.everyGatewayOut(until: $0).retryAfterSeconds(at: now) }
        answerOriginal(handle, 503, now, retryAfterSeconds: seconds ?? 1, &actions)
    }

    /// What a target did, for the gateway information table (the method, step 6).
    mutating func observe(
        _ observation: ResponseContext.Observation, _ target: Int, _ handle: ContextRecord.Handle, _ now: Instant,
        _ actions: inout SignallingActions
    ) {
        // Within a dialog nobody is tried: whom it reaches was settled by the call.
        guard let gateway = contexts[handle].targets[target] else { return }
        switch observation {
        case .noResponse: counters.attemptsUnanswered &+= 1
        case .transportError: counters.attemptsUnreachable &+= 1
        case .answered, .failureResponse: break
        }
        let outcome: AttemptOutcome
        var retryAfter: Duration?
        switch observation {
        case .answered: outcome = .answered
        case .noResponse: outcome = .noResponse
        case .transportError: outcome = .transportError
        case .failureResponse(let status):
            outcome = .failureResponse(status: status)
            retryAfter = retryAfterSeconds.map { .seconds($0) }
        }
        // The answer of one that is in-service changes nothing that a record could tell of.
        let isPlain = outcome == .answered && table.status(of: gateway.slot).status == .inService
        let begun = client(of: target, in: handle).map { clients[$0].begun }
        let transition = table.observe(
            gateway.slot, outcome, retryAfter: retryAfter, of: gateway.statusRules, begun: begun ?? now, now: now,
            callID: isPlain ? ShortText() : callID(of: handle))
        if let transition { actions.transitions.append(transition) }
    }

    func callID(of handle: ContextRecord.Handle) -> ShortText {
        let range = contexts[handle].callID
        return contexts[handle].original.withSpan { ShortText($0, range.lowerBound..<range.upperBound) }
    }
}
