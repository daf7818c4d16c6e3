import Addressing
import Routing
import SIPMessage
import SignallingCore

// What a turn leaves for others: messages that go by another worker's connection, call records, notices of live calls.
extension WorkerLoop {
    /// Passes messages to the workers that have the connection that they go by.
    mutating func passOnElsewhere() {
        guard !streams.elsewhere.isEmpty else { return }
        let bytes = actions.bytes.bytes
        for other in streams.elsewhere {
            let datagram = actions.datagrams[other.index]
            let isIn = put(
                .outgoing, datagram.destination, datagram.listener,
                bytes.span.extracting(datagram.start..<datagram.start + datagram.count),
                origin: shared.settings.worker, to: other.worker)
            if !isIn { counters.mailboxFullDropped &+= 1 }
            toWake |= 1 << UInt64(other.worker)
        }
        streams.elsewhere.removeAll(keepingCapacity: true)
    }

    /// Call records wait for the observer's next waking, and wake it where they are many.
    mutating func passRecordsOn() {
        let count = actions.calls.count
        guard count > 0 else { return }
        counters.callRecordsDropped &+= UInt64(count - shared.calls.put(actions.calls))
        unseenRecordCount += count
        hasUnpublished = true
        guard unseenRecordCount >= Self.recordsPerWakingCount else { return }
        unseenRecordCount = 0
        observer._withUnsafeGuaranteedRef { $0.wakeUp.signal() }
    }

    /// What was seen of gateways that are provisioned elsewhere: a failure at once, an answer with the call records.
    mutating func passSightingsOn() {
        guard !actions.sightings.isEmpty else { return }
        for sighting in actions.sightings where !shared.sightings.put(sighting) { counters.sightingsDropped &+= 1 }
        unseenRecordCount += actions.sightings.count
        hasUnpublished = true
        if actions.sightings.contains(where: { $0.outcome != .answered }) {
            observer._withUnsafeGuaranteedRef { $0.wakeUp.signal() }
        }
    }

    /// Tells other workers of calls that they have. A notice that finds no room is lost, and its call ends with its
    /// lease.
    mutating func passNoticesOn() {
        for notice in actions.notices where Int(notice.worker) < mailboxes.count {
            let isIn = notice.withBytes {
                put(.callNotice, noAddress, ListenerNumber(0), $0, origin: shared.settings.worker, to: notice.worker)
            }
            if !isIn { counters.mailboxFullDropped &+= 1 }
            toWake |= 1 << UInt64(notice.worker)
        }
    }
}
