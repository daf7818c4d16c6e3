import Routing
import SIPMessage
import Time

/// Looks at what goes in and out of the workers and knows what must never be: two changes for one, and a call sent to a
/// gateway that is out-of-service, unless the call was under way before it went out.
struct StatusWatch {
    // No order of these is ever seen.
    private var lastWord: [GatewaySlot: StatusWord] = [:]
    private var outSince: [GatewaySlot: Instant] = [:]
    private var callBegan: [Int: Instant] = [:]
    private var seenBranches: Set<UInt64> = []
    private(set) var checkCount = 0

    mutating func noteArrival(_ parcel: Parcel, _ now: Instant) {
        guard parcel.call >= 0, parcel.message.method == .invite, parcel.message.isRequest else { return }
        if callBegan[parcel.call] == nil { callBegan[parcel.call] = now }
    }

    mutating func note(_ transition: StatusTransition, _ now: Instant, _ violations: inout [Violation]) {
        let slot = transition.slot
        func broken(_ detail: String) {
            violations.append(
                Violation(.statusHasCause, call: nil, now, "a change of gateway \(slot.index) \(detail)"))
        }
        checkCount += 1
        let (before, after) = (transition.before, transition.after)
        if before.status == after.status, before.cause == after.cause, before.timeValue == after.timeValue {
            broken("that changes nothing")
        }
        if let last = lastWord[slot], last != transition.before { broken("that does not follow the one before") }
        if transition.after.cause == nil { broken("without a cause") }
        if transition.after.cause == .timeValueReached, let due = transition.before.timeValue,
            transition.at - due >= .seconds(1)
        {
            broken("whose time value was reached a second before it was recorded")
        }
        lastWord[slot] = transition.after
        if after.status == .inService {
            outSince[slot] = nil
        } else if before.status == .inService {
            outSince[slot] = transition.at
        }
    }

    mutating func noteDeparture(
        _ parcel: Parcel, to slot: GatewaySlot, _ status: StatusWord, _ now: Instant, _ violations: inout [Violation]
    ) {
        guard parcel.call >= 0, parcel.message.method == .invite, parcel.message.isRequest,
            parcel.message.toTag == nil, seenBranches.insert(parcel.branch).inserted
        else { return }
        checkCount += 1
        guard status.status == .outOfService, !status.isUsable(at: now), let out = outSince[slot] else { return }
        guard let began = callBegan[parcel.call], began <= out else {
            let text = "sent to gateway \(slot.index), which was out-of-service before the call began"
            violations.append(Violation(.statusHasCause, call: parcel.call, now, text))
            return
        }
    }
}
