import JSON
import NetworkManager
import Routing
import Store
import Time

/// The routing data before and after a change set: what its preview is made of, away from the writer's thread.
struct PreviewBasis: Sendable {
    let before: SnapshotBuilder
    let after: SnapshotBuilder
    /// The objects that it changes.
    let paths: [ResourcePath]
    /// How many routes it changes besides: of very many the first are among `paths`.
    var otherRouteCount = 0
    /// The ids of the stored routing tests that it touches, the first of them.
    var tests: [String] = []
}

/// What a change set would do to calls (API section 4).
struct ChangePreview {
    /// How many of the newest recorded calls are routed again.
    static let callLimitCount = 10_000
    /// How many names of each kind are listed.
    static let nameLimitCount = 100

    let touched: TouchedRouting
    let calls: CallComparison
    let tests: [String]

    /// Works it out; takes a while where very much is touched.
    init(
        _ basis: PreviewBasis, calls: [CallLog.Call], status table: GatewayInformationTable, revision: Revision,
        clock: any TimeSource
    ) {
        touched = TouchedRouting(basis)
        tests = basis.tests
        var comparison = CallComparison()
        if !basis.paths.isEmpty {
            var (before, after) = (basis.before, basis.after)
            comparison.compare(
                calls, before: before.snapshot(revision: revision), after: after.snapshot(revision: revision),
                status: table, now: clock.now, wallTime: clock.wallTime)
        }
        self.calls = comparison
    }

    /// The preview as the API shows it.
    var json: JSONValue {
        .object([
            "prefixes": .array(
                touched.prefixes.map {
                    .object(["routing_plan": .string($0.plan), "prefix": .string($0.prefix)])
                }),
            "prefix_count": .integer(Int64(touched.prefixCount)),
            "groups": .array(touched.groups.prefix(Self.nameLimitCount).map { .string($0) }),
            "group_count": .integer(Int64(touched.groups.count)),
            "routing_tests": .array(tests.map { .string($0) }), "calls": calls.json,
        ])
    }
}

/// What a change set touches: the objects that it changes, and what leads to them.
struct TouchedRouting {
    /// The ids of the gateway groups, in order.
    let groups: [String]
    /// The first prefixes, those that are changed themselves before those that lead to what is changed.
    private(set) var prefixes: [(plan: String, prefix: String)] = []
    /// How many prefixes there are in all.
    private(set) var prefixCount = 0

    init(_ basis: PreviewBasis) {
        var (gateways, groups, lists, routes): (Set<String>, Set<String>, Set<String>, Set<ResourcePath>) =
            ([], [], [], [])
        for path in basis.paths {
            switch path.kind {
            case .gateways: gateways.insert(path.id)
            case .gatewayGroups: groups.insert(path.id)
            case .routingLists: lists.insert(path.id)
            case .routes: routes.insert(path)
            case .settings: gateways.formUnion(Self.gatewaysWithOtherDefaults(basis))
            case .routingPlans, .ingressPeers, .routingTests: break
            }
        }
        for builder in [basis.before, basis.after] {
            if !gateways.isEmpty {
                for group in builder.groups.values
                where group.members.contains(where: { gateways.contains($0.gateway) }) {
                    groups.insert(group.id)
                }
            }
            if !groups.isEmpty {
                for list in builder.lists.values where list.entries.contains(where: { groups.contains($0.group) }) {
                    lists.insert(list.id)
                }
            }
        }
        self.groups = groups.sorted()
        for path in routes.sorted(by: { $0.text < $1.text }) { add(path.plan ?? "", path.id) }
        prefixCount += basis.otherRouteCount
        // A route that led to one of the lists before and does not any more is changed itself.
        basis.after.forEachRoute(toAny: lists) { plan, prefix in
            let id = prefix.description
            guard routes.isEmpty || !routes.contains(ResourcePath(route: id, plan: plan)) else { return }
            if basis.otherRouteCount > 0 {  // one that is another is counted already
                guard basis.before.route(at: prefix, in: plan) == basis.after.route(at: prefix, in: plan) else {
                    return
                }
            }
            add(plan, id)
        }
    }

    private mutating func add(_ plan: String, _ prefix: String) {
        prefixCount += 1
        if prefixes.count < ChangePreview.nameLimitCount { prefixes.append((plan, prefix)) }
    }

    private static func gatewaysWithOtherDefaults(_ basis: PreviewBasis) -> [String] {
        basis.after.gateways.keys.filter { basis.before.gateways[$0] != basis.after.gateways[$0] }
    }
}
