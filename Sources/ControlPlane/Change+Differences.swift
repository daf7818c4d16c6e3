import Routing
import Store

extension Change {
    /// How many objects a restore changes at most.
    static let differenceLimitCount = 100_000
    /// How many of them are read at once.
    private static let differencesAtOnce = 10_000

    /// What the change does that is no list of operations: from the present objects to those that it wants.
    ///
    /// - Parameter present: the last revision; nothing is under way behind it.
    func differences(in store: Store, at present: Revision) throws(Refusal) -> [Difference] {
        switch aim {
        case .operations, .confirm: return []
        case .bulk(let bulk): return try bulk.catchUp(with: store)
        case .goBack(let revision):
            // Nobody has touched since what it changed: the objects as they are now are those that it made.
            return try Self.differences(in: store, from: revision, to: Revision(revision.number - 1))
        case .restore(let past):
            guard past >= Revision(1), past <= present else { throw .noRevision(past, last: present) }
            return try Self.differences(in: store, from: present, to: past)
        }
    }

    private static func differences(
        in store: Store, from: Revision, to: Revision
    ) throws(Refusal) -> [Difference] {
        var differences: [Difference] = []
        var position: DifferencePosition?
        do throws(StoreError) {
            repeat {
                let page = try store.differences(from: from, to: to, after: position, limit: differencesAtOnce)
                differences += page.items
                position = page.next
            } while position != nil && differences.count <= differenceLimitCount
        } catch {
            throw .internalError("The routing data of revision \(to.number) can't be read: \(error.detail)")
        }
        guard differences.count <= differenceLimitCount else {
            throw Refusal(
                .conflict,
                "Revision \(to.number) differs in more than \(differenceLimitCount) objects, the most that are "
                    + "restored at once.")
        }
        return differences
    }
}
