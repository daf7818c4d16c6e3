import Routing
import Store

extension Change {
    /// How many objects go back one by one at most.
    static let differenceLimitCount = 100_000
    /// How many of them are read at once.
    private static let differencesAtOnce = 10_000

    /// What the change does that is no list of operations: from the present objects to those that it wants. What it has
    /// on a stage catches up.
    ///
    /// - Parameter present: what is on disk; nothing is under way behind it.
    func differences(in store: Store, at present: CommittedState) throws(Refusal) -> [Difference] {
        let last = present.position.revision
        switch aim {
        case .operations, .confirm: return []
        case .bulk(let bulk): return try bulk.catchUp(with: store, present.builder)
        case .goBack(let revision):
            // Nobody has touched since what it changed: the objects as they are now are those that it made.
            return try Self.differences(in: store, from: revision, to: Revision(revision.number - 1))
        case .restore(let past):
            guard past >= Revision(1), past <= last else { throw .noRevision(past, last: last) }
            guard let pastRoutes else { return try Self.differences(in: store, from: last, to: past) }
            try pastRoutes.catchUp(with: store, emptying: present.builder.plansWithRoutes) { _, _, _ in .unchanged }
            return try Self.differences(in: store, from: last, to: past, hasRoutes: false)
        }
    }

    /// True when more objects than so many differ between two revisions.
    static func isFar(_ from: Revision, _ to: Revision, in store: Store, limitCount: Int) throws(Refusal) -> Bool {
        var (count, position): (Int, DifferencePosition?) = (0, nil)
        repeat {
            let page = try page(in: store, from: from, to: to, after: position)
            count += page.items.count
            position = page.next
        } while position != nil && count <= limitCount
        return count > limitCount
    }

    private static func differences(
        in store: Store, from: Revision, to: Revision, hasRoutes: Bool = true
    ) throws(Refusal) -> [Difference] {
        var differences: [Difference] = []
        var position: DifferencePosition?
        repeat {
            let page = try page(in: store, from: from, to: to, after: position, hasRoutes: hasRoutes)
            differences += page.items
            position = page.next
        } while position != nil && (!hasRoutes || differences.count <= differenceLimitCount)
        guard !hasRoutes || differences.count <= differenceLimitCount else {
            throw Refusal(
                .conflict,
                "Revision \(to.number) differs in more than \(differenceLimitCount) objects, the most that can "
                    + "wait for a confirmation; leave confirm_within_s out.")
        }
        return differences
    }

    private static func page(
        in store: Store, from: Revision, to: Revision, after position: DifferencePosition?, hasRoutes: Bool = true
    ) throws(Refusal) -> DifferencePage {
        do throws(StoreError) {
            return try store.differences(
                from: from, to: to, after: position, limit: differencesAtOnce, hasRoutes: hasRoutes)
        } catch {
            throw .internalError("The routing data of revision \(to.number) can't be read: \(error.detail)")
        }
    }
}

extension RouteStage {
    /// Catches up with what others changed since it was resolved; throws when it can't be put in force any more.
    ///
    /// - Parameter plans: those that have routes now: one that the stage does not know has come since, and is emptied.
    func catchUp(with store: Store, emptying plans: [String], merge: Merge) throws(Refusal) {
        let standing = try Refusal.staging { () throws(StoreError) in
            let standing = try catchUp(merge: merge)
            guard standing == .good else { return standing }
            try store.repair(self)
            let known = Set(planIDs)
            try resolve(emptying: plans.filter { !known.contains($0) })
            return standing
        }
        guard standing == .good else {
            var refusal = Refusal(.conflict, "A bulk has replaced a plan's routes meanwhile; send it again.")
            refusal.retryAfterSeconds = 1
            throw refusal
        }
    }
}

extension SnapshotBuilder {
    /// The ids of the plans that have routes, in order.
    var plansWithRoutes: [String] { planIDs.filter { routeCount(in: $0) > 0 }.sorted() }
}
