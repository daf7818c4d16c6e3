import Addressing

// From values to the snapshot.
extension SnapshotBuilder {
    /// The snapshot of the present data. Costs in proportion to what changed since the last one: a route or a gateway
    /// that no group has shares all else; a group, a list, or a gateway of a group compiles groups and lists anew.
    package mutating func snapshot(revision: Revision) -> RoutingSnapshot {
        if wastedTextBytes > Self.wasteLimitBytes, wastedTextBytes > tables.text.count / 2 { rewriteText() }
        if areGroupsStale { compileGroups() }
        areGroupsStale = false
        let (ids, peers) = compiledPlans ?? compilePlans()
        compiledPlans = (ids, peers)
        let routes = compiledRoutes ?? routeNumbers.directory
        compiledRoutes = routes
        let reasons =
            compiledReasons ?? (0..<reasonNumbers.numberCount).map { reasonNumbers.name(of: UInt32($0)) ?? "" }
        compiledReasons = reasons
        let compiledPlans = ids.compactMap { id in plans[id].map { CompiledPlan(id: id, routes: $0) } }
        return RoutingSnapshot(
            revision: revision, settings: settings, redirectServers: redirectServers, plans: compiledPlans,
            routes: routes, reasons: reasons, peers: peers, tables: tables,
            routeNumberCount: routeNumbers.numberCount)
    }

    /// The plans by number, and all peers with their networks.
    private func compilePlans() -> (ids: [String], peers: CompiledPeers) {
        let ids = plans.keys.sorted()
        var numbers: [String: PlanNumber] = [:]
        for (index, id) in ids.enumerated() { numbers[id] = PlanNumber(index: index) }
        var compiled = CompiledPeers()
        var networks: [(network: Network, peer: UInt32)] = []
        for peer in peers.values {
            guard let plan = numbers[peer.routingPlan], let slot = peerSlots[peer.id] else { continue }
            let number = UInt32(compiled.peers.count)
            compiled.peers.append(
                CompiledPeer(
                    slot: slot, plan: plan, isIdentityTrusted: peer.isIdentityTrusted, limits: peer.limits,
                    number: number))
            compiled.ids.append(peer.id)
            networks += peer.networks.map { ($0, number) }
        }
        compiled.ranges = AddressRanges(networks)
        return (ids, compiled)
    }

    private static var wasteLimitBytes: Int { 65_536 }

    /// Puts the gateway's present form into its row.
    mutating func show(_ gateway: Gateway, in slot: GatewaySlot) {
        hide(slot)
        let start = tables.text.count
        // A `#` stands in no user part as it is (RFC 3261 section 25.1).
        for byte in gateway.rewriting.prepend.utf8 {
            if byte == UInt8(ascii: "#") { tables.text += "%23".utf8 } else { tables.text.append(byte) }
        }
        let prependCount = tables.text.count - start
        tables.text += gateway.requestURISuffix.utf8
        let end = tables.text.count
        tables.text += ContactParameters.text(of: gateway).utf8
        tables.gateways.set(
            slot.index,
            to: SnapshotGateway(
                slot: slot, gateway: gateway, text: start..<end, prependCount: prependCount,
                parameterCount: tables.text.count - end))
        tables.gatewayAddresses[gateway.address.address, default: 0] += 1
        if isMember(gateway.id) { areGroupsStale = true }
    }

    /// Takes the row's gateway out of the tables.
    mutating func hide(_ slot: GatewaySlot) {
        guard let old = tables.gateways[Int(slot.index)] else { return }
        wastedTextBytes += old.text.count + old.parameterCount
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

    // MARK: groups and lists

    private mutating func compileGroups() {
        (tables.groups, tables.groupIDs, tables.members, tables.entries) = ([], [], [], [])
        tables.groupText = []
        tables.isCallerHashed = false
        var groupIndices: [String: Int] = [:]
        for (id, group) in groups {
            groupIndices[id] = tables.groups.count
            let first = tables.members.count
            var fingerprint = IdentityHash()
            for member in group.members.enumerated().sorted(by: { ($0.1.priority, $0.0) < ($1.1.priority, $1.0) }) {
                guard let slot = slots[member.element.gateway], let gateway = tables.gateways[Int(slot.index)] else {
                    continue
                }
                tables.members.append(CompiledMember(member.element, gateway))
                fingerprint.update(UInt64(slot.index) << 8 | UInt64(slot.generation))
            }
            let policy = CompiledGroup.Policy(group.policy)
            if policy == .hashCaller { tables.isCallerHashed = true }
            let textStart = tables.groupText.count
            tables.groupText += ContactParameters.text(of: group).utf8
            tables.groupIDs.append(id)
            tables.groups.append(
                CompiledGroup(
                    number: groupNumbers[id] ?? 0, members: first..<tables.members.count,
                    fingerprint: fingerprint.value, policy: policy, attemptLimit: group.attemptLimit ?? .max,
                    failoverCauses: group.failoverCauses, failsOverAfterRinging: group.failsOverAfterRinging,
                    parameters: textStart..<tables.groupText.count))
        }
        compileLists(groupIndices)
    }

    private mutating func compileLists(_ groupIndices: [String: Int]) {
        tables.lists = Array(repeating: nil, count: listNumbers.numberCount)
        tables.listIDs = (0..<listNumbers.numberCount).map { listNumbers.name(of: UInt32($0)) ?? "" }
        for (id, list) in lists {
            guard let number = listNumbers[id] else { continue }
            let first = tables.entries.count
            for entry in list.entries.enumerated().sorted(by: { ($0.1.priority, $0.0) < ($1.1.priority, $1.0) }) {
                guard let group = groupIndices[entry.element.group] else { continue }
                tables.entries.append(
                    CompiledEntry(group: group, priority: entry.element.priority, weight: entry.element.weight))
            }
            tables.lists[Int(number)] = CompiledList(
                entries: first..<tables.entries.count, attemptLimit: list.attemptLimit,
                giveUpAfterMilliseconds: list.giveUpAfterMilliseconds ?? 0, whenAllOut: list.whenAllOut)
        }
    }
}

extension CompiledMember {
    fileprivate init(_ member: GatewayGroup.Member, _ compiled: SnapshotGateway) {
        let gateway = compiled.gateway
        var identity = IdentityHash()
        for byte in gateway.id.utf8 { identity.update(UInt64(byte)) }
        self.init(
            slot: compiled.slot, priority: member.priority, weight: member.weight,
            administrativeState: gateway.administrativeState, recovery: gateway.recovery, limits: gateway.limits,
            rampSeconds: gateway.rampSeconds, identity: identity.value, address: gateway.address,
            timing: gateway.timing, outOfServiceCauses: gateway.outOfServiceCauses,
            rewriting: TargetSet.Rewriting(gateway.rewriting, prependCount: compiled.prependCount),
            textStart: UInt32(truncatingIfNeeded: compiled.text.lowerBound),
            textEnd: UInt32(truncatingIfNeeded: compiled.text.upperBound),
            parameterCount: UInt32(truncatingIfNeeded: compiled.parameterCount))
    }
}

extension CompiledGroup.Policy {
    fileprivate init(_ policy: GatewayGroup.Policy) {
        switch policy {
        case .ordered: self = .ordered
        case .weighted: self = .weighted
        case .roundRobin: self = .roundRobin
        case .leastCalls: self = .leastCalls
        case .hash(.callID): self = .hashCallID
        case .hash(.caller): self = .hashCaller
        case .hash(.dialledNumber): self = .hashDialledNumber
        }
    }
}
