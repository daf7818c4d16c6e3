import Addressing
import JSON
import Routing
import Store
import Time

/// The objects of an import beside its routes, as they were sent. There are far fewer of them than of routes, and they
/// are held until the end: they may come in any order, and so what they refer to may come later.
struct ImportedObjects {
    /// Their lines hold no more than this altogether.
    static let limitBytes = 256 << 20

    private struct Object {
        let line: Int64
        /// What was sent, canonical; once it is checked what is kept of that.
        var text: String
    }

    private var all: [ResourcePath: Object] = [:]
    private var byteCount = 0

    init() {}

    /// The plan that needs no line, since it always exists.
    private static let standingPlan = ResourcePath(.routingPlans, RoutingPlan.defaultID)

    /// Whether there will be an object of that path, whatever else there is.
    func holds(_ path: ResourcePath) -> Bool { all[path] != nil || path == Self.standingPlan }

    /// Takes an object in, or notes why it can't be one.
    mutating func add(
        _ path: ResourcePath, _ members: [String: JSONValue], line: Int64, into faults: inout BulkFaults
    ) {
        func refuse(_ reason: String, allowed: String) {
            faults.note(FieldError("/path", .string(path.text), reason, allowed: allowed), line: line, column: nil)
        }
        if let allowed = path.nameRule { return refuse("not a name", allowed: allowed) }
        if let first = all[path] { return refuse("it stands in line \(first.line) already", allowed: "each path once") }
        let text = JSONValue.object(members).canonicalText
        byteCount += text.utf8.count + path.text.utf8.count
        guard byteCount <= Self.limitBytes else {
            if byteCount - text.utf8.count - path.text.utf8.count <= Self.limitBytes {
                refuse(
                    "objects other than routes hold more than \(Self.limitBytes) bytes",
                    allowed: "up to \(Self.limitBytes) bytes of them; routes are not counted")
            }
            return
        }
        all[path] = Object(line: line, text: text)
    }

    /// Notes every rule that they break, each by its line.
    ///
    /// - Parameter others: the objects that stay beside them, unless they stand in for one of the same path; nil: none.
    mutating func check(beside others: SnapshotBuilder?, faults: inout BulkFaults) {
        let paths = Set(all.keys).union([Self.standingPlan])
        for (path, object) in all.sorted(by: { $0.value.line < $1.value.line }) {
            guard let members = JSONValue.members(of: object.text) else { continue }
            var validation = Validation { kind, id in
                paths.contains(ResourcePath(kind, id)) || others?.contains(kind, id) == true
            }
            let kept = validation.check(members, Schema.of(path.kind), at: "/value", ignoring: readOnlyFields)
            for error in validation.errors { faults.note(error, line: object.line, column: nil) }
            if validation.errors.isEmpty { all[path]?.text = JSONValue.object(kept).canonicalText }
        }
        checkNetworks(beside: others, faults: &faults)
    }

    /// One network belongs to one peer.
    private func checkNetworks(beside others: SnapshotBuilder?, faults: inout BulkFaults) {
        var owners: [Network: String] = [:]
        for peer in others?.peers.values.sorted(by: { $0.id < $1.id }) ?? []
        where !holds(ResourcePath(.ingressPeers, peer.id)) {
            for network in peer.networks { owners[network] = peer.id }
        }
        for (path, object) in all.sorted(by: { $0.value.line < $1.value.line }) where path.kind == .ingressPeers {
            let body = JSONValue.object(JSONValue.members(of: object.text) ?? [:])
            for (index, network) in (body.networks("networks") ?? []).enumerated() {
                let owner = owners.updateValue(path.id, forKey: network) ?? path.id
                guard owner != path.id else { continue }
                let error = FieldError(
                    "/value/networks/\(index)", .string("\(network)"), "ingress peer \(owner) has it",
                    allowed: "a network that no other ingress peer has")
                faults.note(error, line: object.line, column: nil)
            }
        }
    }

    /// How the stored objects differ from what they will be: of each its path, what is there, and what will be. When
    /// what will be was made is not said.
    ///
    /// - Parameter deletingOthers: True: what was not sent goes, but for what always exists.
    func differences(from store: Store, deletingOthers: Bool) throws(StoreError) -> [Difference] {
        var differences: [Difference] = []
        for kind in ResourceKind.allCases where kind != .routes {
            var wanted = all.filter { $0.key.kind == kind }.mapValues(\.text)
            if deletingOthers {
                let standing: ResourcePath? =
                    kind == .settings ? .settings : kind == .routingPlans ? Self.standingPlan : nil
                if let standing { wanted[standing] = wanted[standing] ?? "{}" }
            }
            guard deletingOthers || !wanted.isEmpty else { continue }
            var present = try store.objects(kind, plan: nil, idPrefix: nil, after: nil, limit: .max).value
            if kind == .settings, present.isEmpty { present = [.newSettings] }
            for object in present {
                guard let text = wanted.removeValue(forKey: object.path) else {
                    if deletingOthers { differences.append(Difference(path: object.path, before: object, after: nil)) }
                    continue
                }
                let body = Self.body(text, of: object.path, keepingSecretsOf: object)
                if body != object.body {
                    differences.append(Difference(path: object.path, before: object, after: Self.object(object, body)))
                }
            }
            for (path, text) in wanted.sorted(by: { $0.key.id < $1.key.id }) {
                let new = StoredObject(
                    path: path, body: .object([:]), revision: Revision(0), createdAt: WallTime(milliseconds: 0),
                    updatedAt: WallTime(milliseconds: 0))
                let body = Self.body(text, of: path, keepingSecretsOf: nil)
                differences.append(Difference(path: path, before: nil, after: Self.object(new, body)))
            }
        }
        return differences
    }

    private static func object(_ object: StoredObject, _ body: JSONValue) -> StoredObject {
        StoredObject(
            path: object.path, body: body, revision: object.revision, createdAt: object.createdAt,
            updatedAt: object.updatedAt)
    }

    /// What was sent, and what no export tells as it is there, unless something else was sent.
    private static func body(
        _ text: String, of path: ResourcePath, keepingSecretsOf object: StoredObject?
    ) -> JSONValue {
        var members = JSONValue.members(of: text) ?? [:]
        for field in Schema.of(path.kind).fields where field.isWriteOnly && members[field.name] == nil {
            members[field.name] = object?.body[field.name]
        }
        return .object(members)
    }
}

extension JSONValue {
    /// The members of an object that was written as text; nil for anything else.
    fileprivate static func members(of text: String) -> [String: JSONValue]? {
        do throws(MalformedJSON) {
            guard case .object(let members) = try JSONValue(parsing: Array(text.utf8)) else { return nil }
            return members
        } catch {
            return nil
        }
    }
}
