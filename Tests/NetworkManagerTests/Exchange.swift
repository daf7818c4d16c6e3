import Addressing
import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Synchronization
import Testing
import Time

/// A store on a disk, a table, a snapshot and a network manager, with a writer that commits when the test says so.
final class Exchange {
    let clock = StandingClock()
    let table = GatewayInformationTable()
    let store: Store
    let snapshots: SnapshotCell
    let manager: NetworkManager
    private(set) var builder = SnapshotBuilder()
    private let folder: TemporaryFolder

    /// - Parameter earlier: An exchange whose store this one opens anew.
    init(
        _ gateways: [String: String] = ["lon1": "sip:192.0.2.10", "lon2": "sip:192.0.2.11"],
        after earlier: Exchange? = nil
    ) throws {
        folder = try earlier?.folder ?? TemporaryFolder()
        earlier?.store.close()
        store = try Store(path: folder.file(), node: "n1", at: clock.wallTime)
        snapshots = SnapshotCell(builder.snapshot(revision: Revision(0)))
        manager = try NetworkManager(store: store, table: table, snapshots: snapshots, clock: clock)
        for (id, uri) in gateways.sorted(by: { $0.key < $1.key }) { try provision(id, uri) }
    }

    deinit { store.close() }

    /// Creates or replaces a gateway, on disk and for calls; nil: deletes it.
    func provision(_ id: String, _ uri: String?) throws {
        if let uri {
            let address = TransportAddress(.udp, try #require(IPAddress("192.0.2.1")), port: 5060)
            let gateway = Gateway(id: id, uri: uri, address: address, requestURISuffix: "@192.0.2.1")
            let isPut = builder.put(gateway, in: table)
            #expect(isPut)
        } else {
            builder.removeGateway(id)
        }
        let revision = Revision(store.position.revision.number + 1)
        let effect = Effect(
            path: ResourcePath(.gateways, id), body: uri.map { .object(["uri": .string($0)]) },
            createdAt: clock.wallTime)
        let entry = ChangeEntry(
            revision: revision, at: clock.wallTime, who: "test", comment: nil, effects: [effect], events: [])
        #expect(store.append(CommitBatch(base: store.position, changes: [entry])) == .appended(store.position))
        snapshots.swap(to: builder.snapshot(revision: revision))
    }

    /// Changes a gateway, for calls alone.
    func change(_ id: String, _ body: (inout Gateway) -> Void) throws {
        var gateway = try #require(builder.gateways[id])
        body(&gateway)
        let isPut = builder.put(gateway, in: table)
        #expect(isPut)
        show()
    }

    /// Makes a group, for calls alone.
    func group(_ id: String, _ gateways: [String]) throws {
        builder.put(GatewayGroup(id: id, members: gateways.map { .init(gateway: $0) }))
        show()
    }

    /// Changes the settings, for calls alone.
    func set(_ body: (inout RoutingSettings) -> Void) throws {
        var settings = builder.settings
        body(&settings)
        builder.put(settings, in: table)
        show()
    }

    private func show() {
        snapshots.swap(to: builder.snapshot(revision: Revision(snapshots.latest.revision.number + 1000)))
    }

    /// The events that wait for the writer.
    func takeEvents() -> [EventDraft] {
        var events: [EventDraft] = []
        _ = manager.takePending(limitCount: 0, events: &events)
        return events
    }

    func slot(_ gateway: String) throws -> GatewaySlot { try #require(builder.slot(of: gateway)) }

    /// Takes a gateway out for 60 s as a call does.
    func takeOut(_ gateway: String) throws -> StatusTransition {
        try #require(
            table.takeOut(
                try slot(gateway), until: clock.now + .seconds(60), cause: .noResponse, now: clock.now, reporter: .call,
                sipStatus: 408))
    }

    func putBack(_ gateway: String) throws -> StatusTransition {
        try #require(table.putBack(try slot(gateway), cause: .probeAnswered, now: clock.now, reporter: .probe))
    }

    /// What the writer does.
    @discardableResult func commit() -> [StatusChange] {
        let changes = manager.takePending(limitCount: 1000)
        guard !changes.isEmpty else { return [] }
        #expect(
            store.append(CommitBatch(base: store.position, statusChanges: changes)) == .appended(store.position))
        manager.noteCommitted(changes)
        manager.announce()
        return changes
    }

    /// What was recorded of a gateway: the statuses after each change.
    func records(_ gateway: String) throws -> [GatewayStatus] {
        var query = StatusRecordQuery()
        query.gateways = [gateway]
        query.limitCount = 1000
        return try store.statusRecords(query).map(\.change.to)
    }
}

/// Counts calls from any thread.
final class Bell: Sendable {
    private let calls = Mutex(0)
    var count: Int { calls.withLock { $0 } }
    func ring() { calls.withLock { $0 += 1 } }
}
