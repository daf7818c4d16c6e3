import Addressing
import Foundation
import JSON
package import NetworkManager
package import Routing
package import Store
import Synchronization
package import Time

// How this room works. A request becomes a `Change` and goes through `ControlPlane.submit` into the `Inbox`, which
// any thread may fill. The one thread of `Writer` takes what waits, evaluates each change on a `Candidate` (all
// routing data as they will be, beside the live ones), appends one batch to the change log, swaps the snapshot, tells
// the network manager, and only then calls whoever waits. Reads go past the writer: objects come from the store,
// look-ups from the snapshot, status from the table.

/// The one writer: validates, commits, builds, swaps, announces; and answers what is asked about the routing data.
package final class ControlPlane: Sendable {
    /// What workers read.
    package let snapshots: SnapshotCell
    /// The live status of every gateway.
    package let table: GatewayInformationTable
    /// How many calls each ingress peer has.
    package let peers = PeerTable()
    /// Who keeps status changes.
    package let networkManager: NetworkManager
    /// Who may use the API.
    package let tokens: TokenRegistry

    let store: Store
    let clock: any TimeSource
    /// The gateways' ids in order, at a revision.
    let sortedIDs = Mutex<(revision: Revision, ids: [String])?>(nil)
    let lastEvents = Mutex<EventPage?>(nil)
    let webhooks: WebhookDesk
    /// Requests that may come again and are under way: by who, path and key.
    let requestsUnderWay = Mutex<Set<[String]>>([])
    let isBackingUp = Atomic(false)
    let lintDesk = Mutex(LintDesk())
    /// Where requests wait for the disk that are no business of the writer's.
    let deskQueue = DispatchQueue(label: "tandem-desk")
    /// Where it is worked out what a change set touches.
    /// Where bulks are carried out, one at a time, up to their last step.
    let bulkQueue = DispatchQueue(label: "tandem-bulks")
    let bulkCount = Atomic(0)
    let areBulksStopped = Atomic(false)
    /// As `RouteStage.inPlaceLimitCount`.
    let bulkInPlaceLimitCount: Int
    /// More differences than these are restored as a bulk.
    let restoreInPlaceLimitCount: Int
    /// How many that are.
    package static let restoreInPlaceLimitCount = 20_000
    let previewQueue = DispatchQueue(label: "tandem-preview")
    let writer: Writer
    private let thread = Mutex<WriterThread>(.notStarted)

    private enum WriterThread {
        case notStarted, ended
        /// The semaphore is signalled when the thread ends.
        case running(DispatchSemaphore)
    }

    /// Loads the live routing data, restores each gateway's status, and compiles the first snapshot. A new database
    /// gets the plan `default` and the ingress peer `loopback` (127.0.0.0/8, ::1/128) as its first revision.
    ///
    /// - Parameters:
    ///   - changeLog: nil: the store itself.
    ///   - bulkInPlaceLimitCount: bulks that change more routes are written beside the live ones.
    ///   - restoreInPlaceLimitCount: restores of more differences are bulks.
    package init(
        store: Store, changeLog: (any ChangeLog)?, clock: any TimeSource,
        bulkInPlaceLimitCount: Int = RouteStage.inPlaceLimitCount,
        restoreInPlaceLimitCount: Int = ControlPlane.restoreInPlaceLimitCount
    ) throws(StoreError) {
        let changeLog = changeLog ?? store
        self.bulkInPlaceLimitCount = bulkInPlaceLimitCount
        self.restoreInPlaceLimitCount = restoreInPlaceLimitCount
        let table = GatewayInformationTable()
        if store.position.revision == Revision(0) {
            try Self.commitFirstRevision(to: changeLog, at: store.position, time: clock.wallTime)
        }
        var builder = SnapshotBuilder()
        let loaded = try builder.load(from: store, table: table)
        for record in try store.lastStatusRecords() { table.restore(record.change, of: builder, clock: clock) }
        snapshots = SnapshotCell(builder.snapshot(revision: loaded.revision))
        networkManager = try NetworkManager(store: store, table: table, snapshots: snapshots, clock: clock)
        tokens = try TokenRegistry(store: store, clock: clock)
        (self.store, self.table, self.clock) = (store, table, clock)
        webhooks = try WebhookDesk(store: store)
        writer = Writer(
            store: store, changeLog: changeLog, table: table, snapshots: snapshots, networkManager: networkManager,
            webhooks: webhooks, clock: clock,
            state: CommittedState(
                position: store.position, builder: builder, settings: loaded.settings,
                confirmations: try PendingConfirmations(from: store), tests: loaded.tests))
        webhooks.setNetworks { [weak writer] in writer?.state.settings.webhookNetworks ?? [] }
        networkManager.onPending { [inbox = writer.inbox] in inbox.noteStatusChanges() }
    }

    /// Starts the writer's thread and commits `server.started`. Only the first call does anything.
    ///
    /// - Parameter version: what the event says about the program; nil: nothing.
    package func start(version: String? = nil) {
        var data: [String: JSONValue] = ["node": .string(store.node), "revision": .integer(revision)]
        if let version { data["version"] = .string(version) }
        thread.withLock { thread in
            guard case .notStarted = thread else { return }
            writer.announce(
                EventDraft(type: "server.started", subject: nil, time: clock.wallTime, data: .object(data)))
            let ended = DispatchSemaphore(value: 0)
            let running = Thread { [writer] in
                writer.run()
                ended.signal()
            }
            running.name = "tandem-writer"
            running.start()
            purgeLeftovers()
            thread = .running(ended)
        }
    }

    /// Finishes what waits and ends the thread. What is submitted from now on is refused.
    package func stop() {
        areBulksStopped.store(true, ordering: .releasing)
        writer.inbox.stop()
        thread.withLock { thread in
            switch thread {
            case .running(let ended): ended.wait()
            case .notStarted: writer.run()
            case .ended: break
            }
            thread = .ended
        }
        bulkQueue.sync {}
        webhooks.stop()
        tokens.finish()
    }

    /// Something waits that is no change of the routing data.
    func wakeWriter() { writer.inbox.noteStatusChanges() }

    /// The node that this is.
    package var node: String { store.node }
    /// The revision that calls follow.
    package var revision: Int64 { snapshots.latest.revision.number }
    /// How many changes wait for the writer.
    package var pendingChangeCount: Int { writer.inbox.count }
    /// Why no change is taken at present (disk full, damaged); nil when all is well.
    package var readOnlyReason: String? { writer.readOnlyReason }

    /// The settings that are in force.
    package var settings: Settings { state.settings }

    /// Why a change that nobody confirmed in time is there still.
    func obstacle(toGoingBack revision: Revision) -> String? { writer.obstacle(toGoingBack: revision) }

    /// What is on disk and in force.
    var state: CommittedState { writer.state }

    /// Takes a change in. `whenDone` is called once, from the writer's thread or from the caller's, and must not
    /// block: with success only after the change is on disk and in force for the next call.
    package func submit(_ change: Change, whenDone: @escaping @Sendable (Result<ChangeResult, Refusal>) -> Void) {
        do throws(Inbox.Closed) {
            try writer.inbox.add(Inbox.Waiting(change: change, since: clock.now, whenDone: whenDone))
        } catch {
            switch error {
            case .full:
                var refusal = Refusal(.tooManyRequests, "\(Inbox.limitCount) changes wait already; come again.")
                refusal.retryAfterSeconds = 1
                whenDone(.failure(refusal))
            case .stopped: whenDone(.failure(.readOnly("the server is stopping")))
            }
        }
    }

    // MARK: start

    private static func commitFirstRevision(
        to changeLog: any ChangeLog, at position: Position, time: WallTime
    ) throws(StoreError) {
        let networks: [JSONValue] = [.string("127.0.0.0/8"), .string("::1/128")]
        let effects = [
            Effect(path: ResourcePath(.routingPlans, RoutingPlan.defaultID), body: .object([:]), createdAt: time),
            Effect(
                path: ResourcePath(.ingressPeers, "loopback"), body: .object(["networks": .array(networks)]),
                createdAt: time),
        ]
        let change = Change([], who: "tandem", comment: "a new database")
        let revision = Revision(1)
        let event = ChangeNotice.event(of: effects, before: [:], change, revision: revision, at: time)
        let entry = ChangeEntry(
            revision: revision, at: time, who: change.who, comment: change.comment, effects: effects, events: [event])
        switch changeLog.append(CommitBatch(base: position, changes: [entry])) {
        case .appended, .stale: return  // stale: another node has made it
        case .unavailable(let reason), .readOnly(let reason), .unknown(let reason):
            throw StoreError(.unusable, "the first revision can't be written: \(reason)")
        }
    }
}
