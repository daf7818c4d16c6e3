import Addressing
import Fixtures
import Routing
import Testing
import Time

/// Routes as calls follow them: what a plan's prefixes say, and until when.
@Suite struct RouteTests {
    static func outcome(
        _ fixture: inout RoutingFixture, _ number: String, at milliseconds: Int64 = 0, plan: String = "default"
    ) throws -> (outcome: RoutingOutcome, prefix: String?) {
        let snapshot = fixture.snapshot()
        let plan = try #require(snapshot.plan(named: plan))
        let query = SelectionTests.query(number, plan, wallTime: WallTime(milliseconds: milliseconds))
        var (set, shown) = (TargetSet(), TargetSet())
        let outcome = snapshot.select(query, status: fixture.table, into: &set)
        let explained = snapshot.explain(query, status: fixture.table, into: &shown)
        #expect(explained.outcome == outcome, "routed = explained")
        return (outcome, explained.reasons.matchedPrefix?.description)
    }

    static func fixture(_ routes: [(String, Route)]) throws -> RoutingFixture {
        var fixture = try RoutingFixture(gateways: 1)
        fixture.group("g", [("g1", 0)])
        fixture.builder.put(RoutingList(id: "l", entries: [.init(group: "g")]))
        fixture.builder.changeRoutes(
            in: "default", try routes.map { (try PrefixTableTests.prefix($0.0), $0.1) })
        return fixture
    }

    static let toList = Route(.routingList("l"))

