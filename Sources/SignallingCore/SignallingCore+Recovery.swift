import Routing
import Time

// Time values that are reached while no call comes (API section 6: recorded within a second).
extension SignallingCore {
    /// How often worker 0 looks.
    static var recoveryInterval: Duration { .milliseconds(500) }

    /// Puts every gateway back whose time value is reached, and arms the next look.
    mutating func recoverDue(
        _ snapshot: borrowing PinnedSnapshot, _ now: Instant, _ actions: inout SignallingActions
    ) {
        guard !isDraining else { return }
        armRecovery(now, &actions)
        snapshot.withSnapshot { snapshot in
            for gateway in snapshot.gateways {
                if let transition = table.recoverIfDue(gateway.slot, now: now) {
                    actions.transitions.append(transition)
                }
            }
        }
    }

    func armRecovery(_ now: Instant, _ actions: inout SignallingActions) {
        let token = TimerToken(.recovery, nil, slot: 0, generation: 0)
        actions.timers.append(.init(at: now + Self.recoveryInterval, token: token))
    }
}
