import Fixtures
import JSON
import Routing
import Store
import Time

extension TemporaryFolder {
    func store(_ name: String = "tandem.db", node: String = "n1") throws(StoreError) -> Store {
        try Store(path: file(name), node: node, at: WallTime(milliseconds: 1_000_000))
    }
}

/// Changes that tests make.
enum Sample {
    static func time(_ seconds: Int64) -> WallTime { WallTime(milliseconds: seconds * 1000) }

    static func gateway(_ uri: String) -> JSONValue { .object(["uri": .string(uri)]) }

    static func route(_ list: String) -> JSONValue { .object(["routing_list": .string(list)]) }

    static func entry(
        _ revision: Int64, _ effects: [(ResourcePath, JSONValue?)], events: [EventDraft] = []
    ) -> ChangeEntry {
        ChangeEntry(
            revision: Revision(revision), at: time(revision), who: "test",
            comment: revision == 1 ? nil : "№ \(revision)",
            effects: effects.map { Effect(path: $0.0, body: $0.1, createdAt: time(revision)) }, events: events)
    }

    static func event(_ type: String) -> EventDraft {
        EventDraft(type: type, subject: nil, time: time(1), data: .object(["line": .string("a\nb")]))
    }

    static func statusChange(
        _ gateway: String, uri: String = "sip:192.0.2.10", isUp: Bool = false, cause: StatusCause = .noResponse,
        at seconds: Int64 = 1, revision: Int64 = 1
    ) -> StatusChange {
        StatusChange(
            at: time(seconds), gateway: gateway, uri: uri, from: isUp ? .outOfService : .inService,
            to: isUp ? .inService : .outOfService, cause: cause, sipStatus: isUp ? nil : 503,
            timeValue: isUp ? nil : time(seconds + 60), reporter: "call", callID: "a@b", revision: Revision(revision))
    }
}

extension Store {
    /// Appends one change behind the last.
    @discardableResult
    func change(_ effects: [(ResourcePath, JSONValue?)], events: [EventDraft] = []) -> AppendOutcome {
        append(
            CommitBatch(
                base: position, changes: [Sample.entry(position.revision.number + 1, effects, events: events)]))
    }

    /// Everything that is live, by path.
    func export() throws -> [String: StoredObject] {
        var objects: [String: StoredObject] = [:]
        var plans: Set = ["default"]
        _ = try forEachObject {
            objects[$0.path.text] = $0
        } route: {
            plans.insert($0.plan)
        }
        for plan in plans {
            let routes = try self.objects(.routes, plan: plan, idPrefix: nil, after: nil, limit: .max).value
            for route in routes { objects[route.path.text] = route }
        }
        return objects
    }
}
