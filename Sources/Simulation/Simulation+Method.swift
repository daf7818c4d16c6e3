import Addressing
package import Routing
import SignallingCore
package import Time

// The world of the method: very many gateways in groups, each with rules of its own, a network manager who keeps the
// status records, a wall clock that somebody sets. All that holds in the smaller world holds here too.
extension Simulation {
    /// What a world of the method has.
    package struct Method: Sendable {
        /// Groups of `gatewayCount / groupCount` gateways and a few of others; as many routing lists.
        package var groupCount = 20
        /// Whether the wall clock is set. Whatever it shows, the same happens.
        package var hasClockSteps = true
        /// Makes the one who keeps the status records of the process.
        package let makeKeeper: @Sendable (GatewayInformationTable, SnapshotCell, any TimeSource) -> any StatusKeeper

        /// A world whose records the given one keeps.
        package init(
            makeKeeper: @escaping @Sendable (GatewayInformationTable, SnapshotCell, any TimeSource) -> any StatusKeeper
        ) {
            self.makeKeeper = makeKeeper
        }
    }

    /// How long all are well before each gateway must be in-service: longer than any hold and any row of probes.
    private static var healingTime: Duration { .seconds(400) }
    private static var callingTime: Duration { .seconds(300) }

    // MARK: the beginning

    mutating func makeFleet(_ method: Method) {
        let progressTimeout: UInt32 = generator.chance(perMille: 500) ? 3000 : 0
        callWatch.progressTimeout = progressTimeout == 0 ? nil : .milliseconds(Int64(progressTimeout))
        for number in 0..<settings.gatewayCount {
            let address = Self.address(
                10, 2, UInt32(truncatingIfNeeded: number / 200), UInt32(truncatingIfNeeded: number % 200 + 1),
                port: 5060)
            gateways.append(SimulatedGateway(number: number, address: address, isSteady: true))
            gatewayNumbers[address] = number
            var gateway = Gateway(
                id: Self.gatewayName(number), uri: "sip:\(address.hostPort)", address: address,
                requestURISuffix: "@\(address.hostPort)")
            Fleet.draw(&gateway, progressTimeout, &generator)
            fleet.sites.append(Fleet.Site(gateway: gateway))
        }
        makeGroups(method)
        for number in 0..<method.groupCount { makeList(number) }
        provisionFleet()
        for (number, site) in fleet.sites.enumerated() {
            slots.append(builder.slot(of: site.gateway.id))
            guard let slot = slots[number] else { continue }
            recordWatch.add(site.gateway.id, slot, table)
            statusWatch.setRules(of: slot, site.gateway)
        }
        callWatch.searchBounds = fleet.lists.map(\.giveUpAfter)
        showRouting()
        keeper = method.makeKeeper(table, cell, clock)
    }

    /// Puts all that is provisioned into the builder and the table.
    mutating func provisionFleet() {
        for number in fleet.sites.indices { put(number) }
        for group in fleet.groups { builder.put(group) }
        var routes: [(prefix: Prefix, route: Route?)] = []
        for (number, list) in fleet.lists.enumerated() {
            builder.put(list.list)
            guard let prefix = Prefix(Fleet.prefix(ofList: number)) else { continue }
            routes.append((prefix, Route(.routingList(list.list.id))))
        }
        builder.changeRoutes(in: RoutingPlan.defaultID, routes)
        for (name, network) in [("callers", "10.1.0.0/16"), ("second", "10.1.0.64/26"), ("third", "10.1.0.128/25")] {
            if let network = Network(network) { builder.put(IngressPeer(id: name, networks: [network])) }
        }
    }

    /// Puts a gateway as it is provisioned into the builder.
    mutating func put(_ number: Int) {
        var gateway = fleet.sites[number].gateway
        if settings.plantedBug == .ignoredLock { gateway.administrativeState = .unlocked }
        _ = builder.put(gateway, in: table)
    }

