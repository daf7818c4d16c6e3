package import Routing
package import Time

// How this room works. `ProbeSchedule` says which gateway is asked next and when, `ProbeRequest` writes the question,
// `ProbeVerdict` says what an answer, or its absence, means for the status. `SignallingCore` sends, waits and writes
// the status.

/// How gateways are probed (API section 3, `probe`).
package struct ProbeSettings: Sendable {
    /// Each gateway is asked once in this time; zero: none is asked.
    package var interval: Duration = .seconds(30)
    /// The predetermined wait for an answer.
    package var timeout: Duration = .seconds(2)
    /// How often a question is sent again in that time.
    package var resendLimit = 2
    /// So many questions in a row without an acknowledgement make a gateway out-of-service.
    package var failureLimitCount: UInt32 = 3
    /// At the start each gateway is asked soon: the first round takes at most this long a gateway.
    package var firstRoundSpacing: Duration = .milliseconds(50)

    /// The defaults of the API.
    package init() {}
}

/// Whom to ask next: one gateway after another in the order of their slots, round and round, spread over the interval.
package struct ProbeSchedule: Sendable {
    private let settings: ProbeSettings
    private var lastIndex = -1
    private var isFirstRound = true

    /// A schedule that begins with the first gateway.
    package init(_ settings: ProbeSettings) { self.settings = settings }

    /// The gateway to ask now, nil when there is none, and when to come back.
    package mutating func next(in snapshot: RoutingSnapshot, now: Instant) -> (
        gateway: SnapshotGateway?, again: Instant
    ) {
        guard let gateway = snapshot.gateway(after: lastIndex) ?? snapshot.gateway(after: -1) else {
            lastIndex = -1
            return (nil, now + .seconds(1))
        }
        lastIndex = Int(gateway.slot.index)
        if snapshot.gateway(after: lastIndex) == nil { isFirstRound = false }
        return (gateway, now + spacing(snapshot))
    }

    private func spacing(_ snapshot: RoutingSnapshot) -> Duration {
        let spread = settings.interval / max(1, snapshot.gatewayCount)
        return isFirstRound ? min(spread, settings.firstRoundSpacing) : max(spread, .milliseconds(1))
    }
}

/// What the end of a probe means for the gateway's status.
package enum ProbeVerdict: Equatable, Sendable {
    /// The status stays.
    case keep
    /// In-service: it acknowledged, and what had taken it out was silence.
    case putBack
    /// Out-of-service until now plus the hold.
    case takeOut(StatusCause)

    /// True when a final response says that the gateway is available: any but 408 and 503.
    package static func isAcknowledgement(_ status: Int) -> Bool { status != 408 && status != 503 }

    /// True when an answer ends an out-of-service status: silence or probes had begun it.
    package static func isOverruledByAnswer(_ status: StatusWord) -> Bool { status.isOfSilence }

    /// Judges one probe.
    ///
    /// A gateway that took itself out by a failure response (503, perhaps with Retry-After) answers OPTIONS as well
    /// while it is busy; it comes back at its time value and not by a probe.
    ///
    /// - Parameters:
    ///   - sipStatus: of the final response; nil when none came in time.
    ///   - failures: how many probes in a row, this one among them, were not acknowledged.
    package static func judge(
        sipStatus: Int?, failures: UInt32, status: StatusWord, settings: ProbeSettings
    ) -> ProbeVerdict {
        if let sipStatus, isAcknowledgement(sipStatus) {
            return isOverruledByAnswer(status) ? .putBack : .keep
        }
        guard status.status == .inService, failures >= settings.failureLimitCount else { return .keep }
        return .takeOut(sipStatus == nil ? .probeNoResponse : .probeFailureResponse)
    }
}
