import Addressing
import CSignalling
import Glibc
import SIPMessage
import SignallingCore

/// The sending side of one worker: batches to the kernel, what the kernel has no room for, and what could not be
/// delivered.
struct Outbox: ~Copyable {
    /// A destination that a datagram could not be delivered to.
    struct Unreachable: BitwiseCopyable {
        let destination: TransportAddress
        let listener: ListenerNumber
        /// ICMP told the socket of one worker, but the datagram may have left through another's.
        let concernsAll: Bool
    }

    private static let unreachableLimitCount = 64

    /// Destinations that failed and of which the core was not told yet; each once.
    private(set) var unreachable: [Unreachable] = []

    private let descriptors: [Int32]  // by listener number
    private let isStream: [Bool]  // by listener number
    private let epoll: Int32
    private let batch: OpaquePointer
    private var destinations: [TransportAddress]  // of the batch
    private let backlogs: UnsafeMutablePointer<SendBacklog>  // by listener number

    /// An outbox over a worker's sockets. Nil when there is no memory.
    init?(sockets: [ListenerSocket], epoll: Int32) {
        guard let batch = csig_send_batch_create() else { return nil }
        descriptors = sockets.map(\.descriptor)
        isStream = sockets.map(\.isStream)
        (self.batch, self.epoll) = (batch, epoll)
        let nowhere = TransportAddress(.udp, IPAddress(ipv4: 0), port: 0)
        destinations = Array(repeating: nowhere, count: csig_batch_count)
        backlogs = .allocate(capacity: descriptors.count)
        for index in descriptors.indices { (backlogs + index).initialize(to: SendBacklog()) }
        unreachable.reserveCapacity(Self.unreachableLimitCount)
    }

    deinit {
        csig_send_batch_destroy(batch)
        backlogs.deinitialize(count: descriptors.count)
        backlogs.deallocate()
    }

    /// Sends all datagrams of the actions, in order within each listener; those of stream listeners over streams.
    mutating func send(
        _ actions: borrowing SignallingActions, over streams: inout StreamTable,
        _ counters: inout SignallingIOCounters
    ) {
        guard !actions.datagrams.isEmpty else { return }
        actions.bytes.withUnsafeBufferPointer { bytes in
            var index = 0
            while index < actions.datagrams.count {
                let listener = Int(actions.datagrams[index].listener.index)
                guard !isStream[listener] else {
                    let end = Self.endOfRun(from: index, actions)
                    streams.send(index..<end, of: actions, bytes, &counters)
                    index = end
                    continue
                }
                var count = 0
                while index + count < actions.datagrams.count, count < csig_batch_count,
                    Int(actions.datagrams[index + count].listener.index) == listener
                {
                    let datagram = actions.datagrams[index + count]
                    put(
                        UnsafeBufferPointer(rebasing: bytes[datagram.start..<datagram.start + datagram.count]),
                        to: datagram.destination, at: count)
                    count += 1
                }
                let sent = backlogs[listener].isEmpty ? flush(listener, count, &counters) : 0
                for rest in actions.datagrams[index + sent..<index + count] {
                    let datagram = UnsafeBufferPointer(rebasing: bytes[rest.start..<rest.start + rest.count])
                    if !backlogs[listener].append(datagram, to: rest.destination) { counters.backlogFullDropped &+= 1 }
                }
                if sent < count { wantWriting(listener, true) }
                index += count
            }
        }
    }

    /// Where datagrams for another listener begin.
    private static func endOfRun(from start: Int, _ actions: borrowing SignallingActions) -> Int {
        var end = start + 1
        while end < actions.datagrams.count, actions.datagrams[end].listener == actions.datagrams[start].listener {
            end += 1
        }
        return end
    }

