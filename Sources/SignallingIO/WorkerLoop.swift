import Addressing
import CSignalling
import Routing
import SIPMessage
import SignallingCore
import Synchronization
import Time

/// What a worker's thread has for itself, and what it does over and over: wait, take in a batch, work it off, send.
///
/// In the steady state a turn allocates nothing and touches no word that another worker writes, but for mailboxes.
struct WorkerLoop: ~Copyable {
    private static let wakeTag = UInt32.max
    private static let eventLimitCount = 64
    /// Bounds on what one turn works off beside the sockets, so that none of them starves.
    private static let letterLimitCount = 256
    private static let failureRoundLimitCount = 8
    /// What came of one stream's input waits for the others' no longer when it is so much.
    private static let heldLimitBytes = 65_536
    static let recordsPerWakingCount = 512
    private static let publishInterval = Duration.milliseconds(100)
    /// Who waited so long had nothing to do: with something to receive, the wait ends at once.
    private static let pauseLimit = Duration.milliseconds(1)

    let shared: Worker
    // By worker number. Kept alive by whoever runs the loop, so that passing a letter on retains nothing.
    let mailboxes: [Unmanaged<Mailbox>]
    private let wakeUps: [Unmanaged<WakeUp>]
    let observer: Unmanaged<Observer>
    private let descriptors: [Int32]
    private let epoll: Int32
    private let batch: OpaquePointer
    private let events: UnsafeMutablePointer<csig_event>

    /// What stands for an address in a letter that has none.
    let noAddress = TransportAddress(.udp, IPAddress(ipv4: 0), port: 0)
    private let clock = SystemClock()
    var core: SignallingCore
    var actions = SignallingActions()
    var wheel: TimerWheel
    private var outbox: Outbox
    var streams: StreamTable
    var counters = SignallingIOCounters()
    /// A bit for each worker that has got letters in this turn.
    var toWake: UInt64 = 0
    private var busyPeriod = BusyPeriod()
    /// Call records since the observer was last woken for some.
    var unseenRecordCount = 0
    private var isDraining = false
    private var publishedAt: Instant
    var hasUnpublished = true

    /// Nil when there is no memory, or no descriptor for epoll.
    init?(_ worker: Worker, neighbours: [Worker], observer: Observer) {
        let epoll = csig_epoll_create()
        let descriptors = worker.sockets.map(\.descriptor)
        guard epoll >= 0, Self.watch(epoll, worker.sockets, worker.wakeUp.descriptor),
            let outbox = Outbox(sockets: worker.sockets, epoll: epoll), let batch = csig_receive_batch_create()
        else {
            if epoll >= 0 { csig_close(epoll) }
            return nil
        }
        (shared, self.epoll, self.descriptors, self.batch) = (worker, epoll, descriptors, batch)
        self.outbox = outbox
        mailboxes = neighbours.map { .passUnretained($0.mailbox) }
        wakeUps = neighbours.map { .passUnretained($0.wakeUp) }
        self.observer = .passUnretained(observer)
        events = .allocate(capacity: Self.eventLimitCount)
        let now = clock.now
        wheel = TimerWheel(now: now)
        streams = StreamTable(
            epoll: epoll, sockets: worker.sockets, limits: worker.streamLimits, worker: worker.settings.worker,
            directory: worker.directory.map { .passUnretained($0) }, now: now)
        core = SignallingCore(
            settings: worker.settings, table: worker.table, peers: worker.peers, now: now, into: &actions)
        publishedAt = now
    }

    deinit {
        csig_close(epoll)
        csig_receive_batch_destroy(batch)
        events.deallocate()
    }

    private static func watch(_ epoll: Int32, _ sockets: [ListenerSocket], _ wakeUp: Int32) -> Bool {
        for (index, socket) in sockets.enumerated()
        where csig_epoll_add(epoll, socket.descriptor, socket.tag(index)) < 0 {
            return false
        }
        return csig_epoll_add(epoll, wakeUp, wakeTag) >= 0
    }

