package import Addressing
import Probing
import Proxy
import Redirect
package import Routing
import SIPMessage
import SIPTransaction
package import Time

// How this room works. One `SignallingCore` is all that one worker knows about signalling, without the kernel: given a
// datagram, a timer or a transport error, it appends to `SignallingActions` what must be done. Requests go through
// `SignallingCore+Requests` to a server transaction and then to the redirect or the proxy role; the proxy role's
// `ResponseContext` decides, `SignallingCore+Contexts` carries out; `SignallingCore+Clients` holds what was sent and
// waits for responses; `SignallingCore+Apart` has redirect servers elsewhere; `SignallingCore+Probing` asks gateways.
// Records lie in slabs and refer to each other by handle, so that whatever comes late finds nothing instead of
// something else.

/// The signalling of one worker, sans I/O. Used by one thread.
package struct SignallingCore: ~Copyable {
    private let inPlace = InPlace()
    let settings: SignallingSettings
    let table: GatewayInformationTable
    let peers: PeerTable

    var servers = Slab<ServerRecord>()
    var clients = Slab<ClientRecord>()
    var contexts = Slab<ContextRecord>()
    var probes = Slab<ProbeRecord>()
    var transactions = ServerTransactionTable(expectedCount: expectedTransactionCount)
    /// The messages that records keep.
    var store = ByteStore()
    /// What finds a copy of a request that came here by another way.
    var merged = MergedRequests()
    /// The client transactions that wait for a first response, a chain for each destination.
    var waitingClients: [TransportAddress: ClientRecord.Handle] = [:]
    /// Whose turn it is among gateways that share.
    var selectionMemory = SelectionMemory()
    /// What the wall clock shows less what the monotonic one does, ms. Its owner, who sees the clocks, sets it before
    /// each batch: by it routes begin and end.
    package var wallClockOffsetMilliseconds: Int64 = 0
    var isDraining = false
    /// True while more comes than can be worked off: new requests outside dialogs are answered 503, so that the calls
    /// under way go on. Its owner, who sees the sockets, sets it.
    package var isOverloaded = false
    /// Response contexts whose search goes on.
    var searchingCount = 0
    /// Bytes of the requests that live response contexts hold.
    var heldByteCount = 0
    var probeSchedule: ProbeSchedule

    /// A request that is longer is not forwarded: UDP over IPv4 takes 65,507 bytes, and we add up to about a thousand.
    static var forwardedLimitBytes: Int { 64_000 }

    /// What has been counted since the beginning.
    package internal(set) var counters = SignallingCounters()

    /// Up to so many server transactions the table of their keys need not grow.
    private static let expectedTransactionCount = 1 << 19

    /// How long a request other than INVITE waits before it gets a 100.
    let tryingDelay: Duration
    /// The message at hand, and what was read of it first.
    var received = Fixed(Message())
    var reading = Reading()
    /// The message that comes next, where that is known.
    var upcoming = Fixed(Message())
    var upcomingReading = Reading()
    /// The request of a response context, read again.
    let original = Fixed(Message())
    /// The response context whose request is the message at hand.
    var contextAtHand: ContextRecord.Handle?

    // Kept for their memory from one call to the next; each is taken out while it is in use.
    var targetSet = TargetSet()
    /// The Contacts of the redirect server's response at hand.
    var followedContacts = FollowedContacts()
    var responseBytes = OutputBuffer(capacity: 4096)
    /// The response at hand as it would go upstream.
    var forwardedBytes = OutputBuffer(capacity: 4096)
    /// The Retry-After of the response at hand, 1...86400 s.
    var retryAfterSeconds: Int64?
    var decisionBuffers: [[ResponseContext.Action]] = []
    /// What is recorded of calls whose search goes on.
    var searches = Slab<CallSearch>()
    var recordCount: UInt64 = 0
    var floodSecond: Int64 = 0
    var floodCount = 0
    /// Dialogs that calls made through us have, as long as they are alive.
    var liveCalls = LiveCalls()
    var isSweepingCalls = false
    /// Places among the live calls of gateways that are held here.
    var heldCallCount = 0
    /// Calls of ingress peers that are held here.
    var heldPeerCallCount = 0
    /// The snapshot of the message or timer at hand; its owner keeps it pinned meanwhile.
    var pinned: Unmanaged<RoutingSnapshot>?
    /// The table's, which holds it: looked at for each message, so without counting a reference.
    let fallen: Unmanaged<FallenGateways>
    /// How many of them it has seen.
    var seenFallenCount: UInt64

    /// A core without a call. Worker 0 arms the timer of its first probe.
    package init(
        settings: SignallingSettings, table: GatewayInformationTable, peers: PeerTable = PeerTable(),
        now: Instant, into actions: inout SignallingActions
    ) {
        (self.settings, self.table, self.peers) = (settings, table, peers)
        tryingDelay = settings.timers.tryingDelay
        fallen = .passUnretained(table.fallen)
        seenFallenCount = table.fallen.count
        probeSchedule = ProbeSchedule(settings.probing)
        if settings.worker == 0, settings.probing.isEnabled,
            settings.listeners.contains(where: { $0.role == .proxy })
        {
            actions.timers.append(.init(at: now, token: TimerToken(.probing, nil, slot: 0, generation: 0)))
        }
    }

    /// How much is alive of what was received; 0: drained. Probes do not count.
    package var liveCount: Int { servers.liveCount + contexts.liveCount }

    /// How many client transactions are alive, probes among them.
    package var clientCount: Int { clients.liveCount }

    /// How many calls still look for a gateway or ring.
    package var callCount: Int { searchingCount }

    /// How many calls were answered and are not over, as far as is known: of those whose dialogs come through us.
    package var liveCallCount: Int { liveCalls.count }

    /// From now on new requests outside dialogs are answered 503; what is under way goes on.
    package mutating func beginDraining() { isDraining = true }

    /// Takes in one datagram.
    ///
    /// When `actions.handOver` is set afterwards, nothing else was done: the datagram is for that worker. Only an ACK
    /// that was sent on by its number goes round as well.
    ///
    /// - Parameter origin: the worker that the kernel gave the datagram to. An ACK or CANCEL that comes from another
    ///   port than its INVITE may land at a worker that knows nothing of it; it then goes round, from one worker to the
    ///   next, until one does or the origin is next. Nil: it goes to nobody else.
    /// - Parameter isUpcoming: whether this is what the datagram before was `followedBy`.
    /// - Parameter next: the datagram that is received next, by the same listener, read already; empty: not known.
    package mutating func receive(
        _ datagram: Span<UInt8>, from source: TransportAddress, on listener: ListenerNumber, origin: UInt8? = nil,
        isUpcoming: Bool = false, followedBy next: Span<UInt8> = Span(), snapshot: borrowing PinnedSnapshot,
        now: Instant, into actions: inout SignallingActions
    ) {
        if isUpcoming {
            swap(&received, &upcoming)
            swap(&reading, &upcomingReading)
        } else {
            reading = read(datagram, on: listener, into: received.place)
        }
        if !next.isEmpty { upcomingReading = read(next, on: listener, into: upcoming.place) }
        let reading = reading
        let message = received.place
        let arrival = Arrival(source: source, listener: listener, now: now, origin: origin)
        let transitionCount = actions.transitions.count
        pinned = snapshot.withSnapshot { .passUnretained($0) }
        if let fault = reading.fault {
            refuseMalformed(message.value, datagram, arrival, fault, snapshot, &actions)
            return
        }
        if message.value.isRequest {
            receiveRequest(message.value, datagram, reading, arrival, snapshot, &actions)
        } else {
            receiveResponse(message.value, datagram, arrival, snapshot, &actions)
        }
        noteFallen(behind: transitionCount, actions)
        moveWaitingCallsOn(snapshot: snapshot, now: now, into: &actions)
    }

    /// Takes in the head of a message whose end a stream does not tell: without a Content-Length, with one that can't
    /// be believed, or too long. A request is answered 400 where that can be, a response is discarded (RFC 3261
    /// section 18.3); nothing else is done.
    package mutating func receiveUnframed(
        _ head: Span<UInt8>, from source: TransportAddress, on listener: ListenerNumber,
        snapshot: borrowing PinnedSnapshot, now: Instant, into actions: inout SignallingActions
    ) {
        let message = received.place
        var reason = MalformedMessage.withoutContentLength(headBytes: head.count)
        do {
            try message.value.parse(head)
        } catch {
            reason = error
        }
        let arrival = Arrival(source: source, listener: listener, now: now)
        refuseMalformed(message.value, head, arrival, reason, snapshot, &actions)
    }

    /// A timer's instant has come. A stale one changes nothing.
    package mutating func fire(
        _ token: TimerToken, snapshot: borrowing PinnedSnapshot, now: Instant, into actions: inout SignallingActions
    ) {
        let transitionCount = actions.transitions.count
        pinned = snapshot.withSnapshot { .passUnretained($0) }
        switch token.owner {
        case .server:
            let handle = ServerRecord.Handle(slot: token.slot, generation: token.generation)
            guard let timer = token.timer, servers.contains(handle) else { return }
            drive(handle, invite: .timer(timer), nonInvite: .timer(timer), now, &actions)
        case .client, .cancel:
            let handle = ClientRecord.Handle(slot: token.slot, generation: token.generation)
            guard let timer = token.timer, clients.contains(handle) else { return }
            if token.owner == .cancel {
                driveCancel(handle, .timer(timer), now, &actions)
            } else {
                drive(handle, invite: .timer(timer), nonInvite: .timer(timer), now, &actions)
            }
        case .context:
            let handle = ContextRecord.Handle(slot: token.slot, generation: token.generation)
            guard contexts.contains(handle) else { return }
            drive(handle, token.timer == .e ? .trying : .deadline, now, &actions)
        case .probing: probeNext(snapshot, now, &actions)
        case .liveCalls: sweepLiveCalls(now, &actions)
        case nil: break
        }
        noteFallen(behind: transitionCount, actions)
        moveWaitingCallsOn(snapshot: snapshot, now: now, into: &actions)
    }

    /// A message to `destination` could not be delivered: an ICMP error, a connection that broke, or the send itself
    /// failed. Every transaction that still waits for a first response from there fails at once.
    package mutating func transportFailed(
        to destination: TransportAddress, on listener: ListenerNumber, snapshot: borrowing PinnedSnapshot, now: Instant,
        into actions: inout SignallingActions
    ) {
        let transitionCount = actions.transitions.count
        pinned = snapshot.withSnapshot { .passUnretained($0) }
        // Gathered first: each failure may send to the next target, which may have the same address.
        for handle in waiting(for: destination) where clients.contains(handle) {
            drive(handle, invite: .transportFailure, nonInvite: .transportFailure, now, &actions)
        }
        noteFallen(behind: transitionCount, actions)
        moveWaitingCallsOn(snapshot: snapshot, now: now, into: &actions)
    }

    /// What the wall clock shows at an instant of the batch at hand.
    func wallTime(at now: Instant) -> WallTime {
        WallTime(milliseconds: now.milliseconds.addingReportingOverflow(wallClockOffsetMilliseconds).partialValue)
    }

    /// Whether dialogs come through us: as the process was started, and as the settings of the API say.
    var isRecordRouting: Bool {
        settings.isRecordRouting && pinned?._withUnsafeGuaranteedRef { $0.settings.isRecordRouting } ?? true
    }

    /// Where and when something arrived.
    struct Arrival {
        let source: TransportAddress
        let listener: ListenerNumber
        let now: Instant
        /// The worker that it came to first; nil where no other is asked.
        var origin: UInt8?
    }

    /// The listener that a request to `destination` leaves through: the one it came by when that speaks the same
    /// protocol, else another of the proxy role. Nil: none of ours reaches it.
    func egress(to destination: TransportAddress, preferring listener: ListenerNumber?) -> ListenerNumber? {
        func fits(_ candidate: SignallingSettings.Listener) -> Bool {
            candidate.bound.transport == destination.transport
                && candidate.bound.address.family == destination.address.family
        }
        if let listener, fits(settings.listeners[Int(listener.index)]) { return listener }
        // The same address with the other transport first: what reaches that one reaches its neighbour.
        let beside = listener.map { settings.listeners[Int($0.index)].bound.address }
        let index =
            settings.listeners.firstIndex { $0.role == .proxy && $0.bound.address == beside && fits($0) }
            ?? settings.listeners.firstIndex { $0.role == .proxy && fits($0) }
        return index.map { ListenerNumber(UInt8(truncatingIfNeeded: $0)) }
    }
}
