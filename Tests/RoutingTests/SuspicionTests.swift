import Addressing
import Routing
import Testing
import Time

/// Gateways that have been silent for a while come last: before anybody knows that they are dead, and never left out.
@Suite struct SuspicionTests {
    static let now = SelectionTests.now

    static func suspect(_ fixture: RoutingFixture, _ numbers: Int..., seconds: Int64 = 4) throws {
        for number in numbers {
            let isNew = fixture.table.suspect(
                try fixture.slot("g\(number)"), begun: now + .milliseconds(-500), now: now, for: .seconds(seconds))
            #expect(isNew)
        }
    }

    @Test func `behind all of its group whatever the priority, behind the groups after it, and never left out`() throws
    {
        var fixture = try LeftOutTests.fixture(
            gateways: 5,
            list: RoutingList(id: "l", entries: [.init(group: "a", priority: 0), .init(group: "b", priority: 1)]))
        fixture.group("a", [("g1", 0), ("g2", 1), ("g3", 2)])
        fixture.group("b", [("g4", 0), ("g5", 0)])
        try Self.suspect(fixture, 1, 4)
        #expect(try LeftOutTests.see(&fixture).targets == ["g2", "g3", "g5", "g1", "g4"])
        #expect(try LeftOutTests.see(&fixture).leftOut == [:])
        #expect(fixture.table.status(of: try fixture.slot("g1")).status == .inService, "it is no status")
        let later = try LeftOutTests.see(&fixture, at: Self.now + .seconds(4))
        #expect(later.targets == ["g1", "g2", "g3", "g4", "g5"], "over by itself")
    }

