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

    /// A gateway of its parts.
    package init(
        id: String, uri: String, address: TransportAddress, requestURISuffix: String,
        timing: GatewayTiming = GatewayTiming()
    ) {
        (self.id, self.uri, self.address) = (id, uri, address)
        (self.requestURISuffix, self.timing) = (requestURISuffix, timing)
    }
}

/// The predetermined times of one gateway (the method, steps 4 and 6).
package struct GatewayTiming: Hashable, Sendable, BitwiseCopyable {
    /// How long an attempt waits for any response, 100...32000 ms.
    package var responseTimeoutMilliseconds: UInt32
    /// How often the request is sent again in that time, 0...10.
    package var resendLimit: UInt8
    /// Out-of-service until now plus this, 1...86400 s.
    package var holdSeconds: UInt32

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

/// Gateways that are interchangeable for routing, with one selection policy (`ordered`).
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

    /// The name that the operator chose.
    package let id: String
    /// The gateways in the operator's order.
    package let members: [Member]

    /// A group of its parts.
    package init(id: String, members: [Member]) { (self.id, self.members) = (id, members) }
}

/// What a call tries, in order: gateway groups by priority, a weighted draw among equals.
package struct RoutingList: Equatable, Sendable {
    /// One group of the list.
    package struct Entry: Equatable, Sendable {
        /// The group's id.
        package let group: String
        /// 0...65535; the lowest is tried first.
        package let priority: UInt16
        /// 0...65535; the chance to come first among equals.
        package let weight: UInt16

        /// An entry of its parts.
        package init(group: String, priority: UInt16 = 0, weight: UInt16 = 1) {
            (self.group, self.priority, self.weight) = (group, priority, weight)
        }
    }

    /// A draw among equals remembers who was drawn in one word.
    package static let entryLimitCount = 64

    /// The name that the operator chose.
    package let id: String
    /// The groups in the operator's order, at most `entryLimitCount`.
    package let entries: [Entry]
    /// How many gateways one call tries at most.
    package let attemptLimit: Int

    /// A list of its parts.
    package init(id: String, entries: [Entry], attemptLimit: Int = 5) {
        (self.id, self.entries, self.attemptLimit) = (id, entries, attemptLimit)
    }
}

/// A source user agent's networks, allowed to send calls.
package struct IngressPeer: Equatable, Sendable {
    /// The name that the operator chose.
    package let id: String
    /// Where its requests come from; no network stands in two peers.
    package let networks: [Network]
    /// The plan that its calls are looked up in.
    package let routingPlan: String
    /// Whether the identities that it asserts are passed on (RFC 3325).
    package let isIdentityTrusted: Bool

    /// A peer of its parts.
    package init(
        id: String, networks: [Network], routingPlan: String = RoutingPlan.defaultID, isIdentityTrusted: Bool = false
    ) {
        (self.id, self.networks, self.routingPlan) = (id, networks, routingPlan)
        self.isIdentityTrusted = isIdentityTrusted
    }
}

/// The table that a source's calls are looked up in; its routes are kept by prefix, not in here.
package enum RoutingPlan {
    /// The plan that always exists.
    package static let defaultID = "default"
}

/// The number of the last committed change; every change adds one. 0 is the empty database.
package struct Revision: Comparable, Hashable, Sendable, BitwiseCopyable {
    /// The number itself.
    package let number: Int64

    /// The revision with this number.
    package init(_ number: Int64) { self.number = number }

    /// True when the left one comes first.
    package static func < (left: Revision, right: Revision) -> Bool { left.number < right.number }
}
