import JSON
import Routing
import Store

/// One field of a resource: what may stand in it and what holds when nothing does.
struct Field: Sendable {
    let name: String
    let rule: FieldRule
    var isRequired = false
    /// What applies when the field is not set; nil: nothing.
    var standard: JSONValue?

    init(_ name: String, _ rule: FieldRule, required: Bool = false, standard: JSONValue? = nil) {
        (self.name, self.rule, isRequired, self.standard) = (name, rule, required, standard)
    }
}

/// What may stand in a field.
indirect enum FieldRule: Sendable {
    case text(limitCharacters: Int)
    case integer(ClosedRange<Int64>)
    case flag
    /// One of these words; `later` are words of the contract that this version does not know yet.
    case choice([String], later: [String])
    /// The id of an existing object.
    case reference(ResourceKind)
    /// A signalling address that we can send to.
    case gatewayURI
    /// A list of blocks of addresses, none twice.
    case networks
    /// A list of objects of this shape; what `key` refers to stands in it once at most.
    case entries(Schema, key: String, limitCount: Int)
    /// A field of the contract that is not built. With `same`, that one value is taken: it asks for what is done
    /// anyway.
    case later(same: JSONValue?)

    /// What would be accepted, for people.
    var allowed: String {
        switch self {
        case .text(let limit): "text of up to \(limit) characters"
        case .integer(let range): "a whole number, \(range.lowerBound)...\(range.upperBound)"
        case .flag: "true or false"
        case .choice(let words, _): words.map { "\"\($0)\"" }.joined(separator: ", ")
        case .reference(let kind): "an existing \(kind.singular)'s id"
        case .gatewayURI: "sip:ADDRESS or sip:ADDRESS:PORT with an IPv4 address or an [IPv6] address"
        case .networks: "a list of networks such as \"192.0.2.0/24\" or \"2001:db8::/32\""
        case .entries(_, let key, let limit):
            limit == .max ? "a list of objects with \"\(key)\"" : "a list of up to \(limit) objects with \"\(key)\""
        case .later(let same): same.map { "\($0.canonicalText), or leave it out" } ?? "leave it out"
        }
    }
}

/// The fields of one kind of object.
struct Schema: Sendable {
    let fields: [Field]
    private let index: [String: Int]

    init(_ fields: [Field]) {
        self.fields = fields
        var index: [String: Int] = [:]
        for (position, field) in fields.enumerated() { index[field.name] = position }
        self.index = index
    }

    subscript(name: String) -> Field? { index[name].map { fields[$0] } }

    /// What applies: what was set, and the defaults of what was not.
    func effective(_ body: [String: JSONValue]) -> [String: JSONValue] {
        var effective = body
        for field in fields {
            switch (field.rule, effective[field.name] ?? field.standard) {
            case (.entries(let schema, _, _), .array(let entries)):
                effective[field.name] = .array(
                    entries.map { entry in
                        guard case .object(let members) = entry else { return entry }
                        return .object(schema.effective(members))
                    })
            case (_, let value): effective[field.name] = value
            }
        }
        return effective
    }
}

/// Fields that a client may send back as it got them.
let readOnlyFields: Set<String> = ["id", "effective", "revision", "created_at", "updated_at"]

/// The schema table: every field of API section 3 stands here, built or not.
extension Schema {
    static func of(_ kind: ResourceKind) -> Schema {
        switch kind {
        case .gateways: gateways
        case .gatewayGroups: gatewayGroups
        case .routingLists: routingLists
        case .routingPlans: routingPlans
        case .routes: routes
        case .ingressPeers: ingressPeers
        }
    }

    private static let description = Field("description", .text(limitCharacters: 256))
    private static let priority = Field("priority", .integer(0...65_535), standard: .integer(0))
    private static let weight = Field("weight", .integer(0...65_535), standard: .integer(1))

    private static let gateways = Schema([
        Field("uri", .gatewayURI, required: true),
        description,
        Field("response_timeout_ms", .integer(100...32_000), standard: .integer(2000)),
        Field("resends", .integer(0...10), standard: .integer(2)),
        Field("hold_s", .integer(1...86_400), standard: .integer(60)),
        Field("labels", .later(same: .object([:]))),
        Field("administrative_state", .later(same: .string("unlocked"))),
        Field("progress_timeout_ms", .later(same: nil)),
        Field("answer_timeout_s", .later(same: .integer(200))),
        Field("hold_max_s", .later(same: nil)),
        Field("recovery", .later(same: .string("timed"))),
        Field("out_of_service_causes", .later(same: nil)),
        Field("probe", .later(same: nil)),
        Field("max_calls", .later(same: nil)),
        Field("max_calls_per_second", .later(same: nil)),
        Field("ramp_s", .later(same: .integer(0))),
        Field("strip_digits", .later(same: .integer(0))),
        Field("prepend", .later(same: .string(""))),
        Field("plus", .later(same: .string("keep"))),
    ])

    private static let gatewayGroups = Schema([
        description,
        Field(
            "policy", .choice(["ordered"], later: ["weighted", "round-robin", "least-calls", "hash"]),
            standard: .string("ordered")),
        Field(
            "members",
            .entries(
                Schema([Field("gateway", .reference(.gateways), required: true), priority, weight]), key: "gateway",
                limitCount: .max), standard: .array([])),
        Field("hash_key", .later(same: nil)),
        Field("failover_causes", .later(same: nil)),
        Field("failover_after_ringing", .later(same: .bool(false))),
        Field("max_attempts", .later(same: nil)),
    ])

    private static let routingLists = Schema([
        description,
        Field(
            "groups",
            .entries(
                Schema([Field("group", .reference(.gatewayGroups), required: true), priority, weight]), key: "group",
                limitCount: RoutingList.entryLimitCount), standard: .array([])),
        Field("max_attempts", .integer(1...64), standard: .integer(5)),
        Field("give_up_after_ms", .later(same: nil)),
        Field("when_all_out", .later(same: .string("refuse"))),
    ])

    private static let routingPlans = Schema([description])

    private static let routes = Schema([
        Field("routing_list", .reference(.routingLists), required: true),
        description,
        Field("reject", .later(same: nil)),
        Field("min_digits", .later(same: nil)),
        Field("max_digits", .later(same: nil)),
        Field("valid_from", .later(same: nil)),
        Field("valid_until", .later(same: nil)),
    ])

    private static let ingressPeers = Schema([
        Field("networks", .networks, required: true),
        Field("routing_plan", .reference(.routingPlans), standard: .string(RoutingPlan.defaultID)),
        description,
        Field("max_calls", .later(same: nil)),
        Field("max_calls_per_second", .later(same: nil)),
        Field("trusted_identity", .flag, standard: .bool(false)),
    ])
}

extension ResourceKind {
    /// What one of the kind is called.
    var singular: String {
        switch self {
        case .gateways: "gateway"
        case .gatewayGroups: "gateway group"
        case .routingLists: "routing list"
        case .routingPlans: "routing plan"
        case .ingressPeers: "ingress peer"
        case .routes: "route"
        }
    }
}
