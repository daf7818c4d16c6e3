import JSON
import Routing
import Store
import Time

extension ControlPlane {
    /// The routing data of an earlier revision as far as one look-up needs them: its plan's routes for the number,
    /// their lists, groups and gateways. A gateway that has the same URI now has its present status and load.
    func past(
        _ query: LookupQuery, at revision: Revision
    ) throws(Refusal) -> (snapshot: RoutingSnapshot, table: GatewayInformationTable) {
        guard revision <= state.position.revision else {
            throw .noRevision(revision, last: state.position.revision)
        }
        var past = PastRouting(revision: revision, store: store)
        do throws(StoreError) {
            try past.addPlansAndPeers()
        } catch {
            throw Self.unreadable(error)
        }
        let outline = past.builder.snapshot(revision: revision)
        guard let plan = try plan(of: query, in: outline) else { return (outline, past.table) }
        do throws(StoreError) {
            try past.addRoutes(of: DialledNumber(query.number), in: outline.name(of: plan))
        } catch {
            throw Self.unreadable(error)
        }
        let live = state.builder
        past.table.holdStatus(table.isNetworkSuspected)
        for id in past.builder.gateways.keys {
            guard let uri = past.builder.gateways[id]?.uri, live.gateways[id]?.uri == uri,
                let slot = past.builder.slot(of: id), let present = live.slot(of: id)
            else { continue }
            past.table.copy(present, of: table, to: slot)
        }
        return (past.builder.snapshot(revision: revision), past.table)
    }

    private static func unreadable(_ error: StoreError) -> Refusal {
        Refusal(.internalError, "The routing data of that revision can't be read: \(error.detail)")
    }
}

/// A part of the routing data of one revision, read object by object.
private struct PastRouting {
    let revision: Revision
    let store: Store
    let table = GatewayInformationTable()
    var builder = SnapshotBuilder()
    private var settings = Settings()
    private var added: Set<ResourcePath> = []

    init(revision: Revision, store: Store) { (self.revision, self.store) = (revision, store) }

    mutating func addPlansAndPeers() throws(StoreError) {
        if let object = try store.object(.settings, at: revision), let read = Settings(object) {
            settings = read
            builder.put(read.routing, in: table)
        }
        for kind in [ResourceKind.routingPlans, .ingressPeers] {
            for object in try store.objects(kind, at: revision) { try put(object) }
        }
    }

    /// The routes that may match the number, and what they lead to.
    mutating func addRoutes(of number: DialledNumber, in plan: String) throws(StoreError) {
        let characters = Array("0123456789*#")
        var prefixes = [Prefix.catchAllName]
        var digits = ""
        for index in 0..<(number.isNumber ? number.matchedDigitCount : 0) {
            digits.append(characters[Int(number.code(at: index))])
            prefixes.append(digits)
        }
        for route in try store.routes(prefixes, in: plan, at: revision) {
            if let id = route.body["routing_list"]?.text { try add(ResourcePath(.routingLists, id)) }
            try put(route)
        }
    }

    /// An object and what it refers to, that first.
    private mutating func add(_ path: ResourcePath) throws(StoreError) {
        guard added.insert(path).inserted, let object = try store.object(path, at: revision) else { return }
        switch path.kind {
        case .routingLists:
            for id in object.body.entries("groups").compactMap({ $0["group"]?.text }) {
                try add(ResourcePath(.gatewayGroups, id))
            }
        case .gatewayGroups:
            for id in object.body.entries("members").compactMap({ $0["gateway"]?.text }) {
                try add(ResourcePath(.gateways, id))
            }
        case .settings, .gateways, .routingPlans, .ingressPeers, .routes, .routingTests: break
        }
        try put(object)
    }

    private mutating func put(_ object: StoredObject) throws(StoreError) {
        do {
            try builder.put(object.path, object.body, defaults: settings.gatewayDefaults, in: table)
        } catch {
            throw StoreError(.failed, "\(object.path.text) is stored in a form that can't be followed")
        }
    }
}
