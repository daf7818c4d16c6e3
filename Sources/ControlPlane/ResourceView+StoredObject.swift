import JSON
import Routing
import Store
import Time

extension ResourceView {
    /// The object with its defaults resolved. Its entity tag is its revision, of a gateway that of its defaults when
    /// that is newer: content and revision decide it, nothing else.
    init(_ object: StoredObject, defaults: GatewayDefaults) {
        let schema = Schema.of(object.path.kind)
        var members: [String: JSONValue] = [:]
        if case .object(let own) = object.body { members = schema.shown(own) }
        var applied = members
        if object.path.kind == .gateways, case .object(let both) = defaults.applied(to: object.body) { applied = both }
        let effective = schema.effective(applied)
        if let plan = object.path.plan {
            members["prefix"] = .string(object.path.id)
            members["routing_plan"] = .string(plan)
        }
        if object.path.kind != .settings {
            members["id"] = .string(object.path.id)
            members["created_at"] = .string(object.createdAt.rfc3339)
            members["updated_at"] = .string(object.updatedAt.rfc3339)
        }
        members["effective"] = .object(effective)
        members["revision"] = .integer(object.revision.number)
        self.init(path: object.path, body: .object(members), etag: object.entityTag(defaults))
    }
}

extension StoredObject {
    /// Without quotes.
    func entityTag(_ defaults: GatewayDefaults) -> String {
        let revision = path.kind == .gateways ? defaults.revision(of: self) : revision
        return "r\(revision.number)"
    }
}

extension Precondition {
    /// Throws `stale` when the object is not what the client thinks (RFC 9110 section 13.2.2).
    func check(_ object: StoredObject?, _ defaults: GatewayDefaults) throws(Refusal) {
        try check(tag: object?.entityTag(defaults))
    }

    /// The same of an object with that entity tag; nil: it does not exist.
    func check(tag: String?) throws(Refusal) {
        func isMet(by tags: [String]) -> Bool {
            guard let tag else { return false }
            return tags.contains("*") || tags.contains(tag)
        }
        let isStale = ifMatch.map { !isMet(by: $0) } ?? false
        let isTaken = ifNoneMatch.map { isMet(by: $0) } ?? false
        guard isStale || isTaken else { return }
        let detail =
            switch (tag, isStale) {
            case (let tag?, true): "The object has changed: its entity tag is \"\(tag)\"."
            case (let tag?, false): "The object exists: its entity tag is \"\(tag)\"."
            case (nil, _): "The object does not exist."
            }
        var refusal = Refusal(.stale, detail)
        refusal.currentETag = tag
        throw refusal
    }
}

extension ResourcePath {
    /// What names an object of that kind may have, when this one's is none; nil when it is one.
    var nameRule: String? {
        guard kind != .settings else { return nil }
        guard kind != .routes else {
            return Prefix(id) == nil ? "1...32 of 0-9 * #, or \"\(Prefix.catchAllName)\"" : nil
        }
        return Self.isName(id) ? nil : Self.namePattern
    }

    static let namePattern = "^[a-z0-9][a-z0-9._-]{0,62}$"

    /// Whether a text is as `namePattern` says.
    static func isName(_ text: String) -> Bool {
        guard (1...63).contains(text.utf8.count) else { return false }
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): continue
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                if index == 0 { return false }
            default: return false
            }
        }
        return true
    }
}

extension Refusal {
    static func notFound(_ path: ResourcePath) -> Refusal { Refusal(.notFound, "There is no \(path.text).") }

    static let notAnObject = Refusal(.malformed, "The body must be a JSON object.")
}
