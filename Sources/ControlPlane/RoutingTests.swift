import JSON
import Routing
import Store
import Time

/// All stored routing tests of one state of the routing data: the gate that changes pass (API section 4).
struct RoutingTests: Sendable {
    /// How many there are at most: a change of a gateway has all of them judged.
    static let limitCount = 10_000
    /// How many of those that fail are named.
    static let namedLimitCount = 100

    private var tests: [String: RoutingTest] = [:]

    /// How many there are.
    var count: Int { tests.count }
    /// True when there is none.
    var isEmpty: Bool { tests.isEmpty }
    /// True when there can be no more.
    var isFull: Bool { tests.count >= Self.limitCount }

    subscript(id: String) -> RoutingTest? { tests[id] }

    mutating func put(_ test: RoutingTest) { tests[test.id] = test }

    mutating func remove(_ id: String) { tests[id] = nil }

    /// Those whose call a change of these objects may lead elsewhere, by id. Of routes only the number's own prefixes
    /// matter, so a change of routes costs what tests it meets.
    func touched(by paths: some Sequence<ResourcePath>) -> [RoutingTest] {
        var (ids, prefixes): (Set<String>, [Prefix]) = ([], [])
        for path in paths {
            switch path.kind {
            case .routingTests: ids.insert(path.id)
            case .routes: if let prefix = Prefix(path.id) { prefixes.append(prefix) }
            case .settings, .gateways, .gatewayGroups, .routingLists, .routingPlans, .ingressPeers: return all
            }
        }
        guard prefixes.count <= Self.comparedPrefixCount else { return all }
        return all.filter { test in
            ids.contains(test.id) || prefixes.contains { test.dialledNumber.begins(with: $0) }
        }
    }

    /// More prefixes than these, and it is cheaper to judge all tests than to compare.
    private static let comparedPrefixCount = 64

    private var all: [RoutingTest] { tests.values.sorted { $0.id < $1.id } }

    /// A test that fails.
    struct Failure: Sendable {
        let test: RoutingTest
        /// What its call gets.
        let outcome: RoutingTest.Outcome
        /// What is not as expected, for people.
        let difference: String

        /// As `test-failed` lists it.
        var json: JSONValue {
            .object([
                "routing_test": .string(test.id), "expected": test.expectation.json, "got": outcome.json,
            ])
        }
    }

    /// Those of all that fail, by id.
    func failures(by snapshot: RoutingSnapshot, at time: WallTime) -> [Failure] {
        all.compactMap { Self.failure(of: $0, by: snapshot, at: time) }
    }

    private static func failure(of test: RoutingTest, by snapshot: RoutingSnapshot, at time: WallTime) -> Failure? {
        let outcome = test.outcome(by: snapshot, at: time)
        return test.expectation.difference(to: outcome).map {
            Failure(test: test, outcome: outcome, difference: $0)
        }
    }

    /// The gate: throws `test-failed` when the change would make a test fail. One that fails before as well, since it
    /// was overridden or a route has ended, is no fault of this change.
    ///
    /// - Parameters:
    ///   - paths: the objects that the change touches.
    ///   - snapshot: what calls would follow after it.
    ///   - before: the tests, and what calls follow, before it; asked only when a test fails.
    func check(
        touching paths: some Sequence<ResourcePath>, after snapshot: RoutingSnapshot,
        before: () -> (tests: RoutingTests, snapshot: RoutingSnapshot), at time: WallTime
    ) throws(Refusal) {
        var failures = touched(by: paths).compactMap { Self.failure(of: $0, by: snapshot, at: time) }
        guard !failures.isEmpty else { return }
        let (olderTests, older) = before()
        failures.removeAll { failure in
            olderTests[failure.test.id] == failure.test
                && Self.failure(of: failure.test, by: older, at: time) != nil
        }
        guard let first = failures.first else { return }
        let more = failures.count > 1 ? " (and \(failures.count - 1) more)" : ""
        var refusal = Refusal(
            .testFailed, "The routing test \(first.test.id)\(more) would fail: it expects \(first.difference).")
        refusal.extensions["failed_tests"] = .array(failures.prefix(Self.namedLimitCount).map(\.json))
        refusal.extensions["failed_count"] = .integer(Int64(failures.count))
        throw refusal
    }
}
