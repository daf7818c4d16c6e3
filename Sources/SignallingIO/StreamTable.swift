import Addressing
import CSignalling
import Glibc
import SIPMessage
import SignallingCore
import Time

// How streams work. Each worker listens with a socket of its own and keeps the connections that came by it; a
// connection is used by that worker alone, so a response leaves by the connection that its request came by (RFC 3261
// section 18.2.2). `StreamTable` keeps the connections, `StreamTable+Opening` takes and opens them,
// `StreamTable+Sending` writes. Received bytes lie in one buffer of the worker; only the beginning of a message that
// has not come whole is kept with its connection. Nothing here waits, and everything is bounded by `StreamLimits`.

/// The connections of one worker.
struct StreamTable: ~Copyable {
    /// Why a connection has gone.
    enum Ending { case byPeer, idle, slowSender, slowReader, unframed, failed }

    /// A destination that could not be reached.
    struct Unreachable: BitwiseCopyable {
        let key: StreamConnection.Key
        /// Transactions of other workers may wait for it.
        let concernsAll: Bool
    }

    /// A message for a peer whose connection another worker has.
    struct Elsewhere: BitwiseCopyable {
        let worker: UInt8
        /// Which of the actions' datagrams.
        let index: Int
    }

    /// What lies at hand of a connection's input. The bytes are lent until the next call.
    struct Input {
        /// False: the head of a message whose end can't be told.
        let isWhole: Bool
        let bytes: UnsafeBufferPointer<UInt8>
        let peer: TransportAddress
        let listener: ListenerNumber
    }

    static let endingTime = Duration.seconds(2)
    static let sweepInterval = Duration.milliseconds(500)
    private static let inputBytes = 65_536

    let epoll: Int32
    let sockets: [ListenerSocket]  // by listener number
    let limits: StreamLimits
    let worker: UInt8
    /// Kept alive by whoever runs the loop; nil: there is no other worker.
    let directory: Unmanaged<StreamDirectory>?
    /// What is sent in this turn counts as sent at this time.
    var now: Instant

    var connections: [StreamConnection] = []
    var free: [Int] = []
    var slots: [StreamConnection.Key: Int] = [:]
    var sourceCounts: [IPAddress: Int] = [:]
    var memory = StreamMemory()
    var liveCount = 0
    var connectingCount = 0
    /// Those that were opened for requests within dialogs.
    var dialogCount = 0
    /// Destinations whose connection failed or went, and of which the core was not told yet.
    var unreachable: [Unreachable] = []
    /// Messages that other workers are to send.
    var elsewhere: [Elsewhere] = []
    /// Listening sockets that are left alone until the next sweep, since no descriptor is to be had.
    var hasPaused = false
    /// Given up for a moment to take, and close, a connection for which there is no descriptor.
    var spare: Int32

    private let scratch: UnsafeMutablePointer<UInt8>
    private var sweptAt: Instant
    /// The connection whose input is at hand, and the input that nobody took yet.
    private var reading = 0
    private var input: UnsafeMutablePointer<UInt8>?
    private var inputCount = 0

    /// A table without a connection.
    init(
        epoll: Int32, sockets: [ListenerSocket], limits: StreamLimits, worker: UInt8,
        directory: Unmanaged<StreamDirectory>?, now: Instant
    ) {
        (self.epoll, self.sockets, self.limits, self.now, sweptAt) = (epoll, sockets, limits, now, now)
        (self.worker, self.directory) = (worker, directory)
        scratch = .allocate(capacity: Self.inputBytes)
        spare = sockets.contains { $0.isStream } ? csig_eventfd_create() : -1
    }

    deinit {
        for connection in connections where connection.phase != .free { csig_close(connection.descriptor) }
        if spare >= 0 { csig_close(spare) }
        scratch.deallocate()
    }

