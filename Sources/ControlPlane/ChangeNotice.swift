import JSON
import Routing
import Store
import Time

/// What network managers are told of a change: the event `routing.changed` (API section 7).
enum ChangeNotice {
    static let pathLimitCount = 100

    static func event(
        of effects: [Effect], before: [ResourcePath: StoredObject?], _ change: Change, revision: Revision,
        at time: WallTime
    ) -> EventDraft {
        event(
            counts(of: effects, before: before), objects: effects.prefix(pathLimitCount).map(\.path.text), change,
            revision: revision, at: time)
    }

    /// - Parameter objects: the paths of what was changed, the first `pathLimitCount`.
    static func event(
        _ counts: JSONValue, objects: [String], _ change: Change, revision: Revision, at time: WallTime
    ) -> EventDraft {
        var data: [String: JSONValue] = [
            "revision": .integer(revision.number), "who": .string(change.who),
            "comment": change.comment.map { .string($0) } ?? .null, "counts": counts,
            "objects": .array(objects.map { .string($0) }),
        ]
        switch change.aim {
        case .operations, .confirm, .bulk: break
        case .restore(let past): data["restores"] = .integer(past.number)
        case .goBack(let past): data["takes_back"] = .integer(past.number)
        }
        if let limit = change.confirmWithin { data["confirm_by"] = .string((time + limit).rfc3339) }
        return EventDraft(type: "routing.changed", subject: nil, time: time, data: .object(data))
    }

    /// How many objects of each kind were created, replaced and deleted.
    ///
    /// - Parameter routes: further ones, of which nobody has a list.
    static func counts(
        of effects: [Effect], before: [ResourcePath: StoredObject?], and routes: RouteCounts = RouteCounts()
    ) -> JSONValue {
        var counts: [String: [String: Int64]] = [:]
        for effect in effects {
            let existed = (before[effect.path] ?? nil) != nil
            let what = effect.body == nil ? "deleted" : existed ? "replaced" : "created"
            counts[effect.path.kind.rawValue, default: [:]][what, default: 0] += 1
        }
        for (what, count) in [("created", routes.created), ("replaced", routes.replaced), ("deleted", routes.deleted)]
        where count > 0 {
            counts[ResourceKind.routes.rawValue, default: [:]][what, default: 0] += Int64(count)
        }
        return .object(counts.mapValues { .object($0.mapValues { .integer($0) }) })
    }
}
