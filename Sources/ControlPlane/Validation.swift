import Addressing
import JSON
import Routing
import Store
import Time

/// Checks one body against its schema and collects every field that breaks a rule, not the first alone.
struct Validation {
    /// More than this many errors are counted, but not told.
    static let errorLimitCount = 1000

    /// In the order of the schema's fields, then the unknown ones by name.
    private(set) var errors: [FieldError] = []
    /// How many rules are broken in all.
    private(set) var errorCount = 0
    /// Whether an object of that kind and id exists for the change at hand.
    private let exists: (ResourceKind, String) -> Bool

    init(exists: @escaping (ResourceKind, String) -> Bool) { self.exists = exists }

    mutating func note(_ error: FieldError) {
        errorCount += 1
        if errors.count < Self.errorLimitCount { errors.append(error) }
    }

    /// Checks an object and returns what of it is kept: read-only fields and nulls are dropped.
    ///
    /// - Parameter pointer: where the object stands in the body.
    mutating func check(
        _ body: [String: JSONValue], _ schema: Schema, at pointer: String = "", ignoring ignored: Set<String> = []
    ) -> [String: JSONValue] {
        var kept: [String: JSONValue] = [:]
        for field in schema.fields {
            let place = "\(pointer)/\(field.name)"
            guard let value = body[field.name], value != .null else {
                if field.isRequired {
                    note(FieldError(place, .null, "required", allowed: field.rule.allowed))
                }
                continue
            }
            if let value = check(value, field.rule, at: place) { kept[field.name] = value }
        }
        for error in schema.crossCheck?(body.filter { $0.value != .null }) ?? [] {
            note(
                FieldError(
                    "\(pointer)/\(error.name)", body[error.name] ?? .null, error.reason, allowed: error.allowed))
        }
        for (name, value) in body.sorted(by: { $0.key < $1.key })
        where schema[name] == nil && !ignored.contains(name) {
            note(
                FieldError(
                    "\(pointer)/\(Self.escaped(name))", value, "unknown field",
                    allowed: schema.names))
        }
        return kept
    }

    /// Checks one value; nil when it is not kept.
    private mutating func check(_ value: JSONValue, _ rule: FieldRule, at place: String) -> JSONValue? {
        switch rule {
        case .text, .phrase, .token, .choice, .digits, .time, .reference, .name, .userPart, .address, .gatewayURI,
            .personURI, .apiURL, .path:
            guard let text = value.text else { return refuse(place, value, "not a string", rule) }
            if let reason = reasonAgainst(text, rule) { return refuse(place, value, reason, rule) }
        case .integer(let range):
            guard case .integer(let number) = value else { return refuse(place, value, "not a whole number", rule) }
            guard range.contains(number) else { return refuse(place, value, "out of range", rule) }
        case .members: guard case .object = value else { return refuse(place, value, "not an object", rule) }
        case .flag: guard case .bool = value else { return refuse(place, value, "not true or false", rule) }
        case .gatewayURIs(let limit):
            return checkTexts(value, rule, of: .gatewayURI, limitCount: limit, at: place)
        case .names(let limit): return checkTexts(value, rule, of: .name, limitCount: limit, at: place)
        case .networks(let mayBeEmpty): return checkNetworks(value, rule, mayBeEmpty: mayBeEmpty, at: place)
        case .labels: return checkLabels(value, rule, at: place)
        case .causes(let ofProbes): return checkCauses(value, rule, ofProbes: ofProbes, at: place)
        case .object(let schema):
            guard case .object(let members) = value else { return refuse(place, value, "not an object", rule) }
            return .object(check(members, schema, at: place))
        case .entries(let schema, let key, let limit):
            return checkEntries(value, rule, schema, key, limitCount: limit, at: place)
        case .objects(let schema, let limit):
            if case .array(let values) = value, values.isEmpty { return refuse(place, value, "an empty list", rule) }
            return checkEntries(value, rule, schema, nil, limitCount: limit, at: place)
        }
        return value
    }

    /// Which rule for strings a string breaks; nil when none.
    private func reasonAgainst(_ text: String, _ rule: FieldRule) -> String? {
        switch rule {
        case .text(let limit): return TextRules.reason(against: text, limitCharacters: limit)
        case .phrase(let limit): return TextRules.reason(againstPhrase: text, limitCharacters: limit)
        case .token: return TextRules.reason(againstToken: text)
        case .choice(let words): return words.contains(text) ? nil : "no such value"
        case .digits(let limit): return TextRules.reason(againstDigits: text, limitCount: limit)
        case .time: return WallTime(rfc3339: text) == nil ? "not a time of RFC 3339" : nil
        case .reference(let kind): return exists(kind, text) ? nil : "no such \(kind.singular)"
        case .name: return TextRules.reason(againstName: text)
        case .userPart: return TextRules.reason(againstUserPart: text)
        case .address: return TextRules.reason(againstAddress: text)
        case .gatewayURI: return TextRules.reason(againstGatewayURI: text)
        case .personURI: return TextRules.reason(againstPersonURI: text)
        case .apiURL: return TextRules.reason(againstAPIURL: text)
        case .path: return ResourcePath(text: text) == nil ? "no object's path" : nil
        case .integer, .flag, .gatewayURIs, .names, .networks, .labels, .causes, .object, .entries, .objects,
            .members:
            return nil
        }
    }