    /// Takes in an event of one of our tags; true when there is input to be read with `nextInput`.
    mutating func take(_ event: csig_event, _ counters: inout SignallingIOCounters) -> Bool {
        if let listener = StreamTag.listener(of: event.tag) {
            accept(listener, &counters)
            return false
        }
        let slot = StreamTag.slot(of: event.tag)
        guard slot < connections.count, connections[slot].phase != .free,
            StreamTag.connection(slot, connections[slot].generation) == event.tag
        else { return false }
        if connections[slot].phase == .connecting {
            finishOpening(slot, &counters)
        } else if event.is_writable {
            flush(slot, &counters)
        }
        guard event.is_readable || event.has_error else { return false }
        switch connections[slot].phase {
        case .open: return receive(slot, &counters)
        case .ending: drain(slot, &counters)
        case .halfClosed: if event.has_error { close(slot, .byPeer, &counters) }
        case .free, .connecting: break
        }
        return false
    }

    // MARK: receiving

    private mutating func receive(_ slot: Int, _ counters: inout SignallingIOCounters) -> Bool {
        var place = (start: scratch, count: Self.inputBytes)
        let kept = connections[slot].received.count
        if kept > 0 {
            let room = max(1, min(4096, StreamFraming.limitBytes - kept))
            guard
                let reserved = connections[slot].received.reserve(room, limitBytes: StreamFraming.limitBytes, &memory)
            else {
                close(slot, .unframed, &counters)  // framing ends a message before it fills the limit
                return false
            }
            place = reserved
        }
        let result = csig_stream_receive(connections[slot].descriptor, place.start, place.count)
        if result > 0 {
            if kept > 0 { connections[slot].received.added(Int(result)) }
            reading = slot
            input = kept > 0 ? connections[slot].received.start : scratch
            inputCount = kept + Int(result)
            if !connections[slot].framing.isWithinMessage { connections[slot].receivedAt = now }
            return true
        }
        if result == 0 {
            peerEnded(slot, &counters)
        } else if -result != EAGAIN {
            close(slot, .failed, &counters)
        }
        return false
    }

    /// The next message of the input at hand; answers keep-alives by itself. Nil: the rest has been put away, and what
    /// came is done with.
    mutating func nextInput(_ counters: inout SignallingIOCounters) -> Input? {
        let slot = reading
        // A ping that can't be answered ends the connection, and with it the input.
        while connections[slot].phase == .open, let start = input {
            let outcome = connections[slot].framing.next(in: Span(_unsafeStart: start, count: inputCount))
            switch outcome {
            case .incomplete:
                putAway(slot, &counters)
                return nil
            case .blank(let count): consume(count)
            case .ping(let count):
                consume(count)
                counters.streamPings &+= 1
                answerPing(slot, &counters)
            case .message(let count):
                counters.streamMessagesReceived &+= 1
                connections[slot].receivedAt = now
                let bytes = UnsafeBufferPointer(start: start, count: count)
                if StreamMessage.expectsResponse(bytes) { connections[slot].owedCount += 1 }
                consume(count)
                return lend(bytes, isWhole: true, slot)
            case .unframed(let count):
                return lend(UnsafeBufferPointer(start: start, count: count), isWhole: false, slot)
            }
        }
        return nil
    }

    private func lend(_ bytes: UnsafeBufferPointer<UInt8>, isWhole: Bool, _ slot: Int) -> Input {
        let key = connections[slot].key
        return Input(isWhole: isWhole, bytes: bytes, peer: key.peer, listener: key.listener)
    }

    private mutating func consume(_ count: Int) {
        input = input.map { $0 + count }
        inputCount -= count
    }

    /// Keeps what is left of the input with its connection.
    private mutating func putAway(_ slot: Int, _ counters: inout SignallingIOCounters) {
        let kept = connections[slot].received.count
        if kept > 0 {
            connections[slot].received.removeFirst(kept - inputCount, &memory)
        } else {
            let rest = UnsafeBufferPointer(start: input, count: inputCount)
            let isKept = connections[slot].received.append(rest, limitBytes: StreamFraming.limitBytes, &memory)
            if !isKept { close(slot, .unframed, &counters) }
        }
        input = nil
    }

    /// Ends the connection whose input could not be framed; what was sent to it before goes out first.
    mutating func endReading(_ counters: inout SignallingIOCounters) {
        let slot = reading
        input = nil
        guard connections[slot].phase == .open else { return }
        connections[slot].received.removeAll(&memory)
        connections[slot].phase = .ending
        leaveDirectory(slot)
        connections[slot].receivedAt = now
        if connections[slot].waiting.isEmpty { csig_end_sending(connections[slot].descriptor) }
    }