    /// Runs until the worker is told to stop (nil) or can't go on (why).
    mutating func run(_ reader: inout SnapshotCell.Reader) -> String? {
        var now = clock.now
        carryOut()
        while !shared.isStopping.load(ordering: .acquiring) {
            let waitedFrom = clock.now
            let count = csig_epoll_wait(epoll, events, Int32(Self.eventLimitCount), timeoutMilliseconds(now))
            guard count >= 0 else { return "epoll_wait: \(SocketError.reason(of: -count))" }
            now = clock.now
            core.wallClockOffsetMilliseconds = clock.wallTime.milliseconds - now.milliseconds
            if now >= waitedFrom + Self.pauseLimit {
                busyPeriod.pause()
                core.isOverloaded = false
            }
            turn(Int(count), &reader, now)
            wakeNeighbours()
            publish(now)
        }
        hasUnpublished = true
        publishedAt = now + .seconds(-1)
        publish(now)
        return nil
    }

    /// One turn. A snapshot is pinned for each batch after the batch was received and never before: a call that was
    /// sent after a change was answered must not meet the snapshot from before it.
    private mutating func turn(_ eventCount: Int, _ reader: inout SnapshotCell.Reader, _ now: Instant) {
        if !isDraining, shared.isDraining.load(ordering: .acquiring) {
            isDraining = true
            core.beginDraining()
            publishedAt = now + .seconds(-1)
            hasUnpublished = true
        }
        streams.now = now
        var (hasMore, receivedCount) = (false, 0)
        for index in 0..<eventCount {
            let event = events[index]
            guard event.tag != Self.wakeTag else {
                shared.wakeUp.clear()
                continue
            }
            guard !StreamTag.isStream(event.tag) else {
                if streams.take(event, &counters) { workOffStream(&reader, now) }
                continue
            }
            let listener = ListenerNumber(UInt8(truncatingIfNeeded: event.tag))
            if event.has_error { outbox.takeFailures(of: listener, &counters) }
            if event.is_writable { outbox.flushBacklog(of: listener, &counters) }
            // An error without an entry in the queue is taken away by a receive only; left there, it wakes us for ever.
            guard event.is_readable || event.has_error else { continue }
            // A negative result is the error of an earlier datagram, which stands in the error queue too.
            let count = csig_receive(descriptors[Int(listener.index)], batch)
            if count > 0 { reader.withSnapshot { workOff(count, listener, $0, now) } }
            if count == csig_batch_count { hasMore = true }
            receivedCount += max(0, Int(count))
        }
        let (fired, hasMoreDue) = reader.withSnapshot { snapshot in
            openMailbox(snapshot, now)
            core.moveWaitingCallsOn(snapshot: snapshot, now: now, into: &actions)
            let fired = fireTimers(snapshot, now)
            if let due = streams.nextSweep, due <= now, streams.sweep(&counters) { hasUnpublished = true }
            carryOut()
            reportFailures(snapshot, now)
            return fired
        }
        var period = busyPeriod
        period.note(hasMore: hasMore, isLate: hasMoreDue, receivedCount: receivedCount, now: now) { fullestQueue }
        busyPeriod = period
        core.isOverloaded = busyPeriod.isOverload
        if eventCount > 0 || fired > 0 {
            counters.batches &+= 1
            hasUnpublished = true
        }
    }

    /// Of the sockets that datagrams come to, what waits at the fullest.
    private var fullestQueue: BusyPeriod.Queue {
        var fullest = BusyPeriod.Queue(taken: 0, limit: .max)
        for (descriptor, listener) in zip(descriptors, shared.settings.listeners) where !listener.bound.isReliable {
            var queue = BusyPeriod.Queue(taken: 0, limit: 0)
            guard csig_receive_queue(descriptor, &queue.taken, &queue.limit) == 0 else { continue }
            if queue.taken > fullest.taken { fullest = queue }
        }
        return fullest
    }

    /// Gives the received batch to the core, one datagram after the other.
    private mutating func workOff(
        _ count: Int32, _ listener: ListenerNumber, _ snapshot: borrowing PinnedSnapshot, _ now: Instant
    ) {
        counters.datagramsReceived &+= UInt64(count)
        var (received, next) = (csig_received(), csig_received())
        var (isUpcoming, isNextUsable) = (false, take(0, &next))
        for index in 0..<count {
            let isUsable = isNextUsable
            swap(&received, &next)
            isNextUsable = index + 1 < count && take(index + 1, &next)
            guard isUsable else {
                isUpcoming = false
                continue
            }
            let source = received.source.udp
            let datagram = Span(_unsafeElements: Self.bytes(of: received))
            let following = isNextUsable ? Span(_unsafeElements: Self.bytes(of: next)) : Span()
            let own = shared.settings.worker
            core.receive(
                datagram, from: source, on: listener, origin: own, isUpcoming: isUpcoming, followedBy: following,
                snapshot: snapshot, now: now, into: &actions)
            isUpcoming = !following.isEmpty
            guard let worker = actions.handOver else { continue }
            actions.handOver = nil
            pass(.datagram, source, listener, datagram, origin: own, to: worker)
        }
    }

