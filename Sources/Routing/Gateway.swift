package import Addressing

/// A destination gateway: one signalling address through which a call leaves.
package struct Gateway: Equatable, Sendable {
    /// The name that the operator chose.
    package let id: String
    /// The URI as provisioned.
    package let uri: String
    /// Where requests for it are sent.
    package let address: TransportAddress
    /// What follows the user part in the Request-URI of a call to it: `@192.0.2.10:5060;transport=udp`.
    package let requestURISuffix: String
    /// How it is timed and held.
    package let timing: GatewayTiming
    /// Whether new calls are sent to it, as the operator says.
    package var administrativeState = AdministrativeState.unlocked
    /// How it comes back after its time value.
    package var recovery = RecoveryMode.timed
    /// Which failures say that the gateway and not the callee failed.
    package var outOfServiceCauses = Gateway.standardOutOfServiceCauses
    /// How it is probed.
    package var probe = ProbeRules()
    /// How many calls it may have.
    package var limits = CallLimits()
    /// After recovery its share grows from one call to full over this time, 0...86400 s; 0: at once.
    package var rampSeconds: UInt32 = 0
    /// What it wants done to the dialled number.
    package var rewriting = NumberRewriting()

    /// What makes a gateway out-of-service when nothing is said.
    package static let standardOutOfServiceCauses: CauseSet = [.noResponse, .transportError, .status(503)]

    /// A gateway of its parts; what is left out has the API's default and may be set afterwards.
    package init(
        id: String, uri: String, address: TransportAddress, requestURISuffix: String,
        timing: GatewayTiming = GatewayTiming()
    ) {
        (self.id, self.uri, self.address) = (id, uri, address)
        (self.requestURISuffix, self.timing) = (requestURISuffix, timing)
    }
}

/// Whether the operator lets new calls to a gateway (X.731's administrative state).
package enum AdministrativeState: String, Sendable, BitwiseCopyable, CaseIterable {
    case unlocked
    /// No new calls; live ones go on.
    case shuttingDown = "shutting-down"
    /// Left out at once.
    case locked
}

/// How an out-of-service gateway comes back.
package enum RecoveryMode: String, Sendable, BitwiseCopyable, CaseIterable {
    /// At its time value.
    case timed
    /// At its time value exactly one call at a time is let through; its answer puts the gateway back.
    case trial
    /// A good probe puts it back.
    case probe
}

/// The times of one gateway (the method, steps 4 to 6).
package struct GatewayTiming: Hashable, Sendable, BitwiseCopyable {
    /// How long an attempt waits for any response, 100...32000 ms.
    package var responseTimeoutMilliseconds: UInt32
    /// How often the request is sent again in that time, 0...10.
    package var resendLimit: UInt8
    /// Out-of-service until now plus this, 1...86400 s.
    package var holdSeconds: UInt32
    /// The hold doubles at each repeat without a success between, up to this, s.
    package var holdLimitSeconds: UInt32 = 600
    /// After a 100, how long to wait for more, ms; 0: no bound of its own.
    package var progressTimeoutMilliseconds: UInt32 = 0
    /// Timer C: from the last provisional above 100 to a final, s (RFC 3261 section 16.6 step 11).
    package var answerTimeoutSeconds: UInt32 = 200

    /// The given times; what is left out has its default.
    package init(responseTimeoutMilliseconds: UInt32 = 2000, resendLimit: UInt8 = 2, holdSeconds: UInt32 = 60) {
        self.responseTimeoutMilliseconds = responseTimeoutMilliseconds
        (self.resendLimit, self.holdSeconds) = (resendLimit, holdSeconds)
    }

    /// How long an attempt waits for any response.
    package var responseTimeout: Duration { .milliseconds(Int64(responseTimeoutMilliseconds)) }
    /// How long the gateway is left out after a failure.
    package var hold: Duration { .seconds(Int64(holdSeconds)) }
}
