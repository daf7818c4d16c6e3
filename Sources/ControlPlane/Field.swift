import JSON
import Routing
import Store
import Time

/// One field of a resource: what may stand in it and what holds when nothing does.
struct Field: Sendable {
    let name: String
    let rule: FieldRule
    var isRequired = false
    /// What applies when the field is not set; nil: nothing is said of it then.
    var standard: JSONValue?
    /// True for a secret: it is kept and followed, and never shown.
    var isWriteOnly = false

    init(
        _ name: String, _ rule: FieldRule, required: Bool = false, standard: JSONValue? = nil, writeOnly: Bool = false
    ) {
        (self.name, self.rule, isRequired, self.standard) = (name, rule, required, standard)
        isWriteOnly = writeOnly
    }
}

/// What may stand in a field.
indirect enum FieldRule: Sendable {
    case text(limitCharacters: Int)
    /// Text that stands in a SIP message or an HTTP header field: no control characters.
    case phrase(limitCharacters: Int)
    /// A secret that stands in an HTTP header field: visible ASCII characters.
    case token
    case integer(ClosedRange<Int64>)
    case flag
    /// One of these words.
    case choice([String])
    /// Up to so many digits as they are dialled.
    case digits(limitCount: Int)
    /// A time of RFC 3339.
    case time
    /// The id of an existing object.
    case reference(ResourceKind)
    /// An id; nothing says that there is such an object.
    case name
    /// So many ids, in an order, none twice.
    case names(limitCount: Int)
    /// What is dialled: the user part of a Request-URI.
    case userPart
    /// An IP address.
    case address
    /// A signalling address that we can send to.
    case gatewayURI
    /// So many signalling addresses that we can send to, none twice.
    case gatewayURIs(limitCount: Int)
    /// A SIP URI of someone, as a From field holds it.
    case personURI
    /// The URL of an HTTP API.
    case apiURL
    /// A list of blocks of addresses, none twice.
    case networks(mayBeEmpty: Bool)
    /// Names and values that an operator tells objects apart by.
    case labels
    /// Ways in which an attempt fails, none twice; of a probe only final responses.
    case causes(ofProbes: Bool)
    /// An object of this shape, of which any part may be left out.
    case object(Schema)
    /// A list of objects of this shape; what `key` refers to stands in it once at most.
    case entries(Schema, key: String, limitCount: Int)
    /// A list of 1 to so many objects of this shape.
    case objects(Schema, limitCount: Int)
    /// The path of an object behind `/v1/`.
    case path
    /// An object of any shape, kept as it came.
    case members

    /// How many labels an object has at most.
    static let labelLimitCount = 64

    /// What would be accepted, for people.
    var allowed: String {
        switch self {
        case .text(let limit): "text of up to \(limit) characters"
        case .phrase(let limit): "text of up to \(limit) characters on one line"
        case .token: "1...512 visible ASCII characters without blanks"
        case .integer(let range): "a whole number, \(range.lowerBound)...\(range.upperBound)"
        case .flag: "true or false"
        case .choice(let words): words.map { "\"\($0)\"" }.joined(separator: ", ")
        case .digits(let limit): "up to \(limit) of 0-9 * #"
        case .time: "a time as RFC 3339 writes it, such as \"2026-01-01T10:00:30.000Z\""
        case .reference(let kind): "an existing \(kind.singular)'s id"
        case .name: "an id: \(ResourcePath.namePattern)"
        case .names(let limit): "a list of up to \(limit) ids"
        case .userPart: "the user part of a Request-URI such as \"+442071234567\""
        case .address: "an IP address such as \"192.0.2.1\" or \"2001:db8::1\""
        case .gatewayURI: "sip:ADDRESS or sip:ADDRESS:PORT with an IPv4 address or an [IPv6] address"
        case .gatewayURIs(let limit): "a list of up to \(limit) URIs such as \"sip:192.0.2.5:5070\""
        case .personURI: "a SIP URI such as \"sip:probe@example.com\""
        case .apiURL: "http://HOST:PORT or https://HOST:PORT"
        case .networks: "a list of networks such as \"192.0.2.0/24\" or \"2001:db8::/32\""
        case .labels: "up to \(Self.labelLimitCount) members such as \"site\":\"lon\""
        case .causes(let ofProbes):
            (ofProbes ? "a list of" : "a list of \"no-response\", \"transport-error\",")
                + " \"3xx\"...\"6xx\" and up to \(CauseSet.statusLimitCount) of \"300\"...\"699\""
        case .object(let schema): "an object with any of \(schema.names)"
        case .entries(_, let key, let limit):
            limit == .max ? "a list of objects with \"\(key)\"" : "a list of up to \(limit) objects with \"\(key)\""
        case .objects(let schema, let limit): "a list of 1...\(limit) objects of \(schema.names)"
        case .path: "an object's path such as \"gateways/lon1\" or \"routing-plans/default/routes/44\""
        case .members: "an object: what PUT or PATCH of that path takes"
        }
    }
}

/// The fields of one kind of object, and what must hold between them.
struct Schema: Sendable {
    /// Looks at an object as it came, without nulls: which of its fields don't go together.
    typealias CrossCheck = @Sendable ([String: JSONValue]) -> [CrossError]
    /// Changes what applies where one field's default follows from another.
    typealias Derivation = @Sendable (inout [String: JSONValue]) -> Void

    /// Two fields that don't go together.
    struct CrossError {
        /// The field to look at first.
        let name: String
        let reason: String
        let allowed: String
    }

    let fields: [Field]
    let crossCheck: CrossCheck?
    private let derivation: Derivation?
    private let index: [String: Int]

    init(_ fields: [Field], crossCheck: CrossCheck? = nil, derivation: Derivation? = nil) {
        (self.fields, self.crossCheck, self.derivation) = (fields, crossCheck, derivation)
        var index: [String: Int] = [:]
        for (position, field) in fields.enumerated() { index[field.name] = position }
        self.index = index
    }

    subscript(name: String) -> Field? { index[name].map { fields[$0] } }

    /// The fields' names with commas between, for people.
    var names: String { fields.map(\.name).joined(separator: ", ") }

    /// The same without some of its fields; none of the rest is required.
    func without(_ names: Set<String>) -> Schema {
        Schema(fields.filter { !names.contains($0.name) }, crossCheck: crossCheck, derivation: derivation)
    }

    /// What applies: what was set, and the defaults of what was not. Times are in UTC with milliseconds, however they
    /// came.
    func effective(_ body: [String: JSONValue]) -> [String: JSONValue] {
        var effective = body
        for field in fields where !field.isWriteOnly {
            switch (field.rule, effective[field.name] ?? field.standard) {
            case (.entries(let schema, _, _), .array(let entries)):
                effective[field.name] = .array(
                    entries.map { entry in
                        guard case .object(let members) = entry else { return entry }
                        return .object(schema.effective(members))
                    })
            case (.object(let schema), .object(let members)):
                effective[field.name] = .object(schema.effective(members))
            case (.time, .string(let text)):
                effective[field.name] = .string(WallTime(rfc3339: text)?.rfc3339 ?? text)
            case (_, let value): effective[field.name] = value
            }
        }
        derivation?(&effective)
        return effective
    }

    /// What was set, without what is never shown.
    func shown(_ body: [String: JSONValue]) -> [String: JSONValue] {
        guard fields.contains(where: \.isWriteOnly) else { return body }
        return body.filter { self[$0.key]?.isWriteOnly != true }
    }
}
