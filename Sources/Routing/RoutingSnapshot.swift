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

    let plans: [CompiledPlan]
    let peers: [CompiledNetwork]
    let lists: [CompiledList?]  // by list number
    let tables: CompiledTables

    init(
        revision: Revision, plans: [CompiledPlan], peers: [CompiledNetwork], lists: [CompiledList?],
        tables: CompiledTables
    ) {
        (self.revision, self.plans, self.peers, self.lists, self.tables) = (revision, plans, peers, lists, tables)
    }

    /// Which plan a source's calls are looked up in: the one of the longest network that holds the address. Nil: nobody
    /// who may call.
    package func plan(for source: IPAddress) -> PlanNumber? {
        for peer in peers where peer.network.contains(source) { return peer.plan }
        return nil
    }

    /// True when the identities that this source asserts are believed: the longest network that holds the address
    /// decides (API section 3, `trusted_identity`).
    package func isIdentityTrusted(_ source: IPAddress) -> Bool {
        for peer in peers where peer.network.contains(source) { return peer.isIdentityTrusted }
        return false
    }

    /// The plan of that name.
    package func plan(named id: String) -> PlanNumber? {
        plans.firstIndex { $0.id == id }.map { PlanNumber(index: $0) }
    }

    /// The name of a plan of this snapshot.
    package func name(of plan: PlanNumber) -> String { plans[plan.index].id }

    /// True when requests from this address come from one of our gateways.
    package func isGateway(_ address: IPAddress) -> Bool { tables.gatewayAddresses[address] != nil }

    /// All gateways in the order of their slots.
    package var gateways: some Sequence<SnapshotGateway> { tables.gateways.gateways }

    /// How many gateways there are.
    package var gatewayCount: Int { tables.gateways.gatewayCount }

    /// How many numbers the lists take, free ones among them.
    package var listNumberCount: Int { lists.count }

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
        tables.groups.filter { group in tables.members[group.members].contains { $0.slot == slot } }.map(\.id)
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
    /// Where the end of its Request-URI lies in the snapshot's text.
    let suffix: Range<Int>

    /// Its name.
    package var id: String { gateway.id }
    /// Its URI as provisioned.
    package var uri: String { gateway.uri }
    /// Where requests for it are sent.
    package var address: TransportAddress { gateway.address }
    /// How it is timed and held.
    package var timing: GatewayTiming { gateway.timing }
}

/// One routing plan: prefixes lead to list numbers.
struct CompiledPlan: Sendable {
    let id: String
    let routes: PrefixTable
}

/// One network of one peer. A snapshot holds them from the longest prefix to the shortest.
struct CompiledNetwork: Sendable {
    let network: Network
    let plan: PlanNumber
    let isIdentityTrusted: Bool
}

struct CompiledList: Sendable {
    let id: String
    /// In the order of priority.
    let entries: Range<Int>
    let attemptLimit: Int
    let giveUpAfterMilliseconds: UInt32?
}

struct CompiledEntry: Sendable, BitwiseCopyable {
    let group: Int
    let priority: UInt16
    let weight: UInt16
}

struct CompiledGroup: Sendable {
    let id: String
    /// In the order in which they are tried.
    let members: Range<Int>
    let failoverCauses: CauseSet
    let failsOverAfterRinging: Bool
}

/// What selection needs of a member and its gateway, in one place: no reference, nothing to look up elsewhere.
struct CompiledMember: Sendable, BitwiseCopyable {
    let slot: GatewaySlot
    let address: TransportAddress
    let timing: GatewayTiming
    let outOfServiceCauses: CauseSet
    let recovery: RecoveryMode
    let limits: CallLimits
    let suffixStart: UInt32
    let suffixEnd: UInt32
}

/// Everything but plans, peers and lists' heads. Gateways are changed one by one; groups, members and entries are
/// compiled anew when a group, a list or a gateway of a group changed. Snapshots share what is the same.
struct CompiledTables: Sendable {
    var gateways = GatewayRows()
    var groups: [CompiledGroup] = []
    var members: [CompiledMember] = []
    var entries: [CompiledEntry] = []
    var text: [UInt8] = []
    /// How many gateways have the address.
    var gatewayAddresses: [IPAddress: Int] = [:]
}
