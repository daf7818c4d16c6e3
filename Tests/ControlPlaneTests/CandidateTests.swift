import Addressing
import JSON
import Routing
import Store
import Testing
import Time

@testable import ControlPlane

@Suite struct CandidateTests {
    @Test func `a later operation may refer to what an earlier one made, and all of them are one revision`() throws {
        let fixture = try CandidateFixture.london()
        #expect(fixture.candidate.base.revision == Revision(1))
        var other = try CandidateFixture()
        let result = try other.take(
            try put("routing-plans/p", "{}"), try put("gateway-groups/g", "{}"),
            try put("routing-lists/l", #"{"groups":[{"group":"g"}]}"#),
            try put("routing-plans/p/routes/any", #"{"routing_list":"l"}"#))
        #expect(result.revision == 1)
        #expect(other.candidate.entries.count == 1)
        #expect(other.candidate.entries.first?.effects.count == 4)
        #expect(result.operations.compactMap(\.view?.etag) == ["r1", "r1", "r1", "r1"])
    }

    @Test func `a refused change in the middle leaves no trace`() throws {
        var fixture = try CandidateFixture()
        try fixture.take(try put("gateways/a", #"{"uri":"sip:192.0.2.1"}"#))
        _ = try fixture.refusal(
            try put("gateways/b", #"{"uri":"sip:192.0.2.2"}"#),
            try put("gateway-groups/g", #"{"members":[{"gateway":"nobody"}]}"#))
        let result = try fixture.take(try put("gateways/c", #"{"uri":"sip:192.0.2.3"}"#))
        #expect(result.revision == 2)
        #expect(fixture.candidate.entries.map(\.revision) == [Revision(1), Revision(2)])
        #expect(fixture.candidate.builder.gateways.keys.sorted() == ["a", "c"])
        #expect(try fixture.candidate.object(try path("gateways/b")) == nil)
        #expect(fixture.candidate.snapshot().gateways.map(\.id).sorted() == ["a", "c"])
    }

    @Test func `a PUT that changes nothing is unchanged and makes no revision`() throws {
        var fixture = try CandidateFixture.london()
        let result = try fixture.take(try put("gateways/lon1", #"{"uri":"sip:192.0.2.10:5060","hold_s":null}"#))
        #expect(result.operations.map(\.outcome) == [.unchanged])
        #expect(result.revision == 1)
        #expect(fixture.candidate.entries.isEmpty)
    }

    @Test func `there and back again in one change is no change`() throws {
        var fixture = try CandidateFixture.london()
        let result = try fixture.take(
            try put("gateways/lon1", #"{"uri":"sip:192.0.2.10:5060","hold_s":5}"#),
            try put("gateways/lon1", #"{"uri":"sip:192.0.2.10:5060"}"#), try put("gateway-groups/new", "{}"),
            try delete("gateway-groups/new"))
        #expect(result.revision == 1)
        #expect(fixture.candidate.entries.isEmpty)
        #expect(result.operations.first?.view?.etag == "r1")
    }

    @Test func `PATCH merges, and null puts a field back to its default (RFC 7396)`() throws {
        var fixture = try CandidateFixture.london()
        try fixture.take(try patch("gateways/lon1", #"{"hold_s":5,"description":"one"}"#))
        #expect(fixture.candidate.builder.gateways["lon1"]?.timing.holdSeconds == 5)
        let result = try fixture.take(try patch("gateways/lon1", #"{"hold_s":null}"#))
        #expect(fixture.candidate.builder.gateways["lon1"]?.timing.holdSeconds == 60)
        let view = try #require(result.operations.first?.view)
        #expect(view.body["hold_s"] == nil)
        #expect(view.body["description"] == .string("one"))
        #expect(view.body["effective"]?["hold_s"] == .integer(60))
        #expect(try fixture.refusal(try patch("gateways/lon1", #"{"uri":null}"#)).errors.map(\.pointer) == ["/uri"])
        #expect(try fixture.refusal(try patch("gateways/nobody", "{}")).problem == .notFound)
    }

    @Test(arguments: [
        ("gateways/lon1", #"{"probe":{"intervall_s":null}}"#, "/probe/intervall_s"),
        ("gateways/lon1", #"{"probe":{"interval_s":5,"zz":null}}"#, "/probe/zz"),
        ("gateways/lon1", #"{"zz":null}"#, "/zz"),
        ("settings", #"{"gateway_defaults":{"zz":null}}"#, "/gateway_defaults/zz"),
        ("settings", #"{"gateway_defaults":{"probe":{"zz":null}}}"#, "/gateway_defaults/probe/zz"),
        ("routing-plans/default/routes/44", #"{"reject":{"zz":null}}"#, "/reject/zz"),
    ]) func `a field that nobody knows is refused also where PATCH only takes it out`(
        _ place: String, _ body: String, _ pointer: String
    ) throws {
        var fixture = try CandidateFixture.london()
        #expect(try fixture.refusal(try patch(place, body)).errors.map(\.pointer).contains(pointer))
    }

    @Test func `of 64 labels one is exchanged for another in one PATCH`() throws {
        var fixture = try CandidateFixture.london()
        let labels = (0..<64).map { "\"l\($0)\":\"x\"" }.joined(separator: ",")
        try fixture.take(try patch("gateways/lon1", "{\"labels\":{\(labels)}}"))
        try fixture.take(try patch("gateways/lon1", #"{"labels":{"l0":null,"l64":"x"}}"#))
        let more = try fixture.refusal(try patch("gateways/lon1", #"{"labels":{"l0":"x"}}"#))
        #expect(more.errors.map(\.reason) == ["65 labels"])
    }

    @Test func `a text that differs in its Unicode normalisation alone is another, and kept as it came`() throws {
        var fixture = try CandidateFixture.london()
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        func description() throws -> [UInt8]? {
            try fixture.candidate.object(try path("gateways/lon1"))?.body["description"]?.text.map { Array($0.utf8) }
        }
        try fixture.take(try patch("gateways/lon1", #"{"description":"\#(composed)"}"#))
        let result = try fixture.take(try patch("gateways/lon1", #"{"description":"\#(decomposed)"}"#))
        #expect(result.operations.map(\.outcome) == [.replaced])
        #expect(try description() == Array(decomposed.utf8))
        let uri = "sip:192.0.2.10:5060"
        try fixture.take(try put("gateways/lon1", #"{"uri":"\#(uri)","description":"\#(composed)"}"#))
        #expect(try description() == Array(composed.utf8))
        try fixture.take(
            try patch("gateways/lon1", #"{"description":"\#(decomposed)"}"#), try put("routing-plans/p", "{}"))
        #expect(try description() == Array(decomposed.utf8))
    }

    @Test func `times are shown as they came, and in effect in UTC with milliseconds`() throws {
        var fixture = try CandidateFixture.london()
        let route = "routing-plans/default/routes/44"
        try fixture.take(try patch(route, #"{"valid_from":"2026-01-01T02:00:00+01:00"}"#))
        let view = try fixture.view(route)
        #expect(view.body["valid_from"] == .string("2026-01-01T02:00:00+01:00"))
        #expect(view.body["effective"]?["valid_from"] == .string("2026-01-01T01:00:00.000Z"))
        #expect(view.body["effective"]?["valid_until"] == .null)
    }

    @Test(arguments: [
        (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
        (#"{"a":"b"}"#, #"{"a":null}"#, "{}"), (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
        (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#), (#"{"a":"foo"}"#, "null", "null"),
        (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#), ("[1,2]", #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
        ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ]) func `merge patch does what the table of RFC 7396's appendix says`(
        _ original: String, _ patch: String, _ result: String
    ) throws {
        #expect(try json(original).merged(with: try json(patch)) == (try json(result)))
    }

    @Test(arguments: [
        ("gateways/lon1", ["gateway-groups/london"]), ("gateway-groups/london", ["routing-lists/uk"]),
        ("routing-lists/uk", ["routing-plans/default/routes/44"]),
        ("routing-plans/p", ["ingress-peers/pbx", "routing-plans/p/routes/any"]),
    ]) func `what others refer to can't be deleted, and they are named`(_ place: String, _ referrers: [String]) throws {
        var fixture = try CandidateFixture.london()
        try fixture.take(
            try put("routing-plans/p", "{}"),
            try put("ingress-peers/pbx", #"{"networks":["192.0.2.0/24"],"routing_plan":"p"}"#),
            try put("routing-lists/other", "{}"),
            try put("routing-plans/p/routes/any", #"{"routing_list":"other"}"#))
        let refusal = try fixture.refusal(try delete(place))
        #expect(refusal.problem == .inUse)
        #expect(refusal.extensions["referrers"] == .array(referrers.map { .string($0) }))
        #expect(refusal.detail.contains(referrers[0]))
    }

    @Test func `in one change a whole chain goes, referrers first`() throws {
        var fixture = try CandidateFixture.london()
        let result = try fixture.take(
            try delete("routing-plans/default/routes/44"), try delete("routing-lists/uk"),
            try delete("gateway-groups/london"), try delete("gateways/lon1"), try delete("gateways/lon2"))
        #expect(result.operations.allSatisfy { $0.outcome == .deleted && $0.view == nil })
        #expect(fixture.candidate.entries.first?.effects.allSatisfy { $0.body == nil } == true)
        #expect(fixture.candidate.snapshot().gatewayCount == 0)
        #expect(try fixture.refusal(try delete("gateways/lon1")).problem == .notFound)
    }

    @Test func `the plan default can't be deleted, and a route needs its plan`() throws {
        var fixture = try CandidateFixture.london()
        try fixture.take(try put("routing-plans/default", #"{"description":"all"}"#))
        #expect(try fixture.refusal(try delete("routing-plans/default")).problem == .conflict)
        #expect(
            try fixture.refusal(try put("routing-plans/none/routes/1", #"{"routing_list":"uk"}"#)).problem == .notFound)
    }

    @Test func `conditions are looked at before anything else, on the state in the batch (RFC 9110 section 13)`() throws
    {
        var fixture = try CandidateFixture.london()
        let change = #"{"uri":"sip:192.0.2.99"}"#
        let stale = try fixture.refusal(try put("gateways/lon1", change, Precondition(ifMatch: ["r7", "r8"])))
        #expect(stale.problem == .stale)
        #expect(stale.currentETag == "r1")
        #expect(
            try fixture.refusal(try put("gateways/lon1", "[]", Precondition(ifNoneMatch: ["*"]))).problem == .stale)
        #expect(try fixture.refusal(try delete("gateways/none", Precondition(ifMatch: ["*"]))).problem == .stale)
        #expect(try fixture.refusal(try patch("gateways/lon1", "{}", Precondition(ifMatch: ["r2"]))).problem == .stale)
        let result = try fixture.take(try put("gateways/lon1", change, Precondition(ifMatch: ["r1"])))
        #expect(result.operations.first?.view?.etag == "r2")
        #expect(
            try fixture.refusal(try delete("gateways/lon1", Precondition(ifMatch: ["r1"]))).currentETag == "r2",
            "the second change of a batch sees the first")
        try fixture.take(try put("gateways/new", change, Precondition(ifNoneMatch: ["*"])))
        try fixture.take(try put("gateways/new", #"{"uri":"sip:192.0.2.98"}"#, Precondition(ifMatch: ["*"])))
    }

    @Test func `a gateway keeps its row while its URI stays, and a changed URI starts afresh`() throws {
        var fixture = try CandidateFixture.london()
        let slot = try #require(fixture.candidate.builder.slot(of: "lon1"))
        try fixture.take(try patch("gateways/lon1", #"{"hold_s":7}"#))
        #expect(fixture.candidate.builder.slot(of: "lon1") == slot)
        try fixture.take(try patch("gateways/lon1", #"{"uri":"sip:192.0.2.77"}"#))
        #expect(fixture.candidate.builder.slot(of: "lon1") != slot)
    }

    @Test func `routing-changed says who, why, how many and which`() throws {
        var fixture = try CandidateFixture.london()
        _ = try fixture.candidate.take(
            Change(
                [
                    try put("gateways/lon3", #"{"uri":"sip:192.0.2.12"}"#),
                    try patch("gateways/lon1", #"{"hold_s":9}"#),
                    try delete("routing-plans/default/routes/44"),
                ], who: "ops", comment: "third"), at: CandidateFixture.time)
        let event = try #require(fixture.candidate.entries.first?.events.first)
        #expect(event.type == "routing.changed")
        #expect(event.subject == nil)
        #expect(
            event.data
                == (try json(
                    #"""
                    {"revision":2,"who":"ops","comment":"third","counts":{"gateways":{"created":1,
                    "replaced":1},"routes":{"deleted":1}},"objects":["gateways/lon3","gateways/lon1",
                    "routing-plans/default/routes/44"]}
                    """#
                )))
    }

    @Test func `when all rows are taken a new gateway is a conflict with a clear word`() throws {
        var fixture = try CandidateFixture()
        var builder = fixture.candidate.builder
        for number in 0..<GatewayInformationTable.slotLimitCount {
            let address = TransportAddress(.udp, IPAddress(ipv4: UInt32(0x0A00_0000 + number)), port: 5060)
            let gateway = Gateway(id: "g\(number)", uri: "sip:\(address)", address: address, requestURISuffix: "")
            let isTaken = builder.put(gateway, in: fixture.table)
            try #require(isTaken)
        }
        fixture.candidate = Candidate(
            CommittedState(position: fixture.candidate.base, builder: builder, settings: Settings()),
            table: fixture.table, read: { _ in nil }, readGateways: { [] })
        let refusal = try fixture.refusal(try put("gateways/one-more", #"{"uri":"sip:192.0.2.1"}"#))
        #expect(refusal.problem == .conflict)
        #expect(refusal.detail.contains("\(GatewayInformationTable.slotLimitCount)"))
    }
}
