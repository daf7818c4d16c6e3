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
/// Where remote redirect servers are asked, they are the first targets; the one that answers with Contacts gives the
/// others (`ResponseContext+Asking`).
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
        /// In answer to `Action.follow`: so many targets stand behind the redirect servers from now on, and how long
        /// the search among them may take (nil: no bound).
        case targets(count: Int, giveUpAfter: Duration?)
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
        /// The response that just came is a redirect server's: put its targets behind the redirect servers, and say how
        /// many they are.
        case follow
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
    package internal(set) var isEnded = false
    /// True when the upstream element cancelled the request.
    package internal(set) var isCancelled = false
    /// The target that is tried now.
    package internal(set) var current = 0

    /// True while redirect servers are asked; they are the targets then. It stays true when the search ends with them.
    package internal(set) var isAsking: Bool

    let isInvite: Bool
    let serverCount: Int
    var targetCount: Int
    private let tryingDelay: Duration
    private let giveUpAfter: Duration?
    var giveUpAt: Instant?
    /// When `.deadline` comes next.
    private var armedAt: Instant?
    // Of the attempt at hand.
    private var answerTimeout = Duration.zero
    private var answerDue: Instant?
    private var progressTimeout: Duration?
    private var progressDue: Instant?
    var isTrying = false
    var hasProvisional = false
    private var hasProgress = false
    private var hasRung = false
    var hasObserved = false
    var best: BestResponse?
    /// A late 6xx: whom the call is for wants it nowhere.
    var isDeclined = false
    /// A bit for each target that was sent CANCEL; the target set is never longer than 64.
    var cancelled: UInt64 = 0

    /// Redirect servers and targets are never more.
    package static let targetLimitCount = 64

    /// A context for a target set of 1...64 targets.
    ///
    /// - Parameters:
    ///   - giveUpAfter: how long it looks for a target that answers; one that rings is one. Nil: no bound.
    ///   - tryingDelay: how long a request other than INVITE waits before it gets a 100.
    ///   - isAsking: whether the targets are redirect servers.
    package init(
        isInvite: Bool, targetCount: Int, giveUpAfter: Duration? = nil, tryingDelay: Duration, isAsking: Bool = false
    ) {
        (self.isInvite, self.targetCount) = (isInvite, min(targetCount, Self.targetLimitCount))
        (self.isAsking, serverCount) = (isAsking, isAsking ? self.targetCount : 0)
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
        case .targets(let count, let giveUpAfter) where isAsking && !isTrying && !isEnded:
            begin(count, giveUpAfter, now, rules, &actions)
        case .cancel where !isEnded && !isCancelled:
            isCancelled = true
            if isAsking { stopAsking(&actions) } else if hasProvisional { cancelTarget(current, &actions) }
        case .silence, .transportFailure, .skipped, .gatewayFell, .targets, .trying, .cancel: break
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

    mutating func attempt(
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
        if isAsking { return serverAnswered(status, now, rules, &actions) }
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
    mutating func consider(_ status: Int, _ target: Int, _ actions: inout [Action]) {
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
        // That nobody can be asked is for us to say, whatever a redirect server has said.
        if !isAsking, BestResponse.isBetter(status, isOwn: true, than: best) {
            best = BestResponse(status: status, isOwn: true)
        }
        end(isCancelled ? .cancelled : reason, &actions)
        let own = rules(current)
        let isCause =
            switch reason {
            case .transportError: own.failoverCauses.holdsTransportError
            // §16.8: as if it had been answered so
            case .noAnswer: isAsking || own.failoverCauses.contains(status: 408)
            case .gaveUp: false
            default: own.failoverCauses.holdsNoResponse
            }
        advance(isCause && (!hasRung || own.failsOverAfterRinging), now, rules, &actions)
    }

    mutating func end(_ reason: AttemptEnd, _ actions: inout [Action]) {
        isTrying = false
        (answerDue, progressDue) = (nil, nil)
        actions.append(.ended(target: current, reason))
    }

    mutating func advance(_ isFailover: Bool, _ now: Instant, _ rules: Rules, _ actions: inout [Action]) {
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
        case _ where isAsking: actions.append(.forwardKept)  // it speaks for us, a 503 too
        case _ where isCancelled && (best.isOwn || best.isOfGateway): actions.append(.respond(status: 487))
        case _ where !isInvite && best.status == 408: actions.append(.abandon)
        case true: actions.append(.respond(status: best.status == 503 ? 500 : best.status))
        // §16.7 step 6: what a gateway says of itself is not what we say of ourselves.
        case false where best.status == 503: actions.append(.respond(status: 500))
        case false: actions.append(.forwardKept)
        }
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

    mutating func cancelTarget(_ target: Int, _ actions: inout [Action]) {
        guard isInvite, target < 64, cancelled & 1 << UInt64(target) == 0 else { return }
        cancelled |= 1 << UInt64(target)
        actions.append(.cancel(target: target))
    }

    mutating func observe(_ observation: Observation, _ actions: inout [Action]) {
        hasObserved = true
        actions.append(.observe(target: current, observation))
    }
}
