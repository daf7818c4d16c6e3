import Addressing
import JSON
import Routing
import Store
import Time

/// The changes that go back by themselves unless they are confirmed in time.
///
/// That they can go back at any time until then is kept true by refusing, meanwhile, what would stand in the way: a
/// change of what they changed, of what the objects as they were refer to, or to what would be gone. So whoever waits
/// for calls to come back by themselves can count on it, whatever others do.
struct PendingConfirmations: Sendable {
    private var all: [Revision: PendingConfirmation] = [:]

    /// The revisions that wait, in order.
    var revisions: [Revision] { all.keys.sorted() }

    subscript(revision: Revision) -> PendingConfirmation? { all[revision] }

    mutating func add(_ pending: PendingConfirmation) { all[pending.revision] = pending }

    mutating func remove(_ revision: Revision) { all[revision] = nil }

    /// Throws `conflict` when one of them could not go back after these effects.
    func check(_ effects: [Effect], at time: WallTime) throws(Refusal) {
        guard !all.isEmpty else { return }
        for revision in revisions {
            guard let pending = all[revision] else { continue }
            for effect in effects {
                guard let obstacle = pending.obstacle(in: effect) else { continue }
                throw pending.refusal(obstacle, at: time)
            }
        }
    }

    /// Those that the store tells of.
    init(from store: Store) throws(StoreError) {
        for stored in try store.pendingConfirmations() {
            let earlier = Revision(stored.revision.number - 1)
            var differences: [Difference] = []
            var position: DifferencePosition?
            repeat {
                let page = try store.differences(from: earlier, to: stored.revision, after: position, limit: 10_000)
                differences += page.items
                position = page.next
            } while position != nil
            add(PendingConfirmation(of: stored.revision, by: stored.confirmBy, differences))
        }
    }

    /// None.
    init() {}
}

/// A change that is to be confirmed, and what must not happen before it is.
struct PendingConfirmation: Sendable {
    let revision: Revision
    /// When it goes back.
    let confirmBy: WallTime
    /// What it changed.
    private var touched: Set<ResourcePath> = []
    /// What it made: gone when it goes back.
    private var made: Set<ResourcePath> = []
    /// What the objects as they were before refer to.
    private var needed: Set<ResourcePath> = []
    /// Which networks peers had before.
    private var networks: Set<Network> = []

    init(of revision: Revision, by time: WallTime, _ differences: [Difference]) {
        (self.revision, confirmBy) = (revision, time)
        for difference in differences { add(difference.path, before: difference.before) }
    }

    init(of revision: Revision, by time: WallTime, _ effects: [Effect], before: [ResourcePath: StoredObject?]) {
        (self.revision, confirmBy) = (revision, time)
        for effect in effects { add(effect.path, before: before[effect.path] ?? nil) }
    }

    private mutating func add(_ path: ResourcePath, before: StoredObject?) {
        touched.insert(path)
        guard let before else {
            made.insert(path)
            return
        }
        needed.formUnion(path.references(in: before.body))
        if path.kind == .ingressPeers { networks.formUnion(before.body.networks("networks") ?? []) }
    }

    /// True when it changed the object.
    func hasTouched(_ path: ResourcePath) -> Bool { touched.contains(path) }

    /// True when it made the object.
    func hasMade(_ path: ResourcePath) -> Bool { made.contains(path) }

    /// The routes of a plan that it changed.
    func routes(of plan: String) -> [ResourcePath] { touched.filter { $0.plan == plan } }

    /// What about an effect would stand in the way of going back; nil: nothing.
    func obstacle(in effect: Effect) -> String? {
        let path = effect.path
        if touched.contains(path) { return "\(path.text) is what it changed too" }
        guard let body = effect.body else {
            return needed.contains(path) ? "what it changed referred to \(path.text) before" : nil
        }
        if let used = path.references(in: body).first(where: made.contains) {
            return "\(path.text) would refer to \(used.text), which it made"
        }
        guard path.kind == .ingressPeers, !networks.isEmpty else { return nil }
        return body.networks("networks")?.first(where: networks.contains).map {
            "\($0) was another ingress peer's before"
        }
    }

    func refusal(_ obstacle: String, at time: WallTime) -> Refusal {
        var refusal = Refusal(
            .conflict,
            "Revision \(revision.number) waits for its confirmation until \(confirmBy.rfc3339) and could not go back "
                + "after this: \(obstacle). Confirm it, or let it go back, first.")
        refusal.extensions = [
            "revision": .integer(revision.number), "confirm_by": .string(confirmBy.rfc3339),
        ]
        let seconds = (confirmBy.milliseconds - time.milliseconds) / 1000
        refusal.retryAfterSeconds = Int(clamping: max(1, seconds + 1))
        return refusal
    }
}

extension ResourcePath {
    /// What an object of that path and body refers to.
    func references(in body: JSONValue) -> [ResourcePath] {
        let own = Schema.of(kind).references(in: body)
        return plan.map { own + [ResourcePath(.routingPlans, $0)] } ?? own
    }
}

extension Schema {
    /// What an object of the schema refers to.
    fileprivate func references(in body: JSONValue) -> [ResourcePath] {
        var found: [ResourcePath] = []
        for field in fields {
            guard let value = body[field.name] else { continue }
            switch (field.rule, value) {
            case (.reference(let kind), .string(let id)): found.append(ResourcePath(kind, id))
            case (.object(let schema), _): found += schema.references(in: value)
            case (.entries(let schema, _, _), .array(let entries)):
                for entry in entries { found += schema.references(in: entry) }
            default: continue
            }
        }
        return found
    }
}

extension Refusal {
    static func noPendingConfirmation(of revision: Revision) -> Refusal {
        Refusal(.conflict, "Revision \(revision.number) does not wait for a confirmation.")
    }

    /// The routing data are at another revision than the client thinks.
    static func stale(_ present: Revision, not wanted: Int64) -> Refusal {
        var refusal = Refusal(
            .stale, "if_revision is \(wanted), and the routing data are at revision \(present.number).")
        refusal.extensions["revision"] = .integer(present.number)
        return refusal
    }

    static func unreadable(_ path: ResourcePath) -> Refusal {
        .internalError("\(path.text) passed validation but can't be put in force.")
    }
}
