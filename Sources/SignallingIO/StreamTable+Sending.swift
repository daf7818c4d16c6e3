import Addressing
import CSignalling
import Glibc
import SignallingCore

// What goes out over connections. The kernel takes what it has room for at once; the rest waits with its connection.
extension StreamTable {
    /// Sends those of the actions' datagrams, which are all for one stream listener, in order.
    mutating func send(
        _ range: Range<Int>, of actions: borrowing SignallingActions, _ bytes: UnsafeBufferPointer<UInt8>,
        _ counters: inout SignallingIOCounters
    ) {
        var index = range.lowerBound
        while index < range.upperBound {
            let first = actions.datagrams[index]
            let key = StreamConnection.Key(listener: first.listener, peer: first.destination)
            let head = UnsafeBufferPointer(rebasing: bytes[first.start..<first.start + first.count])
            if connection(key, for: head) == nil, let owner = owner(of: key) {
                elsewhere.append(Elsewhere(worker: owner, index: index))
                index += 1
                continue
            }
            let purpose = Opening(isForOther: false, isWithinDialog: first.isWithinDialog)
            guard let slot = connection(key, orOpenedFor: head, purpose, &counters) else {
                index += 1
                continue
            }
            // What lies one behind the other for one peer is one call of the kernel.
            var end = first.start
            repeat {
                let next = actions.datagrams[index]
                note(UnsafeBufferPointer(rebasing: bytes[next.start..<next.start + next.count]), slot, &counters)
                end = next.start + next.count
                index += 1
            } while index < range.upperBound && actions.datagrams[index].start == end
                && actions.datagrams[index].destination == first.destination
            write(UnsafeBufferPointer(rebasing: bytes[first.start..<end]), slot, &counters)
        }
    }

    /// Sends a message of another worker, which found that we have the connection.
    mutating func sendForOther(
        _ message: UnsafeBufferPointer<UInt8>, _ key: StreamConnection.Key, _ counters: inout SignallingIOCounters
    ) {
        // A connection that went meanwhile: what for, the letter does not say.
        let purpose = Opening(isForOther: true, isWithinDialog: true)
        guard let slot = connection(key, orOpenedFor: message, purpose, &counters) else { return }
        connections[slot].servesOthers = true
        note(message, slot, &counters)
        write(message, slot, &counters)
    }

    /// The worker that has the connection that a message goes by, where we have none: a request within a dialog comes
    /// to any worker, and so does a CANCEL by another connection than its INVITE's, whose answer leaves by its own.
    private func owner(of key: StreamConnection.Key) -> UInt8? {
        let owner = directory?._withUnsafeGuaranteedRef { $0.owner(of: key) }
        return owner == worker ? nil : owner
    }

    /// The connection that a message can go by. One whose peer sends no more, or whose messages we read no more, is
    /// good for responses alone.
    private func connection(_ key: StreamConnection.Key, for message: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let slot = slots[key] else { return nil }
        switch connections[slot].phase {
        case .open, .connecting: return slot
        case .halfClosed, .ending: return StreamMessage.isResponse(message) ? slot : nil
        case .free: return nil
        }
    }

    /// The same, or a new one for a request. A response has the connection of its request or goes nowhere: what its Via
    /// names, we do not connect to (RFC 3261 section 18.2.2 would).
    private mutating func connection(
        _ key: StreamConnection.Key, orOpenedFor message: UnsafeBufferPointer<UInt8>, _ purpose: Opening,
        _ counters: inout SignallingIOCounters
    ) -> Int? {
        if let slot = connection(key, for: message) { return slot }
        guard !StreamMessage.isResponse(message) else {
            counters.streamUndeliverable &+= 1
            return nil
        }
        return open(key, purpose, &counters)
    }

    private mutating func note(
        _ message: UnsafeBufferPointer<UInt8>, _ slot: Int, _ counters: inout SignallingIOCounters
    ) {
        counters.streamMessagesSent &+= 1
        if connections[slot].owedCount > 0, StreamMessage.isFinalResponse(message) { connections[slot].owedCount -= 1 }
    }

    /// One CRLF for the two that came (RFC 5626 section 4.4.1).
    mutating func answerPing(_ slot: Int, _ counters: inout SignallingIOCounters) {
        let pong: StaticString = "\r\n"
        pong.withUTF8Buffer { write($0, slot, &counters) }
    }

    private mutating func write(
        _ bytes: UnsafeBufferPointer<UInt8>, _ slot: Int, _ counters: inout SignallingIOCounters
    ) {
        var sent = 0
        if connections[slot].waiting.isEmpty, connections[slot].phase != .connecting {
            while sent < bytes.count, let start = bytes.baseAddress {
                let result = csig_stream_send(connections[slot].descriptor, start + sent, bytes.count - sent)
                if -result == EAGAIN { break }
                guard result > 0 else {
                    close(slot, .failed, &counters)
                    return
                }
                sent += Int(result)
            }
            if sent == bytes.count {
                if connections[slot].isDone { close(slot, .byPeer, &counters) }
                return
            }
            connections[slot].sentAt = now
        }
        let rest = UnsafeBufferPointer(rebasing: bytes[sent...])
        let wasWaiting = connections[slot].wantsWriting
        guard connections[slot].waiting.append(rest, limitBytes: limits.backlogBytes, &memory) else {
            close(slot, .slowReader, &counters)
            return
        }
        if !wasWaiting { watch(slot) }
    }

    /// Sends what waited for room.
    mutating func flush(_ slot: Int, _ counters: inout SignallingIOCounters) {
        while let start = connections[slot].waiting.start, !connections[slot].waiting.isEmpty {
            let result = csig_stream_send(connections[slot].descriptor, start, connections[slot].waiting.count)
            if -result == EAGAIN { break }
            guard result > 0 else {
                close(slot, .failed, &counters)
                return
            }
            connections[slot].waiting.removeFirst(Int(result), &memory)
            connections[slot].sentAt = now
        }
        guard connections[slot].waiting.isEmpty else { return }
        if connections[slot].phase == .ending { csig_end_sending(connections[slot].descriptor) }
        if connections[slot].isDone {
            close(slot, .byPeer, &counters)
        } else {
            watch(slot)
        }
    }
}
