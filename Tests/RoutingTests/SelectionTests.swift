import Addressing
import Routing
import Testing
import Time

/// Routing data of a few gateways 192.0.2.1...9 named g1...g9.
struct RoutingFixture {
    let table = GatewayInformationTable()
    var builder = SnapshotBuilder()

    init(gateways: Int, timing: GatewayTiming = GatewayTiming()) throws {
        for number in 1...gateways {
            let address = try #require(IPAddress("192.0.2.\(number)"))
            _ = builder.put(
                Gateway(
                    id: "g\(number)", uri: "sip:192.0.2.\(number)",
                    address: TransportAddress(.udp, address, port: 5060), requestURISuffix: "@192.0.2.\(number)",
                    timing: timing), in: table)
        }
    }

    mutating func group(_ id: String, _ members: [(String, UInt16)]) {
        builder.put(GatewayGroup(id: id, members: members.map { .init(gateway: $0.0, priority: $0.1) }))
    }

    mutating func snapshot() -> RoutingSnapshot { builder.snapshot(revision: Revision(1)) }

    func slot(_ gateway: String) throws -> GatewaySlot { try #require(builder.slot(of: gateway)) }
}

extension RoutingSnapshot {
    /// The selection of a worker that remembers nothing.
    func select(_ query: RoutingQuery, status: GatewayInformationTable, into set: inout TargetSet) -> RoutingOutcome {
        var memory = SelectionMemory()
        return select(query, status: status, memory: &memory, into: &set)
    }
}

@Suite struct SelectionTests {
    static let now = Instant(nanoseconds: 1_000_000_000_000)

    static func names(_ fixture: RoutingFixture, _ snapshot: RoutingSnapshot, _ set: TargetSet) -> [String] {
        set.targets.compactMap { snapshot.gateway(in: $0.slot)?.id }
    }

    static func query(
        _ number: String, _ plan: PlanNumber, draw: UInt64 = 1, now: Instant = SelectionTests.now,
        wallTime: WallTime = WallTime(milliseconds: 0)
    ) -> RoutingQuery {
        RoutingQuery(DialledNumber(number), in: plan, draw: draw, now: now, wallTime: wallTime)
    }

    static func fixture() throws -> RoutingFixture {
        var fixture = try RoutingFixture(gateways: 4)
        fixture.group("a", [("g2", 1), ("g1", 0)])
        fixture.group("b", [("g3", 0), ("g4", 0), ("g1", 0)])
        fixture.builder.put(
            RoutingList(id: "list", entries: [.init(group: "b", priority: 1), .init(group: "a", priority: 0)]))
        fixture.builder.changeRoutes(in: "default", [(try PrefixTableTests.prefix("44"), Route(.routingList("list")))])
        return fixture
    }

    @Test func `groups and members are tried by priority, then position, each gateway once`() throws {
        var fixture = try Self.fixture()
        let snapshot = fixture.snapshot()
        let plan = try #require(snapshot.plan(named: "default"))
        var set = TargetSet()
        let outcome = snapshot.select(
            Self.query("+4420", plan, draw: 1, now: Self.now), status: fixture.table, into: &set)
        #expect(outcome == .targets)
        #expect(Self.names(fixture, snapshot, set) == ["g1", "g2", "g3", "g4"])
        let first = try #require(set.targets.first)
        #expect(set.requestURI(of: first, user: "+4420") == "sip:+4420@192.0.2.1")
    }

