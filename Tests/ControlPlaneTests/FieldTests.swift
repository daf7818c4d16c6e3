import JSON
import Routing
import Store
import Testing
import Time

@testable import ControlPlane

/// The fields of API section 3: what is refused, and what becomes of what is taken.
@Suite struct FieldTests {
    private static func gateway(_ members: String, _ pointer: String, _ reason: String) -> BadBody {
        BadBody("gateways/g", #"{"uri":"sip:192.0.2.1",\#(members)}"#, pointer, reason)
    }

    private static func group(_ members: String, _ pointer: String, _ reason: String) -> BadBody {
        BadBody("gateway-groups/g", "{\(members)}", pointer, reason)
    }

    private static func route(_ members: String, _ pointer: String, _ reason: String) -> BadBody {
        BadBody("routing-plans/default/routes/44", "{\(members)}", pointer, reason)
    }

    private static func settings(_ members: String, _ pointer: String, _ reason: String) -> BadBody {
        BadBody("settings", "{\(members)}", pointer, reason)
    }

    private static let manyStatuses = (500...515).map { "\"\($0)\"" }.joined(separator: ",")
    private static let manyLabels = (0...64).map { "\"l\($0)\":\"x\"" }.joined(separator: ",")

    static let bad: [BadBody] = [
        gateway(#""labels":["site"]"#, "/labels", "not an object"),
        gateway(#""labels":{"site":5}"#, "/labels/site", "not a string"),
        gateway(#""labels":{"a:b":"c"}"#, "/labels/a:b", "not a label's name"),
        gateway(#""labels":{"":"c"}"#, "/labels/", "not a label's name"),
        gateway(#""labels":{"a":"b\nc"}"#, "/labels/a", "control character"),
        gateway(#""labels":{\#(manyLabels)}"#, "/labels", "65 labels"),
        gateway(#""administrative_state":"down""#, "/administrative_state", "no such value"),
        gateway(#""progress_timeout_ms":99"#, "/progress_timeout_ms", "out of range"),
        gateway(#""answer_timeout_s":0"#, "/answer_timeout_s", "out of range"),
        gateway(#""hold_max_s":86401"#, "/hold_max_s", "out of range"),
        gateway(#""hold_s":60,"hold_max_s":59"#, "/hold_max_s", "shorter than hold_s"),
        gateway(#""recovery":"never""#, "/recovery", "no such value"),
        gateway(#""recovery":"probe","probe":{"interval_s":0}"#, "/recovery", "without probes"),
        gateway(#""out_of_service_causes":"503""#, "/out_of_service_causes", "not a list"),
        gateway(#""out_of_service_causes":["2xx"]"#, "/out_of_service_causes/0", "no such cause"),
        gateway(#""out_of_service_causes":["503",503]"#, "/out_of_service_causes/1", "not a string"),
        gateway(#""out_of_service_causes":["503","503"]"#, "/out_of_service_causes/1", "the same cause twice"),
        gateway(#""out_of_service_causes":[\#(manyStatuses)]"#, "/out_of_service_causes/15", "more than 15"),
        gateway(#""probe":5"#, "/probe", "not an object"),
        gateway(#""probe":{"every_s":5}"#, "/probe/every_s", "unknown field"),
        gateway(#""probe":{"interval_s":-1}"#, "/probe/interval_s", "out of range"),
        gateway(#""probe":{"failures":0}"#, "/probe/failures", "out of range"),
        gateway(#""probe":{"down_on":["no-response"]}"#, "/probe/down_on/0", "no final response"),
        gateway(#""probe":{"from":"tel:+44"}"#, "/probe/from", "not a SIP URI"),
        gateway(#""probe":{"from":"sip:a@b>;x"}"#, "/probe/from", "not a SIP URI"),
        gateway(#""max_calls":-1"#, "/max_calls", "out of range"),
        gateway(#""max_calls_per_second":1.5"#, "/max_calls_per_second", "not a whole number"),
        gateway(#""ramp_s":86401"#, "/ramp_s", "out of range"),
        gateway(#""strip_digits":33"#, "/strip_digits", "out of range"),
        gateway(#""prepend":"+44""#, "/prepend", "not digits"),
        gateway(#""prepend":"\#(String(repeating: "0", count: 33))""#, "/prepend", "33 characters"),
        gateway(#""plus":"drop""#, "/plus", "no such value"),
        group(#""policy":"random""#, "/policy", "no such value"),
        group(#""policy":"hash","hash_key":"source""#, "/hash_key", "no such value"),
        group(#""hash_key":"caller""#, "/hash_key", "only the policy"),
        group(#""failover_causes":["503","9xx"]"#, "/failover_causes/1", "no such cause"),
        group(#""failover_after_ringing":"no""#, "/failover_after_ringing", "not true or false"),
        group(#""max_attempts":0"#, "/max_attempts", "out of range"),
        BadBody("routing-lists/l", #"{"give_up_after_ms":99}"#, "/give_up_after_ms", "out of range"),
        BadBody("routing-lists/l", #"{"when_all_out":"wait"}"#, "/when_all_out", "no such value"),
        route(#""routing_list":"uk","reject":{"status":603}"#, "/reject", "routing_list too"),
        route(#""reject":{}"#, "/reject/status", "required"),
        route(#""reject":{"status":302}"#, "/reject/status", "out of range"),
        route(#""reject":{"status":603,"reason":"No\r\nVia: x"}"#, "/reject/reason", "control character"),
        route(#""routing_list":"uk","min_digits":12,"max_digits":11"#, "/max_digits", "less than min_digits"),
        route(#""routing_list":"uk","min_digits":0"#, "/min_digits", "out of range"),
        route(#""routing_list":"uk","valid_from":"tomorrow""#, "/valid_from", "RFC 3339"),
        route(
            #""routing_list":"uk","valid_from":"2026-01-01T00:00:00Z","valid_until":"2026-01-01T01:00:00+01:00""#,
            "/valid_until", "not after valid_from"),
        BadBody("ingress-peers/p", #"{"networks":["192.0.2.0/24"],"max_calls":-1}"#, "/max_calls", "out of range"),
        settings(#""gateway_defaults":{"uri":"sip:192.0.2.1"}"#, "/gateway_defaults/uri", "unknown field"),
        settings(#""gateway_defaults":{"labels":{}}"#, "/gateway_defaults/labels", "unknown field"),
        settings(#""gateway_defaults":{"hold_s":0}"#, "/gateway_defaults/hold_s", "out of range"),
        settings(
            #""gateway_defaults":{"hold_s":9,"hold_max_s":8}"#, "/gateway_defaults/hold_max_s", "shorter than hold_s"),
        settings(#""redirect_servers":["sip:192.0.2.1","sip:192.0.2.1"]"#, "/redirect_servers/1", "twice"),
        settings(#""redirect_servers":["tel:1"]"#, "/redirect_servers/0", "not a SIP URI"),
        settings(#""report_to":"ftp://a""#, "/report_to", "neither http"),
        settings(#""report_to":"http://user@a""#, "/report_to", "user information"),
        settings(#""report_to":"http://a:0/x""#, "/report_to", "port"),
        settings(#""report_to":"http://a/?x""#, "/report_to", "query"),
        settings(#""report_to":"http://:80""#, "/report_to", "no host"),
        settings(#""report_token":"a b""#, "/report_token", "not visible ASCII"),
        settings(#""report_token":"""#, "/report_token", "0 bytes"),
        settings(#""record_route":1"#, "/record_route", "not true or false"),
        settings(#""when_network_suspected":"panic""#, "/when_network_suspected", "no such value"),
        settings(#""webhook_networks":["10.0.0.1/8"]"#, "/webhook_networks/0", "bits are set"),
        settings(#""call_records_kept":-1"#, "/call_records_kept", "out of range"),
        settings(#""status_records_kept_days":0"#, "/status_records_kept_days", "out of range"),
    ]

    @Test(arguments: bad) func `each broken rule is one error with its pointer and what is allowed`(_ bad: BadBody)
        throws
    {
        var fixture = try CandidateFixture.london()
        let refusal = try fixture.refusal(try put(bad.place, bad.body))
        #expect(refusal.problem == .invalid)
        #expect(refusal.errors.count == 1, "\(refusal.errors)")
        let error = try #require(refusal.errors.first)
        #expect(error.pointer == bad.pointer)
        #expect(error.reason.contains(bad.reason), "\(error.reason)")
        #expect(!error.allowed.isEmpty)
    }

    @Test func `a gateway's fields reach calls as they were set`() throws {
        var fixture = try CandidateFixture()
        try fixture.take(
            try put(
                "gateways/g",
                #"""
                {"uri":"sip:192.0.2.1","administrative_state":"shutting-down","recovery":"trial",
                "progress_timeout_ms":700,"answer_timeout_s":90,"hold_s":900,
                "out_of_service_causes":["5xx","408"],"max_calls":0,"max_calls_per_second":7,"ramp_s":30,
                "strip_digits":2,"prepend":"0*","plus":"add","labels":{"site":"lon"},
                "probe":{"interval_s":5,"down_on":["4xx"],"from":"sip:probe@example.com"}}
                """#
            ))
        let gateway = try #require(fixture.candidate.builder.gateways["g"])
        #expect(gateway.administrativeState == .shuttingDown && gateway.recovery == .trial)
        #expect(gateway.timing.progressTimeoutMilliseconds == 700 && gateway.timing.answerTimeoutSeconds == 90)
        #expect(gateway.timing.holdSeconds == 900)
        #expect(gateway.timing.holdLimitSeconds == 900, "the standard maximum is shorter than what was set")
        #expect(gateway.outOfServiceCauses.contains(status: 599) && gateway.outOfServiceCauses.contains(status: 408))
        #expect(!gateway.outOfServiceCauses.holdsNoResponse)
        #expect(gateway.limits == CallLimits(maxCalls: 0, maxCallsPerSecond: 7))
        #expect(gateway.rampSeconds == 30)
        #expect(gateway.rewriting == NumberRewriting(stripDigits: 2, prepend: "0*", plus: .add))
        #expect(gateway.probe.intervalSeconds == 5 && gateway.probe.timeoutMilliseconds == 2000)
        #expect(gateway.probe.downOn.contains(status: 404) && !gateway.probe.downOn.contains(status: 503))
        #expect(gateway.probe.from == "sip:probe@example.com")
        #expect(try fixture.view("gateways/g").body["effective"]?["hold_max_s"] == .integer(900))
    }

    @Test func `what nobody sets is the default of API section 3`() throws {
        var fixture = try CandidateFixture()
        try fixture.take(
            try put("gateways/g", #"{"uri":"sip:192.0.2.1"}"#), try put("gateway-groups/g", "{}"),
            try put("routing-lists/l", "{}"))
        let gateway = try #require(fixture.candidate.builder.gateways["g"])
        #expect(gateway.probe == ProbeRules() && gateway.timing == GatewayTiming())
        #expect(gateway.outOfServiceCauses == Gateway.standardOutOfServiceCauses)
        let group = try #require(fixture.candidate.builder.groups["g"])
        #expect(group == GatewayGroup(id: "g", members: []))
        #expect(fixture.candidate.builder.lists["l"] == RoutingList(id: "l", entries: []))
        // The words of the schema's table say the same as the values.
        let shown = try fixture.view("gateway-groups/g").body["effective"]
        let spelled = try #require(shown?["failover_causes"])
        try fixture.take(.put(try path("gateway-groups/h"), .object(["failover_causes": spelled]), Precondition()))
        #expect(fixture.candidate.builder.groups["h"]?.failoverCauses == GatewayGroup.standardFailoverCauses)
    }

    @Test func `policies, and the key of hash`() throws {
        var fixture = try CandidateFixture()
        let policies: [(String, GatewayGroup.Policy)] = [
            ("ordered", .ordered), ("weighted", .weighted), ("round-robin", .roundRobin), ("least-calls", .leastCalls),
            ("hash", .hash(.callID)),
        ]
        #expect(policies.map(\.0) == GatewayGroup.Policy.names)
        for (name, policy) in policies {
            try fixture.take(try put("gateway-groups/g", #"{"policy":"\#(name)"}"#))
            #expect(fixture.candidate.builder.groups["g"]?.policy == policy)
        }
        #expect(try fixture.view("gateway-groups/g").body["effective"]?["hash_key"] == .string("call-id"))
        try fixture.take(try patch("gateway-groups/g", #"{"hash_key":"dialled-number"}"#))
        #expect(fixture.candidate.builder.groups["g"]?.policy == .hash(.dialledNumber))
        #expect(try fixture.refusal(try patch("gateway-groups/g", #"{"policy":null}"#)).errors.count == 1)
        try fixture.take(try patch("gateway-groups/g", #"{"policy":null,"hash_key":null,"max_attempts":2}"#))
        #expect(fixture.candidate.builder.groups["g"]?.attemptLimit == 2)
    }

    @Test func `a route leads to a list or rejects, with its bounds`() throws {
        let rejecting = Route(
            body: try json(
                #"""
                {"reject":{"status":603,"reason":"Not this way"},"min_digits":3,"max_digits":9,
                "valid_from":"2026-01-01T00:00:00Z","valid_until":"2026-01-02T00:00:00.500Z"}
                """#
            ))
        #expect(
            rejecting
                == Route(
                    .reject(status: 603, reason: "Not this way"), minDigits: 3, maxDigits: 9,
                    validFrom: WallTime(rfc3339: "2026-01-01T00:00:00Z"),
                    validUntil: WallTime(rfc3339: "2026-01-02T00:00:00.500Z")))
        #expect(Route(body: try json(#"{"routing_list":"uk"}"#)) == Route(.routingList("uk")))
        #expect(Route(body: try json("{}")) == nil)
        var fixture = try CandidateFixture.london()
        let both = try fixture.refusal(
            try patch("routing-plans/default/routes/44", #"{"reject":{"status":404}}"#))
        #expect(both.errors.map(\.pointer) == ["/reject"])
    }

    @Test func `PATCH merges into nested objects, and null there restores the default (RFC 7396)`() throws {
        var fixture = try CandidateFixture.london()
        try fixture.take(try patch("gateways/lon1", #"{"probe":{"interval_s":5,"failures":9},"labels":{"a":"b"}}"#))
        try fixture.take(try patch("gateways/lon1", #"{"probe":{"failures":null},"labels":{"c":"d"}}"#))
        let probe = try #require(fixture.candidate.builder.gateways["lon1"]).probe
        #expect(probe.intervalSeconds == 5 && probe.failureLimitCount == 3)
        let view = try fixture.view("gateways/lon1").body
        #expect(view["probe"] == (try json(#"{"interval_s":5}"#)))
        #expect(view["labels"] == (try json(#"{"a":"b","c":"d"}"#)))
        #expect(view["effective"]?["probe"]?["failures"] == .integer(3))
        try fixture.take(try patch("gateways/lon1", #"{"probe":null,"labels":{"a":null}}"#))
        #expect(try fixture.view("gateways/lon1").body["probe"] == nil)
        #expect(try fixture.view("gateways/lon1").body["labels"] == (try json(#"{"c":"d"}"#)))
    }
}
