import JSON
import Routing
import Store
import Time

/// What network managers are told of a change: the event `routing.changed` (API section 7).
enum ChangeNotice {
    private static let pathLimitCount = 100

    static func event(
        of effects: [Effect], before: [ResourcePath: StoredObject?], _ change: Change, revision: Revision,
        at time: WallTime
    ) -> EventDraft {
        var data: [String: JSONValue] = [
            "revision": .integer(revision.number), "who": .string(change.who),
            "comment": change.comment.map { .string($0) } ?? .null, "counts": counts(of: effects, before: before),
            "objects": .array(effects.prefix(pathLimitCount).map { .string($0.path.text) }),
        ]
        switch change.aim {
        case .operations, .confirm: break
        case .restore(let past): data["restores"] = .integer(past.number)
        case .goBack(let past): data["takes_back"] = .integer(past.number)
        }
        if let limit = change.confirmWithin { data["confirm_by"] = .string((time + limit).rfc3339) }
        return EventDraft(type: "routing.changed", subject: nil, time: time, data: .object(data))
    }

    /// How many objects of each kind were created, replaced and deleted.
    static func counts(of effects: [Effect], before: [ResourcePath: StoredObject?]) -> JSONValue {
        var counts: [String: [String: Int64]] = [:]
        for effect in effects {
            let existed = (before[effect.path] ?? nil) != nil
            let what = effect.body == nil ? "deleted" : existed ? "replaced" : "created"
            counts[effect.path.kind.rawValue, default: [:]][what, default: 0] += 1
        }
        return .object(counts.mapValues { .object($0.mapValues { .integer($0) }) })
    }
}