    @Test func `out-of-service is left out before its time value and put back at it (the method, step 3)`() throws {
        var fixture = try Self.fixture()
        let snapshot = fixture.snapshot()
        let plan = try #require(snapshot.plan(named: "default"))
        let slot = try fixture.slot("g1")
        let until = Self.now + .seconds(10)
        #expect(
            fixture.table.takeOut(slot, until: until, cause: .noResponse, now: Self.now, reporter: .call) != nil)
        #expect(
            fixture.table.takeOut(slot, until: until, cause: .noResponse, now: Self.now, reporter: .call) == nil)
        var set = TargetSet()
        _ = snapshot.select(
            Self.query("44", plan, draw: 1, now: until + .milliseconds(-1)), status: fixture.table, into: &set)
        #expect(Self.names(fixture, snapshot, set) == ["g2", "g3", "g4"])
        let explained = snapshot.explain(
            Self.query("44", plan, draw: 1, now: until + .seconds(1)), status: fixture.table, into: &set)
        #expect(explained.outcome == .targets)
        #expect(fixture.table.status(of: slot).status == .outOfService, "a look-up changes no status")
        set.removeAll()
        _ = snapshot.select(
            Self.query("44", plan, draw: 1, now: until + .seconds(1)), status: fixture.table, into: &set)
        #expect(Self.names(fixture, snapshot, set).first == "g1")
        #expect(set.recovered.map(\.after.cause) == [.timeValueReached])
        #expect(fixture.table.status(of: slot).status == .inService)
    }

    @Test func `every gateway out: 503 and the earliest time value; no route: 404 (API 10)`() throws {
        var fixture = try Self.fixture()
        let snapshot = fixture.snapshot()
        let plan = try #require(snapshot.plan(named: "default"))
        for number in 1...4 {
            _ = fixture.table.takeOut(
                try fixture.slot("g\(number)"), until: Self.now + .seconds(Int64(10 * number)), cause: .noResponse,
                now: Self.now, reporter: .call)
        }
        var set = TargetSet()
        let outcome = snapshot.select(
            Self.query("44", plan, draw: 1, now: Self.now), status: fixture.table, into: &set)
        guard case .failure(let failure) = outcome else {
            Issue.record("targets although all are out")
            return
        }
        #expect(failure.status == 503)
        #expect((10...11).contains(failure.retryAfterSeconds(at: Self.now) ?? 0))
        #expect(
            snapshot.select(Self.query("1", plan, draw: 1, now: Self.now), status: fixture.table, into: &set)
                == .failure(.noRoute))
    }

    @Test func `routed = explained: the same order and the same reasons for each of 200 draws`() throws {
        var fixture = try RoutingFixture(gateways: 6)
        for number in 1...6 { fixture.group("k\(number)", [("g\(number)", 0)]) }
        fixture.builder.put(
            RoutingList(
                id: "list", entries: (1...6).map { .init(group: "k\($0)", priority: 0, weight: UInt16($0)) },
                attemptLimit: 6))
        fixture.builder.changeRoutes(in: "default", [(.catchAll, Route(.routingList("list")))])
        let snapshot = fixture.snapshot()
        let plan = try #require(snapshot.plan(named: "default"))
        var firsts: [String: Int] = [:]
        for draw in 0..<2000 as Range<UInt64> {
            var (routed, shown) = (TargetSet(), TargetSet())
            _ = snapshot.select(
                Self.query("1", plan, draw: draw, now: Self.now), status: fixture.table, into: &routed)
            let (_, reasons) = snapshot.explain(
                Self.query("1", plan, draw: draw, now: Self.now), status: fixture.table, into: &shown)
            #expect(Self.names(fixture, snapshot, routed) == reasons.targetGateways)
            #expect(Set(reasons.targetGateways).count == 6, "each once")
            firsts[reasons.targetGateways.first ?? "", default: 0] += 1
        }
        // 2000 draws, shares 1...6 of 21: 571 for g6, 95 for g1; the draws are fixed, so are the counts.
        #expect((480...660).contains(firsts["g6"] ?? 0))
        #expect((50...150).contains(firsts["g1"] ?? 0))
    }

    @Test func `a source's plan is that of the longest network; others have none`() throws {
        var fixture = try Self.fixture()
        fixture.builder.putPlan("wholesale")
        fixture.builder.put(
            IngressPeer(id: "wide", networks: [try #require(Network("10.0.0.0/8"))], routingPlan: "default"))
        fixture.builder.put(
            IngressPeer(id: "narrow", networks: [try #require(Network("10.1.0.0/16"))], routingPlan: "wholesale"))
        let snapshot = fixture.snapshot()
        func plan(_ address: String) throws -> String? {
            snapshot.plan(for: try #require(IPAddress(address))).map { snapshot.name(of: $0) }
        }
        #expect(try plan("10.1.2.3") == "wholesale")
        #expect(try plan("10.2.2.3") == "default")
        #expect(try plan("192.0.2.1") == nil)
        #expect(try plan("2001:db8::1") == nil)
    }
}

@Suite struct SnapshotBuilderTests {
    @Test func `a gateway keeps its slot while its URI stays, and starts afresh with another (DESIGN 4)`() throws {
        var fixture = try RoutingFixture(gateways: 1)
        let slot = try fixture.slot("g1")
        _ = fixture.table.takeOut(
            slot, until: SelectionTests.now, cause: .noResponse, now: SelectionTests.now, reporter: .call)
        let old = try #require(fixture.builder.gateways["g1"])
        let retimed = Gateway(
            id: "g1", uri: old.uri, address: old.address, requestURISuffix: old.requestURISuffix,
            timing: GatewayTiming(holdSeconds: 5))
        let isRetimed = fixture.builder.put(retimed, in: fixture.table)
        #expect(isRetimed)
        #expect(try fixture.slot("g1") == slot)
        #expect(fixture.table.status(of: slot).status == .outOfService)
        let moved = Gateway(
            id: "g1", uri: "sip:192.0.2.99", address: old.address, requestURISuffix: "@192.0.2.99")
        let isMoved = fixture.builder.put(moved, in: fixture.table)
        #expect(isMoved)
        #expect(try fixture.slot("g1") != slot)
        #expect(fixture.table.status(of: try fixture.slot("g1")).status == .inService)
    }

    @Test func `a gateway's successor in a slot is not blamed for it`() {
        let table = GatewayInformationTable()
        let first = table.open(7)
        let second = table.open(7)
        let now = SelectionTests.now
        #expect(table.takeOut(first, until: now, cause: .noResponse, now: now, reporter: .call) == nil)
        #expect(table.status(of: second).status == .inService)
        #expect(table.observe(first, .answered, of: StatusRules(), begun: now, now: now) == nil)
        for _ in 0..<3 {
            let run = table.noteProbe(first, at: now, sipStatus: 0, roundTrip: .zero, isAcknowledged: false)
            #expect(run.failures == 0)
        }
        let counts = table.counts(of: second)
        #expect(counts.failed == 0 && counts.answered == 0 && counts.probeFailures == 0)
        #expect(counts.lastProbeAt == nil)
    }

    @Test func `an answer puts back only what it may end, judged by the very word that it replaces`() {
        let table = GatewayInformationTable()
        let (slot, now) = (table.open(5), SelectionTests.now)
        func isOfSilence(_ word: StatusWord) -> Bool {
            guard word.cause == .noResponse else { return false }
            // Meanwhile, on another thread: back, and out again by what the gateway says of itself.
            _ = table.putBack(slot, cause: .timeValueReached, now: now, reporter: .clock)
            _ = table.takeOut(slot, until: now + .seconds(9), cause: .retryAfter, now: now, reporter: .call)
            return true
        }
        _ = table.takeOut(slot, until: now + .seconds(9), cause: .noResponse, now: now, reporter: .call)
        #expect(
            table.putBack(slot, cause: .callAnswered, now: now, reporter: .call, where: isOfSilence) == nil)
        #expect(table.status(of: slot).cause == .retryAfter)
        #expect(table.status(of: slot).changeCount == 3)
    }

    @Test func `who refers to a list is found among the routes`() throws {
        var fixture = try RoutingFixture(gateways: 1)
        fixture.builder.put(RoutingList(id: "l", entries: []))
        fixture.builder.put(RoutingList(id: "m", entries: []))
        let prefix = try PrefixTableTests.prefix("44")
        fixture.builder.changeRoutes(in: "default", [(prefix, Route(.routingList("l")))])
        #expect(fixture.builder.routes(to: "l", limit: 10).map(\.prefix) == [prefix])
        fixture.builder.changeRoutes(in: "default", ["m", "l", "m"].map { (prefix, Route(.routingList($0))) })
        #expect(fixture.builder.routes(to: "l", limit: 10).isEmpty)
        #expect(fixture.builder.list(at: prefix, in: "default") == "m")
        fixture.builder.changeRoutes(in: "default", [(prefix, nil)])
        #expect(fixture.builder.routes(to: "m", limit: 10).isEmpty)
        #expect(fixture.builder.routeCount(in: "default") == 0)
    }

    @Test func `status words keep what is put into them`() {
        for cause in StatusCause.allCases {
            let until = Instant(nanoseconds: 123_456_000_000)
            let word = StatusWord(.outOfService, cause: cause, timeValue: until, changeCount: 4095, generation: 255)
            #expect(word.status == .outOfService)
            #expect(word.cause == cause)
            #expect(word.changeCount == 4095)
            #expect(word.generation == 255)
            #expect(word.timeValue.map { $0 >= until && $0 <= until + .milliseconds(1) } == true, "rounded up")
            #expect(StatusCause(name: cause.name)?.name == cause.name)
        }
    }
}
