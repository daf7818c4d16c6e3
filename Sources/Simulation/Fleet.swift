import Routing
import Time

/// What the world of the method knows of its own routing data: very many gateways in groups, a list for each group.
struct Fleet {
    /// One routing list.
    struct List {
        /// The numbers of the gateways of its groups, each once.
        let gateways: [Int]
        /// True when no bound of attempts ends a search before its last gateway.
        let isUnbounded: Bool
        /// How long a search may take, as the operator means it.
        let giveUpAfter: Duration?
        /// As it was provisioned.
        let list: RoutingList
    }

    /// A gateway as it was provisioned, and what became of it.
    struct Site {
        var gateway: Gateway
        /// When the operator last locked or unlocked it.
        var changedAt: Instant?
        /// Since when it is in-service without a break; nil: it is out.
        var inServiceSince: Instant? = Simulation.origin
        /// When a call was last sent to it.
        var calledAt: Instant?
    }

    var sites: [Site] = []
    var groups: [GatewayGroup] = []
    var lists: [List] = []
    /// When all troubles are over.
    var healedAt = Simulation.origin
    /// When silence was last held to be our own network's.
    var heldAt: Instant?

    /// What is dialled for a list: its prefix, and more.
    static func prefix(ofList number: Int) -> String { "44\(100 + number)" }

    /// The list that a call goes by.
    func list(ofCall call: Int) -> Int { lists.isEmpty ? 0 : call % lists.count }

    /// A process begins, and this is what it knows of a gateway.
    mutating func restart(_ number: Int, _ word: StatusWord, _ now: Instant) {
        sites[number].calledAt = nil  // what a trial call would have shown died with the process
        guard word.status == .inService else {
            sites[number].inServiceSince = nil
            return
        }
        // It may have fallen without a record, and nobody knows any more.
        sites[number].inServiceSince = sites[number].inServiceSince ?? now
    }

    /// Follows a change of a gateway's status.
    mutating func note(_ transition: StatusTransition, of number: Int, _ now: Instant) {
        if transition.after.status == .outOfService {
            sites[number].inServiceSince = nil
        } else if sites[number].inServiceSince == nil {
            sites[number].inServiceSince = now
        }
    }
}

// MARK: what is drawn

extension Fleet {
    /// How a gateway is tried, held, put back and asked.
    static func draw(
        _ gateway: inout Gateway, _ progressTimeoutMilliseconds: UInt32, _ generator: inout SeededGenerator
    ) {
        var timing = GatewayTiming(holdSeconds: UInt32(5 + generator.below(26)))
        (timing.holdLimitSeconds, timing.progressTimeoutMilliseconds) = (60, progressTimeoutMilliseconds)
        gateway = Gateway(
            id: gateway.id, uri: gateway.uri, address: gateway.address, requestURISuffix: gateway.requestURISuffix,
            timing: timing)
        gateway.recovery = [.timed, .timed, .trial, .probe][generator.below(4)]
        let isAsked = gateway.recovery == .probe || generator.chance(perMille: 700)
        gateway.probe.intervalSeconds = isAsked ? UInt32(5 + generator.below(11)) : 0
        gateway.probe.failureLimitCount = UInt8(1 + generator.below(3))
        gateway.probe.successLimitCount = UInt8(1 + generator.below(2))
        if generator.chance(perMille: 200) {
            gateway.outOfServiceCauses = [.noResponse, .transportError, .statusClass(5)]
        }
        if generator.chance(perMille: 100) { gateway.limits = CallLimits(maxCalls: UInt32(1 + generator.below(3))) }
        if generator.chance(perMille: 150) { gateway.rampSeconds = 20 }
    }

    /// A group of these gateways, in any order and by any policy.
    static func drawGroup(
        _ id: String, _ gateways: [String], attemptLimit: Int?, _ generator: inout SeededGenerator
    ) -> GatewayGroup {
        let policies: [GatewayGroup.Policy] = [
            .ordered, .weighted, .roundRobin, .leastCalls, .hash(.callID), .hash(.caller), .hash(.dialledNumber),
        ]
        let hasPriorities = generator.chance(perMille: 400)
        var members = gateways.map {
            GatewayGroup.Member(
                gateway: $0, priority: hasPriorities ? UInt16(generator.below(3)) : 0,
                weight: UInt16(generator.below(4)))
        }
        for index in members.indices { members.swapAt(index, generator.below(members.count)) }
        return GatewayGroup(
            id: id, members: members, policy: policies[generator.below(policies.count)],
            failsOverAfterRinging: generator.chance(perMille: 300), attemptLimit: attemptLimit)
    }
}
