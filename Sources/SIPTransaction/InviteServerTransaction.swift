package import Time

/// The INVITE server transaction: RFC 3261 section 17.2.1 with RFC 6026's `accepted`.
///
///     proceeding --respond 1xx--> proceeding
///     proceeding --respond 2xx--> accepted --timer L--> terminated
///     proceeding --respond 300...699--> completed --ACK--> confirmed --timer I--> terminated
///     completed --timer H--> terminated
///
/// The owner keeps the last response that was accepted (`accepts`); `.send` means that one.
package struct InviteServerTransaction: Sendable, BitwiseCopyable {
    /// What happened.
    package enum Event: Equatable, Sendable, BitwiseCopyable {
        /// A further copy of the INVITE.
        case request
        /// The transaction user answers.
        case respond(status: Int)
        /// An ACK of this transaction.
        case ack
        /// A timer's instant has come; never before it.
        case timer(TransactionTimer)
        /// The response can't be delivered.
        case transportFailure
    }

    private enum State: Equatable, BitwiseCopyable {
        case proceeding(hasResponse: Bool)
        case accepted
        case completed(interval: Interval)
        case confirmed, terminated
    }

    private var state = State.proceeding(hasResponse: false)
    private let timers: TimerSettings
    private let reliable: Bool

    /// The transaction of an INVITE that has just come.
    package init(timers: TimerSettings, reliable: Bool) { (self.timers, self.reliable) = (timers, reliable) }

    /// The owner drops the transaction when this is true; it asks after every `receive`.
    package var isTerminated: Bool { state == .terminated }

    /// True when a 2xx was sent: an ACK that finds this transaction is the transaction user's (RFC 6026 section 7.1).
    package var isAccepted: Bool { state == .accepted }

    /// True while the last response may have to be sent again: not after a 2xx, which the transaction user resends (RFC
    /// 6026 section 7.1), nor after the ACK.
    package var mayResend: Bool {
        switch state {
        case .proceeding, .completed: true
        case .accepted, .confirmed, .terminated: false
        }
    }

    /// True when a response with this status would be sent, and so replaces the last one.
    package func accepts(status: Int) -> Bool {
        switch state {
        case .proceeding: true
        case .accepted: status / 100 == 2
        case .completed, .confirmed, .terminated: false
        }
    }

    /// Appends what the owner must do. A stale timer or a stray message changes nothing.
    package mutating func receive(_ event: Event, now: Instant, into actions: inout TransactionActions) {
        switch (state, event) {
        case (.proceeding(let hasResponse), .request): if hasResponse { actions.append(.send) }
        case (.proceeding, .respond(let status)): respond(status, now, &actions)
        case (.accepted, .respond(let status)): if status / 100 == 2 { actions.append(.send) }
        case (.completed, .request): actions.append(.send)  // §17.2.1: each copy gets the response again
        case (.completed(let interval), .timer(.g)):
            let next = min(interval * 2, timers.intervalT2)
            state = .completed(interval: next)
            actions.append(.send)
            actions.append(.arm(.g, at: now + next))
        case (.completed, .timer(.h)):
            state = .terminated
            actions.append(.timeout)
        case (.completed, .ack):
            state = reliable ? .terminated : .confirmed
            actions.append(.ackReceived)
            if !reliable { actions.append(.arm(.i, at: now + timers.intervalT4)) }
        case (.accepted, .ack): actions.append(.ackReceived)
        case (.confirmed, .timer(.i)), (.accepted, .timer(.l)): state = .terminated
        case (.completed, .transportFailure):
            state = .terminated
            actions.append(.transportFailure)
        // RFC 6026 §7.1: copies of the INVITE are absorbed in `accepted`, and a transport error does not end it.
        case (.accepted, .request), (.confirmed, .request), (.terminated, .request), (.completed, .respond),
            (.confirmed, .respond), (.terminated, .respond), (.proceeding, .ack), (.confirmed, .ack),
            (.terminated, .ack),
            (_, .timer), (.proceeding, .transportFailure), (.accepted, .transportFailure),
            (.confirmed, .transportFailure), (.terminated, .transportFailure):
            break
        }
    }

    private mutating func respond(_ status: Int, _ now: Instant, _ actions: inout TransactionActions) {
        actions.append(.send)
        switch status {
        case ..<200: state = .proceeding(hasResponse: true)
        case ..<300:
            state = .accepted
            actions.append(.arm(.l, at: now + timers.intervalTimeout))
        default:
            state = .completed(interval: timers.intervalT1)
            if !reliable { actions.append(.arm(.g, at: now + timers.intervalT1)) }
            actions.append(.arm(.h, at: now + timers.intervalTimeout))
        }
    }
}
