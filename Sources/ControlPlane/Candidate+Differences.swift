import JSON
import Routing
import Store
import Time

// Changes that are no list of operations: restores, and what goes back by itself.
extension Candidate {
    /// Does what is needed to be as the routing data of a revision were: they fitted together then.
    mutating func carryOut(
        _ differences: [Difference], of change: Change, at time: WallTime
    ) throws(Refusal) -> ChangeResult {
        let next = Revision(revision.number + 1)
        let stage = change.pastRoutes
        let time = try stage.map { (stage) throws(Refusal) in try self.time(time, behind: stage) } ?? time
        let changesNothing = differences.isEmpty && stage?.counts.total ?? 0 == 0
        try settle(change, by: changesNothing ? revision : next, at: time)
        let effects = differences.map {
            Effect(path: $0.path, body: $0.after?.body, createdAt: ($0.after ?? $0.before)?.createdAt ?? time)
        }
        try enforce(effects, stage, as: next, at: time)
        var before: [ResourcePath: StoredObject?] = [:]
        for difference in differences { before[difference.path] = .some(difference.before) }
        return try note(effects, before: before, stage, of: change, at: time)
    }

    /// Puts effects in force that fit together, in whatever order they come.
    ///
    /// - Parameter stage: further routes; nil: none.
    mutating func enforce(
        _ effects: [Effect], _ stage: RouteStage?, as next: Revision, at time: WallTime
    ) throws(Refusal) {
        // An object refers only to kinds before its own; what goes is let go of last.
        let kinds = ResourceKind.allCases.filter { $0 != .routes }
        for kind in kinds {
            for effect in effects where effect.path.kind == kind && effect.body != nil {
                try put(effect, as: next, at: time)
            }
        }
        try changeRoutes(effects, as: next, at: time)
        if let stage { try changeRoutes(stage) }
        for kind in kinds.reversed() {
            for effect in effects where effect.path.kind == kind && effect.body == nil {
                try remove(effect.path)
            }
        }
    }

    /// Ends the confirmations that the change decides.
    private mutating func settle(_ change: Change, by next: Revision, at time: WallTime) throws(Refusal) {
        func settled(_ revision: Revision, _ state: ConfirmationState, by next: Revision?) -> ConfirmationSettlement {
            ConfirmationSettlement(revision: revision, state, at: time, who: change.who, by: next)
        }
        switch change.aim {
        case .operations, .bulk: return
        case .confirm(let revision), .goBack(let revision):
            guard confirmations[revision] != nil else { throw .noPendingConfirmation(of: revision) }
            let isConfirmed = change.aim == .confirm(revision)
            settlements.append(settled(revision, isConfirmed ? .confirmed : .goneBack, by: isConfirmed ? nil : next))
            confirmations.remove(revision)
        case .restore(let past):
            for revision in confirmations.revisions where revision > past {
                // Should the restore go back, it would be in force again, and nothing would take it back any more.
                if change.confirmWithin != nil, let pending = confirmations[revision] {
                    throw pending.refusal("a restore that may go back itself would supersede it", at: time)
                }
                settlements.append(settled(revision, .superseded, by: next))
                confirmations.remove(revision)
            }
        }
    }

    private mutating func put(_ effect: Effect, as revision: Revision, at time: WallTime) throws(Refusal) {
        guard let body = effect.body else { return }
        try putInForce(
            StoredObject(
                path: effect.path, body: body, revision: revision, createdAt: effect.createdAt, updatedAt: time))
    }

    private mutating func remove(_ path: ResourcePath) throws(Refusal) {
        guard path.kind == .settings else {
            builder.remove(path)
            if path.kind == .routingTests { tests.remove(path.id) }
            return changed[path] = .some(nil)
        }
        try putInForce(.newSettings)
    }

    /// Changes the routes of each plan at once.
    private mutating func changeRoutes(_ effects: [Effect], as revision: Revision, at time: WallTime) throws(Refusal) {
        var routes: [String: [(prefix: Prefix, route: Route?)]] = [:]
        for effect in effects where effect.path.kind == .routes {
            let path = effect.path
            let route = effect.body.flatMap { Route(body: $0) }
            guard let plan = path.plan, let prefix = Prefix(path.id), effect.body == nil || route != nil else {
                throw .unreadable(path)
            }
            routes[plan, default: []].append((prefix, route))
            changed[path] = .some(
                effect.body.map {
                    StoredObject(
                        path: path, body: $0, revision: revision, createdAt: effect.createdAt, updatedAt: time)
                })
        }
        for (plan, changes) in routes { builder.changeRoutes(in: plan, changes) }
    }
}
