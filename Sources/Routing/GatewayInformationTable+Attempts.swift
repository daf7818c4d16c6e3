import Synchronization
package import Time

// What attempts say. The rules of API section 6 stand here, for our own calls and for what others report.
extension GatewayInformationTable {
    /// The longest time value that a gateway's Retry-After sets.
    private static var retryAfterLimit: Duration { .seconds(86_400) }

    /// Takes in what one attempt says about its gateway: counts it, and changes the status where the rules say so.
    ///
    /// To be told at most twice an attempt: when it is first answered or fails, and when an answer is followed by an
    /// out-of-service cause. A failure takes an in-service gateway out; one of a trial call prolongs the time, from
    /// out-of-service to out-of-service; any other of a gateway that is out changes nothing. An answer ends what
    /// silence had begun; what the gateway said of itself lasts until its time value, and the operator's word as long
    /// as he said. Where only probes put the gateway back, no answer does.
    ///
    /// - Parameters:
    ///   - retryAfter: of a failure response: the time value is now plus this, whatever the hold.
    ///   - begun: when the attempt began, which tells a trial call from one that was under way before.
    ///   - reporter: `call`, or `reported` for what others saw: the cause is then `reported` too.
    /// - Returns: The change that this made, for the network manager; nil: none, or the gateway has gone.
    package func observe(
        _ slot: GatewaySlot, _ outcome: AttemptOutcome, retryAfter: Duration? = nil, of rules: StatusRules,
        begun: Instant, now: Instant, reporter: StatusReporter = .call, callID: ShortText = ShortText()
    ) -> StatusTransition? {
        // What is seen of a gateway that has gone is dropped: its successor in the row is not blamed, nor praised.
        guard status(of: slot).generation == slot.generation else { return nil }
        let failure: (cause: StatusCause, sipStatus: UInt16, until: Instant?)
        switch outcome {
        case .answered: return answer(slot, rules, begun, now, reporter, callID)
        case .failureResponse(let sipStatus) where !rules.outOfServiceCauses.contains(status: sipStatus):
            return answer(slot, rules, begun, now, reporter, callID)
        case .failureResponse(let sipStatus):
            noteFailure(slot, now)
            clearSuspicion(slot)
            let until = retryAfter.flatMap { $0 > .zero ? now + min($0, Self.retryAfterLimit) : nil }
            failure = (
                until == nil ? .failureResponse : .retryAfter, UInt16(truncatingIfNeeded: sipStatus), until
            )
        case .noResponse, .transportError:
            noteFailure(slot, now, isItsOwn: !isNetworkSuspected)
            rows[slot.index].pointee.silentAt.store(now.nanoseconds, ordering: .relaxed)
            let isCause =
                outcome == .noResponse
                ? rules.outOfServiceCauses.holdsNoResponse : rules.outOfServiceCauses.holdsTransportError
            // While our own network is suspected, silence says nothing about a gateway.
            guard isCause, !isNetworkSuspected else { return nil }
            failure = (outcome == .noResponse ? .noResponse : .transportError, 0, nil)
        }
        let isReported = reporter == .reported
        let reported: StatusCause = failure.sipStatus == 0 ? .reportedNoResponse : .reported
        return fall(
            slot, rules, cause: isReported ? reported : failure.cause, until: failure.until, begun: begun, now: now,
            reporter: reporter, sipStatus: failure.sipStatus, callID: callID)
    }

    /// Out-of-service for the hold, which doubles at each repeat, or until the time given.
    func fall(
        _ slot: GatewaySlot, _ rules: StatusRules, cause: StatusCause, until: Instant?, begun: Instant, now: Instant,
        reporter: StatusReporter, sipStatus: UInt16, callID: ShortText
    ) -> StatusTransition? {
        let row = rows[slot.index]
        let until = until ?? now + rules.hold(repeats: row.pointee.repeats.load(ordering: .relaxed))
        let transition = change(slot, now, reporter, sipStatus, callID) { word in
            switch word.status {
            case .inService: (.outOfService, cause, until)
            case .outOfService: rules.isTrial(word, begun: begun, now: now) ? (.outOfService, cause, until) : nil
            }
        }
        if transition != nil { row.pointee.repeats.wrappingAdd(1, ordering: .relaxed) }
        return transition
    }

    private func answer(
        _ slot: GatewaySlot, _ rules: StatusRules, _ begun: Instant, _ now: Instant, _ reporter: StatusReporter,
        _ callID: ShortText
    ) -> StatusTransition? {
        let row = rows[slot.index]
        row.pointee.answered.wrappingAdd(1, ordering: .relaxed)
        row.pointee.answeredAt.store(now.nanoseconds, ordering: .relaxed)
        row.pointee.forgetCallFailures()
        clearSuspicion(slot)
        if reporter == .call { row.pointee.responseTimes.note(now - begun) }
        guard status(of: slot).status == .outOfService else { return nil }
        return change(slot, now, reporter, 0, callID) { word in
            guard word.status == .outOfService else { return nil }
            let isReported = reporter == .reported
            if rules.isTrial(word, begun: begun, now: now) {
                return (.inService, isReported ? .reported : .trialAnswered, nil)
            }
            guard rules.recovery != .probe, word.isOfSilence else { return nil }
            return (.inService, isReported ? .reported : .callAnswered, nil)
        }
    }

    /// - Parameter isItsOwn: false for a silence that is more likely our own network's.
    private func noteFailure(_ slot: GatewaySlot, _ now: Instant, isItsOwn: Bool = true) {
        let row = rows[slot.index]
        row.pointee.failed.wrappingAdd(1, ordering: .relaxed)
        row.pointee.consecutiveFailures.wrappingAdd(1, ordering: .relaxed)
        // A gateway that just came back begins with its share anew.
        if isItsOwn, row.pointee.rampBegan.load(ordering: .relaxed) != 0 {
            row.pointee.rampBegan.store(now.nanoseconds, ordering: .relaxed)
        }
    }
}

extension StatusRules {
    /// True when the attempt was let through to try a gateway whose time value was reached.
    fileprivate func isTrial(_ word: StatusWord, begun: Instant, now: Instant) -> Bool {
        guard recovery == .trial, word.isUsable(at: now), let timeValue = word.timeValue else { return false }
        return begun >= timeValue
    }
}

extension TableRow {
    /// An answered call ends all that missed probes and failures had added up to.
    fileprivate func forgetCallFailures() {
        Self.clear(consecutiveFailures)
        Self.clear(probeFailures)
        Self.clear(repeats)
    }
}
