/// Gateways that are interchangeable for routing, with one selection policy.
package struct GatewayGroup: Equatable, Sendable {
    /// One gateway of the group.
    package struct Member: Equatable, Sendable {
        /// The gateway's id.
        package let gateway: String
        /// 0...65535; the lowest is tried first, equals in the order of the list.
        package let priority: UInt16
        /// 0...65535; the share among equals, for policies that share.
        package let weight: UInt16

        /// A member of its parts.
        package init(gateway: String, priority: UInt16 = 0, weight: UInt16 = 1) {
            (self.gateway, self.priority, self.weight) = (gateway, priority, weight)
        }
    }

    /// How the next gateway among those of the same priority is found (API section 3).
    package enum Policy: Equatable, Sendable {
        /// By the order of the list.
        case ordered
        /// Exact shares by weight.
        case weighted
        /// Each in turn.
        case roundRobin
        /// The one with the fewest live calls.
        case leastCalls
        /// Rendezvous hashing: a gateway's fall moves only its own share.
        case hash(HashKey)
    }

    /// What a group's `hash` policy hashes.
    package enum HashKey: String, Sendable, BitwiseCopyable, CaseIterable {
        case callID = "call-id"
        case caller
        case dialledNumber = "dialled-number"
    }

    /// What moves a call on to its next target when nothing is said.
    package static let standardFailoverCauses: CauseSet = [
        .noResponse, .transportError, .status(408), .status(500), .status(502), .status(503), .status(504),
    ]

    /// The name that the operator chose.
    package let id: String
    /// The gateways in the operator's order.
    package let members: [Member]
    /// How one is chosen among equals.
    package let policy: Policy
    /// Which ends of an attempt move a call on to its next target.
    package let failoverCauses: CauseSet
    /// Whether a failure after a provisional 18x moves a call on too.
    package let failsOverAfterRinging: Bool
    /// How many gateways of the group one call tries at most; nil: no bound of its own.
    package let attemptLimit: Int?

    /// A group of its parts.
    package init(
        id: String, members: [Member], policy: Policy = .ordered,
        failoverCauses: CauseSet = GatewayGroup.standardFailoverCauses, failsOverAfterRinging: Bool = false,
        attemptLimit: Int? = nil
    ) {
        (self.id, self.members, self.policy) = (id, members, policy)
        (self.failoverCauses, self.failsOverAfterRinging) = (failoverCauses, failsOverAfterRinging)
        self.attemptLimit = attemptLimit
    }
}
