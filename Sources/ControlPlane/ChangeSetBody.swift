package import JSON
import Routing
package import Store
import Time

// Bodies of requests that make a change set (API section 4).
extension Change {
    /// The change set of a body that came from a client: `POST /v1/changes`.
    ///
    /// Throws `invalid` with every rule that the body breaks.
    package init(set body: JSONValue, by asker: TokenRegistry.Asker) throws(Refusal) {
        let checked = try RequestBody(body, .changeSet)
        var operations: [Operation] = []
        for entry in checked.members["operations"]?.elements ?? [] {
            guard let path = entry["path"]?.text.flatMap({ ResourcePath(text: $0) }) else { continue }
            let value = entry["value"] ?? .null
            switch entry["op"]?.text {
            case "put": operations.append(.put(path, value, Precondition()))
            case "patch": operations.append(.patch(path, value, Precondition()))
            default: operations.append(.delete(path, Precondition()))
            }
        }
        self.init(operations, who: asker.who, comment: checked.text("comment"), requestID: asker.requestID)
        take(checked)
    }

    /// The restore that a body asks for: `POST /v1/revisions/{number}/restore`.
    ///
    /// Throws `invalid` with every rule that the body breaks.
    package init(restoring number: Int64, _ body: JSONValue, by asker: TokenRegistry.Asker) throws(Refusal) {
        let checked = try RequestBody(body, .restore)
        self.init(
            .restore(Revision(number)), who: asker.who,
            comment: checked.text("comment") ?? "revision \(number) restored", requestID: asker.requestID)
        take(checked)
    }

    private mutating func take(_ body: RequestBody) {
        isSet = true
        ifRevision = body.members.whole("if_revision")
        isDryRun = body.members["dry_run"] == .bool(true)
        overridesTests = body.members["override_tests"] == .bool(true)
        confirmWithin = body.members.whole("confirm_within_s").map { .seconds($0) }
    }

    /// The role that it takes: settings are the admin's, and so is to pass over stored tests (API section 2).
    package var neededRole: Role {
        overridesTests || operations.contains { $0.path.kind == .settings } ? .admin : .operator
    }
}

extension Schema {
    /// How many operations a change set has at most.
    private static let operationLimitCount = 10_000

    fileprivate static let changeSet = Schema(
        [Field("operations", .objects(operation, limitCount: operationLimitCount), required: true)] + options)

    fileprivate static let restore = Schema(options)

    private static let options = [
        Field("comment", .phrase(limitCharacters: 1024)),
        Field("if_revision", .integer(0...Int64.max)),
        Field("dry_run", .flag),
        Field("confirm_within_s", .integer(1...86_400)),
        Field("override_tests", .flag),
    ]

    private static let operation = Schema(
        [
            Field("op", .choice(["put", "patch", "delete"]), required: true),
            Field("path", .path, required: true),
            Field("value", .members),
        ],
        crossCheck: { operation in
            let isDelete = operation["op"]?.text == "delete"
            guard operation["op"] != nil, isDelete == (operation["value"] != nil) else { return [] }
            return [
                isDelete
                    ? CrossError(name: "value", reason: "a deletion has none", allowed: "leave it out")
                    : CrossError(name: "value", reason: "required", allowed: FieldRule.members.allowed)
            ]
        })
}

extension ResourcePath {
    /// What stands behind `/v1/` of an object: `gateways/lon1`, `routing-plans/default/routes/44`, `settings`. Nil for
    /// anything else.
    package init?(text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard let kind = parts.first.flatMap({ ResourceKind(rawValue: $0) }), !parts.contains("") else { return nil }
        switch parts.count {
        case 1 where kind == .settings: self = .settings
        case 2 where kind != .settings && kind != .routes: self.init(kind, parts[1])
        case 4 where kind == .routingPlans && parts[2] == ResourceKind.routes.rawValue:
            self.init(route: parts[3], plan: parts[1])
        default: return nil
        }
    }
}

extension JSONValue {
    /// The values of a list; none for anything else.
    fileprivate var elements: [JSONValue] {
        guard case .array(let values) = self else { return [] }
        return values
    }
}
