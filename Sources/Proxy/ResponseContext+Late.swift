import Routing

// What comes from a target that is tried no longer, or after the end (RFC 3261 section 16.7 steps 5 and 10).
extension ResponseContext {
    mutating func late(_ status: Int, _ target: Int, _ actions: inout [Action]) {
        if status < 200 {
            cancelTarget(target, &actions)
        } else if target < serverCount, status >= 300 {
            serverAnsweredLate(status, target, &actions)
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
    mutating func leave(_ actions: inout [Action]) {
        if hasProvisional {
            cancelTarget(current, &actions)
        } else if isInvite {
            actions.append(.giveUp(target: current))
        }
    }

    /// True for a 487 to a CANCEL that nobody but us asked for: it says nothing that the caller should hear.
    func isOurCancel(_ status: Int, _ target: Int) -> Bool {
        status == 487 && !isCancelled && target < 64 && cancelled & 1 << UInt64(target) != 0
    }
}
