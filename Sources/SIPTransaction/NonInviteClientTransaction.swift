package import Time

/// The client transaction of a request other than INVITE and ACK: RFC 3261 section 17.1.2. The predetermined time and
/// number of resendings take the place of Timer F until a provisional response comes; from then on it is 64 T1 from the
/// start.
///
///     initial --start--> trying --1xx--> proceeding
///     trying, proceeding --200...699--> completed --timer K--> terminated
///     trying, proceeding --timer F--> terminated
///     initial, trying --transport failure--> terminated
package struct NonInviteClientTransaction: Sendable, BitwiseCopyable {
    /// What happened.
    package enum Event: Equatable, Sendable, BitwiseCopyable {
        /// The request is to be sent for the first time.
        case start
        /// A response to it.
        case response(status: Int)
        /// A timer's instant has come; never before it.
        case timer(TransactionTimer)
        /// The other side can't be reached.
        case transportFailure
    }

    /// What lasts from the start to the final response.
    private struct Waiting: Equatable, BitwiseCopyable {
        var interval: Interval
        var resends: UInt32
        /// When Timer F is due.
        var due: Instant
        /// 64 T1 from the start.
        let end: Instant
    }

    private enum State: Equatable, BitwiseCopyable {
        case initial
        case trying(Waiting)
        case proceeding(Waiting)
        case completed, terminated
    }

    private var state = State.initial
    private let resendLimit: UInt32
    private let responseTimeout: Interval
    private let timers: TimerSettings
    private let reliable: Bool

    /// A transaction that has sent nothing yet; the parameters are those of `InviteClientTransaction`, with Timer E for
    /// A.
    package init(resendLimit: Int, responseTimeout: Duration, timers: TimerSettings, reliable: Bool) {
        (self.resendLimit, self.responseTimeout) = (UInt32(clamping: resendLimit), Interval(responseTimeout))
        (self.timers, self.reliable) = (timers, reliable)
    }

    /// The owner drops the transaction when this is true; it asks after every `receive`.
    package var isTerminated: Bool { state == .terminated }

    /// True while it may still send a copy of its request.
    package var maySend: Bool {
        switch state {
        case .initial, .trying, .proceeding: true
        case .completed, .terminated: false
        }
    }

    /// True while it waits for a first response, and so would fail at a transport error.
    package var awaitsFirstResponse: Bool {
        switch state {
        case .initial, .trying: true
        case .proceeding, .completed, .terminated: false
        }
    }

    /// Appends what the owner must do. A stale timer or a stray response changes nothing.
    package mutating func receive(_ event: Event, now: Instant, into actions: inout TransactionActions) {
        switch (state, event) {
        case (.initial, .start): start(now, &actions)
        case (.trying(var waiting), .timer(.e)):  // §17.1.2.2: resend, wait twice as long, at most T2
            guard resend(&waiting, interval: min(waiting.interval * 2, timers.intervalT2), now, &actions) else {
                return
            }
            state = .trying(waiting)
        case (.proceeding(var waiting), .timer(.e)):  // §17.1.2.2: T2 between copies
            guard resend(&waiting, interval: timers.intervalT2, now, &actions) else { return }
            state = .proceeding(waiting)
        case (.trying(let waiting), .timer(.f)), (.proceeding(let waiting), .timer(.f)):
            guard now >= waiting.due else { return }
            state = .terminated
            actions.append(.timeout)
        case (.trying(var waiting), .response(let status)) where status < 200:
            if waiting.due < waiting.end {
                waiting.due = waiting.end
                actions.append(.arm(.f, at: waiting.end))
            }
            state = .proceeding(waiting)
            actions.append(.deliver)
        case (.proceeding, .response(let status)) where status < 200: actions.append(.deliver)
        case (.trying, .response), (.proceeding, .response):
            state = reliable ? .terminated : .completed
            actions.append(.deliver)
            if !reliable { actions.append(.arm(.k, at: now + timers.intervalT4)) }
        case (.completed, .timer(.k)): state = .terminated
        case (.initial, .transportFailure), (.trying, .transportFailure):
            state = .terminated
            actions.append(.transportFailure)
        case (_, .start), (_, .timer), (.initial, .response), (.completed, .response), (.terminated, .response),
            (.proceeding, .transportFailure), (.completed, .transportFailure), (.terminated, .transportFailure):
            break
        }
    }

    private mutating func start(_ now: Instant, _ actions: inout TransactionActions) {
        let due = now + responseTimeout
        state = .trying(
            Waiting(interval: timers.intervalT1, resends: 0, due: due, end: max(due, now + timers.intervalTimeout)))
        actions.append(.send)
        if !reliable, resendLimit > 0 { actions.append(.arm(.e, at: now + timers.intervalT1)) }
        actions.append(.arm(.f, at: due))
    }

    /// False when the request was sent again often enough.
    private func resend(
        _ waiting: inout Waiting, interval: Interval, _ now: Instant, _ actions: inout TransactionActions
    ) -> Bool {
        guard waiting.resends < resendLimit, now < waiting.due else { return false }
        (waiting.interval, waiting.resends) = (interval, waiting.resends + 1)
        actions.append(.send)
        if waiting.resends < resendLimit { actions.append(.arm(.e, at: now + interval)) }
        return true
    }
}
