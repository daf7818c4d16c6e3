import JSON
import Routing
import Store
import Time

/// Fields that a client may send back as it got them.
let readOnlyFields: Set<String> = ["id", "effective", "revision", "created_at", "updated_at"]

/// The schema table: every field of API section 3 stands here.
extension Schema {
    static func of(_ kind: ResourceKind) -> Schema {
        switch kind {
        case .settings: settings
        case .gateways: gateways
        case .gatewayGroups: gatewayGroups
        case .routingLists: routingLists
        case .routingPlans: routingPlans
        case .routes: routes
        case .ingressPeers: ingressPeers
        case .routingTests: routingTests
        }
    }

    private static let description = Field("description", .text(limitCharacters: 256))
    private static let priority = Field("priority", .integer(0...65_535), standard: .integer(0))
    private static let weight = Field("weight", .integer(0...65_535), standard: .integer(1))
    private static let maxCalls = Field("max_calls", .integer(0...1_000_000), standard: .null)
    private static let maxCallsPerSecond = Field("max_calls_per_second", .integer(0...1_000_000), standard: .null)

    private static func causes(_ words: String...) -> JSONValue { .array(words.map { .string($0) }) }

    private static func words<Word: RawRepresentable & CaseIterable>(_: Word.Type) -> FieldRule
    where Word.RawValue == String {
        .choice(Word.allCases.map(\.rawValue))
    }

    private static let gateways = Schema(
        [
            Field("uri", .gatewayURI, required: true),
            description,
            Field("labels", .labels, standard: .object([:])),
            Field(
                "administrative_state", words(AdministrativeState.self),
                standard: .string(AdministrativeState.unlocked.rawValue)),
            Field("response_timeout_ms", .integer(100...32_000), standard: .integer(2000)),
            Field("resends", .integer(0...10), standard: .integer(2)),
            Field("progress_timeout_ms", .integer(100...600_000), standard: .null),
            Field("answer_timeout_s", .integer(1...3600), standard: .integer(200)),
            Field("hold_s", .integer(1...86_400), standard: .integer(60)),
            Field("hold_max_s", .integer(1...86_400), standard: .integer(600)),
            Field("recovery", words(RecoveryMode.self), standard: .string(RecoveryMode.timed.rawValue)),
            Field(
                "out_of_service_causes", .causes(ofProbes: false),
                standard: causes("no-response", "transport-error", "503")),
            Field("probe", .object(probe), standard: .object([:])),
            maxCalls, maxCallsPerSecond,
            Field("ramp_s", .integer(0...86_400), standard: .integer(0)),
            Field("strip_digits", .integer(0...32), standard: .integer(0)),
            Field("prepend", .digits(limitCount: 32), standard: .string("")),
            Field("plus", words(NumberRewriting.Plus.self), standard: .string(NumberRewriting.Plus.keep.rawValue)),
        ],
        crossCheck: { body in
            var errors: [CrossError] = []
            if let hold = body.whole("hold_s"), let limit = body.whole("hold_max_s"), limit < hold {
                errors.append(
                    CrossError(name: "hold_max_s", reason: "shorter than hold_s", allowed: "\(hold) or more"))
            }
            if body["recovery"]?.text == RecoveryMode.probe.rawValue, body["probe"]?["interval_s"] == .integer(0) {
                errors.append(
                    CrossError(
                        name: "recovery", reason: "without probes it would never come back",
                        allowed: "another word, or a probe whose interval_s is not 0"))
            }
            return errors
        },
        derivation: { body in
            // A gateway and the defaults may each be right and not go together.
            if let hold = body.whole("hold_s"), let limit = body.whole("hold_max_s") {
                body["hold_max_s"] = .integer(max(hold, limit))
            }
            if body["recovery"]?.text == RecoveryMode.probe.rawValue, body["probe"]?["interval_s"] == .integer(0) {
                body["recovery"] = .string(RecoveryMode.timed.rawValue)
            }
        })

    private static let probe = Schema([
        Field("interval_s", .integer(0...86_400), standard: .integer(30)),
        Field("timeout_ms", .integer(100...32_000), standard: .integer(2000)),
        Field("failures", .integer(1...100), standard: .integer(3)),
        Field("successes", .integer(1...100), standard: .integer(1)),
        Field("down_on", .causes(ofProbes: true), standard: causes("408", "503")),
        Field("from", .personURI, standard: .null),
    ])

    private static let gatewayGroups = Schema(
        [
            description,
            Field("policy", .choice(GatewayGroup.Policy.names), standard: .string(GatewayGroup.Policy.names[0])),
            Field("hash_key", words(GatewayGroup.HashKey.self)),
            Field(
                "members",
                .entries(
                    Schema([Field("gateway", .reference(.gateways), required: true), priority, weight]),
                    key: "gateway", limitCount: .max), standard: .array([])),
            Field(
                "failover_causes", .causes(ofProbes: false),
                standard: causes("no-response", "transport-error", "408", "500", "502", "503", "504")),
            Field("failover_after_ringing", .flag, standard: .bool(false)),
            Field("max_attempts", .integer(1...64), standard: .null),
        ],
        crossCheck: { body in
            guard body["hash_key"] != nil, body["policy"]?.text != GatewayGroup.Policy.hashName else { return [] }
            return [
                CrossError(
                    name: "hash_key", reason: "only the policy \"hash\" has a key",
                    allowed: "leave it out, or set policy to \"hash\"")
            ]
        },
        derivation: { body in
            guard body["policy"]?.text == GatewayGroup.Policy.hashName, body["hash_key"] == nil else { return }
            body["hash_key"] = .string(GatewayGroup.HashKey.standard.rawValue)
        })

