import Routing
import SIPMessage
import Time

/// Looks at what goes in and out of the workers and knows what must never be: two changes for one, and a call sent to a
/// gateway that is out-of-service, unless the call was under way before it went out.
struct StatusWatch {
    private var lastWord: [GatewaySlot: StatusWord] = [:]
    private var outSince: [GatewaySlot: Instant] = [:]
    private var callBegan: [String: Instant] = [:]
    private var seenBranches: Set<String> = []

    mutating func noteArrival(_ bytes: [UInt8], _ now: Instant) {
        guard let wire = WireMessage(bytes), wire.message.isRequest, wire.message.method == .invite else { return }
        if callBegan[wire.callID] == nil { callBegan[wire.callID] = now }
    }

    mutating func note(_ transition: StatusTransition, _ violations: inout [String]) {
        let slot = transition.slot
        if transition.before.status == transition.after.status {
            violations.append("a change of gateway \(slot.index) that changes nothing")
        }
        if let last = lastWord[slot], last != transition.before {
            violations.append("a change of gateway \(slot.index) that does not follow the one before")
        }
        if transition.after.cause == .timeValueReached, let due = transition.before.timeValue,
            transition.at - due >= .seconds(1)
        {
            violations.append("the time value of gateway \(slot.index) was reached a second before it was recorded")
        }
        lastWord[slot] = transition.after
        outSince[slot] = transition.after.status == .outOfService ? transition.at : nil
    }

    mutating func noteDeparture(
        _ bytes: [UInt8], to slot: GatewaySlot, _ status: StatusWord, _ now: Instant, _ violations: inout [String]
    ) {
        guard let wire = WireMessage(bytes) else {
            violations.append("something unreadable was sent to gateway \(slot.index)")
            return
        }
        guard wire.message.method == .invite, seenBranches.insert(wire.branch).inserted else { return }
        guard status.status == .outOfService, !status.isUsable(at: now), let out = outSince[slot] else { return }
        guard let began = callBegan[wire.callID], began <= out else {
            violations.append("\(wire.callID) was sent to gateway \(slot.index), out-of-service before the call began")
            return
        }
    }
}