    @Test func `a reject route answers with its status and reason, and a longer prefix still decides (API 3)`() throws {
        var fixture = try Self.fixture([
            ("44", Route(.reject(status: 603, reason: "Not Here"))), ("4420", Self.toList),
            ("449", Route(.reject(status: 480, reason: ""))),
        ])
        #expect(
            try Self.outcome(&fixture, "441").outcome == .failure(.rejected(status: 603, reason: "Not Here")))
        #expect(try Self.outcome(&fixture, "44201").outcome == .targets)
        let silent = try Self.outcome(&fixture, "4491").outcome
        #expect(silent == .failure(.rejected(status: 480, reason: "")))
        #expect(RoutingFailure.rejected(status: 603, reason: "Not Here").reason == "Not Here")
        #expect(RoutingFailure.rejected(status: 603, reason: "").status == 603)
    }

    @Test func `digits are counted of the whole number: too short or too long is 484, alice is neither (API 3)`() throws
    {
        var fixture = try Self.fixture([
            ("44", Route(.routingList("l"), minDigits: 4, maxDigits: 6)),
            ("any", Route(.routingList("l"), minDigits: 9)),
        ])
        for (number, isComplete) in [
            ("44", false), ("442", false), ("+44-20", true), ("442000", true), ("4420001", false), ("4", false),
            ("123456789", true), ("alice", true),
        ] {
            let outcome = try Self.outcome(&fixture, number).outcome
            #expect(outcome == (isComplete ? .targets : .failure(.incompleteNumber)), "\(number)")
        }
        #expect(RoutingFailure.incompleteNumber.status == 484)
        let digits = String(repeating: "1", count: 300)
        fixture.builder.changeRoutes(in: "default", [(.catchAll, Route(.routingList("l"), maxDigits: .max))])
        #expect(try Self.outcome(&fixture, digits).outcome == .targets, "255 is no bound")
    }

    @Test func `a route begins and ends by itself, and the next shorter prefix takes over (API 3)`() throws {
        var fixture = try Self.fixture([
            ("any", Route(.reject(status: 480, reason: ""), validFrom: WallTime(milliseconds: 50))),
            ("4", Self.toList),
            ("44", Route(.routingList("l"), validUntil: WallTime(milliseconds: 1000))),
            (
                "4420",
                Route(
                    .routingList("l"), validFrom: WallTime(milliseconds: 100), validUntil: WallTime(milliseconds: 200))
            ),
        ])
        for (milliseconds, prefix) in [
            (0, "44"), (99, "44"), (100, "4420"), (199, "4420"), (200, "44"), (999, "44"), (1000, "4"), (9999, "4"),
        ] as [(Int64, String)] {
            let found = try Self.outcome(&fixture, "442071", at: milliseconds)
            #expect(found.prefix == prefix && found.outcome == .targets, "at \(milliseconds)")
        }
        #expect(try Self.outcome(&fixture, "9", at: 49).outcome == .failure(.noRoute))
        #expect(try Self.outcome(&fixture, "9", at: 50).prefix == "any")
        #expect(try Self.outcome(&fixture, "alice", at: 49).outcome == .failure(.noRoute))
    }

    @Test func `routes that say the same share a number, and what nobody says any more is forgotten`() throws {
        var fixture = try Self.fixture([])
        let rejecting = Route(.reject(status: 404, reason: "Gone"), minDigits: 3)
        for round in 0..<50 {
            let prefixes = try (0..<20).map { try PrefixTableTests.prefix("\(round % 9 + 1)\($0)") }
            fixture.builder.changeRoutes(
                in: "default", prefixes.enumerated().map { ($1, $0 % 2 == 0 ? Self.toList : rejecting) })
            #expect(fixture.builder.route(at: prefixes[0], in: "default") == Self.toList)
            #expect(fixture.builder.route(at: prefixes[1], in: "default") == rejecting)
            #expect(fixture.builder.list(at: prefixes[1], in: "default") == nil)
            let timed = Route(.routingList("l"), validFrom: WallTime(milliseconds: Int64(round)))
            fixture.builder.changeRoutes(in: "default", [(prefixes[0], timed)])
            #expect(fixture.builder.route(at: prefixes[0], in: "default") == timed)
            fixture.builder.changeRoutes(in: "default", prefixes.map { ($0, nil) })
        }
        #expect(fixture.builder.routeCount(in: "default") == 0)
        #expect(fixture.builder.routes(to: "l", limit: 1).isEmpty)
        #expect(fixture.snapshot().routeNumberCount <= 3)
    }

    @Test func `a snapshot keeps its own routes, whatever becomes of the numbers`() throws {
        var fixture = try Self.fixture([("1", Route(.reject(status: 410, reason: "old")))])
        let old = fixture.snapshot()
        let plan = try #require(old.plan(named: "default"))
        let prefix = try PrefixTableTests.prefix("1")
        fixture.builder.changeRoutes(in: "default", [(prefix, nil)])
        fixture.builder.changeRoutes(in: "default", [(prefix, Route(.reject(status: 411, reason: "new")))])
        var set = TargetSet()
        #expect(
            old.select(SelectionTests.query("1", plan), status: fixture.table, into: &set)
                == .failure(.rejected(status: 410, reason: "old")))
        #expect(try Self.outcome(&fixture, "1").outcome == .failure(.rejected(status: 411, reason: "new")))
    }

    @Test func `random routes step by step are what a rebuild of what is left is`() throws {
        var fixture = try Self.fixture([])
        var generator = BuilderNumberTests.SeededNumbers(state: 77)
        var kept: [String: Route] = [:]
        let routes = [
            Self.toList, Route(.routingList("l"), minDigits: 3), Route(.reject(status: 404, reason: "a")),
            Route(.reject(status: 404, reason: "b")), Route(.routingList("l"), validUntil: WallTime(milliseconds: 5)),
        ]
        for _ in 0..<400 {
            var changes: [(prefix: Prefix, route: Route?)] = []
            for _ in 0..<1 + generator.next() % 4 {
                let text = String("\(100 + generator.next() % 80)".prefix(1 + Int(generator.next() % 3)))
                let route = generator.next() % 3 == 0 ? nil : routes[Int(generator.next() % 5)]
                changes.append((try PrefixTableTests.prefix(text), route))
                kept[text] = route
            }
            fixture.builder.changeRoutes(in: "default", changes)
        }
        var found: [String: Route] = [:]
        fixture.builder.forEachRoute(in: "default") { prefix, route in
            found[prefix.description] = route
            return true
        }
        #expect(found == kept)
        let leading = kept.filter { $0.value.disposition == .routingList("l") }.count
        #expect(fixture.builder.routes(to: "l", limit: 1000).count == leading)
        fixture.builder.removePlan("default")
        #expect(fixture.builder.routes(to: "l", limit: 1000).isEmpty)
    }

    @Test func `settings are what the snapshot was made with`() throws {
        var fixture = try Self.fixture([])
        #expect(fixture.snapshot().settings == RoutingSettings())
        var settings = RoutingSettings()
        settings.isRecordRouting = false
        fixture.builder.put(settings, in: fixture.table)
        #expect(fixture.snapshot().settings == settings)
    }
}
