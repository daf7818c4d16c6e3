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
        var counts: [String: [String: Int64]] = [:]
        for effect in effects {
            let existed = (before[effect.path] ?? nil) != nil
            let what = effect.body == nil ? "deleted" : existed ? "replaced" : "created"
            counts[effect.path.kind.rawValue, default: [:]][what, default: 0] += 1
        }
        let data: [String: JSONValue] = [
            "revision": .integer(revision.number), "who": .string(change.who),
            "comment": change.comment.map { .string($0) } ?? .null,
            "counts": .object(counts.mapValues { .object($0.mapValues { .integer($0) }) }),
            "objects": .array(effects.prefix(pathLimitCount).map { .string($0.path.text) }),
        ]
        return EventDraft(type: "routing.changed", subject: nil, time: time, data: .object(data))
    }
}