    /// Sends what waited for room in this listener's socket.
    mutating func flushBacklog(of listener: ListenerNumber, _ counters: inout SignallingIOCounters) {
        let listener = Int(listener.index)
        while !backlogs[listener].isEmpty {
            let first = backlogs[listener].first
            let count = min(backlogs[listener].entries.count - first, csig_batch_count)
            for index in 0..<count {
                let entry = backlogs[listener].entries[first + index]
                put(entry.bytes, to: entry.destination, at: index)
            }
            let sent = flush(listener, count, &counters)
            backlogs[listener].removeFirst(sent)
            guard sent == count else { return }
        }
        wantWriting(listener, false)
    }

    /// Reads what the socket of a listener has learnt about datagrams that were not delivered.
    mutating func takeFailures(of listener: ListenerNumber, _ counters: inout SignallingIOCounters) {
        var failure = csig_failure()
        for _ in 0..<csig_batch_count {
            guard csig_take_failure(descriptors[Int(listener.index)], &failure) == 1 else { return }
            guard failure.is_from_network else { continue }
            counters.deliveryErrors &+= 1
            // Nobody waits for anything after a response, and who calls from a port that is closed at once must not
            // cost a search of all transactions.
            guard Self.isUnreachable(failure.error), !Self.isResponse(failure) else { continue }
            note(
                Unreachable(destination: failure.destination.udp, listener: listener, concernsAll: true))
        }
    }

    /// Takes one destination that failed, to tell the core.
    mutating func takeUnreachable() -> Unreachable? { unreachable.popLast() }

    private mutating func put(_ bytes: UnsafeBufferPointer<UInt8>, to destination: TransportAddress, at index: Int) {
        var address = csig_address(destination)
        destinations[index] = destination
        csig_send_put(batch, Int32(truncatingIfNeeded: index), bytes.baseAddress, bytes.count, &address)
    }

    /// Sends the first `count` datagrams of the batch and returns how many are done with; the rest found no room.
    private mutating func flush(_ listener: Int, _ count: Int, _ counters: inout SignallingIOCounters) -> Int {
        var done = 0
        var isSecondTry = false
        while done < count {
            let result = csig_send(
                descriptors[listener], batch, Int32(truncatingIfNeeded: done), Int32(truncatingIfNeeded: count - done))
            if result > 0 {
                counters.datagramsSent &+= UInt64(result)
                (done, isSecondTry) = (done + Int(result), false)
                continue
            }
            if -result == EAGAIN { return done }
            let number = ListenerNumber(UInt8(truncatingIfNeeded: listener))
            if !isSecondTry {
                // An error of an earlier datagram is told to whoever uses the socket next: read it and try again.
                takeFailures(of: number, &counters)
                isSecondTry = true
                continue
            }
            counters.sendErrors &+= 1
            if Self.isUnreachable(-result) {
                note(Unreachable(destination: destinations[done], listener: number, concernsAll: false))
            }
            (done, isSecondTry) = (done + 1, false)
        }
        return done
    }

    private mutating func note(_ failed: Unreachable) {
        guard unreachable.count < Self.unreachableLimitCount,
            !unreachable.contains(where: { $0.destination == failed.destination })
        else { return }
        unreachable.append(failed)
    }

    private func wantWriting(_ listener: Int, _ wants: Bool) {
        csig_epoll_want_writing(epoll, descriptors[listener], UInt32(truncatingIfNeeded: listener), wants)
    }

    /// Whether an errno says that the destination can't be reached, not that one datagram did not fit or got lost.
    private static func isUnreachable(_ number: Int32) -> Bool {
        switch number {
        case ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, ENONET, ENOPROTOOPT, EACCES, EPERM,
            EADDRNOTAVAIL, EINVAL:
            true
        default: false
        }
    }

    private static func isResponse(_ failure: csig_failure) -> Bool {
        let head = failure.head
        return failure.head_bytes >= 4 && head.0 == UInt8(ascii: "S") && head.1 == UInt8(ascii: "I")
            && head.2 == UInt8(ascii: "P") && head.3 == UInt8(ascii: "/")
    }
}
