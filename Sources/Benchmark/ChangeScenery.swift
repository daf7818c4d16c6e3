import Addressing
import ControlPlane
import JSON
import Routing
import Store
import Time

/// A database of very many routes that the program's own store has written, and changes to it.
struct ChangeScenery: Sendable {
    private static let listCount: UInt64 = 500
    private static let routesAtOnce = 50_000
    private static let numberCount = 16_384

    let path: String
    let routeCount: Int
    /// The digits of numbers that have a route, one behind the other.
    let numbers: [UInt8]
    /// Some prefixes that have a route.
    private let known: [String]

    init(path: String, routeCount: Int) {
        (self.path, self.routeCount) = (path, routeCount)
        var (numbers, known): ([UInt8], [String]) = ([], [])
        Self.forEachPrefix(routeCount) { prefix in
            guard known.count < Self.numberCount else { return }
            known.append(prefix)
            numbers += prefix.utf8
            numbers += Array(
                repeating: UInt8(ascii: "5"), count: RoutingScenery.numberLength - prefix.utf8.count)
        }
        (self.numbers, self.known) = (numbers, known)
    }

    /// Different ones, the same each time: 9 digits that run through all of their values in a scattered order.
    private static func forEachPrefix(_ count: Int, _ body: (String) throws -> Void) rethrows {
        for index in 0..<count {
            try body("\(100_000_000 + UInt64(index) * 479_001_599 % 900_000_000)")
        }
    }

    /// Writes gateways, groups and lists through the control plane, then the routes through its change log.
    func fill(_ clock: some TimeSource) throws {
        let store = try Store(path: path, node: "bench", at: clock.wallTime)
        defer { store.close() }
        let plane = try ControlPlane(store: store, changeLog: nil, clock: clock)
        try provision(plane)
        var (batch, position): ([Effect], Position) = ([], store.position)
        func write() throws {
            let revision = Revision(position.revision.number + 1)
            let entry = ChangeEntry(
                revision: revision, at: clock.wallTime, who: "bench", comment: nil, effects: batch, events: [])
            guard case .appended(let next) = store.append(CommitBatch(base: position, changes: [entry])) else {
                throw BenchmarkFailure(detail: "\(path): the routes can't be written")
            }
            position = next
            batch.removeAll(keepingCapacity: true)
        }
        var chance: UInt64 = 5
        try Self.forEachPrefix(routeCount) { prefix in
            let list = SplitMix64.next(after: &chance) % Self.listCount
            batch.append(
                Effect(
                    path: ResourcePath(route: prefix, plan: RoutingPlan.defaultID), body: Self.body("list-\(list)"),
                    createdAt: clock.wallTime))
            if batch.count == Self.routesAtOnce { try write() }
        }
        if !batch.isEmpty { try write() }
    }

    private func provision(_ plane: ControlPlane) throws {
        func put(_ kind: ResourceKind, _ id: String, _ body: String) throws -> Operation {
            .put(ResourcePath(kind, id), try JSONValue(parsing: Array(body.utf8)), Precondition())
        }
        var operations = [
            try put(.gateways, "gateway", "{\"uri\":\"sip:\(RoutingScenery.gateway.hostPort)\"}"),
            try put(.gatewayGroups, "group", "{\"members\":[{\"gateway\":\"gateway\"}]}"),
            try put(.ingressPeers, "callers", "{\"networks\":[\"10.1.0.0/16\"]}"),
        ]
        for list in 0..<Self.listCount {
            operations.append(try put(.routingLists, "list-\(list)", "{\"groups\":[{\"group\":\"group\"}]}"))
        }
        plane.start()
        defer { plane.stop() }
        try plane.wait(for: Change(operations, who: "bench"))
    }

    private static func body(_ list: String) -> JSONValue { .object(["routing_list": .string(list)]) }

    /// The prefix that the change of that number gives another list.
    func change(_ number: Int) -> (prefix: String, list: String) {
        let place = number % known.count * 7919 % known.count
        return (known[place], "list-\((UInt64(number) / 3 + 1) % Self.listCount)")
    }

    func put(_ prefix: String, _ list: String) -> Change {
        Change(
            [.put(ResourcePath(route: prefix, plan: RoutingPlan.defaultID), Self.body(list), Precondition())],
            who: "bench")
    }
}
