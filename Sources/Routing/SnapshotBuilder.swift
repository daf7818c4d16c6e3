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

    private var plans: [String: PrefixTable] = [RoutingPlan.defaultID: PrefixTable()]
    private var slots = Shelves<GatewaySlot>()
    private var rows = RowPool(limitCount: GatewayInformationTable.slotLimitCount)
    private var listNumbers: [String: UInt32] = [:]
    private var listNames: [UInt32: String] = [:]
    private var listNumberPool = NumberPool(limitCount: 1 << 24)
    private var routeCounts: [UInt32: Int] = [:]  // by list number
    private var memberships = Shelves<Int>()  // in how many members a gateway stands
    private var tables = CompiledTables()
    private var areGroupsStale = false
    private var wastedTextBytes = 0
    private var compiledLists: [CompiledList?] = []
    private var compiledPlans: (ids: [String], peers: [CompiledNetwork])?

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

    /// True when a group has the gateway as a member.
    package func isMember(_ gateway: String) -> Bool { memberships[gateway] != nil }

    /// The present data are on disk: rows of gateways that were taken out may be given to others from now on. Before,
    /// the change that took one out may still fail, and to open its row anew would reset a gateway that lives on.
    package mutating func settle() { rows.settle() }

    /// The row of a gateway.
    package func slot(of gateway: String) -> GatewaySlot? { slots[gateway] }

    /// Puts the group in or replaces it.
    package mutating func put(_ group: GatewayGroup) {
        countMembers(of: groups[group.id], by: -1)
        groups[group.id] = group
        countMembers(of: group, by: 1)
        areGroupsStale = true
    }

    /// Takes the group out.
    package mutating func removeGroup(_ id: String) {
        guard let group = groups.removeValue(forKey: id) else { return }
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
        if listNumbers[list.id] == nil {
            guard let number = listNumberPool.take() else { return }
            (listNumbers[list.id], listNames[number]) = (number, list.id)
        }
        lists[list.id] = list
        areGroupsStale = true
    }

    /// Takes the list out; no route leads to it.
    package mutating func removeList(_ id: String) {
        guard lists.removeValue(forKey: id) != nil else { return }
        if let number = listNumbers.removeValue(forKey: id) {
            listNames[number] = nil
            listNumberPool.giveBack(number)
        }
        areGroupsStale = true
    }

    /// Puts the peer in or replaces it.
    package mutating func put(_ peer: IngressPeer) {
        peers[peer.id] = peer
        compiledPlans = nil
    }

    /// Takes the peer out.
    package mutating func removePeer(_ id: String) {
        if peers.removeValue(forKey: id) != nil { compiledPlans = nil }
    }

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
            routeCounts[number, default: 0] -= 1
            return true
        }
    }

    // MARK: routes

    /// Puts routes into a plan or, with a nil list, takes them out, in order. Lists and the plan exist.
    package mutating func changeRoutes(in plan: String, _ changes: [(prefix: Prefix, list: String?)]) {
        guard let table = plans[plan] else { return }
        var numbered: [(prefix: Prefix, value: PrefixTable.Value?)] = []
        numbered.reserveCapacity(changes.count)
        for (prefix, list) in changes { numbered.append((prefix, list.flatMap { listNumbers[$0] })) }
        var last: [Prefix: PrefixTable.Value?] = [:]  // the same prefix may change twice
        for (prefix, number) in numbered {
            if let old = last[prefix] ?? table[prefix] { routeCounts[old, default: 0] -= 1 }
            if let number { routeCounts[number, default: 0] += 1 }
            last[prefix] = .some(number)
        }
        plans[plan] = table.changing(numbered)
    }

    /// The list that a route of exactly this prefix leads to.
    package func list(at prefix: Prefix, in plan: String) -> String? {
        plans[plan]?[prefix].flatMap { listNames[$0] }
    }

    /// How many routes a plan has.
    package func routeCount(in plan: String) -> Int { plans[plan]?.count ?? 0 }

    /// The first prefixes of a plan, at most `limit`.
    package func prefixes(in plan: String, limit: Int) -> [Prefix] {
        var found: [Prefix] = []
        guard limit > 0 else { return found }
        plans[plan]?.forEach { prefix, _ in
            found.append(prefix)
            return found.count < limit
        }
        return found
    }

    /// Up to `limit` routes that lead to the list: plan and prefix.
    package func routes(to list: String, limit: Int) -> [(plan: String, prefix: Prefix)] {
        guard let number = listNumbers[list], routeCounts[number, default: 0] > 0 else { return [] }
        var found: [(plan: String, prefix: Prefix)] = []
        for (plan, table) in plans.sorted(by: { $0.key < $1.key }) where found.count < limit {
            table.forEach { prefix, value in
                if value == number { found.append((plan, prefix)) }
                return found.count < limit
            }
        }
        return found
    }

    // MARK: compilation

    /// The snapshot of the present data. Costs in proportion to what changed since the last one: a route or a gateway
    /// that no group has shares all else; a group, a list, or a gateway of a group compiles groups and lists anew.
    package mutating func snapshot(revision: Revision) -> RoutingSnapshot {
        if wastedTextBytes > Self.wasteLimitBytes, wastedTextBytes > tables.text.count / 2 { rewriteText() }
        if areGroupsStale { compileGroups() }
        areGroupsStale = false
        let (ids, networks) = compiledPlans ?? compilePlans()
        compiledPlans = (ids, networks)
        let compiledPlans = ids.compactMap { id in plans[id].map { CompiledPlan(id: id, routes: $0) } }
        return RoutingSnapshot(
            revision: revision, plans: compiledPlans, peers: networks, lists: compiledLists, tables: tables)
    }

    /// The plans by number, and all peers' networks from the longest to the shortest.
    private func compilePlans() -> (ids: [String], peers: [CompiledNetwork]) {
        let ids = plans.keys.sorted()
        var numbers: [String: PlanNumber] = [:]
        for (index, id) in ids.enumerated() { numbers[id] = PlanNumber(index: index) }
        var networks: [CompiledNetwork] = []
        for peer in peers.values {
            guard let plan = numbers[peer.routingPlan] else { continue }
            networks += peer.networks.map {
                CompiledNetwork(network: $0, plan: plan, isIdentityTrusted: peer.isIdentityTrusted)
            }
        }
        networks.sort { $0.network.prefixLength > $1.network.prefixLength }
        return (ids, networks)
    }

    private static let wasteLimitBytes = 65_536

    /// Puts the gateway's present form into its row.
    private mutating func show(_ gateway: Gateway, in slot: GatewaySlot) {
        hide(slot)
        let start = tables.text.count
        tables.text += gateway.requestURISuffix.utf8
        tables.gateways.set(
            slot.index,
            to: SnapshotGateway(slot: slot, gateway: gateway, suffix: start..<tables.text.count))
        tables.gatewayAddresses[gateway.address.address, default: 0] += 1
        if isMember(gateway.id) { areGroupsStale = true }
    }

    /// Takes the row's gateway out of the tables.
    private mutating func hide(_ slot: GatewaySlot) {
        guard let old = tables.gateways[Int(slot.index)] else { return }
        wastedTextBytes += old.suffix.count
        let others = (tables.gatewayAddresses[old.address.address] ?? 1) - 1
        tables.gatewayAddresses[old.address.address] = others > 0 ? others : nil
        tables.gateways.set(slot.index, to: nil)
    }

    /// Leaves out of the text what belonged to gateways that have gone or changed.
    private mutating func rewriteText() {
        (tables, wastedTextBytes, areGroupsStale) = (CompiledTables(), 0, true)
        for id in gateways.keys {
            if let gateway = gateways[id], let slot = slots[id] { show(gateway, in: slot) }
        }
    }

    private mutating func compileGroups() {
        (tables.groups, tables.members, tables.entries) = ([], [], [])
        var groupIndices: [String: Int] = [:]
        for (id, group) in groups {
            groupIndices[id] = tables.groups.count
            let first = tables.members.count
            for member in group.members.enumerated().sorted(by: { ($0.1.priority, $0.0) < ($1.1.priority, $1.0) }) {
                guard let slot = slots[member.element.gateway], let gateway = tables.gateways[Int(slot.index)] else {
                    continue
                }
                tables.members.append(
                    CompiledMember(
                        slot: slot, address: gateway.address, timing: gateway.timing,
                        outOfServiceCauses: gateway.gateway.outOfServiceCauses, recovery: gateway.gateway.recovery,
                        limits: gateway.gateway.limits,
                        suffixStart: UInt32(gateway.suffix.lowerBound), suffixEnd: UInt32(gateway.suffix.upperBound)))
            }
            tables.groups.append(
                CompiledGroup(
                    id: id, members: first..<tables.members.count, failoverCauses: group.failoverCauses,
                    failsOverAfterRinging: group.failsOverAfterRinging))
        }
        compiledLists = Array(repeating: nil, count: (listNames.keys.max().map { Int($0) } ?? -1) + 1)
        for (id, list) in lists {
            guard let number = listNumbers[id] else { continue }
            let first = tables.entries.count
            for entry in list.entries.enumerated().sorted(by: { ($0.1.priority, $0.0) < ($1.1.priority, $1.0) }) {
                guard let group = groupIndices[entry.element.group] else { continue }
                tables.entries.append(
                    CompiledEntry(group: group, priority: entry.element.priority, weight: entry.element.weight))
            }
            compiledLists[Int(number)] = CompiledList(
                id: id, entries: first..<tables.entries.count, attemptLimit: list.attemptLimit,
                giveUpAfterMilliseconds: list.giveUpAfterMilliseconds)
        }
    }
}

