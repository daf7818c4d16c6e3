import Addressing
import Routing
import Testing
import Time

/// Who is left out, why, and what becomes of a call that finds nobody.
@Suite struct LeftOutTests {
    static let now = SelectionTests.now

    /// g1..., all in the group "g" of the list "l".
    static func fixture(
        gateways: Int, list: RoutingList = RoutingList(id: "l", entries: [.init(group: "g")]),
        changing change: (Int, inout Gateway) -> Void = { _, _ in }
    ) throws -> RoutingFixture {
        var fixture = try RoutingFixture(gateways: gateways)
        for number in 1...gateways {
            var gateway = try #require(fixture.builder.gateways["g\(number)"])
            change(number, &gateway)
            _ = fixture.builder.put(gateway, in: fixture.table)
        }
        fixture.group("g", (1...gateways).map { ("g\($0)", 0) })
        fixture.builder.put(list)
        fixture.builder.changeRoutes(in: "default", [(.catchAll, Route(.routingList("l")))])
        return fixture
    }

    struct Seen: Equatable {
        var targets: [String] = []
        var leftOut: [String: String] = [:]
        var outcome = RoutingOutcome.targets
    }

    /// What a call and a look-up see at a time: the same.
    static func see(
        _ fixture: inout RoutingFixture, _ memory: inout SelectionMemory, at now: Instant = now, number: String = "1"
    ) throws -> Seen {
        let snapshot = fixture.snapshot()
        let query = SelectionTests.query(number, try #require(snapshot.plan(named: "default")), now: now)
        var (set, shown) = (TargetSet(), TargetSet())
        let explained = snapshot.explain(query, status: fixture.table, memory: memory, into: &shown)
        let outcome = snapshot.select(query, status: fixture.table, memory: &memory, into: &set)
        #expect(outcome == explained.outcome)
        #expect(set.targets.map(\.slot) == shown.targets.map(\.slot))
        #expect(set.targets.map(\.isTrial) == shown.targets.map(\.isTrial))
        #expect(shown.recovered.isEmpty)
        var seen = Seen(targets: explained.reasons.targetGateways, outcome: outcome)
        for one in explained.reasons.leftOut { seen.leftOut[one.gateway] = one.reason.rawValue }
        return seen
    }

    static func see(_ fixture: inout RoutingFixture, at now: Instant = now) throws -> Seen {
        var memory = SelectionMemory()
        return try see(&fixture, &memory, at: now)
    }

    static func takeOut(
        _ fixture: RoutingFixture, _ number: Int, seconds: Int64, cause: StatusCause = .noResponse
    ) throws {
        _ = fixture.table.takeOut(
            try fixture.slot("g\(number)"), until: now + .seconds(seconds), cause: cause, now: now, reporter: .call)
    }

    @Test func `locked, shutting down and full gateways are left out under their names`() throws {
        var fixture = try Self.fixture(gateways: 5) { number, gateway in
            if number == 1 { gateway.administrativeState = .locked }
            if number == 2 { gateway.administrativeState = .shuttingDown }
            if number == 3 { gateway.limits = CallLimits(maxCalls: 0) }
            if number == 4 { gateway.limits = CallLimits(maxCallsPerSecond: 0) }
        }
        let seen = try Self.see(&fixture)
        #expect(seen.targets == ["g5"])
        #expect(seen.leftOut == ["g1": "locked", "g2": "shutting-down", "g3": "full", "g4": "full"])
    }

    @Test func `each way to nobody is a failure of its own (API 10)`() throws {
        var fixture = try Self.fixture(gateways: 2) { _, gateway in gateway.administrativeState = .locked }
        #expect(try Self.see(&fixture).outcome == .failure(.everyGatewayLocked))
        fixture = try Self.fixture(gateways: 2) { _, gateway in gateway.limits = CallLimits(maxCalls: 0) }
        #expect(try Self.see(&fixture).outcome == .failure(.everyGatewayFull(until: nil)))
        #expect(RoutingFailure.everyGatewayFull(until: nil).retryAfterSeconds(at: Self.now) == nil)

        fixture = try Self.fixture(gateways: 3) { number, gateway in
            if number == 1 { gateway.limits = CallLimits(maxCalls: 0) }
        }
        try Self.takeOut(fixture, 2, seconds: 20)
        try Self.takeOut(fixture, 3, seconds: 10)
        guard case .failure(.everyGatewayFull(let until?)) = try Self.see(&fixture).outcome else {
            Issue.record("one is full, the others are out")
            return
        }
        #expect(until >= Self.now + .seconds(10) && until < Self.now + .seconds(11), "the earliest time value")

        fixture = try Self.fixture(gateways: 2) { number, gateway in
            if number == 1 { gateway.administrativeState = .locked }
        }
        try Self.takeOut(fixture, 2, seconds: 20)
        guard case .failure(.everyGatewayOut(until: .some)) = try Self.see(&fixture).outcome else {
            Issue.record("who is locked does not count")
            return
        }
        fixture = try Self.fixture(gateways: 1, list: RoutingList(id: "l", entries: []))
        #expect(try Self.see(&fixture).outcome == .failure(.emptyRoutingList))
        for failure in [.everyGatewayLocked, .everyGatewayFull(until: nil), .emptyRoutingList] as [RoutingFailure] {
            #expect(failure.status == 503)
        }
    }

    @Test func `recovery probe stays out past the time value; timed comes back at it (API 3)`() throws {
        var fixture = try Self.fixture(gateways: 2) { number, gateway in
            gateway.recovery = number == 1 ? .probe : .timed
        }
        try Self.takeOut(fixture, 1, seconds: 5)
        try Self.takeOut(fixture, 2, seconds: 5)
        #expect(try Self.see(&fixture).targets == [])
        let later = try Self.see(&fixture, at: Self.now + .seconds(6))
        #expect(later.targets == ["g2"])
        #expect(later.leftOut == ["g1": "out-of-service"])
        #expect(fixture.table.status(of: try fixture.slot("g1")).status == .outOfService)
        #expect(fixture.table.status(of: try fixture.slot("g2")).status == .inService)
    }

    @Test func `when all are out, try means in order all the same, but not against the operator's word (API 3)`() throws
    {
        let list = RoutingList(id: "l", entries: [.init(group: "g")], whenAllOut: .try)
        var fixture = try Self.fixture(gateways: 3, list: list) { _, gateway in gateway.recovery = .probe }
        try Self.takeOut(fixture, 1, seconds: 30)
        try Self.takeOut(fixture, 2, seconds: 5, cause: .operatorWord)
        #expect(try Self.see(&fixture).targets == ["g3"], "one is in-service")
        try Self.takeOut(fixture, 3, seconds: 10)
        let seen = try Self.see(&fixture)
        #expect(seen.outcome == .targets)
        #expect(seen.targets == ["g1", "g3"])
        #expect(seen.leftOut == ["g2": "out-of-service"])
        #expect(fixture.table.status(of: try fixture.slot("g1")).status == .outOfService, "a try is no recovery")
    }

    @Test func `bounds of attempts: the list's and each group's (API 3)`() throws {
        var fixture = try Self.fixture(
            gateways: 6,
            list: RoutingList(
                id: "l", entries: [.init(group: "a", priority: 0), .init(group: "b", priority: 1)], attemptLimit: 4))
        fixture.builder.put(
            GatewayGroup(id: "a", members: ["g1", "g2", "g3"].map { .init(gateway: $0) }, attemptLimit: 2))
        fixture.group("b", [("g2", 0), ("g4", 0), ("g5", 0), ("g6", 0)])
        let seen = try Self.see(&fixture)
        #expect(seen.targets == ["g1", "g2", "g4", "g5"])
        #expect(seen.leftOut == ["g3": "attempt-limit", "g2": "duplicate", "g6": "attempt-limit"])
    }

    @Test func `at its limit of live calls, or of calls a second, a gateway is full until one ends, or a second on`()
        throws
    {
        var fixture = try Self.fixture(gateways: 2) { number, gateway in
            gateway.limits = number == 1 ? CallLimits(maxCalls: 1) : CallLimits(maxCallsPerSecond: 2)
        }
        let (first, second) = (try fixture.slot("g1"), try fixture.slot("g2"))
        let isFirstTaken = fixture.table.beginCall(first, limits: CallLimits(maxCalls: 1), now: Self.now)
        #expect(isFirstTaken)
        #expect(try Self.see(&fixture).targets == ["g2"])
        for _ in 0..<2 {
            let isTaken = fixture.table.beginCall(second, limits: CallLimits(maxCallsPerSecond: 2), now: Self.now)
            #expect(isTaken)
        }
        #expect(try Self.see(&fixture).outcome == .failure(.everyGatewayFull(until: nil)))
        #expect(try Self.see(&fixture, at: Self.now + .seconds(3)).targets == ["g2"])
        fixture.table.endCall(first)
        #expect(try Self.see(&fixture).targets == ["g1"])
    }

    @Test func `recovery trial: at the time value offered as one, while nobody else tries it (API 3)`() throws {
        var fixture = try Self.fixture(gateways: 2) { number, gateway in
            if number == 1 { gateway.recovery = .trial }
        }
        try Self.takeOut(fixture, 1, seconds: 5)
        #expect(try Self.see(&fixture).leftOut == ["g1": "out-of-service"])
        let later = Self.now + .seconds(6)
        let seen = try Self.see(&fixture, at: later)
        #expect(seen.targets == ["g1", "g2"])
        let slot = try fixture.slot("g1")
        #expect(fixture.table.status(of: slot).status == .outOfService, "an answer puts it back, no selection")
        let snapshot = fixture.snapshot()
        var set = TargetSet()
        let query = SelectionTests.query("1", try #require(snapshot.plan(named: "default")), now: later)
        _ = snapshot.select(query, status: fixture.table, into: &set)
        #expect(set.targets.map(\.isTrial) == [true, false])
        #expect(set.recovered.isEmpty)
        let isClaimed = fixture.table.claimTrial(slot, now: later, lease: .seconds(30))
        #expect(isClaimed)
        let during = try Self.see(&fixture, at: later + .seconds(1))
        #expect(during.targets == ["g2"])
        #expect(during.leftOut == ["g1": "trial"])
        fixture.table.endTrial(slot)
        #expect(try Self.see(&fixture, at: later + .seconds(2)).targets == ["g1", "g2"])
    }

    @Test func `a ramp gives the first call and then a growing part; others get the rest, and it comes behind them`()
        throws
    {
        var fixture = try Self.fixture(gateways: 2) { number, gateway in
            if number == 1 { gateway.rampSeconds = 100 }
        }
        try Self.takeOut(fixture, 1, seconds: 5)
        let back = Self.now + .seconds(10)
        var memory = SelectionMemory()
        var firsts: [String] = []
        for call in 0..<1000 {  // 10 a second over the whole ramp
            let seen = try Self.see(&fixture, &memory, at: back + .milliseconds(Int64(100 * call)))
            #expect(Set(seen.targets) == ["g1", "g2"], "nobody is lost by it")
            firsts.append(seen.targets[0])
        }
        #expect(firsts[0] == "g1", "the first call")
        func part(_ range: Range<Int>) -> Int { firsts[range].filter { $0 == "g1" }.count }
        #expect((3...8).contains(part(1..<101)), "5 % in the middle of the first tenth: \(part(1..<101))")
        #expect((48...52).contains(part(450..<550)), "half in the middle: \(part(450..<550))")
        #expect((93...97).contains(part(900..<1000)), "nearly all at the end: \(part(900..<1000))")
        let full = try Self.see(&fixture, &memory, at: back + .seconds(101))
        #expect(full.targets == ["g1", "g2"])
        // The first failure sets it back to the start.
        _ = fixture.table.takeOut(
            try fixture.slot("g1"), until: back + .seconds(150), cause: .noResponse, now: back + .seconds(120),
            reporter: .call)
        let again = try (0..<5).map {
            try Self.see(&fixture, &memory, at: back + .seconds(151) + .milliseconds($0)).targets[0]
        }
        #expect(again == ["g1", "g2", "g2", "g2", "g2"])
    }

    @Test func `a ramp without anybody else keeps no call waiting; bounds of attempts leave it out`() throws {
        var fixture = try Self.fixture(
            gateways: 2, list: RoutingList(id: "l", entries: [.init(group: "g")], attemptLimit: 1)
        ) { number, gateway in
            if number == 1 { gateway.rampSeconds = 3600 }
        }
        try Self.takeOut(fixture, 1, seconds: 1)
        var memory = SelectionMemory()
        let later = Self.now + .seconds(3)
        #expect(try Self.see(&fixture, &memory, at: later).targets == ["g1"])
        let second = try Self.see(&fixture, &memory, at: later)
        #expect(second.targets == ["g2"])
        #expect(second.leftOut == ["g1": "ramp"])
        try Self.takeOut(fixture, 2, seconds: 60)
        #expect(try Self.see(&fixture, &memory, at: later).targets == ["g1"])
    }

    @Test func `while the network is suspected, lists go in order and silence is ignored, if the setting is hold`()
        throws
    {
        var fixture = try Self.fixture(gateways: 4)
        fixture.builder.put(
            GatewayGroup(id: "g", members: (1...4).map { .init(gateway: "g\($0)") }, policy: .hash(.callID)))
        try Self.takeOut(fixture, 1, seconds: 60)
        try Self.takeOut(fixture, 2, seconds: 60, cause: .retryAfter)
        try Self.takeOut(fixture, 3, seconds: 60, cause: .operatorWord)
        fixture.table.holdStatus(true)
        let seen = try Self.see(&fixture)
        #expect(seen.targets == ["g1", "g4"])
        #expect(seen.leftOut == ["g2": "out-of-service", "g3": "out-of-service"])
        var settings = RoutingSettings()
        settings.whenNetworkSuspected = .ignore
        fixture.builder.put(settings, in: fixture.table)
        #expect(try Self.see(&fixture).targets == ["g4"])
    }

    @Test func `least-calls is the one with the fewest live calls`() throws {
        var fixture = try Self.fixture(gateways: 3)
        fixture.builder.put(
            GatewayGroup(id: "g", members: (1...3).map { .init(gateway: "g\($0)") }, policy: .leastCalls))
        for (number, calls) in [(1, 3), (2, 1), (3, 2)] {
            for _ in 0..<calls {
                _ = fixture.table.beginCall(try fixture.slot("g\(number)"), limits: CallLimits(), now: Self.now)
            }
        }
        for _ in 0..<5 { #expect(try Self.see(&fixture).targets == ["g2", "g3", "g1"]) }
    }

    @Test func `random data: what is routed is what is explained, each gateway once, nobody who may not`() throws {
        var generator = BuilderNumberTests.SeededNumbers(state: 4242)
        let policies: [GatewayGroup.Policy] = [
            .ordered, .weighted, .roundRobin, .leastCalls, .hash(.callID), .hash(.caller), .hash(.dialledNumber),
        ]
        for round in 0..<150 {
            var memory = SelectionMemory()
            var fixture = try Self.fixture(gateways: 9) { _, gateway in
                gateway.administrativeState = [.unlocked, .unlocked, .unlocked, .locked][Int(generator.next() % 4)]
                gateway.recovery = [.timed, .trial, .probe][Int(generator.next() % 3)]
                if generator.next() % 6 == 0 { gateway.limits = CallLimits(maxCalls: 0) }
            }
            for name in ["a", "b", "c"] {
                fixture.builder.put(
                    GatewayGroup(
                        id: name,
                        members: (1...9).filter { _ in generator.next() % 2 == 0 }.map {
                            .init(
                                gateway: "g\($0)", priority: UInt16(generator.next() % 3),
                                weight: UInt16(generator.next() % 5))
                        }, policy: policies[Int(generator.next() % 7)],
                        attemptLimit: generator.next() % 2 == 0 ? nil : 1 + Int(generator.next() % 3)))
            }
            fixture.builder.put(
                RoutingList(
                    id: "l",
                    entries: ["a", "b", "c"].map {
                        .init(group: $0, priority: UInt16(generator.next() % 2), weight: UInt16(generator.next() % 4))
                    }, attemptLimit: 1 + Int(generator.next() % 8),
                    whenAllOut: generator.next() % 2 == 0 ? .try : .refuse))
            for number in 1...9 where generator.next() % 3 == 0 {
                try Self.takeOut(fixture, number, seconds: Int64(generator.next() % 20))
            }
            for call in 0..<20 {
                let seen = try Self.see(
                    &fixture, &memory, at: Self.now + .seconds(Int64(call)), number: "\(generator.next())")
                #expect(Set(seen.targets).count == seen.targets.count, "round \(round)")
                for target in seen.targets {
                    let gateway = try #require(fixture.builder.gateways[target])
                    #expect(gateway.administrativeState == .unlocked && gateway.limits.maxCalls == nil)
                }
            }
        }
    }
}
