import JSON
import Routing
import Store
import Testing
import Time

@testable import ControlPlane

/// A candidate on an empty base: no store, no thread.
struct CandidateFixture {
    static let time = WallTime(milliseconds: 1_767_261_600_000)

    let table: GatewayInformationTable
    var candidate: Candidate
    private let objects: [ResourcePath: StoredObject]

    init(base: [StoredObject] = [], revision: Int64 = 0) throws {
        table = GatewayInformationTable()
        var builder = SnapshotBuilder()
        var stored: [ResourcePath: StoredObject] = [:]
        let settings = try base.first { $0.path == .settings }.map { try #require(Settings($0)) } ?? Settings()
        var tests = RoutingTests()
        for object in base {
            if object.path.kind == .routingTests {
                tests.put(try #require(RoutingTest(id: object.path.id, body: object.body)))
            }
            try builder.put(object.path, object.body, defaults: settings.gatewayDefaults, in: table)
            stored[object.path] = object
        }
        let objects = stored
        self.objects = objects
        candidate = Candidate(
            CommittedState(
                position: Position(epoch: 1, revision: Revision(revision), digest: []), builder: builder,
                settings: settings, tests: tests),
            table: table, read: { objects[$0] },
            readGateways: { objects.values.filter { $0.path.kind == .gateways } })
    }

    /// The next candidate of a committed state that equals this one's.
    func next() throws -> CandidateFixture {
        let objects = candidate.entries.flatMap(\.effects).compactMap { effect -> StoredObject? in
            guard let body = effect.body else { return nil }
            return StoredObject(
                path: effect.path, body: body, revision: candidate.revision, createdAt: effect.createdAt,
                updatedAt: Self.time)
        }
        return try CandidateFixture(base: objects, revision: candidate.revision.number)
    }

    /// The same on top of another committed state, of which this one took its changes.
    func next(over base: CandidateFixture) throws -> CandidateFixture {
        var objects = base.objects
        for object in try next().objects.values { objects[object.path] = object }
        return try CandidateFixture(base: Array(objects.values), revision: candidate.revision.number)
    }

    @discardableResult
    mutating func take(_ operations: Operation...) throws(Refusal) -> ChangeResult {
        try candidate.take(Change(operations, who: "test"), at: Self.time)
    }

    /// What the operations are refused with.
    mutating func refusal(_ operations: Operation...) throws -> Refusal {
        do throws(Refusal) {
            _ = try candidate.take(Change(operations, who: "test"), at: Self.time)
        } catch {
            return error
        }
        throw NotRefused()
    }

    struct NotRefused: Error {}

    /// The object as the API shows it.
    func view(_ place: String) throws -> ResourceView {
        ResourceView(
            try #require(try candidate.object(try path(place))), defaults: candidate.settings.gatewayDefaults)
    }

    /// Two gateways, a group of both, a list of it, a route to it.
    static func london() throws -> CandidateFixture {
        var fixture = try CandidateFixture()
        try fixture.take(
            try put("gateways/lon1", #"{"uri":"sip:192.0.2.10:5060"}"#),
            try put("gateways/lon2", #"{"uri":"sip:192.0.2.11:5060"}"#),
            try put("gateway-groups/london", #"{"members":[{"gateway":"lon1"},{"gateway":"lon2"}]}"#),
            try put("routing-lists/uk", #"{"groups":[{"group":"london"}]}"#),
            try put("routing-plans/default/routes/44", #"{"routing_list":"uk"}"#))
        return try fixture.next()
    }
}

func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

/// `gateways/lon1`, `routing-plans/default/routes/44`.
func path(_ text: String) throws -> ResourcePath {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    if text == "settings" { return .settings }
    if parts.count == 4 { return ResourcePath(route: parts[3], plan: parts[1]) }
    return ResourcePath(try #require(ResourceKind(rawValue: parts[0])), parts[1])
}

func put(_ place: String, _ body: String, _ condition: Precondition = Precondition()) throws -> Operation {
    .put(try path(place), try json(body), condition)
}

func patch(
    _ place: String, _ body: String, _ condition: Precondition = Precondition()
) throws -> Operation {
    .patch(try path(place), try json(body), condition)
}

func delete(_ place: String, _ condition: Precondition = Precondition()) throws -> Operation {
    .delete(try path(place), condition)
}

extension Change {
    /// Whatever stored routing tests say.
    static func overriding(_ operations: Operation...) -> Change {
        var change = Change(operations, who: "test")
        change.overridesTests = true
        return change
    }
}
