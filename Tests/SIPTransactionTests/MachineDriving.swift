import SIPTransaction
import Time

/// What one event led to, as a list.
typealias Actions = [TransactionActions.Action]

extension TransactionActions {
    var all: Actions { (0..<count).map { self[$0] } }
}

extension Instant {
    static let start = Instant(nanoseconds: 5_000_000_000)
}

extension InviteClientTransaction {
    mutating func take(_ event: Event, at seconds: Double = 0) -> Actions {
        var actions = TransactionActions()
        receive(event, now: .start + .milliseconds(Int64(seconds * 1000)), into: &actions)
        return actions.all
    }

    /// The predetermined time 2 s and two resendings.
    static func make(reliable: Bool = false) -> InviteClientTransaction {
        InviteClientTransaction(
            resendLimit: 2, responseTimeout: .seconds(2), timers: TimerSettings(), reliable: reliable)
    }
}

extension NonInviteClientTransaction {
    mutating func take(_ event: Event, at seconds: Double = 0) -> Actions {
        var actions = TransactionActions()
        receive(event, now: .start + .milliseconds(Int64(seconds * 1000)), into: &actions)
        return actions.all
    }

    static func make(resends: Int = 2, timeout: Duration = .seconds(2), reliable: Bool = false)
        -> NonInviteClientTransaction
    {
        NonInviteClientTransaction(
            resendLimit: resends, responseTimeout: timeout, timers: TimerSettings(), reliable: reliable)
    }
}

extension InviteServerTransaction {
    mutating func take(_ event: Event, at seconds: Double = 0) -> Actions {
        var actions = TransactionActions()
        receive(event, now: .start + .milliseconds(Int64(seconds * 1000)), into: &actions)
        return actions.all
    }
}

extension NonInviteServerTransaction {
    mutating func take(_ event: Event, at seconds: Double = 0) -> Actions {
        var actions = TransactionActions()
        receive(event, now: .start + .milliseconds(Int64(seconds * 1000)), into: &actions)
        return actions.all
    }
}

/// `.arm` so many seconds after the start.
func arm(_ timer: TransactionTimer, _ seconds: Double) -> TransactionActions.Action {
    .arm(timer, at: .start + .milliseconds(Int64(seconds * 1000)))
}
