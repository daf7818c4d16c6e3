import Routing

/// The status of every group: in-service while one usable member is, that is unlocked and in-service itself.
struct GroupWatch {
    /// One change of one group's status.
    struct Change: Equatable {
        let group: String
        let from: GatewayStatus
        let to: GatewayStatus
    }

    private struct Group {
        let id: String
        var usableCount: Int
        var status: GatewayStatus { usableCount > 0 ? .inService : .outOfService }
    }

    private var groups: [Group] = []
    /// The groups of each gateway that may be sent calls.
    private var numbers: [GatewaySlot: [Int]] = [:]
    private var usable: Set<GatewaySlot> = []

    /// Follows other routing data: groups, members and administrative states.
    ///
    /// - Returns: The groups that were there before and have another status by it.
    mutating func rebuild(_ snapshot: RoutingSnapshot, isInService: (GatewaySlot) -> Bool) -> [Change] {
        var before: [String: GatewayStatus] = [:]
        for group in groups { before[group.id] = group.status }
        var unlocked: Set<GatewaySlot> = []
        for gateway in snapshot.gateways where gateway.gateway.administrativeState == .unlocked {
            unlocked.insert(gateway.slot)
        }
        var (groups, numbers, usable) = ([Group](), [GatewaySlot: [Int]](), Set<GatewaySlot>())
        // By name, so that what one gateway means for several groups is told in the same order at all times.
        var named: [(id: String, members: [GatewaySlot])] = []
        snapshot.forEachGroup { id, members in named.append((id, members)) }
        for (id, members) in named.sorted(by: { $0.id < $1.id }) {
            var group = Group(id: id, usableCount: 0)
            // A gateway may be a member twice.
            for slot in Set(members) where unlocked.contains(slot) {
                numbers[slot, default: []].append(groups.count)
                guard isInService(slot) else { continue }
                usable.insert(slot)
                group.usableCount += 1
            }
            groups.append(group)
        }
        (self.groups, self.numbers, self.usable) = (groups, numbers, usable)
        return groups.compactMap { group in
            guard let from = before[group.id], from != group.status else { return nil }
            return Change(group: group.id, from: from, to: group.status)
        }
    }

    /// A gateway's status has changed.
    mutating func note(_ slot: GatewaySlot, isInService: Bool) -> [Change] {
        guard let numbers = numbers[slot], usable.contains(slot) != isInService else { return [] }
        if isInService { usable.insert(slot) } else { usable.remove(slot) }
        return numbers.compactMap { number in
            let from = groups[number].status
            groups[number].usableCount += isInService ? 1 : -1
            let to = groups[number].status
            return from == to ? nil : Change(group: groups[number].id, from: from, to: to)
        }
    }
}