    /// Reads what is of no more use.
    private mutating func drain(_ slot: Int, _ counters: inout SignallingIOCounters) {
        let result = csig_stream_receive(connections[slot].descriptor, scratch, Self.inputBytes)
        if result == 0 || result < 0 && -result != EAGAIN { close(slot, .unframed, &counters) }
    }

    /// The peer sends no more. Who waits for an answer still gets it; whoever waits for one of his waits in vain.
    private mutating func peerEnded(_ slot: Int, _ counters: inout SignallingIOCounters) {
        connections[slot].phase = .halfClosed
        connections[slot].receivedAt = now
        connections[slot].received.removeAll(&memory)
        leaveDirectory(slot)
        if connections[slot].isDone {
            close(slot, .byPeer, &counters)
        } else {
            noteUnreachable(slot)
            watch(slot)
        }
    }

    // MARK: the end of connections

    /// Looks after connections that have had their time; true when one of them went. To be called when `nextSweep` has
    /// come.
    mutating func sweep(_ counters: inout SignallingIOCounters) -> Bool {
        sweptAt = now
        if hasPaused {
            hasPaused = false
            for (index, socket) in sockets.enumerated() where socket.isStream {
                csig_epoll_want(epoll, socket.descriptor, socket.tag(index), true, false)
            }
        }
        if spare < 0 { spare = csig_eventfd_create() }
        let before = liveCount
        guard before > 0 else { return false }
        for slot in connections.indices {
            if let ending = connections[slot].overdue(now, limits) { close(slot, ending, &counters) }
        }
        return liveCount < before
    }

    /// When to sweep; nil while there is nothing to look after.
    var nextSweep: Instant? { liveCount > 0 || hasPaused ? sweptAt + Self.sweepInterval : nil }

    /// Closes a connection and tells whoever waits for something from there.
    mutating func close(_ slot: Int, _ ending: Ending, _ counters: inout SignallingIOCounters) {
        count(ending, &counters)
        noteUnreachable(slot)
        if connections[slot].phase == .connecting { connectingCount -= 1 }
        if connections[slot].isForDialog { dialogCount -= 1 }
        csig_close(connections[slot].descriptor)  // and epoll forgets it
        connections[slot].received.removeAll(&memory)
        connections[slot].waiting.removeAll(&memory)
        let key = connections[slot].key
        leaveDirectory(slot)
        if slots[key] == slot { slots[key] = nil }
        if connections[slot].isAccepted, let others = sourceCounts[key.peer.address] {
            sourceCounts[key.peer.address] = others > 1 ? others - 1 : nil
        }
        connections[slot].phase = .free
        connections[slot].descriptor = -1
        free.append(slot)
        liveCount -= 1
    }

    private mutating func noteUnreachable(_ slot: Int) {
        let key = connections[slot].key
        guard slots[key] == slot else { return }
        unreachable.append(Unreachable(key: key, concernsAll: connections[slot].servesOthers))
    }

    /// Takes one destination whose connection is gone, to tell the core.
    mutating func takeUnreachable() -> Unreachable? { unreachable.popLast() }

    /// Another worker has no more use for this connection. One with the same peer that came later stays.
    private func leaveDirectory(_ slot: Int) {
        let key = connections[slot].key
        guard slots[key] == slot else { return }
        directory?._withUnsafeGuaranteedRef { $0.leave(key, of: worker) }
    }

    private func count(_ ending: Ending, _ counters: inout SignallingIOCounters) {
        switch ending {
        case .byPeer: counters.streamsClosedByPeer &+= 1
        case .idle: counters.streamsClosedIdle &+= 1
        case .slowSender: counters.streamsClosedSlowSender &+= 1
        case .slowReader: counters.streamsClosedSlowReader &+= 1
        case .unframed: counters.streamsClosedUnframed &+= 1
        case .failed: counters.streamsClosedFailed &+= 1
        }
    }

    /// Tells epoll what this connection waits for.
    func watch(_ slot: Int) {
        let connection = connections[slot]
        csig_epoll_want(
            epoll, connection.descriptor, StreamTag.connection(slot, connection.generation), connection.wantsReading,
            connection.wantsWriting)
    }
}
