package import Time

/// The server transaction of a request other than INVITE and ACK: RFC 3261 section 17.2.2, with RFC 4320's way of not
/// answering at all.
///
///     trying --respond 1xx--> proceeding
///     trying, proceeding --respond 200...699--> completed --timer J--> terminated
///     trying, proceeding --abandon--> abandoned --timer J--> terminated
package struct NonInviteServerTransaction: Sendable, BitwiseCopyable {
    /// What happened.
    package enum Event: Equatable, Sendable, BitwiseCopyable {
        /// A further copy of the request.
        case request
        /// The transaction user answers.
        case respond(status: Int)
        /// The transaction user never will (RFC 4320 section 4.2): copies are absorbed for as long as they may come.
        case abandon
        /// A timer's instant has come; never before it.
        case timer(TransactionTimer)
        /// The response can't be delivered.
        case transportFailure
    }

    private enum State: Equatable, BitwiseCopyable {
        case trying, proceeding, completed, abandoned, terminated
    }

    private var state = State.trying
    private let timers: TimerSettings
    private let reliable: Bool

    /// The transaction of a request that has just come.
    package init(timers: TimerSettings, reliable: Bool) { (self.timers, self.reliable) = (timers, reliable) }

    /// The owner drops the transaction when this is true; it asks after every `receive`.
    package var isTerminated: Bool { state == .terminated }

    /// True when a response would be sent, and so replaces the last one.
    package var acceptsResponse: Bool { state == .trying || state == .proceeding }

    /// Appends what the owner must do. A stale timer or a stray message changes nothing.
    package mutating func receive(_ event: Event, now: Instant, into actions: inout TransactionActions) {
        switch (state, event) {
        case (.trying, .respond(let status)), (.proceeding, .respond(let status)):
            actions.append(.send)
            guard status >= 200 else {
                state = .proceeding
                return
            }
            finish(.completed, now, &actions)
        case (.trying, .abandon), (.proceeding, .abandon): finish(.abandoned, now, &actions)
        case (.proceeding, .request), (.completed, .request): actions.append(.send)
        case (.completed, .timer(.j)), (.abandoned, .timer(.j)): state = .terminated
        case (.proceeding, .transportFailure), (.completed, .transportFailure):
            state = .terminated
            actions.append(.transportFailure)
        case (.trying, .request), (.abandoned, .request), (.terminated, .request), (.completed, .respond),
            (.abandoned, .respond), (.terminated, .respond), (.completed, .abandon), (.abandoned, .abandon),
            (.terminated, .abandon), (_, .timer), (.trying, .transportFailure), (.abandoned, .transportFailure),
            (.terminated, .transportFailure):
            break
        }
    }

    private mutating func finish(_ end: State, _ now: Instant, _ actions: inout TransactionActions) {
        state = reliable ? .terminated : end
        if !reliable { actions.append(.arm(.j, at: now + timers.intervalTimeout)) }
    }
}
