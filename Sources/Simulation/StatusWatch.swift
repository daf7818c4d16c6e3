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
    private var gateways: [GatewaySlot: Gateway] = [:]
    /// When the process last began.
    private var begun = Simulation.origin
    private(set) var checkCount = 0

    /// From now on its changes must be by these rules.
    mutating func setRules(of slot: GatewaySlot, _ gateway: Gateway) { gateways[slot] = gateway }

    /// The process has begun anew: its table says so of a gateway.
    mutating func restart(_ slot: GatewaySlot, _ word: StatusWord, _ now: Instant) {
        begun = now
        lastWord[slot] = word
        outSince[slot] = word.status == .inService ? nil : outSince[slot] ?? now
    }

    /// When a call came.
    func began(_ call: Int) -> Instant? { callBegan[call] }

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
            transition.at - max(due, begun) >= .seconds(1)
        {
            broken("whose time value was reached a second before it was recorded")
        }
        if let gateway = gateways[slot] { checkRules(of: gateway, transition, now, &violations) }
        lastWord[slot] = transition.after
        if after.status == .inService {
            outSince[slot] = nil
        } else if before.status == .inService {
            outSince[slot] = transition.at
        }
    }

    /// Held for its hold, doubled some times, or for its Retry-After; put back in its own way, and not before.
    private mutating func checkRules(
        of gateway: Gateway, _ transition: StatusTransition, _ now: Instant, _ violations: inout [Violation]
    ) {
        checkCount += 1
        let cause = transition.after.cause
        func broken(_ detail: String) {
            let text = "\(gateway.id), \(gateway.recovery): \(cause?.name ?? "no cause"), \(detail)"
            violations.append(Violation(.heldByRule, call: nil, now, text))
        }
        if transition.before.isWord(at: now), cause != .operatorWord {
            let text = "\(gateway.id) by \(cause?.name ?? "no cause"), and the operator's word holds"
            violations.append(Violation(.wordHolds, call: nil, now, text))
        }
        guard transition.after.status == .outOfService else {
            if let due = transition.before.timeValue, cause == .timeValueReached, now < due {
                broken("\(due - now) before its time value")
            }
            let isItsWay =
                switch cause {
                case .timeValueReached: gateway.recovery == .timed
                case .trialAnswered: gateway.recovery == .trial
                case .callAnswered: gateway.recovery != .probe
                default: true
                }
            if !isItsWay { broken("which is not how it comes back") }
            return
        }
        guard cause != .operatorWord else { return }
        guard let timeValue = transition.after.timeValue else {
            broken("without a time value")
            return
        }
        let held = (timeValue - now).milliseconds
        var allowed = cause == .retryAfter ? (5..<25).map { Int64($0) * 1000 } : []
        if cause != .retryAfter {
            for doublings in 0..<8 {
                let seconds = min(gateway.timing.holdSeconds << UInt32(doublings), gateway.timing.holdLimitSeconds)
                allowed.append(Int64(seconds) * 1000)
            }
        }
        if !allowed.contains(where: { (0...2).contains(held - $0) }) { broken("held for \(held) ms") }
    }

    /// - Parameter mayBeOut: the call's list wants gateways tried that are out, or silence was held to be our own.
    mutating func noteDeparture(
        _ parcel: Parcel, to slot: GatewaySlot, _ status: StatusWord, mayBeOut: Bool, _ now: Instant,
        _ violations: inout [Violation]
    ) {
        guard parcel.call >= 0, parcel.message.method == .invite, parcel.message.isRequest,
            parcel.message.toTag == nil, seenBranches.insert(parcel.branch).inserted
        else { return }
        checkCount += 1
        if status.isWord(at: now) {
            let text = "sent to gateway \(slot.index), which the operator holds out-of-service"
            violations.append(Violation(.wordHolds, call: parcel.call, now, text))
        }
        guard status.status == .outOfService, !status.isUsable(at: now), !mayBeOut, let out = outSince[slot] else {
            return
        }
        guard let began = callBegan[parcel.call], began <= out else {
            let text = "sent to gateway \(slot.index), which was out-of-service before the call began"
            violations.append(Violation(.statusHasCause, call: parcel.call, now, text))
            return
        }
    }
}

extension StatusWord {
    /// True while the operator holds the gateway out-of-service.
    func isWord(at now: Instant) -> Bool { status == .outOfService && cause == .operatorWord && !isUsable(at: now) }
}
