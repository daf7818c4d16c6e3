import JSON
import Routing
package import Store

extension ControlPlane {
    /// One object.
    package func view(_ path: ResourcePath) throws(Refusal) -> Revised<ResourceView> {
        let stored = try reading { () throws(StoreError) in try store.object(path) }
        guard let object = stored.value else { throw .notFound(path) }
        return Revised(ResourceView(object), revision: stored.revision)
    }

    /// A part of a list, in the order of ids.
    package func list(_ query: ListQuery) throws(Refusal) -> ResourcePage {
        let limit = min(max(query.limitCount, 1), Self.pageLimitCount)
        let plan = query.kind == .routes ? query.plan ?? RoutingPlan.defaultID : nil
        if let plan, !state.builder.contains(.routingPlans, plan) {
            throw .notFound(ResourcePath(.routingPlans, plan))
        }
        let stored = try reading { () throws(StoreError) in
            try store.objects(
                query.kind, plan: plan, idPrefix: query.idPrefix, after: query.after, limit: limit + 1)
        }
        let objects = stored.value.prefix(limit)
        return ResourcePage(
            items: objects.map { ResourceView($0).body },
            next: stored.value.count > limit ? objects.last?.path.id : nil,
            revision: stored.revision.number)
    }

    /// Stored status changes; `group` narrows them to the gateways that are its members now.
    package func statusRecords(
        _ query: StatusRecordQuery, group: String?
    ) throws(Refusal) -> Revised<[StatusRecord]> {
        var query = query
        let state = state
        if let id = group {
            guard let group = state.builder.groups[id] else { throw .notFound(ResourcePath(.gatewayGroups, id)) }
            let members = Set(group.members.map(\.gateway))
            query.gateways = query.gateways.isEmpty ? members : query.gateways.intersection(members)
            if query.gateways.isEmpty { return Revised([], revision: state.position.revision) }
        }
        query.limitCount = min(max(query.limitCount, 1), Self.pageLimitCount)
        let narrowed = query
        let records = try reading { () throws(StoreError) in try store.statusRecords(narrowed) }
        return Revised(records, revision: state.position.revision)
    }

    /// Events behind `after`. When `after` is older than what is kept: `gone` with `oldest` in its extensions.
    package func events(after: Int64, types: Set<String>, limit: Int) throws(Refusal) -> Revised<[StoredEvent]> {
        let revision = state.position.revision
        let events = try reading { () throws(StoreError) in
            try store.events(after: after, types: types, limit: min(max(limit, 1), Self.pageLimitCount))
        }
        // Asked after the events were read: what retention deleted meanwhile shows as a gap, never as a silent loss.
        let bounds = try reading { () throws(StoreError) in try store.eventBounds() }
        if after > 0, bounds.oldest > 0, after < bounds.oldest - 1 {
            var refusal = Refusal(
                .gone, "Events up to \(bounds.oldest - 1) are not kept any more; ask after \(bounds.oldest - 1).")
            refusal.extensions["oldest"] = .integer(bounds.oldest)
            throw refusal
        }
        return Revised(events, revision: revision)
    }

    /// The sequence number of the newest event; 0 before the first.
    package func newestEvent() throws(Refusal) -> Int64 {
        try reading { () throws(StoreError) in try store.eventBounds().newest }
    }

    static var pageLimitCount: Int { 1000 }

    /// A failure to read is no fault of the request's.
    func reading<Value>(_ body: () throws(StoreError) -> Value) throws(Refusal) -> Value {
        do {
            return try body()
        } catch {
            throw Refusal(.internalError, "The database can't be read: \(error.detail)")
        }
    }
}