    @Test func `when all are suspect none is`() throws {
        var scene = try PolicyTests.Scene(.weighted, weights: [1, 2, 7])
        try Self.suspect(scene.fixture, 1, 2, 3)
        var counts = ["g1": 0, "g2": 0, "g3": 0]
        for call in 1...1000 { counts[try #require(try scene.call(call).first), default: 0] += 1 }
        #expect(counts == ["g1": 100, "g2": 200, "g3": 700])
    }

    @Test func `the others have their exact shares meanwhile, and the suspect is owed nothing afterwards`() throws {
        var scene = try PolicyTests.Scene(.weighted, weights: [1, 1, 2])
        for call in 1...400 { _ = try scene.call(call) }
        try Self.suspect(scene.fixture, 1)
        var counts = ["g1": 0, "g2": 0, "g3": 0]
        for call in 1...300 {
            let names = try scene.call(call)
            #expect(names.last == "g1")
            counts[try #require(names.first), default: 0] += 1
        }
        #expect(counts == ["g1": 0, "g2": 100, "g3": 200])
        scene.fixture.table.clearSuspicion(try scene.fixture.slot("g1"))
        counts = [:]
        for call in 1...400 { counts[try #require(try scene.call(call).first), default: 0] += 1 }
        #expect(counts == ["g1": 100, "g2": 100, "g3": 200])
    }

    @Test func `bounds of attempts hold: what others use up is not the suspect's`() throws {
        var fixture = try LeftOutTests.fixture(
            gateways: 5,
            list: RoutingList(
                id: "l", entries: [.init(group: "a", priority: 0), .init(group: "b", priority: 1)], attemptLimit: 3))
        fixture.builder.put(
            GatewayGroup(id: "a", members: ["g1", "g2"].map { .init(gateway: $0) }, attemptLimit: 1))
        fixture.group("b", [("g1", 0), ("g3", 0), ("g4", 0)])
        try Self.suspect(fixture, 1)
        let seen = try LeftOutTests.see(&fixture)
        #expect(seen.targets == ["g2", "g3", "g4"])
        #expect(seen.leftOut == ["g1": "attempt-limit"])
        fixture.group("b", [("g1", 0), ("g3", 0)])
        #expect(try LeftOutTests.see(&fixture).targets == ["g2", "g3", "g1"], "by the other group")
        fixture.builder.put(
            GatewayGroup(id: "a", members: ["g1", "g5"].map { .init(gateway: $0) }, attemptLimit: 1))
        try Self.suspect(fixture, 5)
        #expect(try LeftOutTests.see(&fixture).targets == ["g3", "g1"], "the first of the group's suspects")
    }

    @Test func `the look-up says who is suspect`() throws {
        var fixture = try LeftOutTests.fixture(gateways: 3)
        try Self.suspect(fixture, 2)
        let snapshot = fixture.snapshot()
        var set = TargetSet()
        let query = SelectionTests.query("1", try #require(snapshot.plan(named: "default")), now: Self.now)
        let reasons = snapshot.explain(query, status: fixture.table, into: &set).reasons
        #expect(reasons.targetGateways == ["g1", "g3", "g2"])
        #expect(reasons.targetSuspicions == [false, false, true])
    }

    @Test func `while our own network is suspected nobody is, and lists go in order`() throws {
        var fixture = try LeftOutTests.fixture(gateways: 3)
        try Self.suspect(fixture, 1)
        fixture.table.holdStatus(true)
        #expect(try LeftOutTests.see(&fixture).targets == ["g1", "g2", "g3"])
        let isNew = fixture.table.suspect(
            try fixture.slot("g2"), begun: Self.now, now: Self.now + .milliseconds(500), for: .seconds(4))
        #expect(!isNew)
        fixture.table.holdStatus(false)
        #expect(try LeftOutTests.see(&fixture).targets == ["g2", "g3", "g1"])
    }

    @Test func `any response ends it: a call's, a refusal, a probe's; and the status that follows`() throws {
        let fixture = try LeftOutTests.fixture(gateways: 1)
        let slot = try fixture.slot("g1")
        let (table, rules) = (fixture.table, StatusRules())
        func isSuspect() -> Bool { table.isSuspect(slot, at: Self.now) }
        try Self.suspect(fixture, 1)
        _ = table.noteProbe(slot, at: Self.now, sipStatus: 0, roundTrip: .seconds(2), isAcknowledged: false)
        #expect(isSuspect(), "silence is none")
        _ = table.observe(slot, .answered, of: rules, begun: Self.now, now: Self.now)
        #expect(!isSuspect())
        for status in [486, 500, 503] {
            _ = table.suspect(slot, begun: Self.now + .seconds(1), now: Self.now + .seconds(2), for: .seconds(4))
            #expect(isSuspect())
            _ = table.observe(slot, .failureResponse(status: status), of: rules, begun: Self.now, now: Self.now)
            #expect(!isSuspect(), "\(status)")
        }
        #expect(table.status(of: slot).status == .outOfService)
        let isNew = table.suspect(slot, begun: Self.now + .seconds(1), now: Self.now + .seconds(2), for: .seconds(4))
        #expect(!isNew, "it is out-of-service")
        _ = table.putBack(slot, cause: .operatorWord, now: Self.now, reporter: .operatorWord)
        _ = table.suspect(slot, begun: Self.now + .seconds(1), now: Self.now + .seconds(2), for: .seconds(4))
        #expect(isSuspect())
        _ = table.noteProbe(slot, at: Self.now, sipStatus: 503, roundTrip: .zero, isAcknowledged: false)
        #expect(!isSuspect(), "a bad answer is an answer")
        _ = table.suspect(slot, begun: Self.now + .seconds(1), now: Self.now + .seconds(2), for: .seconds(4))
        _ = table.observe(
            slot, .noResponse, of: rules, begun: Self.now, now: Self.now + .seconds(3))
        #expect(!isSuspect() && table.status(of: slot).status == .outOfService, "the status says more")
    }

    @Test func `who has answered anybody since the attempt began is not suspect, nor who has gone`() throws {
        let fixture = try LeftOutTests.fixture(gateways: 1)
        let slot = try fixture.slot("g1")
        _ = fixture.table.observe(
            slot, .answered, of: StatusRules(), begun: Self.now, now: Self.now + .milliseconds(100))
        func suspect(_ slot: GatewaySlot, begun: Int64, at: Int64) -> Bool {
            fixture.table.suspect(
                slot, begun: Self.now + .milliseconds(begun), now: Self.now + .milliseconds(at), for: .seconds(4))
        }
        #expect(!suspect(slot, begun: 50, at: 550))
        _ = fixture.table.noteProbe(
            slot, at: Self.now + .milliseconds(200), sipStatus: 200, roundTrip: .zero, isAcknowledged: true)
        #expect(!suspect(slot, begun: 150, at: 650), "a probe shows life as well")
        #expect(suspect(slot, begun: 250, at: 750))
        #expect(!suspect(slot, begun: 260, at: 760), "it is already")
        #expect(!suspect(GatewaySlot(index: slot.index, generation: slot.generation &+ 1), begun: 250, at: 750))
        let successor = fixture.table.open(slot.index)
        #expect(!fixture.table.isSuspect(successor, at: Self.now), "its successor begins afresh")
    }
}