    /// A list of strings of one rule, none twice.
    private mutating func checkTexts(
        _ value: JSONValue, _ rule: FieldRule, of element: FieldRule, limitCount: Int, at place: String
    ) -> JSONValue? {
        guard case .array(let values) = value else { return refuse(place, value, "not a list", rule) }
        guard values.count <= limitCount else { return refuse(place, value, "\(values.count) entries", rule) }
        var seen: Set<String> = []
        for (index, value) in values.enumerated() {
            let text = value.text
            var reason: String? = text.map { reasonAgainst($0, element) } ?? "not a string"
            if reason == nil, let text, !seen.insert(text).inserted { reason = "the same one twice" }
            if let reason {
                note(FieldError("\(place)/\(index)", value, reason, allowed: element.allowed))
            }
        }
        return value
    }

    private mutating func checkLabels(_ value: JSONValue, _ rule: FieldRule, at place: String) -> JSONValue? {
        guard case .object(let members) = value else { return refuse(place, value, "not an object", rule) }
        let count = members.count { $0.value != .null }
        guard count <= FieldRule.labelLimitCount else { return refuse(place, value, "\(count) labels", rule) }
        var kept: [String: JSONValue] = [:]
        for (name, value) in members.sorted(by: { $0.key < $1.key }) where value != .null {
            let pointer = "\(place)/\(Self.escaped(name))"
            if !TextRules.isLabelName(name) {
                note(FieldError(pointer, .string(name), "not a label's name", allowed: TextRules.labelNamePattern))
            }
            let rule = FieldRule.phrase(limitCharacters: 256)
            if let value = check(value, rule, at: pointer) { kept[name] = value }
        }
        return .object(kept)
    }

    private mutating func checkCauses(
        _ value: JSONValue, _ rule: FieldRule, ofProbes: Bool, at place: String
    ) -> JSONValue? {
        guard case .array(let values) = value else { return refuse(place, value, "not a list", rule) }
        var set = CauseSet()
        var seen: Set<String> = []
        for (index, value) in values.prefix(Self.errorLimitCount).enumerated() {
            var reason: String?
            if let name = value.text {
                let cause = CauseSet.Cause(name: name)
                switch cause {
                case nil: reason = "no such cause"
                case .noResponse?, .transportError?: reason = ofProbes ? "no final response" : nil
                case .statusClass?, .status?: break
                }
                if reason == nil, !seen.insert(name).inserted { reason = "the same cause twice" }
                if reason == nil, let cause, !set.insert(cause) {
                    reason = "more than \(CauseSet.statusLimitCount) single statuses"
                }
            } else {
                reason = "not a string"
            }
            if let reason { note(FieldError("\(place)/\(index)", value, reason, allowed: rule.allowed)) }
        }
        return value
    }

    private mutating func checkNetworks(
        _ value: JSONValue, _ rule: FieldRule, mayBeEmpty: Bool, at place: String
    ) -> JSONValue? {
        guard case .array(let values) = value else { return refuse(place, value, "not a list", rule) }
        guard mayBeEmpty || !values.isEmpty else { return refuse(place, value, "at least one network is needed", rule) }
        var seen: Set<Network> = []
        for (index, value) in values.enumerated() {
            guard let network = value.text.flatMap({ Network($0) }) else {
                note(
                    FieldError(
                        "\(place)/\(index)", value, "not a network, or bits are set behind its prefix",
                        allowed: "a network such as \"192.0.2.0/24\" or \"2001:db8::/32\""))
                continue
            }
            if !seen.insert(network).inserted {
                note(FieldError("\(place)/\(index)", value, "the same network twice", allowed: "each network once"))
            }
        }
        return value
    }

    private mutating func checkEntries(
        _ value: JSONValue, _ rule: FieldRule, _ schema: Schema, _ key: String?, limitCount: Int, at place: String
    ) -> JSONValue? {
        guard case .array(let values) = value else { return refuse(place, value, "not a list", rule) }
        guard values.count <= limitCount else { return refuse(place, value, "\(values.count) entries", rule) }
        var kept: [JSONValue] = []
        var seen: Set<String> = []
        for (index, value) in values.enumerated() {
            guard case .object(let members) = value else {
                note(FieldError("\(place)/\(index)", value, "not an object", allowed: "an object of \(schema.names)"))
                continue
            }
            kept.append(.object(check(members, schema, at: "\(place)/\(index)")))
            if let key, let id = members[key]?.text, !seen.insert(id).inserted {
                let pointer = "\(place)/\(index)/\(key)"
                note(FieldError(pointer, .string(id), "the same \(key) twice", allowed: "each \(key) once"))
            }
        }
        return .array(kept)
    }

    private mutating func refuse(
        _ place: String, _ value: JSONValue, _ reason: String, _ rule: FieldRule
    ) -> JSONValue? {
        note(FieldError(place, value, reason, allowed: rule.allowed))
        return nil
    }

    /// A name as part of a JSON pointer (RFC 6901 section 3).
    static func escaped(_ name: String) -> String {
        guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return name }
        // By code points: a combining mark behind one of the two makes another character of both.
        var escaped = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "~": escaped += "~0"
            case "/": escaped += "~1"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension JSONValue {
    /// The value after a merge patch (RFC 7396 section 2).
    func merged(with patch: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var members: [String: JSONValue] = [:]
        if case .object(let own) = self { members = own }
        for (name, change) in changes {
            members[name] = change == .null ? nil : (members[name] ?? .null).merged(with: change)
        }
        return .object(members)
    }

    /// The object after a merge patch, as it is to be checked: what the patch takes out is null in it, so that a field
    /// that nobody knows is refused also where it is only taken out, at any depth.
    func toCheck(after patch: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var members: [String: JSONValue] = [:]
        if case .object(let own) = self { members = own }
        for (name, change) in changes {
            members[name] = change == .null ? .null : (members[name] ?? .null).toCheck(after: change)
        }
        return .object(members)
    }
}
