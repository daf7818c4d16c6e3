import Addressing
import CSignalling
import Glibc
import SignallingCore

// How connections begin: taken from a listening socket, or opened for a request.
extension StreamTable {
    private static var acceptLimitCount: Int { 64 }

    /// Takes the connections that wait, up to a bound a turn.
    mutating func accept(_ listener: Int, _ counters: inout SignallingIOCounters) {
        var peer = csig_address()
        for _ in 0..<Self.acceptLimitCount {
            let result = csig_accept(sockets[listener].descriptor, &peer)
            guard result < 0 else {
                admit(result, peer.tcp, ListenerNumber(UInt8(truncatingIfNeeded: listener)), &counters)
                continue
            }
            switch -result {
            case EAGAIN: return
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                // The kernel says so before it looks whether a connection waits at all.
                let refused = refuseWithSpare(listener)
                if refused >= 0 {
                    counters.streamsRefusedDescriptors &+= 1
                    continue
                }
                if -refused == EAGAIN { return }
                // Left in epoll, the connection that waits would wake us for ever.
                csig_epoll_want(epoll, sockets[listener].descriptor, sockets[listener].tag(listener), false, false)
                hasPaused = true
                return
            default: continue  // that connection has gone before we came
            }
        }
    }

    /// Takes and closes a connection that there is no descriptor for, so that its peer knows. Negative: an errno.
    private mutating func refuseWithSpare(_ listener: Int) -> Int32 {
        guard spare >= 0 else { return -EMFILE }
        csig_close(spare)
        var peer = csig_address()
        let result = csig_accept(sockets[listener].descriptor, &peer)
        if result >= 0 { csig_close(result) }
        spare = csig_eventfd_create()
        return result
    }

    private mutating func admit(
        _ descriptor: Int32, _ peer: TransportAddress, _ listener: ListenerNumber,
        _ counters: inout SignallingIOCounters
    ) {
        let ofSource = sourceCounts[peer.address] ?? 0
        guard liveCount < limits.connectionCount, ofSource < limits.connectionPerSourceCount else {
            if liveCount < limits.connectionCount {
                counters.streamsRefusedSource &+= 1
            } else {
                counters.streamsRefusedFull &+= 1
            }
            csig_close(descriptor)
            return
        }
        let slot = makeConnection(descriptor, .init(listener: listener, peer: peer), .open)
        guard csig_epoll_add(epoll, descriptor, StreamTag.connection(slot, connections[slot].generation)) >= 0 else {
            close(slot, .failed, &counters)
            return
        }
        connections[slot].isAccepted = true
        sourceCounts[peer.address] = ofSource + 1
        counters.streamsAccepted &+= 1
    }

    private mutating func makeConnection(
        _ descriptor: Int32, _ key: StreamConnection.Key, _ phase: StreamConnection.Phase
    ) -> Int {
        let slot = free.popLast() ?? connections.count
        var connection = StreamConnection(nobody: key, now: now)
        if slot == connections.count {
            connections.append(connection)
        } else {
            connection.generation = (connections[slot].generation &+ 1) & 0x7FF
            connections[slot] = connection
        }
        connections[slot].phase = phase
        connections[slot].descriptor = descriptor
        slots[key] = slot
        directory?._withUnsafeGuaranteedRef { $0.enter(key, of: worker) }
        liveCount += 1
        return slot
    }

    /// What a connection is opened for.
    struct Opening: BitwiseCopyable {
        /// For a request of another worker.
        let isForOther: Bool
        /// For a request within a dialog.
        let isWithinDialog: Bool
    }

    /// Opens a connection without waiting for it; nil, and noted, when that can't be.
    mutating func open(
        _ key: StreamConnection.Key, _ purpose: Opening, _ counters: inout SignallingIOCounters
    ) -> Int? {
        guard mayOpen(purpose) else {
            counters.streamsNotOpened &+= 1
            unreachable.append(Unreachable(key: key, concernsAll: purpose.isForOther))
            return nil
        }
        let bound = sockets[Int(key.listener.index)].bound
        var from = csig_address(TransportAddress(.tcp, bound.address, port: 0))
        var to = csig_address(key.peer)
        let descriptor = csig_connect(&from, &to)
        guard descriptor >= 0 else {
            counters.streamsNotOpened &+= 1
            unreachable.append(Unreachable(key: key, concernsAll: purpose.isForOther))
            return nil
        }
        let slot = makeConnection(descriptor, key, .connecting)
        connections[slot].isForDialog = purpose.isWithinDialog
        if purpose.isWithinDialog { dialogCount += 1 }
        connectingCount += 1
        counters.streamsOpened &+= 1
        guard csig_epoll_add(epoll, descriptor, StreamTag.connection(slot, connections[slot].generation)) >= 0 else {
            close(slot, .failed, &counters)
            return nil
        }
        watch(slot)
        return slot
    }

    /// Within a dialog somebody else says where to connect to, who may have a thousand addresses: some of all
    /// connections, and of those that are being made, stay for gateways and callers.
    private func mayOpen(_ purpose: Opening) -> Bool {
        guard connectingCount < limits.connectingCount, liveCount < limits.connectionCount else { return false }
        return !purpose.isWithinDialog
            || dialogCount < max(1, limits.connectionCount / 4)
                && connectingCount < max(1, limits.connectingCount / 2)
    }

    /// A connection that was being opened is made, or is not to be had.
    mutating func finishOpening(_ slot: Int, _ counters: inout SignallingIOCounters) {
        guard csig_take_error(connections[slot].descriptor) == 0 else {
            close(slot, .failed, &counters)
            return
        }
        connectingCount -= 1
        connections[slot].phase = .open
        connections[slot].receivedAt = now
        flush(slot, &counters)
    }
}
