/// The kinds of objects that the API provisions.
///
/// In the order in which they can be put in force: an object refers only to kinds before its own.
package enum ResourceKind: String, Sendable, CaseIterable {
    /// The one object of settings.
    case settings
    case gateways
    case gatewayGroups = "gateway-groups"
    case routingLists = "routing-lists"
    case routingPlans = "routing-plans"
    case ingressPeers = "ingress-peers"
    case routes
    case routingTests = "routing-tests"
}

/// What a path under `/v1` names: one object.
package struct ResourcePath: Hashable, Sendable {
    /// The kind of object.
    package let kind: ResourceKind
    /// The client's name for it; for a route its prefix.
    package let id: String
    /// The plan that a route belongs to; nil for every other kind.
    package let plan: String?

    /// The path of an object that is no route.
    package init(_ kind: ResourceKind, _ id: String) { (self.kind, self.id, plan) = (kind, id, nil) }

    /// The path of a route.
    package init(route prefix: String, plan: String) { (kind, id, self.plan) = (.routes, prefix, plan) }

    /// The path of the settings, which always exist.
    package static let settings = ResourcePath(.settings, ResourceKind.settings.rawValue)

    /// `gateways/lon1`, `routing-plans/default/routes/44`, `settings`.
    package var text: String {
        guard kind != .settings else { return kind.rawValue }
        guard let plan else { return "\(kind.rawValue)/\(id)" }
        return "\(ResourceKind.routingPlans.rawValue)/\(plan)/\(kind.rawValue)/\(id)"
    }
}
