package import Time

/// The INVITE client transaction: RFC 3261 section 17.1.1 with RFC 6026's `accepted`. The predetermined time and number
/// of resendings take the place of Timer B until a provisional response comes (the method, step 4).
///
///     initial --start--> calling
///     calling --1xx--> proceeding
///     calling --timer B (predetermined time): timeout--> unanswered --timer B (64 T1)--> terminated
///     calling --give up--> unanswered
///     unanswered --1xx--> proceeding (which has 64 T1 then, as after a CANCEL)
///     calling, unanswered, proceeding --2xx--> accepted --timer M--> terminated
///     calling, unanswered, proceeding --300...699--> completed --timer D--> terminated
///     proceeding --cancel--> proceeding --timer B (64 T1, section 9.1): timeout--> terminated
///     initial, calling --transport failure--> terminated
///
/// `unanswered` is ours: the transaction user has moved on to another target, but a late provisional must be cancelled
/// and a late 2xx must reach the caller (section 16.7 step 5). Timer C, which bounds `proceeding`, is the response
/// context's.
package struct InviteClientTransaction: Sendable, BitwiseCopyable {
    /// What happened.
    package enum Event: Equatable, Sendable, BitwiseCopyable {
        /// The request is to be sent for the first time.
        case start
        /// A response to the INVITE.
        case response(status: Int)
        /// A timer's instant has come; never before it.
        case timer(TransactionTimer)
        /// The transaction user has sent CANCEL for it.
        case cancel
        /// The transaction user waits for a first response no longer.
        case giveUp
        /// The other side can't be reached.
        case transportFailure
    }

    private enum State: Equatable, BitwiseCopyable {
        case initial
        case calling(interval: Interval, resends: UInt32, due: Instant, end: Instant)
        case unanswered(end: Instant)
        /// `end` is set where the transaction user waits for the end no longer than that.
        case proceeding(end: Instant?)
        case accepted, completed, terminated
    }

    private var state = State.initial
    private let resendLimit: UInt32
    private let responseTimeout: Interval
    private let timers: TimerSettings
    private let reliable: Bool

    /// A transaction that has sent nothing yet.
    ///
    /// - Parameters:
    ///   - resendLimit: how often the request is sent again, spaced by Timer A.
    ///   - responseTimeout: how long it waits for any response; 64 T1 in RFC 3261.
    ///   - reliable: a transport that loses nothing: no resending, no waiting for copies.
    package init(resendLimit: Int, responseTimeout: Duration, timers: TimerSettings, reliable: Bool) {
        (self.resendLimit, self.responseTimeout) = (UInt32(clamping: resendLimit), Interval(responseTimeout))
        (self.timers, self.reliable) = (timers, reliable)
    }

    /// The owner drops the transaction when this is true; it asks after every `receive`.
    package var isTerminated: Bool { state == .terminated }

    /// True while it waits for a first response, and so would fail at a transport error.
    package var awaitsFirstResponse: Bool {
        switch state {
        case .initial, .calling: true
        case .unanswered, .proceeding, .accepted, .completed, .terminated: false
        }
    }

    /// True after a 2xx.
    package var isAccepted: Bool { state == .accepted }

    /// True while it may still send something that is written from its request: a copy, or an ACK.
    package var maySend: Bool {
        switch state {
        case .initial, .calling, .unanswered, .proceeding, .completed: true
        case .accepted, .terminated: false
        }
    }

    /// Appends what the owner must do. A stale timer or a stray response changes nothing.
    package mutating func receive(_ event: Event, now: Instant, into actions: inout TransactionActions) {
        switch (state, event) {
        case (.initial, .start): start(now, &actions)
        case (.calling(let interval, let resends, let due, let end), .timer(.a)):
            let next = interval * 2  // §17.1.1.2: resend, then wait twice as long
            if interval == timers.intervalT1 {
                state = .calling(interval: next, resends: resends, due: due, end: end)
                actions.append(.noResponseYet)
            }
            guard resends < resendLimit, !reliable else { return }
            state = .calling(interval: next, resends: resends + 1, due: due, end: end)
            actions.append(.send)
            if resends + 1 < resendLimit, now + next < due { actions.append(.arm(.a, at: now + next)) }
        case (.calling(_, _, let due, let end), .timer(.b)):
            guard now >= due else { return }
            state = end <= now ? .terminated : .unanswered(end: end)
            actions.append(.timeout)
            if end > now { actions.append(.arm(.b, at: end)) }
        case (.calling(_, _, _, let end), .giveUp):
            state = end <= now ? .terminated : .unanswered(end: end)
            if end > now { actions.append(.arm(.b, at: end)) }
        case (.unanswered(let end), .timer(.b)): if now >= end { state = .terminated }
        case (.proceeding(let end?), .timer(.b)):
            guard now >= end else { return }  // stale: that of the predetermined time
            state = .terminated
            actions.append(.timeout)
        case (.calling, .response(let status)), (.unanswered, .response(let status)),
            (.proceeding, .response(let status)):
            advance(on: status, now, &actions)
        case (.proceeding(nil), .cancel):
            state = .proceeding(end: now + timers.intervalTimeout)
            actions.append(.arm(.b, at: now + timers.intervalTimeout))
        case (.accepted, .response(let status)): if status / 100 == 2 { actions.append(.deliver) }
        case (.completed, .response(let status)): if status >= 300 { actions.append(.sendACK) }
        case (.accepted, .timer(.m)), (.completed, .timer(.d)), (.unanswered, .transportFailure),
            (.completed, .transportFailure):
            state = .terminated
        case (.initial, .transportFailure), (.calling, .transportFailure):
            state = .terminated
            actions.append(.transportFailure)
        case (_, .start), (_, .timer), (_, .cancel), (_, .giveUp), (.initial, .response), (.terminated, .response),
            (.proceeding, .transportFailure), (.accepted, .transportFailure), (.terminated, .transportFailure):
            break
        }
    }

    private mutating func start(_ now: Instant, _ actions: inout TransactionActions) {
        let due = now + responseTimeout
        state = .calling(
            interval: timers.intervalT1, resends: 0, due: due, end: max(due, now + timers.intervalTimeout))
        actions.append(.send)
        // Also where nothing is sent again: who is silent for T1 is told of.
        if timers.intervalT1 < responseTimeout {
            actions.append(.arm(.a, at: now + timers.intervalT1))
        }
        actions.append(.arm(.b, at: due))
    }

    private mutating func advance(on status: Int, _ now: Instant, _ actions: inout TransactionActions) {
        switch status {
        case ..<200:
            switch state {
            case .unanswered:  // its user is elsewhere, and no Timer C watches it
                state = .proceeding(end: now + timers.intervalTimeout)
                actions.append(.arm(.b, at: now + timers.intervalTimeout))
            case .calling: state = .proceeding(end: nil)
            case .initial, .proceeding, .accepted, .completed, .terminated: break
            }
            actions.append(.deliver)
        case ..<300:
            state = .accepted
            actions.append(.deliver)
            actions.append(.arm(.m, at: now + timers.intervalTimeout))
        default:
            state = reliable ? .terminated : .completed
            actions.append(.sendACK)
            actions.append(.deliver)
            if !reliable { actions.append(.arm(.d, at: now + timers.intervalD)) }
        }
    }
}
