import JSON
import Routing
import Store
import Time

// A bulk's last step: everything is checked and prepared, and the stage has caught up.
extension Candidate {
    /// How many routes are changed at once: few, since they come in order.
    private static var routesAtOnce: Int { 16_384 }

    mutating func carryOut(_ bulk: Bulk, of change: Change, at time: WallTime) throws(Refusal) -> ChangeResult {
        let (stage, plan) = (bulk.stage, bulk.order.plan)
        guard builder.contains(.routingPlans, plan) else { throw .notFound(ResourcePath(.routingPlans, plan)) }
        try bulk.order.precondition.check(bulk, at: revision)
        let builder = builder
        try bulk.checkLists { builder.contains(.routingLists, $0) }
        try confirmations.check(bulk, at: time)
        guard stage.counts.total > 0 else { return ChangeResult(revision: revision.number, operations: []) }
        try changeRoutes(stage, 0, of: plan)
        let next = Revision(revision.number + 1)
        // What is hashed apart says of a new route that it came with the change: no other may have come with it.
        let newest = try Refusal.staging { () throws(StoreError) in try stage.newestTime() }
        let time = max(time, newest.map { $0 + .milliseconds(1) } ?? time)
        let counts = ChangeNotice.counts(of: stage.counts)
        var entry = ChangeEntry(
            revision: next, at: time, who: change.who, comment: change.comment, requestID: change.requestID,
            effects: [],
            events: [
                ChangeNotice.event(
                    counts, objects: try firstPaths(stage, 0, of: plan), change, revision: next, at: time)
            ])
        entry.routes = stage
        entries.append(entry)
        return ChangeResult(revision: next.number, operations: [], counts: counts)
    }

    private mutating func changeRoutes(_ stage: RouteStage, _ index: Int, of plan: String) throws(Refusal) {
        var routes: [(prefix: Prefix, route: Route?)] = []
        var known = ByteMemo<Route>()
        var unreadable: String?
        var builder = builder
        try Refusal.staging { () throws(StoreError) in
            try stage.forEachChange(of: index) { prefix, body in
                let route = body.flatMap { known[$0] ?? Route(canonical: $0) }
                if let route, let body { known.remember(body, route) }
                let name = String(decoding: prefix, as: UTF8.self)
                guard let prefix = Prefix(name), body == nil || route != nil else {
                    unreadable = name
                    return false
                }
                routes.append((prefix, route))
                if routes.count == Self.routesAtOnce {
                    builder.changeRoutes(in: plan, routes)
                    routes.removeAll(keepingCapacity: true)
                }
                return true
            }
        }
        if let unreadable { throw .unreadable(ResourcePath(route: unreadable, plan: plan)) }
        builder.changeRoutes(in: plan, routes)
        self.builder = builder
    }

    private func firstPaths(_ stage: RouteStage, _ index: Int, of plan: String) throws(Refusal) -> [String] {
        var paths: [String] = []
        try Refusal.staging { () throws(StoreError) in
            try stage.forEachChange(of: index) { prefix, _ in
                paths.append(ResourcePath(route: String(decoding: prefix, as: UTF8.self), plan: plan).text)
                return paths.count < ChangeNotice.pathLimitCount
            }
        }
        return paths
    }
}

extension Route {
    /// The route that a stored body says; nil for a body that no version of ours wrote.
    fileprivate init?(canonical body: UnsafeRawBufferPointer) {
        do { self.init(body: try JSONValue(parsing: Array(body))) } catch { return nil }
    }
}

extension Precondition {
    /// Throws `stale` when the plan's routes are not what the client thinks. Their entity tag is that of a revision: it
    /// is good while none of them has changed since.
    fileprivate func check(_ bulk: Bulk, at revision: Revision) throws(Refusal) {
        let tag = "r\(revision.number)"
        func isGood(_ tag: String) throws(Refusal) -> Bool {
            guard tag != "*" else { return true }
            guard tag.hasPrefix("r"), let number = Int64(tag.dropFirst()), number <= revision.number else {
                return false
            }
            return try Refusal.staging { () throws(StoreError) in
                try bulk.stage.isUntouched(0, since: Revision(number))
            }
        }
        if let ifMatch {
            var isMet = false
            for tag in ifMatch where !isMet { isMet = try isGood(tag) }
            guard isMet else { throw .staleRoutes(tag) }
        }
        for other in ifNoneMatch ?? [] where try isGood(other) { throw .staleRoutes(tag) }
    }
}

extension Refusal {
    fileprivate static func staleRoutes(_ tag: String) -> Refusal {
        var refusal = Refusal(.stale, "The routes of the plan are not as the request expects them.")
        refusal.currentETag = tag
        return refusal
    }
}

extension PendingConfirmations {
    /// Throws `conflict` when one of them could not go back after the bulk.
    fileprivate func check(_ bulk: Bulk, at time: WallTime) throws(Refusal) {
        let plan = bulk.order.plan
        for revision in revisions {
            guard let pending = self[revision] else { continue }
            if let list = bulk.lists.first(where: { pending.hasMade(ResourcePath(.routingLists, $0)) }) {
                throw pending.refusal("routes would refer to the routing list \(list), which it made", at: time)
            }
            if pending.hasMade(ResourcePath(.routingPlans, plan)) {
                throw pending.refusal("the routing plan \(plan) is what it made", at: time)
            }
            for path in pending.routes(of: plan) {
                guard try Refusal.staging({ () throws(StoreError) in try bulk.stage.changes(path.id, of: 0) }) else {
                    continue
                }
                throw pending.refusal("\(path.text) is what it changed too", at: time)
            }
        }
    }
}
