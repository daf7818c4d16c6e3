import JSON
import Routing
import Store

/// What is on disk and in force.
struct CommittedState: Sendable {
    /// The last change.
    var position: Position
    /// The routing data as values.
    var builder: SnapshotBuilder
    /// The settings as values.
    var settings: Settings
    /// The changes that wait to be confirmed.
    var confirmations = PendingConfirmations()
    /// The stored routing tests.
    var tests = RoutingTests()
}

/// What was read of the store beside the routing data.
struct LoadedState {
    /// The revision that was read.
    let revision: Revision
    let settings: Settings
    let tests: RoutingTests
}

extension SnapshotBuilder {
    /// Becomes what the store holds, in place: a gateway whose URI is the same keeps its row and with it its status.
    ///
    /// - Returns: what was read beside.
    mutating func load(from store: Store, table: GatewayInformationTable) throws(StoreError) -> LoadedState {
        try load(table: table) { object, route throws(StoreError) in try store.forEachObject(object, route: route) }
    }

    /// The same of what `reading` hands over, as `Store.forEachObject` does.
    mutating func load(
        table: GatewayInformationTable,
        reading: (_ object: (StoredObject) -> Void, _ route: (StoredRoute) -> Void) throws(StoreError) -> Revision
    ) throws(StoreError) -> LoadedState {
        var loading = Loading(builder: self, table: table)
        for plan in Array(planIDs) {  // routes have no list of their own to compare with
            loading.builder.removePlan(plan)
        }
        loading.builder.putPlan(RoutingPlan.defaultID)
        let revision = try reading({ loading.add($0) }, { loading.add($0) })
        if let path = loading.unreadable {
            throw StoreError(.failed, "\(path.text) is stored in a form that this version can't put in force")
        }
        loading.finish()
        self = loading.builder
        return LoadedState(revision: revision, settings: loading.settings, tests: loading.tests)
    }

    private struct Loading {
        /// Many, since routes that come in no order change every part of a large table with each of these.
        private static let routesAtOnce = 131_072

        var builder: SnapshotBuilder
        let table: GatewayInformationTable
        var unreadable: ResourcePath?
        var settings = Settings()
        var tests = RoutingTests()

        private var seen: Set<ResourcePath> = []
        private var routes: [(prefix: Prefix, route: Route?)] = []
        private var plan = RoutingPlan.defaultID
        /// What the last body was read as: neighbours say the same more often than not.
        private var lastRoute: (bodyNumber: Int, route: Route)?

        init(builder: SnapshotBuilder, table: GatewayInformationTable) {
            (self.builder, self.table) = (builder, table)
        }

        mutating func add(_ object: StoredObject) {
            let path = object.path
            if path.kind == .settings {
                guard let read = Settings(object) else { return unreadable = unreadable ?? path }
                settings = read
            }
            if path.kind == .routingTests {
                guard let test = RoutingTest(id: path.id, body: object.body) else {
                    return unreadable = unreadable ?? path
                }
                return tests.put(test)
            }
            do {
                try builder.put(path, object.body, defaults: settings.gatewayDefaults, in: table)
            } catch {
                unreadable = unreadable ?? path
            }
            seen.insert(path)
        }

        mutating func add(_ stored: StoredRoute) {
            if stored.bodyNumber != lastRoute?.bodyNumber {
                guard let route = Route(body: stored.body) else {
                    unreadable = unreadable ?? ResourcePath(route: stored.prefix.description, plan: stored.plan)
                    return
                }
                lastRoute = (stored.bodyNumber, route)
            }
            if stored.plan != plan || routes.count == Self.routesAtOnce { flush() }
            plan = stored.plan
            if let route = lastRoute?.route { routes.append((stored.prefix, route)) }
        }

        mutating func finish() {
            flush()
            for id in builder.gateways.keys where !seen.contains(ResourcePath(.gateways, id)) {
                builder.removeGateway(id)
            }
            for id in builder.groups.keys where !seen.contains(ResourcePath(.gatewayGroups, id)) {
                builder.removeGroup(id)
            }
            for id in builder.lists.keys where !seen.contains(ResourcePath(.routingLists, id)) {
                builder.removeList(id)
            }
            for id in builder.peers.keys where !seen.contains(ResourcePath(.ingressPeers, id)) {
                builder.removePeer(id)
            }
            builder.put(settings.routing, in: table)
            builder.settle()  // what was read is on disk
        }

        private mutating func flush() {
            builder.changeRoutes(in: plan, routes)
            routes.removeAll(keepingCapacity: true)
        }
    }
}
