import Addressing
import JSON
import Routing
import Store
import Testing

@testable import ControlPlane

/// One body that breaks one rule.
struct BadBody: Sendable, CustomTestStringConvertible {
    let place: String
    let body: String
    let pointer: String
    let reason: String

    init(_ place: String, _ body: String, _ pointer: String, _ reason: String) {
        (self.place, self.body, self.pointer, self.reason) = (place, body, pointer, reason)
    }

    var testDescription: String { "\(place) \(body)" }
}

@Suite struct ValidationTests {
    private static func gateway(_ members: String, _ pointer: String, _ reason: String) -> BadBody {
        BadBody("gateways/g", #"{"uri":"sip:192.0.2.1",\#(members)}"#, pointer, reason)
    }

    private static func uri(_ uri: String, _ reason: String) -> BadBody {
        BadBody("gateways/g", #"{"uri":"\#(uri)"}"#, "/uri", reason)
    }

    static let bad: [BadBody] = [
        BadBody("gateways/g", "{}", "/uri", "required"),
        BadBody("gateways/g", #"{"uri":null}"#, "/uri", "required"),
        BadBody("gateways/g", #"{"uri":5060}"#, "/uri", "not a string"),
        uri("sips:192.0.2.1", "not built yet"), uri("h323:192.0.2.1", "not built yet"),
        uri("sip:gw.example.com", "host name"), uri("sip:192.0.2.1;transport=tls", "not built yet"),
        uri("sip:192.0.2.1;transport=sctp", "not built yet"), uri("sip:192.0.2.1;maddr=192.0.2.9", "maddr"),
        uri("sip:192.0.2.1;transport=udp;transport=tcp", "transport stands twice"),
        uri("sip:192.0.2.1;user=phone;transport=udp;USER=phone", "user stands twice"),
        uri("sip:alice@192.0.2.1", "no user part"), uri("sip:192.0.2.1?subject=x", "no headers"),
        uri("tel:+44", "not a SIP URI"), uri("192.0.2.1", "not a SIP URI"), uri("sip:192.0.2.1:0", "not a SIP URI"),
        uri("sip:192.0.2.1:65536", "not a SIP URI"), uri("sip:0.0.0.0", "no address"),
        uri("sip:[ff02::1]", "no address"),
        uri("sip:255.255.255.255", "no address"), uri("", "not a SIP URI"),
        gateway(#""response_timeout_ms":99"#, "/response_timeout_ms", "out of range"),
        gateway(#""response_timeout_ms":32001"#, "/response_timeout_ms", "out of range"),
        gateway(#""response_timeout_ms":"2000""#, "/response_timeout_ms", "not a whole number"),
        gateway(#""resends":11"#, "/resends", "out of range"), gateway(#""resends":-1"#, "/resends", "out of range"),
        gateway(#""resends":1.5"#, "/resends", "not a whole number"),
        gateway(#""hold_s":0"#, "/hold_s", "out of range"),
        gateway(#""hold_s":true"#, "/hold_s", "not a whole number"),
        gateway(#""hold_s":99999999999999999999"#, "/hold_s", "not a whole number"),
        gateway(#""colour":"red""#, "/colour", "unknown field"), gateway(#""a/b~c":1"#, "/a~1b~0c", "unknown field"),
        gateway("\"a/\u{301}b~\u{302}c\":1", "/a~1\u{301}b~0\u{302}c", "unknown field"),
        gateway(#""description":5"#, "/description", "not a string"),
        gateway(#""description":"\#(String(repeating: "é", count: 257))""#, "/description", "257 characters"),
        BadBody("gateway-groups/g", #"{"members":{}}"#, "/members", "not a list"),
        BadBody("gateway-groups/g", #"{"members":["lon1"]}"#, "/members/0", "not an object"),
        BadBody("gateway-groups/g", #"{"members":[{}]}"#, "/members/0/gateway", "required"),
        BadBody("gateway-groups/g", #"{"members":[{"gateway":"gw9"}]}"#, "/members/0/gateway", "no such gateway"),
        BadBody(
            "gateway-groups/g", #"{"members":[{"gateway":"lon1"},{"gateway":"lon1"}]}"#, "/members/1/gateway",
            "the same gateway twice"),
        BadBody(
            "gateway-groups/g", #"{"members":[{"gateway":"lon1","weight":65536}]}"#, "/members/0/weight", "out of range"
        ),
        BadBody("gateway-groups/g", #"{"members":[{"gateway":"lon1","x":1}]}"#, "/members/0/x", "unknown field"),
        BadBody("routing-lists/l", #"{"groups":[{"group":"paris"}]}"#, "/groups/0/group", "no such gateway group"),
        BadBody(
            "routing-lists/l", #"{"groups":[{"group":"london"},{"group":"london"}]}"#, "/groups/1/group",
            "the same group twice"),
        BadBody(
            "routing-lists/l", #"{"groups":[\#(Array(repeating: "{}", count: 65).joined(separator: ","))]}"#, "/groups",
            "65 entries"),
        BadBody("routing-lists/l", #"{"max_attempts":65}"#, "/max_attempts", "out of range"),
        BadBody("routing-plans/p", #"{"routes":[]}"#, "/routes", "unknown field"),
        BadBody("routing-plans/default/routes/44", "{}", "/routing_list", "required"),
        BadBody(
            "routing-plans/default/routes/44", #"{"routing_list":"us"}"#, "/routing_list", "no such routing list"),
        BadBody("routing-plans/default/routes/4x", #"{"routing_list":"uk"}"#, "", "not a name"),
        BadBody("ingress-peers/p", "{}", "/networks", "required"),
        BadBody("ingress-peers/p", #"{"networks":[]}"#, "/networks", "at least one"),
        BadBody("ingress-peers/p", #"{"networks":"192.0.2.0/24"}"#, "/networks", "not a list"),
        BadBody("ingress-peers/p", #"{"networks":["192.0.2.77/24"]}"#, "/networks/0", "bits are set"),
        BadBody(
            "ingress-peers/p", #"{"networks":["192.0.2.1","192.0.2.1/32"]}"#, "/networks/1", "the same network twice"),
        BadBody(
            "ingress-peers/p", #"{"networks":["192.0.2.0/24"],"routing_plan":"p9"}"#, "/routing_plan",
            "no such routing plan"),
        BadBody(
            "ingress-peers/p", #"{"networks":["192.0.2.0/24"],"trusted_identity":"no"}"#, "/trusted_identity",
            "not true or false"),
        BadBody("gateways/Lon1", #"{"uri":"sip:192.0.2.1"}"#, "", "not a name"),
        BadBody("gateways/-lon1", #"{"uri":"sip:192.0.2.1"}"#, "", "not a name"),
        BadBody("gateways/", #"{"uri":"sip:192.0.2.1"}"#, "", "not a name"),
        BadBody("gateways/\(String(repeating: "a", count: 64))", #"{"uri":"sip:192.0.2.1"}"#, "", "not a name"),
    ]

    @Test(arguments: bad) func `each broken rule is one error with its pointer, value and what is allowed`(
        _ bad: BadBody
    ) throws {
        var fixture = try CandidateFixture.london()
        let refusal = try fixture.refusal(try put(bad.place, bad.body))
        #expect(refusal.problem == .invalid)
        let error = try #require(refusal.errors.first)
        #expect(refusal.errors.count == 1)
        #expect(error.pointer == bad.pointer)
        #expect(error.reason.contains(bad.reason))
        #expect(!error.allowed.isEmpty)
        #expect(fixture.candidate.entries.isEmpty)
    }

    @Test func `all broken rules are told at once`() throws {
        var fixture = try CandidateFixture()
        let body =
            #"""
            {"policy":"random","members":[{"gateway":"gw9","priority":-1},{"weight":"x"}],"zone":1,
            "hash_key":"caller"}
            """#
        let refusal = try fixture.refusal(try put("gateway-groups/Bad", body))
        #expect(
            refusal.errors.map(\.pointer) == [
                "", "/policy", "/members/0/gateway", "/members/0/priority", "/members/1/gateway", "/members/1/weight",
                "/hash_key", "/zone",
            ])
        #expect(refusal.errors.map(\.value)[2] == .string("gw9"))
        #expect(refusal.detail.contains("7 more"))
    }

    @Test func `in a change of several operations a pointer says which`() throws {
        var fixture = try CandidateFixture()
        let refusal = try fixture.refusal(
            try put("gateways/a", #"{"uri":"sip:192.0.2.1"}"#), try put("gateways/b", #"{"uri":"b"}"#))
        #expect(refusal.errors.map(\.pointer) == ["/operations/1/value/uri"])
    }

    @Test(arguments: ["[]", "5", "null", #""text""#]) func `a body that is no object is malformed`(_ body: String)
        throws
    {
        var fixture = try CandidateFixture.london()
        #expect(try fixture.refusal(try put("gateways/lon1", body)).problem == .malformed)
        #expect(try fixture.refusal(try patch("gateways/lon1", body)).problem == .malformed)
    }

    @Test func `an address of IPv6 and its transport are kept as they came`() throws {
        var fixture = try CandidateFixture()
        try fixture.take(try put("gateways/g", #"{"uri":"sip:[2001:db8::1];transport=udp","max_calls":null}"#))
        let gateway = try #require(fixture.candidate.builder.gateways["g"])
        #expect(gateway.address.hostPort == "[2001:db8::1]:5060")
        #expect(gateway.requestURISuffix == "@[2001:db8::1];transport=udp")
        #expect(gateway.limits.maxCalls == nil)
    }

    @Test func `a gateway's transport is UDP, or TCP where its URI says so`() throws {
        var fixture = try CandidateFixture()
        _ = try fixture.take(try put("gateways/g", #"{"uri":"sip:192.0.2.1:5070;transport=TCP"}"#))
        let gateway = try #require(fixture.candidate.builder.gateways["g"])
        #expect("\(gateway.address)" == "tcp:192.0.2.1:5070")
        #expect(gateway.requestURISuffix == "@192.0.2.1:5070;transport=TCP")
    }

    @Test func `what GET gave can be put back: read-only fields are ignored and nothing changes`() throws {
        var fixture = try CandidateFixture.london()
        for place in ["gateways/lon1", "gateway-groups/london", "routing-lists/uk", "routing-plans/default/routes/44"] {
            let object = try #require(try fixture.candidate.object(try path(place)))
            let result = try fixture.take(
                .put(try path(place), ResourceView(object, defaults: GatewayDefaults()).body, Precondition()))
            #expect(result.operations.map(\.outcome) == [.unchanged], "\(place)")
        }
        #expect(fixture.candidate.entries.isEmpty)
        #expect(fixture.candidate.revision == Revision(1))
    }

    @Test func `one network in two peers is a conflict that names the other`() throws {
        var fixture = try CandidateFixture()
        try fixture.take(try put("ingress-peers/a", #"{"networks":["192.0.2.0/24","198.51.100.7"]}"#))
        try fixture.take(try put("ingress-peers/b", #"{"networks":["192.0.2.0/25"]}"#))  // longer: another network
        let refusal = try fixture.refusal(
            try put("ingress-peers/c", #"{"networks":["203.0.113.0/24","198.51.100.7/32"]}"#))
        #expect(refusal.problem == .conflict)
        #expect(refusal.errors.map(\.pointer) == ["/networks/1"])
        #expect(refusal.detail.contains("ingress peer a has it"))
        #expect(
            try fixture.take(try put("ingress-peers/a", #"{"networks":["192.0.2.0/24"]}"#)).operations.first?.outcome
                == .replaced)
    }

    @Test func `defaults are resolved in effective, and what was set is shown as it was set`() throws {
        let fixture = try CandidateFixture.london()
        let group = try fixture.view("gateway-groups/london")
        #expect(group.body["members"] == (try json(#"[{"gateway":"lon1"},{"gateway":"lon2"}]"#)))
        #expect(group.body["policy"] == nil)
        #expect(
            group.body["effective"]
                == (try json(
                    #"""
                    {"policy":"ordered","members":[{"gateway":"lon1","priority":0,"weight":1},
                    {"gateway":"lon2","priority":0,"weight":1}],"failover_after_ringing":false,"max_attempts":null,
                    "failover_causes":["no-response","transport-error","408","500","502","503","504"]}
                    """#
                )))
        let gateway = try fixture.view("gateways/lon1")
        #expect(
            gateway.body["effective"]
                == (try json(
                    #"""
                    {"uri":"sip:192.0.2.10:5060","labels":{},"administrative_state":"unlocked",
                    "response_timeout_ms":2000,"resends":2,"progress_timeout_ms":null,"answer_timeout_s":200,
                    "hold_s":60,"hold_max_s":600,"recovery":"timed",
                    "out_of_service_causes":["no-response","transport-error","503"],
                    "probe":{"interval_s":30,"timeout_ms":2000,"failures":3,"successes":1,"down_on":["408","503"],
                    "from":null},"max_calls":null,"max_calls_per_second":null,"ramp_s":0,"strip_digits":0,
                    "prepend":"","plus":"keep"}
                    """#
                )))
        let route = try fixture.view("routing-plans/default/routes/44")
        #expect(route.body["id"] == .string("44"))
        #expect(route.body["routing_plan"] == .string("default"))
        #expect(route.etag == "r1")
    }

    @Test func `a body full of errors tells a thousand and counts them all`() throws {
        var fixture = try CandidateFixture()
        let members = Array(repeating: #"{"gateway":"nobody"}"#, count: 1500).joined(separator: ",")
        let refusal = try fixture.refusal(try put("gateway-groups/g", #"{"members":[\#(members)]}"#))
        #expect(refusal.errors.count == 1000)
        #expect(refusal.detail.contains("2998 more"), "each names nobody, and all but the first name it again")
    }
}
