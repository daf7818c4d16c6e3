import JSON
import NetworkManager
import Routing
import Store
package import Time

/// What the writer has counted and noted for monitoring.
package struct WriterFigures: Sendable {
    /// From when a change was handed in until it was in force; changes that were refused don't count.
    package var changes = DurationBars()
    /// How long the change log took for a batch, whatever came of it.
    package var commits = DurationBars()
    /// When calls began to follow the snapshot that they follow.
    package var snapshotAt: WallTime
}

/// What monitoring shows of one gateway.
package struct GatewayFigures: Sendable {
    /// Its id.
    package let id: String
    /// Whether its status is in-service.
    package let isInService: Bool
    /// Whether the operator lets calls to it.
    package let isUnlocked: Bool
    /// How many calls it has.
    package let activeCalls: UInt32
    /// How many attempts got a provisional response or a 2xx.
    package let answeredCount: UInt64
    /// How many got none, or a failure that made it out-of-service.
    package let failedCount: UInt64
}

extension ControlPlane {
    /// What the writer has counted.
    package var writerFigures: WriterFigures { writer.figures }

    /// How many status changes and events wait for the writer.
    package var pendingStatusCount: Int { networkManager.pendingCount }

    /// Whether the fault is held to be our own network's.
    package var isNetworkSuspected: Bool { table.isNetworkSuspected }

    /// All gateways, in the order of their ids.
    package var gatewayFigures: [GatewayFigures] {
        let state = state
        return gatewayIDs(of: state).compactMap { id in
            guard let slot = state.builder.slot(of: id) else { return nil }
            let counts = table.counts(of: slot)
            return GatewayFigures(
                id: id, isInService: table.status(of: slot).status == .inService,
                isUnlocked: state.builder.gateways[id]?.administrativeState == .unlocked,
                activeCalls: counts.liveCalls, answeredCount: counts.answered, failedCount: counts.failed)
        }
    }

    /// The groups by id, and whether one of their gateways is in-service and unlocked.
    package var groupsInService: [(id: String, isInService: Bool)] {
        let builder = state.builder
        return builder.groups.values.sorted { $0.id < $1.id }.map { group in
            let isInService = group.members.contains { member in
                guard let slot = builder.slot(of: member.gateway) else { return false }
                return table.status(of: slot).status == .inService
                    && builder.gateways[member.gateway]?.administrativeState == .unlocked
            }
            return (group.id, isInService)
        }
    }

    /// How many objects of each kind there are, by the kind's name in paths.
    package var objectCounts: [(kind: String, count: Int)] {
        let state = state
        let builder = state.builder
        return [
            (ResourceKind.gateways, builder.gateways.count), (.gatewayGroups, builder.groups.count),
            (.routingLists, builder.lists.count), (.routingPlans, builder.planIDs.count),
            (.routes, builder.planIDs.reduce(0) { $0 + builder.routeCount(in: $1) }),
            (.ingressPeers, builder.peers.count), (.routingTests, state.tests.count),
        ].map { ($0.rawValue, $1) }
    }
}
