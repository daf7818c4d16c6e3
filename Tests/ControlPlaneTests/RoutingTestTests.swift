import JSON
import Routing
import Store
import Testing
import Time

@testable import ControlPlane

/// Stored routing tests, the gate that changes pass (API section 4).
@Suite struct RoutingTestTests {
    private func fixture(_ tests: (String, String)...) throws -> CandidateFixture {
        var fixture = try CandidateFixture.london()
        for (id, body) in tests { try fixture.take(try put("routing-tests/\(id)", body)) }
        return try fixture.next(over: CandidateFixture.london())
    }

    private static let lonFirst =
        #"{"number":"442071234567","routing_plan":"default","expect":{"gateways":["lon1","lon2"]}}"#

    @Test(arguments: [
        #"{"gateways":["lon1","lon2"]}"#, #"{"first_gateway":"lon1"}"#, #"{"routing_list":"uk"}"#,
        #"{"gateways":["lon1","lon2"],"first_gateway":"lon1","routing_list":"uk"}"#,
    ]) func `a test that holds is taken and shown as it was set`(_ expect: String) throws {
        var fixture = try CandidateFixture.london()
        let result = try fixture.take(
            try put("routing-tests/t", #"{"number":"+44 20","expect":\#(expect)}"#.filter { $0 != " " }))
        let view = try #require(result.operations.first?.view)
        #expect(view.body["expect"] == (try json(expect)))
        #expect(view.etag == "r2")
    }

    @Test(arguments: [
        (
            #"{"number":"44","expect":{"gateways":["lon2","lon1"]}}"#,
            #"gateways ["lon2", "lon1"], gets ["lon1", "lon2"]"#
        ),
        (#"{"number":"44","expect":{"gateways":["lon1"]}}"#, #"gateways ["lon1"], gets ["lon1", "lon2"]"#),
        (#"{"number":"44","expect":{"first_gateway":"lon2"}}"#, #"first_gateway "lon2", gets "lon1""#),
        (#"{"number":"44","expect":{"routing_list":"fr"}}"#, #"routing_list "fr", gets "uk""#),
        (#"{"number":"44","expect":{"status":404}}"#, #"status 404, gets ["lon1", "lon2"]"#),
        (#"{"number":"33","expect":{"status":503}}"#, "status 503, gets 404"),
        (
            #"{"number":"33","expect":{"first_gateway":"lon1"}}"#,
            #"first_gateway "lon1", gets no route matches the dialled number"#
        ),
        (
            #"{"number":"44","routing_plan":"pbx","expect":{"status":404}}"#,
            "status 404, gets there is no routing plan pbx"
        ),
        (
            #"{"number":"44","source":"192.0.2.77","expect":{"routing_list":"uk"}}"#,
            #"routing_list "uk", gets source not allowed"#
        ),
    ]) func `a test that fails is refused with what it gets`(_ body: String, _ difference: String) throws {
        var fixture = try CandidateFixture.london()
        let refusal = try fixture.refusal(try put("routing-tests/t", body))
        #expect(refusal.problem == .testFailed)
        #expect(refusal.detail == "The routing test t would fail: it expects \(difference).")
        #expect(fixture.candidate.entries.isEmpty && fixture.candidate.tests.isEmpty)
        _ = try fixture.candidate.take(
            Change.overriding(try put("routing-tests/t", body)), at: CandidateFixture.time)
        #expect(fixture.candidate.tests["t"] != nil)
    }

    @Test func `a source decides plan and permission as it does for calls`() throws {
        var fixture = try CandidateFixture.london()
        try fixture.take(
            try put("routing-plans/pbx", "{}"), try put("routing-plans/pbx/routes/any", #"{"reject":{"status":603}}"#),
            try put("ingress-peers/pbx", #"{"networks":["198.51.100.0/24"],"routing_plan":"pbx"}"#),
            try put("routing-tests/of-pbx", #"{"number":"44","source":"198.51.100.9","expect":{"status":603}}"#),
            try put(
                "routing-tests/named",
                #"{"number":"44","routing_plan":"default","source":"198.51.100.9","expect":{"routing_list":"uk"}}"#),
            try put("routing-tests/stranger", #"{"number":"44","source":"203.0.113.1","expect":{"status":403}}"#))
        let refusal = try fixture.refusal(try put("ingress-peers/all", #"{"networks":["0.0.0.0/0"]}"#))
        #expect(refusal.detail.contains("stranger"))
    }

    @Test func `every kind of change that would make a test fail is refused and leaves no trace`() throws {
        var fixture = try fixture(("lon-first", Self.lonFirst), ("other", #"{"number":"1","expect":{"status":404}}"#))
        let changes: [[Operation]] = [
            [try patch("gateways/lon1", #"{"administrative_state":"locked"}"#)],
            [try patch("gateways/lon1", #"{"max_calls":0}"#)],
            [try patch("gateway-groups/london", #"{"members":[{"gateway":"lon2"},{"gateway":"lon1"}]}"#)],
            [try patch("routing-lists/uk", #"{"max_attempts":1}"#)],
            [try put("routing-plans/default/routes/4420", #"{"reject":{"status":603}}"#)],
            [try put("routing-plans/default/routes/any", #"{"routing_list":"uk"}"#)],
            [try delete("routing-plans/default/routes/44")],
            [try patch("settings", #"{"gateway_defaults":{"administrative_state":"locked"}}"#)],
            [
                try put("gateways/lon3", #"{"uri":"sip:192.0.2.12"}"#),
                try patch("gateway-groups/london", #"{"members":[{"gateway":"lon3"},{"gateway":"lon1"}]}"#),
            ],
        ]
        for operations in changes {
            let before = fixture.candidate
            let change = Change(operations, who: "test")
            let refusal = #expect(throws: Refusal.self) {
                try fixture.candidate.take(change, at: CandidateFixture.time)
            }
            #expect(refusal?.problem == .testFailed, "\(operations)")
            #expect(refusal?.extensions["failed_count"] == .integer(1))
            #expect(fixture.candidate.entries.count == before.entries.count)
            #expect(fixture.candidate.builder.gateways["lon3"] == nil)
            var overriding = change
            overriding.overridesTests = true
            var other = fixture
            _ = try other.candidate.take(overriding, at: CandidateFixture.time)
            #expect(other.candidate.entries.count == before.entries.count + 1)
        }
    }

    @Test func `a refusal lists what was expected and what comes`() throws {
        var fixture = try fixture(("lon-first", Self.lonFirst))
        let refusal = try fixture.refusal(try delete("routing-plans/default/routes/44"))
        #expect(
            refusal.extensions["failed_tests"]
                == (try json(
                    #"""
                    [{"routing_test":"lon-first","expected":{"gateways":["lon1","lon2"]},"got":{"gateways":[],
                    "first_gateway":null,"routing_list":null,"status":404,
                    "reason":"no route matches the dialled number"}}]
                    """#)))
    }

    @Test func `changes that touch no test's call are not judged, and the others by what they touch`() throws {
        var tests = RoutingTests()
        for (id, number) in [("a", "4420"), ("b", "+4930"), ("c", "alice")] {
            let body = try json(#"{"number":"\#(number)","expect":{"status":404}}"#)
            tests.put(try #require(RoutingTest(id: id, body: body)))
        }
        func touched(_ paths: String...) throws -> [String] {
            try tests.touched(by: paths.map { try path($0) }).map(\.id)
        }
        #expect(try touched("routing-plans/default/routes/44") == ["a"])
        #expect(try touched("routing-plans/p/routes/4420") == ["a"])
        #expect(try touched("routing-plans/default/routes/44201") == [])
        #expect(try touched("routing-plans/default/routes/49", "routing-tests/c") == ["b", "c"])
        #expect(try touched("routing-plans/default/routes/any") == ["a", "b", "c"])
        #expect(try touched("gateways/x") == ["a", "b", "c"])
    }

    @Test func `within one change only its end counts, and a test may come with what it asks for`() throws {
        var fixture = try fixture(("lon-first", Self.lonFirst))
        try fixture.take(
            try patch("gateway-groups/london", #"{"members":[{"gateway":"lon2"}]}"#),
            try patch("gateway-groups/london", #"{"members":[{"gateway":"lon1"},{"gateway":"lon2","weight":7}]}"#))
        try fixture.take(
            try put("routing-tests/fr", #"{"number":"33","expect":{"first_gateway":"lon2"}}"#),
            try put("gateway-groups/paris", #"{"members":[{"gateway":"lon2"}]}"#),
            try put("routing-lists/fr", #"{"groups":[{"group":"paris"}]}"#),
            try put("routing-plans/default/routes/33", #"{"routing_list":"fr"}"#))
        try fixture.take(
            try delete("routing-tests/lon-first"), try delete("routing-plans/default/routes/44"))
        #expect(fixture.candidate.tests["lon-first"] == nil)
    }

    @Test func `a test that fails already stands in nobody's way until a change mends it`() throws {
        var fixture = try fixture(("lon-first", Self.lonFirst))
        _ = try fixture.candidate.take(
            Change.overriding(try patch("gateways/lon1", #"{"administrative_state":"locked"}"#)),
            at: CandidateFixture.time)
        try fixture.take(try patch("gateways/lon2", #"{"administrative_state":"locked"}"#))
        try fixture.take(
            try patch("gateways/lon1", #"{"administrative_state":null}"#),
            try patch("gateways/lon2", #"{"administrative_state":null}"#))
        #expect(
            try fixture.refusal(try patch("gateways/lon2", #"{"administrative_state":"locked"}"#)).problem
                == .testFailed)
        // Another expectation is another test, whatever became of the one before.
        let other = Self.lonFirst.replacing("\"lon1\",", with: "")
        #expect(try fixture.refusal(try put("routing-tests/lon-first", other)).problem == .testFailed)
    }

    @Test func `live status, live calls and the time value have no say; the validity of routes has`() throws {
        var fixture = try fixture(("lon-first", Self.lonFirst))
        let slot = try #require(fixture.candidate.builder.slot(of: "lon1"))
        _ = fixture.table.takeOut(
            slot, until: .init(nanoseconds: .max), cause: .noResponse, now: .init(nanoseconds: 0), reporter: .call)
        try fixture.take(try patch("gateways/lon1", #"{"max_calls":1}"#))
        let end = CandidateFixture.time + .seconds(10)
        try fixture.take(
            try put("routing-plans/default/routes/442", #"{"routing_list":"uk","valid_until":"\#(end.rfc3339)"}"#))
        let change = Change([try patch("routing-lists/uk", #"{"description":"x"}"#)], who: "test")
        _ = try fixture.candidate.take(change, at: CandidateFixture.time + .seconds(20))
    }

    @Test func `all that is wrong with a test is said at once`() throws {
        var fixture = try CandidateFixture.london()
        func pointers(_ body: String) throws -> [String] {
            try fixture.refusal(try put("routing-tests/t", body)).errors.map(\.pointer)
        }
        #expect(try pointers("{}") == ["/number", "/expect"])
        #expect(
            try pointers(#"{"number":"4 4","source":"x","routing_plan":"P","expect":{}}"#)
                == ["/number", "/routing_plan", "/source", "/expect/gateways"])
        #expect(
            try pointers(#"{"number":"44","expect":{"gateways":["a","a",1,"B"],"status":200,"colour":1}}"#)
                == [
                    "/expect/gateways/1", "/expect/gateways/2", "/expect/gateways/3", "/expect/status",
                    "/expect/status", "/expect/colour",
                ])
        #expect(
            try fixture.refusal(try put("routing-tests/T", #"{"number":"44","expect":{"status":404}}"#)).problem
                == .invalid)
    }

    @Test func `tests outlive a restart and go on being the gate`() async throws {
        let first = try ControlPlaneFixture()
        try await first.provisionLondon()
        try await first.commit(try put("routing-tests/lon-first", Self.lonFirst))
        let refusal = await first.change(try delete("routing-plans/default/routes/44")).refusal
        #expect(refusal?.problem == .testFailed)
        first.close()
        let second = try ControlPlaneFixture(folder: first.folder)
        #expect(await second.change(try delete("routing-plans/default/routes/44")).refusal?.problem == .testFailed)
        #expect(try second.plane.list(ListQuery(.routingTests)).items.count == 1)
        try await second.commit(try delete("routing-tests/lon-first"))
        try await second.commit(try delete("routing-plans/default/routes/44"))
        second.close()
    }
}
