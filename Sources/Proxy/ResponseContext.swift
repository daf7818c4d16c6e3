package import Routing
package import Time

// How this room works. `ResponseContext` decides (which target next, what goes upstream, when to give up),
// `AttemptRules` is what it must know of a target, `ForwardedRequest` and `ForwardedResponse` write what leaves,
// `RouteMark` tells our own Record-Route from a made-up one. None of them knows a socket, a table or a transaction's
// inside: `SignallingCore` gives them what arrived and carries out what they say.

/// The response context of one request (RFC 3261 section 16.2): a serial search through its target set.
///
///     searching --provisional--> searching --2xx--> ended
///     searching --silence, transport error, failover cause before ringing, target left--> searching (next target)
///     searching --gateway can't be had--> searching (next target), which is no attempt
///     searching --other final, or no target left, or the time for the search is over--> ended
///     searching --CANCEL--> ended by the target's own final, or 487 when it stays silent
///
/// A target that was given up is still listened to: a late provisional is answered with CANCEL, a late 2xx goes
/// upstream (section 16.7 step 5), another late final counts among the responses of which the best goes back, and a
/// late 6xx ends the search.
///
/// A request other than INVITE gets no provisional but a 100 of ours, and that only once its sender's Timer E has
/// reached T2 (RFC 4320 section 4.1).
package struct ResponseContext: Sendable, BitwiseCopyable {
    /// What happened. A target is a position in the target set.
    package enum Event: Equatable, Sendable, BitwiseCopyable {
        /// The target set is there and not empty.
        case begin
        /// A response came through the target's client transaction.
        case response(status: Int, target: Int)
        /// No response of any kind came from the target in its predetermined time.
        case silence(target: Int)
        /// The target can't be reached.
        case transportFailure(target: Int)
        /// In place of `Action.attempt`: its gateway is out-of-service, locked, full or on trial, and gets nothing.
        case skipped(target: Int)
        /// Other calls found the target's gateway dead, and a later target can be had.
        case gatewayFell(target: Int)
        /// The instant of `Action.arm` has come.
        case deadline
        /// The instant of the 100 to a request other than INVITE has come.
        case trying
        /// The upstream element sent CANCEL.
        case cancel
    }

    /// What the owner must do.
    package enum Action: Equatable, Sendable, BitwiseCopyable {
        /// Start a client transaction towards the target; or say that it was skipped.
        case attempt(target: Int)
        /// Send no further copy to the target, which has not answered, and listen on.
        case giveUp(target: Int)
        /// Send CANCEL on the target's client transaction, which has seen a provisional response.
        case cancel(target: Int)
        /// Wake me with `.deadline` at this time.
        case arm(at: Instant)
        /// Wake me with `.trying` at this time.
        case armTrying(at: Instant)
        /// Pass the response that just came from the target upstream.
        case forward(target: Int)
        /// Keep a copy of the response that just came: it is the best so far.
        case keep(target: Int)
        /// Add the challenges of the response that just came to the kept one: both are a 401 or 407 (section 16.7 step
        /// 7).
        case addChallenges(target: Int)
        /// Pass the kept response upstream as the final one.
        case forwardKept
        /// Answer upstream with a response of our own.
        case respond(status: Int)
        /// Answer upstream that no target could be had: 503 with Retry-After.
        case refuse
        /// End the search without an answer (RFC 4320 section 4.2: no 408 to a request other than INVITE, whoever made
        /// it).
        case abandon
        /// What the target did, for the gateway information table.
        case observe(target: Int, Observation)
        /// The attempt is over. Comes once for each, before what follows from it.
        case ended(target: Int, AttemptEnd)
    }

    /// What one attempt says about its gateway.
    package enum Observation: Equatable, Sendable, BitwiseCopyable {
        /// It lives: a provisional (where more is awaited after a 100, one above 100), or a final that is not an
        /// out-of-service cause. Told once an attempt.
        case answered
        /// No response of any kind in the predetermined time, or nothing after a 100.
        case noResponse
        /// The transport reported an error.
        case transportError
        /// A final response that is an out-of-service cause.
        case failureResponse(status: Int)
    }

    /// The rules of a target.
    package typealias Rules = (_ target: Int) -> AttemptRules

    /// True when a final response went upstream, or the search was abandoned: no target is tried any more.
    package private(set) var isEnded = false
    /// True when the upstream element cancelled the request.
    package private(set) var isCancelled = false
    /// The target that is tried now.
    package private(set) var current = 0

    private let isInvite: Bool
    private let targetCount: Int
    private let tryingDelay: Duration
    private let giveUpAfter: Duration?
    private var giveUpAt: Instant?
    /// When `.deadline` comes next.
    private var armedAt: Instant?
    // Of the attempt at hand.
    private var answerTimeout = Duration.zero
    private var answerDue: Instant?
    private var progressTimeout: Duration?
    private var progressDue: Instant?
    private var isTrying = false
    private var hasProvisional = false
    private var hasProgress = false
    private var hasRung = false
    private var hasObserved = false
    private var best: BestResponse?
    /// A late 6xx: whom the call is for wants it nowhere.
    private var isDeclined = false
    /// A bit for each target that was sent CANCEL; the target set is never longer than 64.
    private var cancelled: UInt64 = 0

    /// A context for a target set of 1...64 targets.
    ///
    /// - Parameters:
    ///   - giveUpAfter: how long it looks for a target that answers; one that rings is one. Nil: no bound.
    ///   - tryingDelay: how long a request other than INVITE waits before it gets a 100.
    package init(isInvite: Bool, targetCount: Int, giveUpAfter: Duration? = nil, tryingDelay: Duration) {
        (self.isInvite, self.targetCount) = (isInvite, min(targetCount, 64))
        (self.giveUpAfter, self.tryingDelay) = (giveUpAfter, tryingDelay)
    }

    /// Takes in what happened and appends what to do. A stale event changes nothing.
    ///
    /// - Parameter rules: those of a target.
    package mutating func receive(
        _ event: Event, now: Instant, rules: Rules, into actions: inout [Action]
    ) {
        switch event {
        case .begin:
            if !isInvite { actions.append(.armTrying(at: now + tryingDelay)) }
            giveUpAt = giveUpAfter.map { now + $0 }
            attempt(0, now, rules, &actions)
        case .response(let status, let target) where target != current || !isTrying || isEnded:
            late(status, target, &actions)
        case .response(let status, _) where status < 200: provisional(status, now, &actions)
        case .response(let status, _): final(status, now, rules, &actions)
        case .silence(let target) where isAwaited(target):
            if !hasProvisional { observe(.noResponse, &actions) }
            fail(.noResponse, as: 408, now, rules, &actions)
        case .transportFailure(let target) where isAwaited(target):
            if !hasProvisional { observe(.transportError, &actions) }
            fail(.transportError, as: 503, now, rules, &actions)
        case .skipped(let target) where target == current && isTrying && !isEnded:
            isTrying = false
            (answerDue, progressDue) = (nil, nil)
            advance(true, now, rules, &actions)
        case .gatewayFell(let target) where isAwaited(target) && mayLeave(now, rules):
            actions.append(.giveUp(target: target))
            fail(.gatewayFell, as: 408, now, rules, &actions)
        case .deadline: deadline(now, rules, &actions)
        case .trying where !isInvite && !isEnded: actions.append(.respond(status: 100))
        case .cancel where !isEnded && !isCancelled:
            isCancelled = true
            if hasProvisional { cancelTarget(current, &actions) }
        case .silence, .transportFailure, .skipped, .gatewayFell, .trying, .cancel: break
        }
    }

    private func isAwaited(_ target: Int) -> Bool { target == current && isTrying && !isEnded }

    /// True when the call leaves a gateway that others found dead: only where it would at its own silence.
    private func mayLeave(_ now: Instant, _ rules: Rules) -> Bool {
        isInvite && !hasProvisional && mayGoOn(now) && rules(current).failoverCauses.holdsNoResponse
    }

    /// True while another target may be tried.
    private func mayGoOn(_ now: Instant) -> Bool {
        let isInTime = giveUpAt.map { now < $0 } ?? true
        return !isCancelled && !isDeclined && isInTime && current + 1 < targetCount
    }

    private mutating func attempt(
        _ target: Int, _ now: Instant, _ rules: Rules, _ actions: inout [Action]
    ) {
        (current, isTrying) = (target, true)
        (hasProvisional, hasProgress, hasRung, hasObserved) = (false, false, false, false)
        actions.append(.attempt(target: target))
        progressDue = nil
        guard isInvite else {
            armNext(&actions)
            return
        }
        let own = rules(target)
        (answerTimeout, progressTimeout) = (own.answerTimeout, own.progressTimeout)
        answerDue = now + answerTimeout
        armNext(&actions)
    }

    private mutating func provisional(_ status: Int, _ now: Instant, _ actions: inout [Action]) {
        hasProvisional = true
        let isMore = status > 100 || progressTimeout == nil
        if isMore, !hasObserved { observe(.answered, &actions) }
        if isCancelled || isDeclined { cancelTarget(current, &actions) }
        guard isInvite else { return }
        guard status > 100 else {
            if !hasProgress, progressDue == nil, let progressTimeout {
                progressDue = now + progressTimeout
                armNext(&actions)
            }
            return
        }
        (hasProgress, progressDue) = (true, nil)
        if (180...189).contains(status) { hasRung = true }
        answerDue = now + answerTimeout  // §16.7 step 2; the timer itself is looked at when it fires
        actions.append(.forward(target: current))
    }

    private mutating func final(
        _ status: Int, _ now: Instant, _ rules: Rules, _ actions: inout [Action]
    ) {
        if status < 300 {
            if !hasObserved { observe(.answered, &actions) }
            end(.answered, &actions)
            isEnded = true
            actions.append(.forward(target: current))
            return
        }
        let own = rules(current)
        if own.outOfServiceCauses.contains(status: status) {
            observe(.failureResponse(status: status), &actions)
        } else if !hasObserved {
            observe(.answered, &actions)
        }
        consider(status, current, &actions)
        let movesOn = own.failoverCauses.contains(status: status) && (!hasRung || own.failsOverAfterRinging)
        end(isCancelled ? .cancelled : movesOn ? .failureResponse : .refused, &actions)
        advance(movesOn, now, rules, &actions)
    }

    /// Takes a final response among those of which the best goes back (§16.7 steps 4, 6 and 7).
    private mutating func consider(_ status: Int, _ target: Int, _ actions: inout [Action]) {
        if let best, best.isChallenged(by: status) {
            actions.append(.addChallenges(target: target))
        } else if BestResponse.isBetter(status, isOwn: false, than: best) {
            best = BestResponse(status: status, isOwn: false)
            actions.append(.keep(target: target))
        }
    }

    /// The target failed without a response that could be passed on.
    private mutating func fail(
        _ reason: AttemptEnd, as status: Int, _ now: Instant, _ rules: Rules, _ actions: inout [Action]
    ) {
        if BestResponse.isBetter(status, isOwn: true, than: best) {
            best = BestResponse(status: status, isOwn: true)
        }
        end(isCancelled ? .cancelled : reason, &actions)
        let own = rules(current)
        let isCause =
            switch reason {
            case .transportError: own.failoverCauses.holdsTransportError
            case .noAnswer: own.failoverCauses.contains(status: 408)  // §16.8: as if it had been answered so
            case .gaveUp: false
            default: own.failoverCauses.holdsNoResponse
            }
        advance(isCause && (!hasRung || own.failsOverAfterRinging), now, rules, &actions)
    }

    private mutating func end(_ reason: AttemptEnd, _ actions: inout [Action]) {
        isTrying = false
        (answerDue, progressDue) = (nil, nil)
        actions.append(.ended(target: current, reason))
    }

    private mutating func advance(_ isFailover: Bool, _ now: Instant, _ rules: Rules, _ actions: inout [Action]) {
        if isFailover, mayGoOn(now) {
            attempt(current + 1, now, rules, &actions)
        } else {
            finish(&actions)
        }
    }

    private mutating func finish(_ actions: inout [Action]) {
        isEnded = true
        guard let best else {
            actions.append(isCancelled ? .respond(status: 487) : .refuse)
            return
        }
        switch best.isOwn {
        case _ where isCancelled && (best.isOwn || best.isOfGateway): actions.append(.respond(status: 487))
        case _ where !isInvite && best.status == 408: actions.append(.abandon)
        case true: actions.append(.respond(status: best.status == 503 ? 500 : best.status))
        // §16.7 step 6: what a gateway says of itself is not what we say of ourselves.
        case false where best.status == 503: actions.append(.respond(status: 500))
        case false: actions.append(.forwardKept)
        }
    }

    private mutating func late(_ status: Int, _ target: Int, _ actions: inout [Action]) {
        if status < 200 {
            cancelTarget(target, &actions)
        } else if status < 300, isInvite {
            if !isEnded, isTrying, target != current { supersede(&actions) }
            if !isEnded { actions.append(.ended(target: target, .answered)) }
            isEnded = true
            actions.append(.forward(target: target))
        } else if status >= 300, !isEnded, !isOurCancel(status, target) {
            consider(status, target, &actions)
            guard status >= 600 else { return }
            isDeclined = true  // §16.7 step 5: no further target, and the one that is tried is cancelled
            if hasProvisional { cancelTarget(current, &actions) }
        }
    }

    /// The one that is tried now is not wanted any more.
    private mutating func supersede(_ actions: inout [Action]) {
        leave(&actions)
        end(.superseded, &actions)
    }

    /// Nothing more is wanted of the target that is tried now, but a late 2xx.
    private mutating func leave(_ actions: inout [Action]) {
        if hasProvisional {
            cancelTarget(current, &actions)
        } else if isInvite {
            actions.append(.giveUp(target: current))
        }
    }

    /// True for a 487 to a CANCEL that nobody but us asked for: it says nothing that the caller should hear.
    private func isOurCancel(_ status: Int, _ target: Int) -> Bool {
        status == 487 && !isCancelled && target < 64 && cancelled & 1 << UInt64(target) != 0
    }

    // MARK: time

    private mutating func deadline(_ now: Instant, _ rules: Rules, _ actions: inout [Action]) {
        guard let at = armedAt, now >= at, !isEnded else { return }
        armedAt = nil
        if let giveUpAt, now >= giveUpAt, !hasProgress, isTrying {
            leave(&actions)  // a call that rings has found its gateway
            fail(.gaveUp, as: 408, now, rules, &actions)
        } else if let progressDue, now >= progressDue {
            observe(.noResponse, &actions)
            cancelTarget(current, &actions)
            fail(.noProgress, as: 408, now, rules, &actions)
        } else if let answerDue, now >= answerDue {
            leave(&actions)  // §16.8: the branch is cancelled and counts as answered with 408
            fail(.noAnswer, as: 408, now, rules, &actions)
        }
        if !isEnded { armNext(&actions) }
    }

    /// Sees to it that `.deadline` comes at the first of the instants that something is due at.
    private mutating func armNext(_ actions: inout [Action]) {
        var next = answerDue
        if let progressDue { next = next.map { min($0, progressDue) } ?? progressDue }
        if let giveUpAt, !hasProgress { next = next.map { min($0, giveUpAt) } ?? giveUpAt }
        guard let next, armedAt.map({ next < $0 }) ?? true else { return }
        armedAt = next
        actions.append(.arm(at: next))
    }

    private mutating func cancelTarget(_ target: Int, _ actions: inout [Action]) {
        guard isInvite, target < 64, cancelled & 1 << UInt64(target) == 0 else { return }
        cancelled |= 1 << UInt64(target)
        actions.append(.cancel(target: target))
    }

    private mutating func observe(_ observation: Observation, _ actions: inout [Action]) {
        hasObserved = true
        actions.append(.observe(target: current, observation))
    }
}
