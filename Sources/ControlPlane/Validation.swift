import Addressing
import JSON
import Store

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
        for (name, value) in body.sorted(by: { $0.key < $1.key })
        where schema[name] == nil && !ignored.contains(name) {
            note(
                FieldError(
                    "\(pointer)/\(Self.escaped(name))", value, "unknown field",
                    allowed: schema.fields.map(\.name).joined(separator: ", ")))
        }
        return kept
    }

    /// Checks one value; nil when it is not kept.
    private mutating func check(_ value: JSONValue, _ rule: FieldRule, at place: String) -> JSONValue? {
        switch rule {
        case .text(let limit):
            guard let text = value.text else { return refuse(place, value, "not a string", rule) }
            let count = text.unicodeScalars.count
            guard count <= limit else { return refuse(place, value, "\(count) characters", rule) }
        case .integer(let range):
            guard case .integer(let number) = value else { return refuse(place, value, "not a whole number", rule) }
            guard range.contains(number) else { return refuse(place, value, "out of range", rule) }
        case .flag: guard case .bool = value else { return refuse(place, value, "not true or false", rule) }
        case .choice(let words, let later):
            guard let text = value.text else { return refuse(place, value, "not a string", rule) }
            guard words.contains(text) else {
                let isLater = later.contains(text)
                return refuse(place, value, isLater ? GatewayAddress.notBuilt : "no such value", rule)
            }
        case .reference(let kind):
            guard let id = value.text else { return refuse(place, value, "not a string", rule) }
            guard exists(kind, id) else { return refuse(place, value, "no such \(kind.singular)", rule) }
        case .gatewayURI:
            guard let text = value.text else { return refuse(place, value, "not a string", rule) }
            do {
                _ = try GatewayAddress(uri: text)
            } catch {
                return refuse(place, value, error.reason, rule)
            }
        case .networks: return checkNetworks(value, rule, at: place)
        case .entries(let schema, let key, let limit):
            return checkEntries(value, rule, schema, key, limitCount: limit, at: place)
        case .later(let same):
            guard value == same else { return refuse(place, value, GatewayAddress.notBuilt, rule) }
        }
        return value
    }

    private mutating func checkNetworks(_ value: JSONValue, _ rule: FieldRule, at place: String) -> JSONValue? {
        guard case .array(let values) = value else { return refuse(place, value, "not a list", rule) }
        guard !values.isEmpty else { return refuse(place, value, "at least one network is needed", rule) }
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
        _ value: JSONValue, _ rule: FieldRule, _ schema: Schema, _ key: String, limitCount: Int, at place: String
    ) -> JSONValue? {
        guard case .array(let values) = value else { return refuse(place, value, "not a list", rule) }
        guard values.count <= limitCount else { return refuse(place, value, "\(values.count) entries", rule) }
        var kept: [JSONValue] = []
        var seen: Set<String> = []
        for (index, value) in values.enumerated() {
            guard case .object(let members) = value else {
                note(FieldError("\(place)/\(index)", value, "not an object", allowed: "an object with \"\(key)\""))
                continue
            }
            kept.append(.object(check(members, schema, at: "\(place)/\(index)")))
            if let id = members[key]?.text, !seen.insert(id).inserted {
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
    private static func escaped(_ name: String) -> String {
        name.contains(where: { $0 == "~" || $0 == "/" })
            ? name.map { $0 == "~" ? "~0" : $0 == "/" ? "~1" : String($0) }.joined() : name
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
}
