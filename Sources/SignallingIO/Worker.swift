import Routing
import SignallingCore
import Synchronization
import Time

/// What a worker's thread shares with others: everything here may be used from any thread. What the thread has for
/// itself is in `WorkerLoop`.
final class Worker: Sendable {
    /// A copy of the worker's numbers, for readers on other threads.
    struct Numbers: Sendable {
        var signalling = SignallingCounters()
        var io = SignallingIOCounters()
        var callCount = 0
        var transactionCount = 0
        var connectionCount = 0
        var liveCallCount = 0
        var isDraining = false
    }

    let settings: SignallingSettings
    let table: GatewayInformationTable
    let peers: PeerTable
    /// One socket a listener.
    let sockets: [ListenerSocket]
    let streamLimits: StreamLimits
    /// Shared by all workers; nil: there is one only.
    let directory: StreamDirectory?
    let mailbox: Mailbox
    let wakeUp: WakeUp
    let transitions = TransitionRing()
    let calls = CallNewsRings()
    let sightings = ObservationRing<GatewaySighting>(capacity: 4096)
    let isStopping = Atomic(false)
    let isDraining = Atomic(false)
    /// The lock is taken by the worker ten times a second.
    let published = Mutex(Numbers())

    private let reader: Mutex<SnapshotCell.Reader?>

    init(
        settings: SignallingSettings, cell: SnapshotCell, table: GatewayInformationTable, peers: PeerTable,
        sockets: [ListenerSocket], streamLimits: StreamLimits, directory: StreamDirectory?
    ) throws(SocketError) {
        guard let reader = cell.makeReader() else {
            throw SocketError(nil, reason: "the routing snapshot has no place for another worker")
        }
        (self.settings, self.table, self.peers, self.sockets) = (settings, table, peers, sockets)
        (self.streamLimits, self.directory) = (streamLimits, directory)
        self.reader = Mutex(consume reader)
        mailbox = Mailbox()
        wakeUp = try WakeUp()
    }

    /// The worker's thread, from its first to its last breath.
    func run(neighbours: [Worker], observer: Observer, onFault: @Sendable (String) -> Void) {
        guard var reader = reader.withLock({ $0.take() }) else { return }
        guard var loop = WorkerLoop(self, neighbours: neighbours, observer: observer) else {
            onFault("worker \(settings.worker): no memory or descriptors for its buffers")
            return
        }
        if let fault = loop.run(&reader) { onFault("worker \(settings.worker): \(fault)") }
        withExtendedLifetime((neighbours, observer)) {}
    }
}