    private mutating func makeGroups(_ method: Method) {
        let size = max(1, settings.gatewayCount / max(1, method.groupCount))
        for number in 0..<method.groupCount {
            var members = (0..<size).map { (number * size + $0) % settings.gatewayCount }
            if generator.chance(perMille: 300) { members.append(generator.below(settings.gatewayCount)) }
            let attemptLimit = generator.chance(perMille: 200) ? 1 + generator.below(3) : nil
            let group = Fleet.drawGroup(
                "group\(number)", Array(Set(members)).sorted().map { Self.gatewayName($0) }, attemptLimit: attemptLimit,
                &generator)
            fleet.groups.append(group)
        }
    }

    private mutating func makeList(_ number: Int) {
        var groups = [number]
        if generator.chance(perMille: 500) { groups.append(generator.below(fleet.groups.count)) }
        groups = Array(Set(groups)).sorted()
        let names = Set(groups.flatMap { fleet.groups[$0].members.map(\.gateway) })
        let attemptLimit = generator.chance(perMille: 700) ? 20 : 1 + generator.below(5)
        let whenAllOut: RoutingList.WhenAllOut = generator.chance(perMille: 300) ? .try : .refuse
        let giveUpAfter = generator.chance(perMille: 300) ? UInt32(1000 + generator.below(7000)) : nil
        let list = RoutingList(
            id: "list\(number)",
            entries: groups.map { .init(group: "group\($0)", priority: UInt16(generator.below(2)), weight: 1) },
            attemptLimit: settings.plantedBug == .shortSearch ? 1 : attemptLimit,
            giveUpAfterMilliseconds: settings.plantedBug == .endlessSearch ? nil : giveUpAfter, whenAllOut: whenAllOut)
        let isUnbounded = attemptLimit >= names.count && groups.allSatisfy { fleet.groups[$0].attemptLimit == nil }
        fleet.lists.append(
            Fleet.List(
                gateways: gateways.indices.filter { names.contains(Self.gatewayName($0)) },
                isUnbounded: isUnbounded, giveUpAfter: giveUpAfter.map { .milliseconds(Int64($0)) }, list: list))
    }

    /// Silence, 503, hang-ups after a 100, loss, ICMP errors; of single gateways, of whole groups, of our own network.
    mutating func planMethodTroubles(_ method: Method) {
        let heal = settings.span + .seconds(60)
        fleet.healedAt = now + heal
        func mode(_ generator: inout SeededGenerator) -> SimulatedGateway.Mode {
            SimulatedGateway.Mode(rawValue: 1 + generator.below(5)) ?? .silent
        }
        for number in gateways.indices where generator.chance(perMille: 800) {
            for _ in 0...generator.below(5) {
                trouble(number, mode(&generator), now + randomInstant(), generator.milliseconds(500, 60_000))
            }
        }
        for _ in 0..<6 { flap(generator.below(gateways.count)) }
        for _ in 0..<generator.below(3) {
            let (mode, begin) = (mode(&generator), now + randomInstant())
            let length = generator.milliseconds(5000, 40_000)
            for member in fleet.groups[generator.below(fleet.groups.count)].members {
                guard let number = gateways.indices.first(where: { Self.gatewayName($0) == member.gateway }) else {
                    continue
                }
                trouble(number, mode, begin, length)
            }
        }
        if generator.chance(perMille: 250) {
            let (begin, length) = (now + randomInstant(), generator.milliseconds(8000, 20_000))
            for number in gateways.indices { trouble(number, .silent, begin, length) }
        }
        for _ in 0..<20 { events.push(.changeRouting, at: now + randomInstant()) }
        for _ in 0..<generator.below(13) { events.push(.operatorWord, at: now + randomInstant()) }
        let crashCount = settings.processCrashCount ?? [0, 0, 1, 2][generator.below(4)]
        for _ in 0..<crashCount { events.push(.processCrash, at: now + randomInstant()) }
        for number in 0..<settings.noiseCount { events.push(.noise(number), at: now + randomInstant()) }
        for number in gateways.indices { events.push(.mode(number, .answering), at: fleet.healedAt) }
        events.push(.heal, at: fleet.healedAt)
        events.push(.judgeHealed, at: fleet.healedAt + Self.healingTime)
        events.push(.drain, at: now + settings.span + .seconds(700))
        events.push(.sweep, at: now + .milliseconds(250))
        guard method.hasClockSteps else { return }
        // From another source of chance: without them all else is the same.
        var chance = SeededGenerator(seed: report.seed ^ 0x5EC0_4D5E)
        for _ in 0...chance.below(4) {
            let step: Duration = .seconds(chance.chance(perMille: 500) ? 3600 : -3600)
            events.push(.setWallClock(step), at: now + chance.milliseconds(0, Int(clamping: heal.milliseconds)))
        }
    }

