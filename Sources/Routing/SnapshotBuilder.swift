internal import Addressing

/// All routing data as values, and their compilation into a `RoutingSnapshot`.
///
/// A value: a candidate is a copy that was changed, and a refused one is forgotten. It holds no live status and decides
/// no rule: references are checked by `ControlPlane` before, and what still leads nowhere is left out of the snapshot.
package struct SnapshotBuilder: Sendable {
    /// The gateways by id.
    package private(set) var gateways = Shelves<Gateway>()
    /// The groups by id.
    package private(set) var groups: [String: GatewayGroup] = [:]
    /// The routing lists by id.
    package private(set) var lists: [String: RoutingList] = [:]
    /// The ingress peers by id.
    package private(set) var peers: [String: IngressPeer] = [:]
    /// The ids of the routing plans; `default` among them from the beginning.
    package var planIDs: some Collection<String> { plans.keys }

    /// What calls follow besides.
    package private(set) var settings = RoutingSettings()
    private(set) var redirectServers = TargetSet()

    var plans: [String: PrefixTable] = [RoutingPlan.defaultID: PrefixTable()]
    var routeNumbers = RouteNumbers()
    /// The lists that are there, and those that a route leads to.
    var listNumbers = NumberedNames(limitCount: 1 << 24)
    var reasonNumbers = NumberedNames(limitCount: 1 << 24)
    var groupNumbers = NumberedNames(limitCount: 1 << 24)
    var slots = Shelves<GatewaySlot>()
    var peerSlots: [String: PeerSlot] = [:]
    private var peerRows = PeerRowPool(limitCount: PeerTable.slotLimitCount)
    private var rows = RowPool(limitCount: GatewayInformationTable.slotLimitCount)
    private var memberships = Shelves<Int>()  // in how many members a gateway stands

    // What is compiled already.
    var tables = CompiledTables()
    var areGroupsStale = false
    var wastedTextBytes = 0
    var compiledPlans: (ids: [String], peers: CompiledPeers)?
    var compiledRoutes: PageDirectory<CompiledRoute>?
    var compiledReasons: [String]?

    /// The empty routing data: the plan `default`, nothing else.
    package init() {}

    // MARK: gateways, groups, lists, peers, plans

    /// Puts the gateway in or replaces it. A new one, and one whose URI changed, gets a row of the table of its own; a
    /// row is opened at once, since nothing refers to it before a snapshot does.
    ///
    /// - Returns: false when all rows are taken; nothing changed then.
    package mutating func put(_ gateway: Gateway, in table: GatewayInformationTable) -> Bool {
        if let old = gateways[gateway.id], old.uri == gateway.uri, let slot = slots[gateway.id] {
            show(gateway, in: slot)
        } else {
            guard let index = rows.take() else { return false }
            removeGateway(gateway.id)
            let slot = table.open(index)
            slots[gateway.id] = slot
            show(gateway, in: slot)
        }
        gateways[gateway.id] = gateway
        return true
    }

    /// Takes the gateway out; its row may become another's once the data are settled.
    package mutating func removeGateway(_ id: String) {
        guard gateways[id] != nil else { return }
        gateways[id] = nil
        guard let slot = slots[id] else { return }
        slots[id] = nil
        rows.giveBack(slot.index)
        hide(slot)
        if isMember(id) { areGroupsStale = true }
    }

    /// Gives gateways the rows that they had before a change, where it took them out or changed their URI and then made
    /// them as they were: they have lived on.
    ///
    /// - Parameter before: the data before the change, which is not settled.
    package mutating func keepRows(ofGateways ids: some Sequence<String>, from before: SnapshotBuilder) {
        var kept: Set<UInt16> = []
        for id in ids {
            guard let old = before.gateways[id], let gateway = gateways[id], gateway.uri == old.uri,
                let oldSlot = before.slots[id], let slot = slots[id], slot != oldSlot
            else { continue }
            hide(slot)
            rows.giveBack(slot.index)
            kept.insert(oldSlot.index)
            slots[id] = oldSlot
            show(gateway, in: oldSlot)
        }
        if !kept.isEmpty { rows.takeAgain(kept) }
    }

    /// True when a group has the gateway as a member.
    package func isMember(_ gateway: String) -> Bool { memberships[gateway] != nil }

    /// The present data are on disk: rows of gateways that were taken out may be given to others from now on. Before,
    /// the change that took one out may still fail, and to open its row anew would reset a gateway that lives on.
    package mutating func settle() { rows.settle() }

    /// The row of a gateway.
    package func slot(of gateway: String) -> GatewaySlot? { slots[gateway] }

    /// Puts the group in or replaces it.
    package mutating func put(_ group: GatewayGroup) {
        if groups[group.id] == nil { _ = groupNumbers.retain(group.id) }
        countMembers(of: groups[group.id], by: -1)
        groups[group.id] = group
        countMembers(of: group, by: 1)
        areGroupsStale = true
    }

    /// Takes the group out.
    package mutating func removeGroup(_ id: String) {
        guard let group = groups.removeValue(forKey: id) else { return }
        if let number = groupNumbers[id] { groupNumbers.release(number) }
        countMembers(of: group, by: -1)
        areGroupsStale = true
    }

    private mutating func countMembers(of group: GatewayGroup?, by step: Int) {
        for member in group?.members ?? [] {
            let count = (memberships[member.gateway] ?? 0) + step
            memberships[member.gateway] = count == 0 ? nil : count
        }
    }

    /// Puts the list in or replaces it. Routes to it stay.
    package mutating func put(_ list: RoutingList) {
        if lists[list.id] == nil, listNumbers.retain(list.id) == nil { return }
        lists[list.id] = list
        areGroupsStale = true
    }

    /// Takes the list out; no route leads to it.
    package mutating func removeList(_ id: String) {
        guard lists.removeValue(forKey: id) != nil else { return }
        if let number = listNumbers[id] { listNumbers.release(number) }
        areGroupsStale = true
    }

    /// Puts the settings in. Each redirect server has a row of the table by its URI and address, as long as the
    /// process lives.
    package mutating func put(_ settings: RoutingSettings, in table: GatewayInformationTable) {
        self.settings = settings
        redirectServers.removeAll()
        for server in settings.redirectServers {
            redirectServers.append(server, timing: settings.remoteDefaults.timing, in: table)
        }
    }

    /// Puts the peer in or replaces it. A new one gets a row of the peer table of its own.
    ///
    /// - Returns: false when all rows are taken; nothing changed then.
    @discardableResult
    package mutating func put(_ peer: IngressPeer) -> Bool {
        if peerSlots[peer.id] == nil {
            guard let slot = peerRows.take() else { return false }
            peerSlots[peer.id] = slot
        }
        peers[peer.id] = peer
        compiledPlans = nil
        return true
    }

    /// Takes the peer out.
    package mutating func removePeer(_ id: String) {
        guard peers.removeValue(forKey: id) != nil else { return }
        if let slot = peerSlots.removeValue(forKey: id) { peerRows.giveBack(slot) }
        compiledPlans = nil
    }

    /// Gives peers the rows that they had before a change, where it took them out and then made them again.
    package mutating func keepRows(ofPeers ids: some Sequence<String>, from before: SnapshotBuilder) {
        for id in ids {
            guard let oldSlot = before.peerSlots[id], let slot = peerSlots[id], slot != oldSlot,
                peerRows.takeAgain(oldSlot)
            else { continue }
            peerRows.giveBack(slot)
            peerSlots[id] = oldSlot
            compiledPlans = nil
        }
    }

    /// The row of a peer.
    package func slot(ofPeer peer: String) -> PeerSlot? { peerSlots[peer] }

    /// Makes the plan when it is not there.
    package mutating func putPlan(_ id: String) {
        guard plans[id] == nil else { return }
        plans[id] = PrefixTable()
        compiledPlans = nil
    }

    /// Takes the plan out with its routes.
    package mutating func removePlan(_ id: String) {
        guard let table = plans.removeValue(forKey: id) else { return }
        compiledPlans = nil
        table.forEach { _, number in
            release(number)
            return true
        }
    }
}
