import JSON
import Routing
package import Store
import Synchronization

extension ControlPlane {
    /// One object.
    package func view(_ path: ResourcePath) throws(Refusal) -> Revised<ResourceView> {
        let stored = try reading { () throws(StoreError) in try store.object(path) }
        guard let object = stored.value ?? (path.kind == .settings ? .newSettings : nil) else { throw .notFound(path) }
        return Revised(
            ResourceView(object, defaults: state.settings.gatewayDefaults), revision: stored.revision)
    }

    /// A part of a list, in the order of ids.
    package func list(_ query: ListQuery) throws(Refusal) -> ResourcePage {
        let limit = min(max(query.limitCount, 1), Self.pageLimitCount)
        let plan = query.kind == .routes ? query.plan ?? RoutingPlan.defaultID : nil
        if let plan, !state.builder.contains(.routingPlans, plan) {
            throw .notFound(ResourcePath(.routingPlans, plan))
        }
        func objects(after: String?, limit: Int) throws(Refusal) -> Revised<[StoredObject]> {
            try reading { () throws(StoreError) in
                try store.objects(
                    query.kind, plan: plan, idPrefix: query.idPrefix, label: query.label, after: after,
                    limit: limit, limitBytes: Self.pageLimitBytes)
            }
        }
        let stored = try objects(after: query.after, limit: limit)
        let last = stored.value.last?.path.id
        var hasMore = false  // a page of large objects ends before its limit
        if let last { hasMore = try !objects(after: last, limit: 1).value.isEmpty }
        let defaults = state.settings.gatewayDefaults
        return ResourcePage(
            items: stored.value.map { ResourceView($0, defaults: defaults).body }, next: hasMore ? last : nil,
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

    /// Events behind `after`. When `after` is older than what is kept, or newer than the newest: `gone` with `oldest`
    /// (and `newest`) in its extensions.
    package func events(after: Int64, types: Set<String>, limit: Int) throws(Refusal) -> Revised<[StoredEvent]> {
        let revision = state.position.revision
        let key = EventPage.Key(after: after, types: types, limit: limit, newest: try newestEvent())
        if let page = lastEvents.withLock({ $0 }), page.key == key { return Revised(page.events, revision: revision) }
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
        if after > bounds.newest {
            // A database that was put back to an earlier state: to wait for that number would pass over what comes.
            var refusal = Refusal(
                .gone, "There is no event \(after); the newest is \(bounds.newest). Ask after \(bounds.newest).")
            refusal.extensions["oldest"] = .integer(bounds.oldest)
            refusal.extensions["newest"] = .integer(bounds.newest)
            throw refusal
        }
        if bounds.newest == key.newest { lastEvents.withLock { $0 = EventPage(key: key, events: events) } }
        return Revised(events, revision: revision)
    }

    /// The sequence number of the newest event; 0 before the first.
    package func newestEvent() throws(Refusal) -> Int64 {
        try reading { () throws(StoreError) in try store.newestEventNumber() }
    }

    static var pageLimitCount: Int { 1000 }
    /// About how much of stored bodies one page holds: a body may have 1 MiB.
    static var pageLimitBytes: Int { 4 << 20 }

    /// A failure to read is no fault of the request's.
    func reading<Value>(_ body: () throws(StoreError) -> Value) throws(Refusal) -> Value {
        do {
            return try body()
        } catch {
            throw Refusal(.internalError, "The database can't be read: \(error.detail)")
        }
    }
}

/// The page of events that was read last: after a commit every stream that has come so far asks for the same one.
struct EventPage: Sendable {
    /// What was asked, and the newest event at that time.
    struct Key: Equatable, Sendable {
        let after: Int64
        let types: Set<String>
        let limit: Int
        let newest: Int64
    }

    let key: Key
    let events: [StoredEvent]
}