    private mutating func trouble(
        _ number: Int, _ mode: SimulatedGateway.Mode, _ begin: Instant, _ length: Duration
    ) {
        events.push(.mode(number, mode), at: begin)
        if generator.chance(perMille: 100) { events.push(.gatewayCrash(number), at: begin) }
        events.push(.mode(number, .answering), at: begin + length)
    }

    /// Calls go on when all is well again, for the gateways that wait for one.
    mutating func makeMethodCallers() {
        for number in 0..<settings.callCount {
            let isRedirected = generator.chance(perMille: 150)
            let list = fleet.list(ofCall: number)
            makeCaller(
                number, isRedirected: isRedirected, dialled: "\(Fleet.prefix(ofList: list))\(100_000 + number)")
            let time = Int(clamping: (settings.span + Self.callingTime).milliseconds)
            events.push(.caller(number, .start), at: now + generator.milliseconds(0, time))
        }
    }

    // MARK: status records

    /// Transitions go to the keeper as from worker to observer: each worker's in their order, after a while, and some
    /// of them never.
    mutating func handOn(_ transitions: [StatusTransition], of worker: Int) {
        guard keeper != nil, !transitions.isEmpty else { return }
        var kept = transitions
        if losesTransitions {
            kept.removeAll { transition in
                guard generator.chance(perMille: 100) else { return false }
                if let number = slots.firstIndex(of: transition.slot) { recordWatch.noteLost(number) }
                return true
            }
        }
        while handOnNotBefore.count <= worker { handOnNotBefore.append(now) }
        handOnNotBefore[worker] = max(handOnNotBefore[worker], now + generator.milliseconds(0, 300))
        events.push(.handOn(kept, epoch: epoch), at: handOnNotBefore[worker])
    }

    /// The keeper has changed the table, and speaks of it in his records alone.
    mutating func noteChangesOfKeeper() {
        for (number, transition) in recordWatch.compare(table, isSweep: true, now) {
            report.counts.transitions += 1
            report.digest(UInt64(transition.after.cause?.rawValue ?? 0))
            statusWatch.note(transition, now, &report.violations)
            fleet.note(transition, of: number, now)
        }
        takeRecordViolations()
    }

    /// The keeper's and the writer's part.
    mutating func sweepByKeeper(_ keeper: any StatusKeeper) {
        guard !workers.isEmpty else { return }
        if settings.plantedBug == .overruledWord { overruleWord() }
        if settings.plantedBug != .lateSweep || now.nanoseconds / 5_000_000_000 % 2 == 0 { keeper.sweep() }
        if table.isNetworkSuspected { fleet.heldAt = now }
        noteChangesOfKeeper()
        for record in keeper.takeRecords(isDiskWell: !generator.chance(perMille: 50)) {
            report.counts.statusRecords += 1
            let copies =
                switch settings.plantedBug {
                case .lostRecord: report.counts.statusRecords % 9 == 0 ? 0 : 1
                case .doubledRecord: report.counts.statusRecords % 9 == 0 ? 2 : 1
                default: 1
                }
            for _ in 0..<copies { recordWatch.note(record, clock, now) }
            lastRecord = record
        }
        recordWatch.lookForMissing(now)
        takeRecordViolations()
    }

    mutating func takeRecordViolations() {
        report.violations += recordWatch.violations
        recordWatch.violations.removeAll()
    }
}
