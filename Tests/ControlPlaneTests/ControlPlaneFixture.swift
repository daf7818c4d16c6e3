import ControlPlane
import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Synchronization
import Testing
import Time

/// A change log that does what the next order says, and passes on to the store without one.
final class OrderedChangeLog: ChangeLog {
    enum Order: Sendable {
        case answer(AppendOutcome)
        /// Writes, and says that it does not know.
        case writeAndForget
        /// Another node's change gets in between.
        case comeLate(String, String)
    }

    let store: Store
    private let orders = Mutex<[Order]>([])
    private let seen = Mutex<[CommitBatch]>([])
    private let isWell = Mutex(false)

    init(store: Store) { self.store = store }

    /// Every batch that came.
    var batches: [CommitBatch] { seen.withLock { $0 } }

    func order(_ next: Order...) { orders.withLock { $0 += next } }

    func forgetOrders() { orders.withLock { $0 = [] } }

    /// True while an order waits for a batch.
    var hasOrders: Bool { orders.withLock { !$0.isEmpty } }

    /// The disk is well again, also for who only looks.
    func becomeWell() { isWell.withLock { $0 = true } }

    func readOnlyReason() -> String? { isWell.withLock { $0 } ? nil : "disk full" }

    func append(_ batch: CommitBatch) -> AppendOutcome {
        seen.withLock { $0.append(batch) }
        switch orders.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
        case nil: return store.append(batch)
        case .answer(let outcome): return outcome
        case .writeAndForget:
            _ = store.append(batch)
            return .unknown(reason: "the connection broke")
        case .comeLate(let place, let body):
            do { try writeBeside(store, place, body) } catch { return .unavailable(reason: "\(error)") }
            return store.append(batch)
        }
    }
}

/// A control plane on a store in a folder of its own.
final class ControlPlaneFixture: Sendable {
    let folder: TemporaryFolder
    let clock: StandingClock
    let store: Store
    let log: OrderedChangeLog
    let plane: ControlPlane

    /// - Parameters:
    ///   - bulksInPlace: bulks that change more routes are written beside the live ones.
    ///   - restoresInPlace: restores of more differences are bulks.
    init(
        folder: TemporaryFolder? = nil, clock: StandingClock = StandingClock(), starts: Bool = true,
        bulksInPlace: Int = RouteStage.inPlaceLimitCount,
        restoresInPlace: Int = ControlPlane.restoreInPlaceLimitCount
    ) throws {
        let folder = try folder ?? TemporaryFolder()
        (self.folder, self.clock) = (folder, clock)
        store = try Store(path: folder.file(), node: "n1", at: clock.wallTime)
        log = OrderedChangeLog(store: store)
        plane = try ControlPlane(
            store: store, changeLog: log, clock: clock, bulkInPlaceLimitCount: bulksInPlace,
            restoreInPlaceLimitCount: restoresInPlace)
        if starts { plane.start() }
    }

    func close() {
        plane.stop()
        store.close()
    }

    /// Submits and waits.
    func change(_ operations: Operation...) async -> Result<ChangeResult, Refusal> {
        await withCheckedContinuation { continuation in
            plane.submit(Change(operations, who: "test")) { continuation.resume(returning: $0) }
        }
    }

    /// Submits and waits; a refusal is the test's failure.
    @discardableResult
    func commit(_ operations: Operation...) async throws -> ChangeResult {
        try await withCheckedContinuation { continuation in
            plane.submit(Change(operations, who: "test")) { continuation.resume(returning: $0) }
        }.get()
    }

    /// The example of API section 3.
    func provisionLondon() async throws {
        try await commit(
            try put("gateways/lon1", #"{"uri":"sip:192.0.2.10:5060"}"#),
            try put("gateways/lon2", #"{"uri":"sip:192.0.2.11:5060","description":"London, second"}"#),
            try put(
                "gateway-groups/london", #"{"policy":"ordered","members":[{"gateway":"lon1"},{"gateway":"lon2"}]}"#),
            try put("routing-lists/uk", #"{"groups":[{"group":"london"}]}"#),
            try put("routing-plans/default/routes/44", #"{"routing_list":"uk"}"#))
    }

    func slot(_ gateway: String) throws -> GatewaySlot {
        try #require(plane.snapshots.latest.gateways.first { $0.id == gateway }).slot
    }

    /// A call saw the gateway fail.
    func takeOut(_ gateway: String, for duration: Duration = .seconds(60)) throws {
        let transition = plane.table.takeOut(
            try slot(gateway), until: clock.now + duration, cause: .noResponse, now: clock.now, reporter: .call)
        plane.networkManager.receive([try #require(transition)])
    }

    /// What was submitted before has been committed when this returns.
    func settle() async throws {
        try await commit(try put("gateway-groups/settle-\(plane.revision)", "{}"))
    }

    func statusRecords() throws -> [StatusChange] {
        try plane.statusRecords(StatusRecordQuery(), group: nil).value.map(\.change)
    }
}

extension Result where Failure == Refusal {
    var refusal: Refusal? {
        switch self {
        case .success: nil
        case .failure(let refusal): refusal
        }
    }
}

/// Another node's change, past the control plane.
func writeBeside(_ store: Store, _ place: String, _ body: String) throws {
    let base = store.position
    let time = WallTime(milliseconds: 1_767_261_600_000)
    let effect = Effect(path: try path(place), body: try json(body), createdAt: time)
    let entry = ChangeEntry(
        revision: Revision(base.revision.number + 1), at: time, who: "other", comment: nil, effects: [effect],
        events: [])
    let outcome = store.append(CommitBatch(base: base, changes: [entry]))
    guard case .appended = outcome else { throw NotWritten(outcome: outcome) }
}

struct NotWritten: Error {
    let outcome: AppendOutcome
}