    /// The datagram at that place of the batch; false: it can't be read or answered, and was counted.
    private mutating func take(_ index: Int32, _ received: inout csig_received) -> Bool {
        csig_received_at(batch, index, &received)
        let source = received.source.udp
        guard !received.is_truncated else {
            counters.truncatedDropped &+= 1
            return false
        }
        guard source.port > 0, !source.address.isUnspecified, received.bytes != nil else {
            counters.unanswerableDropped &+= 1
            return false
        }
        return true
    }

    /// What was received, for as long as the batch is not received into again.
    private static func bytes(of received: csig_received) -> UnsafeBufferPointer<UInt8> {
        guard let start = received.bytes else { return UnsafeBufferPointer(start: nil, count: 0) }
        return UnsafeBufferPointer(start: start, count: Int(received.length_bytes))
    }

    /// Gives the messages of one connection's input to the core, one after the other.
    private mutating func workOffStream(_ reader: inout SnapshotCell.Reader, _ now: Instant) {
        let isUsable = reader.withSnapshot { snapshot in
            while let input = streams.nextInput(&counters) {
                let message = Span(_unsafeElements: input.bytes)
                guard input.isWhole else {
                    core.receiveUnframed(
                        message, from: input.peer, on: input.listener, snapshot: snapshot, now: now, into: &actions)
                    return false
                }
                let own = shared.settings.worker
                core.receive(
                    message, from: input.peer, on: input.listener, origin: own, snapshot: snapshot, now: now,
                    into: &actions)
                guard let worker = actions.handOver else { continue }
                actions.handOver = nil
                pass(.datagram, input.peer, input.listener, message, origin: own, to: worker)
            }
            return true
        }
        if !isUsable || actions.bytes.count > Self.heldLimitBytes { carryOut() }
        if !isUsable { streams.endReading(&counters) }
    }

    /// Puts a letter into another worker's mailbox.
    private mutating func pass(
        _ kind: Mailbox.Kind, _ address: TransportAddress, _ listener: ListenerNumber, _ datagram: Span<UInt8>,
        origin: UInt8, to worker: UInt8
    ) {
        guard Int(worker) < mailboxes.count else { return }
        if !put(kind, address, listener, datagram, origin: origin, to: worker) { counters.mailboxFullDropped &+= 1 }
        toWake |= 1 << UInt64(worker)
    }

    func put(
        _ kind: Mailbox.Kind, _ address: TransportAddress, _ listener: ListenerNumber, _ datagram: Span<UInt8>,
        origin: UInt8, to worker: UInt8
    ) -> Bool {
        mailboxes[Int(worker)]._withUnsafeGuaranteedRef { $0.put(kind, address, listener, datagram, origin: origin) }
    }

    private mutating func openMailbox(_ snapshot: borrowing PinnedSnapshot, _ now: Instant) {
        let mailbox = mailboxes[Int(shared.settings.worker)]
        var count = 0
        while count < Self.letterLimitCount {
            let isTaken = mailbox._withUnsafeGuaranteedRef { mailbox in
                mailbox.take { letter, datagram in
                    switch letter.kind {
                    case .datagram:
                        core.receive(
                            datagram, from: letter.address, on: letter.listener, origin: letter.origin,
                            snapshot: snapshot, now: now, into: &actions)
                        // A request goes round until it is back where it began; a response is where it belongs.
                        guard let worker = actions.handOver else { return }
                        actions.handOver = nil
                        pass(
                            .datagram, letter.address, letter.listener, datagram, origin: letter.origin, to: worker)
                    case .transportFailure:
                        core.transportFailed(
                            to: letter.address, on: letter.listener, snapshot: snapshot, now: now, into: &actions)
                    case .outgoing:
                        datagram.withUnsafeBufferPointer {
                            let key = StreamConnection.Key(listener: letter.listener, peer: letter.address)
                            streams.sendForOther($0, key, &counters)
                        }
                    case .probe:
                        guard let letter = ProbeLetter(datagram) else { return }
                        core.probeNow(
                            letter.slot, ticket: letter.ticket, snapshot: snapshot, now: now, into: &actions)
                    case .callNotice:
                        if let notice = CallNotice(bytes: datagram) { core.receive(notice, now: now, into: &actions) }
                    }
                }
            }
            guard isTaken else { return }
            count += 1
        }
        toWake |= 1 << UInt64(shared.settings.worker)  // the rest comes next
    }

