import Addressing
import HTTPClient
import JSON
import NetworkManager
import Store
import Time

/// The fields of a webhook: what may stand in them, and what they mean.
struct WebhookRules {
    /// More webhooks are refused.
    static let webhookLimitCount = 100
    /// How long the secret before signs as well.
    static let previousKeyDuration = Duration.seconds(86_400)
    /// Fields that a client may send back as it got them.
    static let readOnly = readOnlyFields.union(["previous_secret_until"])

    private static let known = ["url", "types", "secret", "enabled", "description"]
    private static let allowedURL =
        "an https URL of a public host, without user information and fragment; http and "
        + "private addresses where webhook_networks holds the address"
    private static let allowedSecret = "whsec_ and base64 of 24...64 bytes; without one, one is made"

    /// A body that keeps the rules.
    struct Checked {
        /// What is kept of it; without the secret.
        var body: [String: JSONValue] = [:]
        /// The secret that it holds.
        var key: WebhookKey?
    }

    /// The networks that webhooks may reach although they are not public.
    let networks: [Network]
    /// The URL that the webhook has: it was allowed once, and its address is checked whenever something is sent.
    var presentURL: String?

    /// Checks a whole body; throws with every rule that it breaks. The secret is never repeated.
    func check(_ value: JSONValue) throws(Refusal) -> Checked {
        guard case .object(let members) = value else { throw .notAnObject }
        var checked = Checked()
        var errors: [FieldError] = []
        for name in Self.known {
            guard let value = members[name], value != .null else {
                if name == "url" { errors.append(FieldError("/url", .null, "required", allowed: Self.allowedURL)) }
                continue
            }
            if name == "secret" {
                if let key = value.text.flatMap({ WebhookKey(text: $0) }) {
                    checked.key = key
                } else {
                    errors.append(
                        FieldError("/secret", .null, "no such secret (not shown)", allowed: Self.allowedSecret))
                }
            } else if let found = error(in: name, value) {
                errors += found
            } else {
                checked.body[name] = value
            }
        }
        for (name, value) in members.sorted(by: { $0.key < $1.key })
        where !Self.known.contains(name) && !Self.readOnly.contains(name) {
            let allowed = Self.known.joined(separator: ", ")
            errors.append(FieldError("/\(Validation.escaped(name))", value, "unknown field", allowed: allowed))
        }
        guard let first = errors.first else { return checked }
        let more = errors.count > 1 ? " (and \(errors.count - 1) more)" : ""
        throw Refusal(
            .invalid, "\(first.pointer): \(first.reason)\(more).",
            errors: Array(errors.prefix(Validation.errorLimitCount)))
    }

    /// What is wrong with a field; nil: nothing.
    private func error(in name: String, _ value: JSONValue) -> [FieldError]? {
        switch name {
        case "url":
            return reason(againstURL: value).map { [FieldError("/url", value, $0, allowed: Self.allowedURL)] }
        case "types": return errors(inTypes: value)
        case "enabled":
            if case .bool = value { return nil }
            return [FieldError("/enabled", value, "not true or false", allowed: "true or false")]
        default:
            let allowed = "text of up to 256 characters"
            guard let text = value.text else {
                return [FieldError("/\(name)", value, "not a string", allowed: allowed)]
            }
            let count = text.unicodeScalars.count
            return count <= 256 ? nil : [FieldError("/\(name)", value, "\(count) characters", allowed: allowed)]
        }
    }

    private func reason(againstURL value: JSONValue) -> String? {
        guard let text = value.text else { return "not a string" }
        if let presentURL, text.utf8.elementsEqual(presentURL.utf8) { return nil }
        do throws(WebURL.Malformed) {
            let url = try WebURL(text)
            // A name is looked up when something is sent, and its address is checked then.
            guard let address = url.address else {
                return url.isEncrypted || !networks.isEmpty ? nil : "http, and webhook_networks allows no network"
            }
            return DestinationRule.publicOr(networks).refusal(of: address, isEncrypted: url.isEncrypted)
        } catch {
            return error.reason
        }
    }

    private func errors(inTypes value: JSONValue) -> [FieldError]? {
        let allowed = "a list of " + CloudEvent.types.joined(separator: ", ") + "; leave it out for all"
        guard case .array(let values) = value, !values.isEmpty else {
            return [FieldError("/types", value, "not a list of at least one", allowed: allowed)]
        }
        var seen: Set<String> = []
        let errors = values.enumerated().compactMap { index, value -> FieldError? in
            guard let type = value.text, CloudEvent.types.contains(type) else {
                return FieldError("/types/\(index)", value, "no such type", allowed: allowed)
            }
            return seen.insert(type).inserted
                ? nil : FieldError("/types/\(index)", value, "the same type twice", allowed: "each type once")
        }
        return errors.isEmpty ? nil : errors
    }
}

extension StoredWebhook {
    /// The webhook as the API shows it.
    func view(exposing key: WebhookKey? = nil) -> WebhookView {
        var members: [String: JSONValue] = [:]
        if case .object(let own) = body { members = own }
        var effective = members
        effective["enabled"] = effective["enabled"] ?? .bool(true)
        effective["types"] = effective["types"] ?? .array(CloudEvent.types.map { .string($0) })
        members["effective"] = .object(effective)
        members["id"] = .string(id)
        members["created_at"] = .string(createdAt.rfc3339)
        members["updated_at"] = .string(updatedAt.rfc3339)
        if let previousKey { members["previous_secret_until"] = .string(previousKey.until.rfc3339) }
        if let key { members["secret"] = .string(key.exposedText) }
        return WebhookView(body: .object(members), etag: entityTag)
    }

    /// The webhook as deliveries need it; nil when what is stored can't be read.
    func subscription(turn: UInt64) -> WebhookSubscription? {
        guard let text = body["url"]?.text else { return nil }
        let url: WebURL
        do { url = try WebURL(text) } catch { return nil }
        var types: Set<String> = []
        if case .array(let values)? = body["types"] { types = Set(values.compactMap(\.text)) }
        var keys: [(key: WebhookKey, until: WallTime?)] = [(key, nil)]
        if let previousKey { keys.append((previousKey.key, previousKey.until)) }
        return WebhookSubscription(
            id: id, turn: turn, url: url, types: types, isEnabled: body["enabled"] != .bool(false), keys: keys,
            progress: progress)
    }
}
