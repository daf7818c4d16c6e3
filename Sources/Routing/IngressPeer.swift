package import Addressing

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
    /// How many calls it may have.
    package let limits: CallLimits

    /// A peer of its parts.
    package init(
        id: String, networks: [Network], routingPlan: String = RoutingPlan.defaultID, isIdentityTrusted: Bool = false,
        limits: CallLimits = CallLimits()
    ) {
        (self.id, self.networks, self.routingPlan) = (id, networks, routingPlan)
        (self.isIdentityTrusted, self.limits) = (isIdentityTrusted, limits)
    }
}
