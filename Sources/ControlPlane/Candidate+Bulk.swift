import JSON
import Routing
import Store
import Time

// A bulk's last step: everything is checked and prepared, and the stage has caught up.
extension Candidate {
    /// How many routes are changed at once: few, since they come in order.
    private static var routesAtOnce: Int { 16_384 }

    /// - Parameter differences: what it does to objects beside routes.
    mutating func carryOut(
        _ bulk: Bulk, _ differences: [Difference], of change: Change, at time: WallTime
    ) throws(Refusal) -> ChangeResult {
        let (stage, order) = (bulk.stage, bulk.order)
        switch order.subject {
        case .routes(let plan, _):
            guard builder.contains(.routingPlans, plan) else { throw .notFound(ResourcePath(.routingPlans, plan)) }
            try order.precondition.check(bulk, at: revision)
        case .everything: try order.precondition.check(tag: RouteTable.etag(of: revision.number))
        }
        try bulk.check(beside: builder)
        let time = try self.time(time, behind: stage)
        let effects = differences.map { difference in
            let isNew = difference.before.map { $0.revision == Revision(0) } ?? true
            return Effect(
                path: difference.path, body: difference.after?.body,
                createdAt: isNew ? time : difference.before?.createdAt ?? time)
        }
        guard order.mayChangeSettings || !effects.contains(where: { $0.path.kind == .settings }) else {
            throw Refusal(
                .forbidden, "Other settings are imported than those that are in force; that needs the role admin.")
        }
        try confirmations.check(effects, at: time)
        try confirmations.check(bulk, at: time)
        try enforce(effects, stage, as: Revision(revision.number + 1), at: time)
        guard tests.count <= RoutingTests.limitCount else {
            throw Refusal(.conflict, "There would be more than \(RoutingTests.limitCount) routing tests, the most.")
        }
        var before: [ResourcePath: StoredObject?] = [:]
        for difference in differences { before[difference.path] = .some(difference.before) }
        return try note(effects, before: before, stage, of: change, at: time)
    }

    /// The time of a change with a stage. What is hashed apart says of a new route that it came with the change: no
    /// other may have come with it.
    func time(_ time: WallTime, behind stage: RouteStage) throws(Refusal) -> WallTime {
        let newest = try Refusal.staging { () throws(StoreError) in try stage.newestTime() }
        return max(time, newest.map { $0 + .milliseconds(1) } ?? time)
    }

    /// Changes the routes that a stage changes.
    mutating func changeRoutes(_ stage: RouteStage) throws(Refusal) {
        for (index, plan) in stage.planIDs.enumerated() { try changeRoutes(stage, index, of: plan) }
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

    /// The paths of the first routes that a stage changes, so many.
    func firstPaths(_ stage: RouteStage, limitCount: Int) throws(Refusal) -> [ResourcePath] {
        var paths: [ResourcePath] = []
        for (index, plan) in stage.planIDs.enumerated() where paths.count < limitCount {
            try Refusal.staging { () throws(StoreError) in
                try stage.forEachChange(of: index) { prefix, _ in
                    paths.append(ResourcePath(route: String(decoding: prefix, as: UTF8.self), plan: plan))
                    return paths.count < limitCount
                }
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
    /// Throws `conflict` when one of them could not go back after what the bulk does to routes.
    fileprivate func check(_ bulk: Bulk, at time: WallTime) throws(Refusal) {
        for revision in revisions {
            guard let pending = self[revision] else { continue }
            if let list = bulk.lists.first(where: { pending.hasMade(ResourcePath(.routingLists, $0)) }) {
                throw pending.refusal("routes would refer to the routing list \(list), which it made", at: time)
            }
            for (index, plan) in bulk.stage.planIDs.enumerated() where bulk.stage.counts(of: index).total > 0 {
                if pending.hasMade(ResourcePath(.routingPlans, plan)) {
                    throw pending.refusal("the routing plan \(plan) is what it made", at: time)
                }
                for path in pending.routes(of: plan) {
                    let isTouched = try Refusal.staging { () throws(StoreError) in
                        try bulk.stage.changes(path.id, of: index)
                    }
                    guard isTouched else { continue }
                    throw pending.refusal("\(path.text) is what it changed too", at: time)
                }
            }
        }
    }
}
