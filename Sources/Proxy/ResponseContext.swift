package import Time

// How this room works. `ResponseContext` decides (which target next, what goes upstream, when to give up),
// `ForwardedRequest` and `ForwardedResponse` write what leaves, `RouteMark` tells our own Record-Route from a made-up
// one. None of them knows a socket, a table or a transaction's inside: `SignallingCore` gives them what arrived and
// carries out what they say.

/// The response context of one request (RFC 3261 section 16.2): a serial search through its target set.
///
///     searching --provisional--> searching --2xx--> ended
///     searching --silence, transport error, failover cause before ringing, target left--> searching (next target)
///     searching --other final, or no target left--> ended
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
        /// Timer C's instant has come.
        case timerC
        /// The instant of the 100 to a request other than INVITE has come.
        case trying
        /// The upstream element sent CANCEL.
        case cancel
    }

    /// What the owner must do.
    package enum Action: Equatable, Sendable, BitwiseCopyable {
        /// Start a client transaction towards the target.
        case attempt(target: Int)
        /// Send CANCEL on the target's client transaction, which has seen a provisional response.
        case cancel(target: Int)
        /// Wake me with `.timerC` at this time.
        case armTimerC(at: Instant)
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
        /// End the search without an answer (RFC 4320 section 4.2: no 408 to a request other than INVITE, whoever made
        /// it).
        case abandon
        /// What the target did, for the gateway information table.
        case observe(target: Int, Observation)
    }

    /// What one attempt says about its gateway.
    package enum Observation: Equatable, Sendable, BitwiseCopyable {
        /// It lives: a provisional, or a final that is not an out-of-service cause. Told once an attempt.
        case answered
        /// No response of any kind in the predetermined time.
        case noResponse
        /// The transport reported an error.
        case transportError
        /// A final response that is an out-of-service cause.
        case failureResponse(status: Int)
    }

    /// True when a final response went upstream, or the search was abandoned: no target is tried any more.
    package private(set) var isEnded = false
    /// True when the upstream element cancelled the request.
    package private(set) var isCancelled = false
    /// The target that is tried now.
    package private(set) var current = 0

    private let isInvite: Bool
    private let targetCount: Int
    private let timerC: Duration
    private let tryingDelay: Duration
    private var timerCDue: Instant?
    private var hasProvisional = false
    private var hasRung = false
    private var hasObserved = false
    private var best: Best?
    /// A late 6xx: whom the call is for wants it nowhere.
    private var isDeclined = false
    /// A bit for each target that was sent CANCEL; the target set is never longer than 64.
    private var cancelled: UInt64 = 0

    /// A context for a target set of 1...64 targets.
    ///
    /// - Parameter tryingDelay: how long a request other than INVITE waits before it gets a 100.
    package init(isInvite: Bool, targetCount: Int, timerC: Duration, tryingDelay: Duration) {
        (self.isInvite, self.targetCount) = (isInvite, min(targetCount, 64))
        (self.timerC, self.tryingDelay) = (timerC, tryingDelay)
    }

    /// Takes in what happened and appends what to do. A stale event changes nothing.
    package mutating func receive(_ event: Event, now: Instant, into actions: inout [Action]) {
        switch event {
        case .begin:
            if !isInvite { actions.append(.armTrying(at: now + tryingDelay)) }
            attempt(0, now, &actions)
        case .response(let status, let target) where target != current || isEnded:
            late(status, target, &actions)
        case .response(let status, _) where status < 200: provisional(status, now, &actions)
        case .response(let status, _): final(status, now, &actions)
        case .silence(let target) where target == current && !isEnded && !hasProvisional:
            observe(.noResponse, &actions)
            fail(as: 408, now, &actions)
        case .silence(let target) where target == current && !isEnded: fail(as: 408, now, &actions)
        case .transportFailure(let target) where target == current && !isEnded:
            if !hasProvisional { observe(.transportError, &actions) }
            fail(as: 503, now, &actions)
        case .timerC: timerCFired(now, &actions)
        case .trying where !isInvite && !isEnded: actions.append(.respond(status: 100))
        case .cancel where !isEnded && !isCancelled:
            isCancelled = true
            if hasProvisional { cancelTarget(current, &actions) }
        case .silence, .transportFailure, .trying, .cancel: break
        }
    }

    private mutating func attempt(_ target: Int, _ now: Instant, _ actions: inout [Action]) {
        (current, hasProvisional, hasRung, hasObserved) = (target, false, false, false)
        actions.append(.attempt(target: target))
        guard isInvite else { return }
        if timerCDue == nil { actions.append(.armTimerC(at: now + timerC)) }
        timerCDue = now + timerC
    }

    private mutating func provisional(_ status: Int, _ now: Instant, _ actions: inout [Action]) {
        hasProvisional = true
        if !hasObserved { observe(.answered, &actions) }
        if isCancelled || isDeclined { cancelTarget(current, &actions) }
        guard status > 100, isInvite else { return }
        if (180...189).contains(status) { hasRung = true }
        timerCDue = now + timerC  // §16.7 step 2; the timer itself is looked at when it fires
        actions.append(.forward(target: current))
    }

    private mutating func final(_ status: Int, _ now: Instant, _ actions: inout [Action]) {
        let isOutOfServiceCause = FailureCauses.takesOutOfService(status)
        if isOutOfServiceCause {
            observe(.failureResponse(status: status), &actions)
        } else if !hasObserved {
            observe(.answered, &actions)
        }
        if status < 300 {
            isEnded = true
            actions.append(.forward(target: current))
            return
        }
        consider(status, current, &actions)
        advance(isFailover: FailureCauses.movesOn(status) && !hasRung, now, &actions)
    }

    /// Takes a final response among those of which the best goes back (§16.7 steps 4, 6 and 7).
    private mutating func consider(_ status: Int, _ target: Int, _ actions: inout [Action]) {
        if let best, !best.isOwn, Best.isChallenge(best.status), Best.isChallenge(status) {
            actions.append(.addChallenges(target: target))
        } else if Best.isBetter(status, isOwn: false, than: best) {
            best = Best(status: status, isOwn: false)
            actions.append(.keep(target: target))
        }
    }

    /// The target failed without a response that could be passed on.
    private mutating func fail(as status: Int, _ now: Instant, _ actions: inout [Action]) {
        if Best.isBetter(status, isOwn: true, than: best) { best = Best(status: status, isOwn: true) }
        advance(isFailover: !hasRung, now, &actions)
    }

    private mutating func advance(isFailover: Bool, _ now: Instant, _ actions: inout [Action]) {
        if isFailover, !isCancelled, !isDeclined, current + 1 < targetCount {
            attempt(current + 1, now, &actions)
            return
        }
        isEnded = true
        guard let best else { return }
        switch best.isOwn {
        case _ where isCancelled && (best.isOwn || FailureCauses.movesOn(best.status)):
            actions.append(.respond(status: 487))
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
            if !isEnded, target != current, hasProvisional { cancelTarget(current, &actions) }
            isEnded = true
            actions.append(.forward(target: target))
        } else if status >= 300, !isEnded {
            consider(status, target, &actions)
            guard status >= 600 else { return }
            isDeclined = true  // §16.7 step 5: no further target, and the one that is tried is cancelled
            if hasProvisional { cancelTarget(current, &actions) }
        }
    }

    private mutating func timerCFired(_ now: Instant, _ actions: inout [Action]) {
        guard let due = timerCDue, !isEnded else { return }
        if now < due {
            actions.append(.armTimerC(at: due))
            return
        }
        timerCDue = nil
        // §16.8: with a provisional response the branch is cancelled and counts as answered with 408.
        if hasProvisional { cancelTarget(current, &actions) }
        fail(as: 408, now, &actions)
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

/// The best final response so far (RFC 3261 section 16.7 step 6).
private struct Best: BitwiseCopyable {
    let status: Int
    /// Made up by us for a target that sent none.
    let isOwn: Bool

    static func isChallenge(_ status: Int) -> Bool { status == 401 || status == 407 }

    /// 6xx before all; then the lowest class, and in 4xx what the caller can act on; a received one that may go on as
    /// it is before ours and before 503; the later one.
    static func isBetter(_ status: Int, isOwn: Bool, than best: Best?) -> Bool {
        guard let best else { return true }
        return rank(status, isOwn) <= rank(best.status, best.isOwn)
    }

    private static func rank(_ status: Int, _ isOwn: Bool) -> Int {
        switch status {
        case 600...: 0
        case 401, 407, 415, 420, 484: 40
        default: status / 100 * 10 + (isOwn || status == 503 ? 2 : 1)
        }
    }
}

/// Which failures move a call on, and which of them say that the gateway and not the callee failed (API section 3's
/// defaults).
package enum FailureCauses {
    /// A final response that moves the call on to the next target.
    package static func movesOn(_ status: Int) -> Bool {
        switch status {
        case 408, 500, 502, 503, 504: true
        default: false
        }
    }

    /// A final response that makes the gateway out-of-service.
    package static func takesOutOfService(_ status: Int) -> Bool { status == 503 }
}