    /// Carries out what the core said, and clears it.
    private mutating func carryOut() {
        outbox.send(actions, over: &streams, &counters)
        passOnElsewhere()
        passNoticesOn()
        passRecordsOn()
        passSightingsOn()
        for timer in actions.timers { wheel.arm(at: timer.at, timer.token) }
        if !actions.transitions.isEmpty {
            for transition in actions.transitions where !shared.transitions.put(transition) {
                counters.transitionsDropped &+= 1
            }
            observer._withUnsafeGuaranteedRef { $0.wakeUp.signal() }
            // Calls of other workers may wait for a gateway that has just been found dead.
            if actions.transitions.contains(where: \.isFall) { toWake |= UInt64.max >> (64 - UInt64(mailboxes.count)) }
        }
        if !actions.probeAnswers.isEmpty {
            observer._withUnsafeGuaranteedRef {
                $0.desk.put(actions.probeAnswers)
                $0.wakeUp.signal()
            }
        }
        actions.removeAll()
    }

    /// Tells the core of destinations that can't be reached, and the neighbours where ICMP told this socket by
    /// chance. What the core does next may fail in turn; what is left over after some rounds comes in the next turn.
    private mutating func reportFailures(_ snapshot: borrowing PinnedSnapshot, _ now: Instant) {
        for _ in 0..<Self.failureRoundLimitCount {
            guard !outbox.unreachable.isEmpty || !streams.unreachable.isEmpty else { return }
            while let failed = streams.takeUnreachable() {
                fail(failed.key.peer, failed.key.listener, concernsAll: failed.concernsAll, snapshot, now)
            }
            while let failed = outbox.takeUnreachable() {
                fail(failed.destination, failed.listener, concernsAll: failed.concernsAll, snapshot, now)
            }
            carryOut()
        }
    }

    private mutating func fail(
        _ destination: TransportAddress, _ listener: ListenerNumber, concernsAll: Bool,
        _ snapshot: borrowing PinnedSnapshot, _ now: Instant
    ) {
        core.transportFailed(to: destination, on: listener, snapshot: snapshot, now: now, into: &actions)
        guard concernsAll else { return }
        for worker in 0..<shared.settings.workerCount where worker != shared.settings.worker {
            pass(
                .transportFailure, destination, listener, Span(), origin: shared.settings.worker, to: worker)
        }
    }

    private mutating func wakeNeighbours() {
        while toWake != 0 {
            let worker = toWake.trailingZeroBitCount
            wakeUps[worker]._withUnsafeGuaranteedRef { $0.signal() }
            toWake &= toWake - 1
        }
    }

    private mutating func publish(_ now: Instant) {
        guard hasUnpublished, now >= publishedAt + Self.publishInterval else { return }
        let numbers = Worker.Numbers(
            signalling: core.counters, io: counters, callCount: core.callCount,
            transactionCount: core.liveCount + core.clientCount, connectionCount: streams.liveCount,
            liveCallCount: core.liveCallCount, isDraining: isDraining)
        shared.published.withLock { $0 = numbers }
        if unseenRecordCount > 0 {
            unseenRecordCount = 0
            observer._withUnsafeGuaranteedRef { $0.wakeUp.signal() }
        }
        (publishedAt, hasUnpublished) = (now, false)
    }

    /// How long nothing is to be done, as far as is known.
    private func timeoutMilliseconds(_ now: Instant) -> Int32 {
        guard outbox.unreachable.isEmpty, streams.unreachable.isEmpty else { return 0 }
        var until = wheel.nextDue
        if let sweep = streams.nextSweep { until = min(until ?? sweep, sweep) }
        if hasUnpublished {
            until = min(until ?? publishedAt + Self.publishInterval, publishedAt + Self.publishInterval)
        }
        guard let until else { return -1 }
        guard until > now else { return 0 }
        return Int32(clamping: ((until - now).nanoseconds + 999_999) / 1_000_000)
    }
}