    private static let routingLists = Schema([
        description,
        Field(
            "groups",
            .entries(
                Schema([Field("group", .reference(.gatewayGroups), required: true), priority, weight]), key: "group",
                limitCount: RoutingList.entryLimitCount), standard: .array([])),
        Field("max_attempts", .integer(1...64), standard: .integer(5)),
        Field("give_up_after_ms", .integer(100...3_600_000), standard: .null),
        Field(
            "when_all_out", words(RoutingList.WhenAllOut.self),
            standard: .string(RoutingList.WhenAllOut.refuse.rawValue)),
    ])

    private static let routingPlans = Schema([description])

    private static let routes = Schema(
        [
            Field("routing_list", .reference(.routingLists)),
            Field(
                "reject",
                .object(
                    Schema([
                        Field("status", .integer(400...699), required: true),
                        Field("reason", .phrase(limitCharacters: 128)),
                    ]))),
            description,
            Field("min_digits", .integer(1...128), standard: .null),
            Field("max_digits", .integer(1...128), standard: .null),
            Field("valid_from", .time, standard: .null),
            Field("valid_until", .time, standard: .null),
        ],
        crossCheck: { body in
            var errors: [CrossError] = []
            if body["routing_list"] != nil, body["reject"] != nil {
                errors.append(
                    CrossError(
                        name: "reject", reason: "the route has a routing_list too", allowed: "one of the two"))
            } else if body["routing_list"] == nil, body["reject"] == nil {
                errors.append(
                    CrossError(
                        name: "routing_list", reason: "required where there is no reject",
                        allowed: FieldRule.reference(.routingLists).allowed + ", or the field reject instead"))
            }
            if let low = body.whole("min_digits"), let high = body.whole("max_digits"), high < low {
                errors.append(
                    CrossError(name: "max_digits", reason: "less than min_digits", allowed: "\(low) or more"))
            }
            if let from = body.time("valid_from"), let until = body.time("valid_until"), until <= from {
                errors.append(
                    CrossError(
                        name: "valid_until", reason: "not after valid_from", allowed: "a time after \(from.rfc3339)"))
            }
            return errors
        })

    private static let ingressPeers = Schema([
        Field("networks", .networks(mayBeEmpty: false), required: true),
        Field("routing_plan", .reference(.routingPlans), standard: .string(RoutingPlan.defaultID)),
        description,
        maxCalls, maxCallsPerSecond,
        Field("trusted_identity", .flag, standard: .bool(false)),
    ])

    private static let routingTests = Schema([
        Field("number", .userPart, required: true),
        Field("routing_plan", .name),
        Field("source", .address),
        description,
        Field("expect", .object(expectation), required: true),
    ])

    private static let expectation = Schema(
        [
            Field("gateways", .names(limitCount: 64)),
            Field("first_gateway", .name),
            Field("routing_list", .name),
            Field("status", .integer(400...699)),
        ],
        crossCheck: { body in
            let names = ["gateways", "first_gateway", "routing_list", "status"]
            guard names.contains(where: { body[$0] != nil }) else {
                return [
                    CrossError(
                        name: "gateways", reason: "nothing is expected", allowed: "one or more of \(names)")
                ]
            }
            let hasTarget = body["first_gateway"] != nil || !JSONValue.object(body).entries("gateways").isEmpty
            guard body["status"] != nil, hasTarget else { return [] }
            return [
                CrossError(
                    name: "status", reason: "a call that fails has no gateway",
                    allowed: "leave it out, or leave out gateways and first_gateway")
            ]
        })

    private static let settings = Schema([
        Field("gateway_defaults", .object(gatewayDefaults), standard: .object([:])),
        Field("redirect_servers", .gatewayURIs(limitCount: 16), standard: .array([])),
        Field("report_to", .apiURL, standard: .null),
        Field("report_token", .token, writeOnly: true),
        Field("record_route", .flag, standard: .bool(true)),
        Field("move_waiting_calls", .flag, standard: .bool(true)),
        Field(
            "when_network_suspected", words(RoutingSettings.WhenNetworkSuspected.self),
            standard: .string(RoutingSettings.WhenNetworkSuspected.hold.rawValue)),
        Field("webhook_networks", .networks(mayBeEmpty: true), standard: .array([])),
        Field("call_records_kept", .integer(0...10_000_000), standard: .integer(100_000)),
        Field("status_records_kept_days", .integer(1...36_500), standard: .integer(90)),
    ])

    /// What can be said for all gateways at once: everything but what tells one from another.
    private static let gatewayDefaults = gateways.without(["uri", "description", "labels"])
}

extension GatewayGroup.HashKey {
    /// What the policy `hash` hashes when nothing is said.
    static let standard = GatewayGroup.HashKey.callID
}

extension GatewayGroup.Policy {
    static let hashName = "hash"
    /// The words of the API; the first is the default.
    static let names = ["ordered", "weighted", "round-robin", "least-calls", hashName]
}

extension ResourceKind {
    /// What one of the kind is called.
    var singular: String {
        switch self {
        case .settings: "settings"
        case .gateways: "gateway"
        case .gatewayGroups: "gateway group"
        case .routingLists: "routing list"
        case .routingPlans: "routing plan"
        case .ingressPeers: "ingress peer"
        case .routes: "route"
        case .routingTests: "routing test"
        }
    }
}

extension [String: JSONValue] {
    /// A whole number; nil for anything else.
    func whole(_ name: String) -> Int64? {
        guard case .integer(let number) = self[name] else { return nil }
        return number
    }

    /// A time of RFC 3339; nil for anything else.
    func time(_ name: String) -> WallTime? { self[name]?.text.flatMap { WallTime(rfc3339: $0) } }
}
