import JSON
import Routing
import Store

// What others refer to is not deleted.
extension Candidate {
    private static let referrerLimitCount = 100

    /// Refuses to delete what others refer to, and names them.
    func checkUnused(_ path: ResourcePath) throws(Refusal) {
        if path.kind == .settings { throw Refusal(.conflict, "The settings always exist; they can't be deleted.") }
        if path.kind == .routingPlans, path.id == RoutingPlan.defaultID {
            throw Refusal(.conflict, "The routing plan default always exists; it can't be deleted.")
        }
        let referrers = referrers(of: path)
        guard let first = referrers.first else { return }
        let more = referrers.count > 1 ? " (and \(referrers.count - 1) more)" : ""
        var refusal = Refusal(.inUse, "\(path.text) can't be deleted: \(first)\(more) refers to it.")
        refusal.extensions["referrers"] = .array(referrers.map { .string($0) })
        throw refusal
    }

    /// The paths of whoever refers to an object, the first hundred.
    private func referrers(of path: ResourcePath) -> [String] {
        let limit = Self.referrerLimitCount
        func paths(_ kind: ResourceKind, _ ids: some Sequence<String>) -> [String] {
            ids.sorted().prefix(limit).map { ResourcePath(kind, $0).text }
        }
        switch path.kind {
        case .gateways:
            guard builder.isMember(path.id) else { return [] }
            let groups = builder.groups.values.filter { $0.members.contains { $0.gateway == path.id } }
            return paths(.gatewayGroups, groups.map(\.id))
        case .gatewayGroups:
            let lists = builder.lists.values.filter { $0.entries.contains { $0.group == path.id } }
            return paths(.routingLists, lists.map(\.id))
        case .routingLists:
            return builder.routes(to: path.id, limit: limit).map {
                ResourcePath(route: $0.prefix.description, plan: $0.plan).text
            }
        case .routingPlans:
            let peers = paths(.ingressPeers, builder.peers.values.filter { $0.routingPlan == path.id }.map(\.id))
            return Array((peers + routes(in: path.id)).prefix(limit))
        case .settings, .ingressPeers, .routes, .routingTests: return []
        }
    }

    private func routes(in plan: String) -> [String] {
        builder.prefixes(in: plan, limit: Self.referrerLimitCount).map {
            ResourcePath(route: $0.description, plan: plan).text
        }
    }
}