/// The rows of the gateway information table, each given to one gateway at a time. A row that was given back rests
/// before it is another's: until the data without its gateway are settled, and until no fresh row is left.
struct RowPool: Sendable {
    private let limitCount: Int
    private var next = 0
    private var free: [UInt16] = []
    private var resting: [UInt16] = []

    init(limitCount: Int) { self.limitCount = limitCount }

    mutating func take() -> UInt16? {
        if next < limitCount, let row = UInt16(exactly: next) {
            next += 1
            return row
        }
        return free.isEmpty ? nil : free.removeFirst()
    }

    mutating func giveBack(_ row: UInt16) { resting.append(row) }

    mutating func settle() {
        guard !resting.isEmpty else { return }
        free += resting
        resting = []
    }
}

/// Numbers from 0 up, each given to one holder at a time. What was given back is used first, so that tables by number
/// stay as short as they can.
struct NumberPool: Sendable {
    private let limitCount: Int
    private var next: UInt32 = 0
    private var free: [UInt32] = []

    init(limitCount: Int) { self.limitCount = limitCount }

    mutating func take() -> UInt32? {
        if let number = free.popLast() { return number }
        guard Int(next) < limitCount else { return nil }
        next += 1
        return next - 1
    }

    mutating func giveBack(_ number: UInt32) { free.append(number) }
}
