import Addressing
import ControlPlane
import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Testing
import Time

@Suite struct LookupTests {
    @Test func `the look-up of API section 5 names targets in order and who was left out, and changes nothing`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try fixture.takeOut("lon1", for: .seconds(30))
        try await fixture.settle()
        let until = try #require(try fixture.statusRecords().first?.timeValue).rfc3339
        let answer = try fixture.plane.lookup(LookupQuery(number: "+442071234567"))
        #expect(answer.revision.number == fixture.plane.revision)
        let left =
            #"""
            {"gateway":"lon1","group":"london","reason":"out-of-service","time_value":"\#(until)",
            "cause":"no-response"}
            """#
        let target =
            #"""
            {"gateway":"lon2","group":"london","request_uri":"sip:+442071234567@192.0.2.11:5060",
            "response_timeout_ms":2000,"resends":2,"suspect":false}
            """#
        #expect(
            answer.value
                == (try json(
                    #"""
                    {"revision":\#(fixture.plane.revision),"routing_plan":"default","matched_prefix":"44",
                    "routing_list":"uk","outcome":"targets","targets":[\#(target)],"left_out":[\#(left)]}
                    """#
                )))
        fixture.clock.move(by: .seconds(31))
        let later = try fixture.plane.lookup(LookupQuery(number: "+442071234567")).value
        #expect(Self.gateways(later) == ["lon1", "lon2"])
        #expect(fixture.plane.table.status(of: try fixture.slot("lon1")).status == .outOfService)
        fixture.close()
    }

    @Test func `failures say status, reason and when to come again`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(
            try put("routing-lists/none", "{}"), try put("routing-plans/default/routes/1", #"{"routing_list":"none"}"#))
        let noRoute = try fixture.plane.lookup(LookupQuery(number: "33")).value
        #expect(noRoute["outcome"] == .string("failure"))
        #expect(noRoute["status"] == .integer(404))
        #expect(noRoute["matched_prefix"] == .null)
        #expect(noRoute["retry_after_s"] == nil)
        let empty = try fixture.plane.lookup(LookupQuery(number: "1")).value
        #expect(empty["status"] == .integer(503))
        #expect(empty["routing_list"] == .string("none"))
        try fixture.takeOut("lon1", for: .seconds(12))
        try fixture.takeOut("lon2", for: .seconds(40))
        let out = try fixture.plane.lookup(LookupQuery(number: "44")).value
        #expect(out["status"] == .integer(503))
        #expect(out["reason"] == .string("every gateway is out-of-service"))
        #expect(out["retry_after_s"] == .integer(13), "12 s, and the row counts whole milliseconds upwards")
        fixture.close()
    }

    @Test func `a source decides the plan and whether it may call`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(
            try put("routing-plans/pbx", "{}"), try put("routing-plans/pbx/routes/any", #"{"routing_list":"uk"}"#),
            try put("ingress-peers/pbx", #"{"networks":["198.51.100.0/24"],"routing_plan":"pbx"}"#))
        var query = LookupQuery(number: "alice")
        query.source = "198.51.100.9"
        let answer = try fixture.plane.lookup(query).value
        #expect(answer["routing_plan"] == .string("pbx"))
        #expect(answer["matched_prefix"] == .string("any"))
        query.plan = "default"
        #expect(try fixture.plane.lookup(query).value["routing_plan"] == .string("default"))
        query.source = "203.0.113.1"
        let stranger = try fixture.plane.lookup(query).value
        #expect(stranger["status"] == .integer(403))
        #expect(stranger["reason"] == .string("source not allowed"))
        query = LookupQuery(number: "44")
        query.source = "localhost"
        #expect(throws: Refusal.self) { try fixture.plane.lookup(query) }
        query.source = nil
        query.plan = "none"
        #expect(throws: Refusal.self) { try fixture.plane.lookup(query) }
        for number in ["", "4 4", "a@b", "<44>", "44\r\n"] {
            #expect(throws: Refusal.self) { try fixture.plane.lookup(LookupQuery(number: number)) }
        }
        fixture.close()
    }

    @Test func `a look-up is what a call with the same Call-ID gets`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(
            try put("gateways/par1", #"{"uri":"sip:192.0.2.20"}"#),
            try put("gateway-groups/paris", #"{"members":[{"gateway":"par1"}]}"#),
            try put("routing-lists/uk", #"{"groups":[{"group":"london","weight":3},{"group":"paris","weight":2}]}"#))
        let snapshot = fixture.plane.snapshots.latest
        let plan = try #require(snapshot.plan(named: "default"))
        var firsts: Set<String> = []
        for number in 0..<50 {
            var query = LookupQuery(number: "+4420")
            query.callID = "call-\(number)@198.51.100.1"
            var bytes = Array("call-\(number)@198.51.100.1".utf8)
            let draw = bytes.withUnsafeMutableBufferPointer { CallDraw.number(for: $0.span) }
            var set = TargetSet()
            var memory = SelectionMemory()
            _ = snapshot.select(
                RoutingQuery(
                    DialledNumber("+4420"), in: plan, draw: draw, now: fixture.clock.now,
                    wallTime: fixture.clock.wallTime), status: fixture.plane.table, memory: &memory, into: &set)
            let selected = set.targets.compactMap { snapshot.gateway(in: $0.slot)?.id }
            let shown = Self.gateways(try fixture.plane.lookup(query).value)
            #expect(shown == selected)
            firsts.insert(selected[0])
        }
        #expect(firsts == ["lon1", "par1"])
        fixture.close()
    }

    static func gateways(_ answer: JSONValue) -> [String] {
        guard case .array(let targets) = answer["targets"] else { return [] }
        return targets.compactMap { $0["gateway"]?.text }
    }
}

extension LookupTests {
    @Test func `at judges routes and time values by another time`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let start = fixture.clock.wallTime + .seconds(1000)
        try await fixture.commit(
            try put(
                "routing-plans/default/routes/447", #"{"reject":{"status":603},"valid_from":"\#(start.rfc3339)"}"#))
        try fixture.takeOut("lon1", for: .seconds(600))
        func lookup(_ seconds: Int64?) throws -> JSONValue {
            var query = LookupQuery(number: "447")
            query.at = seconds.map { fixture.clock.wallTime + .seconds($0) }
            return try fixture.plane.lookup(query).value
        }
        #expect(Self.gateways(try lookup(nil)) == ["lon2"])
        #expect(Self.gateways(try lookup(700)) == ["lon1", "lon2"])
        #expect(try lookup(1001)["status"] == .integer(603))
        #expect(fixture.plane.table.status(of: try fixture.slot("lon1")).status == .outOfService, "nothing is changed")
        fixture.close()
    }

    @Test func `a kept revision is asked as it was, with the present status`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let old = fixture.plane.revision
        try await fixture.commit(try patch("settings", #"{"gateway_defaults":{"resends":7}}"#))
        try await fixture.commit(
            try patch("gateway-groups/london", #"{"members":[{"gateway":"lon2"}]}"#),
            try put("routing-plans/default/routes/4420", #"{"reject":{"status":404}}"#))
        try await fixture.commit(
            try delete("routing-plans/default/routes/44"), try delete("gateways/lon1"),
            try put("ingress-peers/pbx", #"{"networks":["198.51.100.0/24"]}"#))
        func lookup(_ number: String, at revision: Int64?, source: String? = nil) throws -> JSONValue {
            var query = LookupQuery(number: number)
            (query.revision, query.source) = (revision, source)
            return try fixture.plane.lookup(query).value
        }
        #expect(try lookup("+442071", at: nil)["status"] == .integer(404))
        let before = try lookup("+442071", at: old)
        #expect(Self.gateways(before) == ["lon1", "lon2"])
        #expect(before["revision"] == .integer(old) && before["matched_prefix"] == .string("44"))
        guard case .array(let targets)? = before["targets"] else { throw CandidateFixture.NotRefused() }
        #expect(targets.map { $0["resends"] } == [.integer(2), .integer(2)], "the defaults of that time")
        #expect(Self.gateways(try lookup("449", at: old + 2)) == ["lon2"])
        #expect(try lookup("4420", at: old + 2)["matched_prefix"] == .string("4420"))
        #expect(try lookup("44", at: old, source: "198.51.100.1")["status"] == .integer(403), "that peer came later")
        try fixture.takeOut("lon2")
        #expect(Self.gateways(try lookup("44", at: old)) == ["lon1"], "lon2 has the same URI still, and is out")
        #expect(throws: Refusal.self) { try lookup("44", at: fixture.plane.revision + 1) }
        fixture.close()
    }

    @Test func `a source whose peer has as many calls as it may have is refused as its call would be`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(
            try put("ingress-peers/pbx", #"{"networks":["198.51.100.0/24"],"max_calls":1}"#),
            try put("ingress-peers/slow", #"{"networks":["203.0.113.0/24"],"max_calls_per_second":0}"#))
        let old = fixture.plane.revision
        try await fixture.commit(try patch("ingress-peers/slow", #"{"max_calls_per_second":null}"#))
        func lookup(_ source: String?, at revision: Int64? = nil) throws -> JSONValue {
            var query = LookupQuery(number: "442071")
            (query.source, query.revision) = (source, revision)
            return try fixture.plane.lookup(query).value
        }
        let address = try #require(IPAddress("198.51.100.7"))
        let peer = try #require(fixture.plane.snapshots.latest.peer(for: address))
        #expect(Self.gateways(try lookup("198.51.100.7")) == ["lon1", "lon2"])
        let isBegun = fixture.plane.peers.beginCall(peer.slot, peer.limits, now: fixture.clock.now)
        #expect(isBegun)
        for revision in [nil, old] {
            let full = try lookup("198.51.100.7", at: revision)
            #expect(full["outcome"] == .string("failure") && full["status"] == .integer(503))
            #expect(full["retry_after_s"] == .integer(1) && full["targets"] == .array([]))
            #expect(full["reason"] == .string("the ingress peer has as many calls as it may have"))
        }
        #expect(Self.gateways(try lookup(nil)) == ["lon1", "lon2"], "nobody is asked about")
        #expect(Self.gateways(try lookup("203.0.113.1")) == ["lon1", "lon2"])
        #expect(try lookup("203.0.113.1", at: old)["status"] == .integer(503), "the limits of that time")
        #expect(fixture.plane.peers.liveCalls(peer.slot) == 1, "a look-up counts for nothing")
        fixture.plane.peers.endCall(peer.slot)
        #expect(Self.gateways(try lookup("198.51.100.7")) == ["lon1", "lon2"])
        fixture.close()
    }

    @Test func `a kept revision is asked with the present calls`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(
            try patch("gateways/lon1", #"{"max_calls":1}"#), try patch("gateways/lon2", #"{"max_calls_per_second":1}"#))
        let old = fixture.plane.revision
        try await fixture.commit(try patch("gateways/lon1", #"{"max_calls":null}"#))
        func lookup() throws -> JSONValue {
            var query = LookupQuery(number: "442071")
            query.revision = old
            return try fixture.plane.lookup(query).value
        }
        #expect(Self.gateways(try lookup()) == ["lon1", "lon2"])
        let (table, now) = (fixture.plane.table, fixture.clock.now)
        let first = table.beginCall(try fixture.slot("lon1"), limits: CallLimits(), now: now)
        #expect(first)
        #expect(Self.gateways(try lookup()) == ["lon2"])
        let second = table.beginCall(try fixture.slot("lon2"), limits: CallLimits(maxCallsPerSecond: 1), now: now)
        #expect(second)
        #expect(try lookup()["status"] == .integer(503))
        fixture.close()
    }
}
