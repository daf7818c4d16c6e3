import Time

/// What must hold in every run. The sentence says it as it should be.
package enum Invariant: String, Sendable, CaseIterable {
    case oneFinal = "each request gets exactly one final response upstream"
    case successIsReceived = "a 2xx to INVITE goes upstream as often as it came, and never of our own making"
    case noProvisionalAfterFinal = "no provisional follows a final response"
    case silentAfterAcknowledgement = "an acknowledged final response is not sent again"
    case promptAnswer = "each INVITE is answered at once, and each copy of an answered request again"
    case rightUpstream = "a response goes back to where its request came from, with that request's Via on top"
    case readable = "what is sent is a message that a peer can read"
    case forwardedOnce = "nothing is forwarded twice: one branch for each target of a request"
    case serialSearch = "a target is tried when the one before has failed, and none after the end"
    case resentInTime = "a request is sent again by its timers only, and as it was"
    case acknowledgedOnce = "each refusal of a gateway is acknowledged, each ACK of a 2xx goes on once"
    case cancelledIsSilent = "a CANCELled call never rings on"
    case cancelHasCause = "a gateway is sent CANCEL for a reason, and not before it has answered"
    case redirectForwardsNothing = "the redirect role answers and forwards nothing"
    case nothingOutOfNothing = "nothing leaves that no message, timer or failure asked for"
    case lastTimer = "no transaction lives past its last timer"
    case emptyAtTheEnd = "nothing is held when all is over"
    case everyCallEnds = "every call ends"
    case statusHasCause = "no status change without a cause, no call to a gateway that is out-of-service"
    case callsAreCounted = "the live calls of each gateway are those that the workers hold, at every step"
    case completes = "a call is answered while a gateway of its list lives and no bound ends the search"
    case heldByRule = "a gateway is held and put back by its own rules, whatever the wall clock shows"
    case recordForChange = "each status change has its record, and each record its change, in the same order"
    case healed = "a while after all are well again every gateway is in-service"
    case restored = "a process that begins anew knows each gateway's status, cause and time value as they were recorded"
    case wordHolds = "the operator's word holds until its time: no call, probe or restart overrules it"
    case lockHolds = "no call is sent to a gateway that the operator has locked or is shutting down"
    case givesUp = "a search that has found no gateway ends at its list's bound, and tries none behind it"
    case handedOverOnce = "a datagram is handed over once at most"
}

/// One broken invariant.
package struct Violation: Equatable, Sendable, CustomStringConvertible {
    /// What was broken.
    package let invariant: Invariant
    /// The call, where it was one.
    package let call: Int?
    /// When, from the beginning of the run.
    package let after: Duration
    /// What was seen.
    package let detail: String

    init(_ invariant: Invariant, call: Int?, _ now: Instant, _ detail: String) {
        (self.invariant, self.call, self.detail) = (invariant, call, detail)
        after = now - Simulation.origin
    }

    /// One line.
    package var description: String {
        let milliseconds = after.milliseconds
        let fraction = String(1000 + milliseconds % 1000).dropFirst()
        return "\"\(invariant.rawValue)\" at \(milliseconds / 1000).\(fraction) s"
            + (call.map { ", call \($0)" } ?? "") + ": \(detail)"
    }
}
