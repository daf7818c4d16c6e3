package import Addressing

// How this room works. `ControlPlane` keeps a `SnapshotBuilder`, a value: it puts gateways, groups, lists, plans,
// routes and peers into it and takes them out. `SnapshotBuilder.snapshot(revision:)` compiles a `RoutingSnapshot`,
// which never changes again, and `SnapshotCell.swap` shows it to the workers. A worker pins the snapshot for one batch
// of datagrams (`SnapshotCell.Reader.withSnapshot`), calls `RoutingSnapshot.select`, and keeps what it needs in its own
// `TargetSet`. Live status is beside all snapshots in the `GatewayInformationTable`, whose rows any thread may read and
// change.

/// The immutable, compiled form of all routing data at one revision. Nodes refer to each other by index; nothing in it
/// is ever written again, so any thread may read it.
package final class RoutingSnapshot: Sendable {
    /// The revision of the routing data that it was compiled from.
    package let revision: Revision

    /// What calls follow besides.
    package let settings: RoutingSettings

    /// The remote redirect servers as calls ask them, in the order of the settings; none: the co-located one.
    let redirectServers: TargetSet
    let plans: [CompiledPlan]
    let routes: PageDirectory<CompiledRoute>
    let reasons: [String]  // by number
    let peers: CompiledPeers
    let tables: CompiledTables

    init(
        revision: Revision, settings: RoutingSettings, redirectServers: TargetSet, plans: [CompiledPlan],
        routes: PageDirectory<CompiledRoute>, reasons: [String], peers: CompiledPeers,
        tables: CompiledTables, routeNumberCount: Int
    ) {
        (self.revision, self.settings, self.plans, self.routes) = (revision, settings, plans, routes)
        (self.reasons, self.peers, self.tables) = (reasons, peers, tables)
        self.redirectServers = redirectServers
        isApart = !redirectServers.targets.isEmpty
        self.routeNumberCount = routeNumberCount
    }

    /// True when calls are routed by redirect servers elsewhere.
    package let isApart: Bool

    /// Whose calls come from this address: the ingress peer of the longest network that holds it (API section 3). Nil:
    /// nobody who may call.
    package func peer(for source: IPAddress) -> CompiledPeer? {
        peers.ranges.peer(of: source).map { peers.peers[Int($0)] }
    }

    /// The name of an ingress peer of this snapshot.
    package func name(of peer: CompiledPeer) -> String { peers.ids[Int(peer.number)] }

    /// Which plan a source's calls are looked up in. Nil: nobody who may call.
    package func plan(for source: IPAddress) -> PlanNumber? { peer(for: source)?.plan }

    /// True when the identities that this source asserts are believed (API section 3, `trusted_identity`).
    package func isIdentityTrusted(_ source: IPAddress) -> Bool { peer(for: source)?.isIdentityTrusted ?? false }

    /// The plan of that name.
    package func plan(named id: String) -> PlanNumber? {
        plans.firstIndex { $0.id == id }.map { PlanNumber(index: $0) }
    }

    /// The name of a plan of this snapshot.
    package func name(of plan: PlanNumber) -> String { plans[plan.index].id }

    /// True when requests from this address come from one of our gateways.
    package func isGateway(_ address: IPAddress) -> Bool { tables.gatewayAddresses[address] != nil }

    /// True when a group goes by the caller.
    package var isCallerHashed: Bool { tables.isCallerHashed }

    /// All gateways in the order of their slots.
    package var gateways: some Sequence<SnapshotGateway> { tables.gateways.gateways }

    /// How many gateways there are.
    package var gatewayCount: Int { tables.gateways.gatewayCount }

    /// How many numbers the lists take, free ones among them.
    package var listNumberCount: Int { tables.lists.count }

    /// How many numbers the different routes take, free ones among them.
    package let routeNumberCount: Int

    /// The gateway in the first occupied slot behind this index; nil at the end.
    package func gateway(after index: Int) -> SnapshotGateway? {
        tables.gateways.first(behind: index)
    }

    /// The gateway in a slot; nil when the slot is another's by now.
    package func gateway(in slot: GatewaySlot) -> SnapshotGateway? {
        guard let gateway = tables.gateways[Int(slot.index)], gateway.slot == slot else { return nil }
        return gateway
    }

    /// The groups that a gateway is a member of, by name.
    package func groups(of slot: GatewaySlot) -> [String] {
        zip(tables.groups, tables.groupIDs).filter { group, _ in
            tables.members[group.members].contains { $0.slot == slot }
        }.map(\.1)
    }
}

/// A plan of one snapshot.
package struct PlanNumber: Hashable, Sendable, BitwiseCopyable {
    let index: Int
}

/// A gateway as a snapshot holds it.
package struct SnapshotGateway: Sendable {
    /// Its row in the gateway information table.
    package let slot: GatewaySlot
    /// As it was provisioned.
    package let gateway: Gateway
    /// Where its digits to prepend and the end of its Request-URI lie in the snapshot's text.
    let text: Range<Int>
    /// How many bytes of that text are digits to prepend.
    let prependCount: Int
    /// How many bytes behind that text are its Contact parameters.
    let parameterCount: Int

    /// Its name.
    package var id: String { gateway.id }
    /// Its URI as provisioned.
    package var uri: String { gateway.uri }
    /// Where requests for it are sent.
    package var address: TransportAddress { gateway.address }
    /// How it is timed and held.
    package var timing: GatewayTiming { gateway.timing }
}
