import CMicrohttpd
import ControlPlane
import JSON
import NetworkManager
import Routing
import Store
import Synchronization
import Time

/// One client's stream of events. It holds one page of them at most: what a slow client has not read yet stays in the
/// store.
///
///     commit --subscription--> wake --> libmicrohttpd's thread --read--> store -> bytes -> socket; nothing left: park
final class EventStream: Sendable {
    private struct State {
        var reader: EventReader
        /// The gateways whose present status goes first: those behind this id; nil: done.
        var snapshotAfter: String?
        // So that the client sees at once that the stream is open.
        var bytes = OutgoingBytes(Array(":\n\n".utf8))
        var keepAlive: UInt64?
        var subscription: EventSubscription?
    }

    /// Where the connection waits.
    let parking = Parking()
    private let service: HTTPService
    private let state: Mutex<State>
    private let identity: Identity
    private let isCommentDue = Atomic(false)
    private let isGone = Atomic(false)

    init(_ service: HTTPService, _ reader: EventReader, for identity: Identity, startsWithStatus: Bool) {
        (self.service, self.identity) = (service, identity)
        state = Mutex(State(reader: reader, snapshotAfter: startsWithStatus ? "" : nil))
    }

    /// Has itself woken from now on.
    func begin() {
        let parking = self.parking
        let subscription = service.controlPlane.networkManager.subscribe { parking.wake() }
        let interval = service.settings.keepAliveInterval
        let keepAlive = service.timekeeper.schedule(after: interval, every: interval) { [weak self] in
            self?.isCommentDue.store(true, ordering: .releasing)
            parking.wake()
        }
        state.withLock { ($0.subscription, $0.keepAlive) = (subscription, keepAlive) }
    }

    /// The client has closed its side: the stream ends, and its place is another's.
    func noteHangUp() {
        isGone.store(true, ordering: .releasing)
        parking.wake()
    }

    /// The client has gone, or the server ends.
    func finish() {
        parking.end()
        let (subscription, keepAlive) = state.withLock { ($0.subscription, $0.keepAlive) }
        if let subscription { service.controlPlane.networkManager.end(subscription) }
        if let keepAlive { service.timekeeper.cancel(keepAlive) }
    }

    /// Puts the next bytes at `buffer`: how many; 0 when the connection is parked; negative at the end.
    func read(_ connection: OpaquePointer, into buffer: UnsafeMutablePointer<CChar>, limitBytes: Int) -> Int {
        while true {
            let count = state.withLock { $0.bytes.copy(into: buffer, limitBytes: limitBytes) }
            guard count == 0 else { return count }
            parking.look()
            let isRevoked = !service.controlPlane.tokens.isGood(identity)
            guard !service.isStopping, !isRevoked, !isGone.load(ordering: .acquiring) else {
                return tandem_http_end_of_stream()
            }
            do {
                let bytes = try nextBytes()
                state.withLock { $0.bytes = OutgoingBytes(bytes) }
                if bytes.isEmpty, parking.park(connection) { return 0 }
            } catch {
                // The status line is long gone; the client comes again and is told then.
                service.log(.warning, "event stream ended", [("reason", error.detail)])
                return tandem_http_end_of_stream()
            }
        }
    }

    /// The present status of more gateways, or more events, or a comment that is due.
    private func nextBytes() throws(Refusal) -> [UInt8] {
        var (reader, after) = state.withLock { ($0.reader, $0.snapshotAfter) }
        var text = ""
        if let last = after {
            (text, after) = try currentStatus(behind: last)
        } else {
            let events = try reader.next(service.controlPlane)
            for event in events {
                text += CloudEvent.block(id: event.sequence, type: event.type, text: CloudEvent.text(event))
            }
        }
        let (position, next) = (reader, after)
        state.withLock { ($0.reader, $0.snapshotAfter) = (position, next) }
        let isCommentDue = isCommentDue.exchange(false, ordering: .acquiringAndReleasing)
        if text.isEmpty, isCommentDue || next != nil { text = ":\n\n" }
        return Array(text.utf8)
    }

    private func currentStatus(behind last: String) throws(Refusal) -> (text: String, next: String?) {
        var query = StatusQuery()
        query.after = last.isEmpty ? nil : last
        query.limitCount = EventReader.pageLimitCount
        let page = try service.controlPlane.statuses(query)
        let now = service.clock.wallTime
        var text = ""
        for item in page.items {
            let gateway = HTTPService.gatewayName(item)
            let event = CloudEvent.text(
                id: "current-\(page.revision)-\(gateway)", source: "tandem/\(service.controlPlane.node)",
                type: CloudEvent.currentStatus, subject: "gateways/\(gateway)", time: now, data: item.canonicalText)
            text += CloudEvent.block(id: nil, type: CloudEvent.currentStatus, text: event)
        }
        if page.next == nil {
            // From here on the client can resume: nothing behind this number has been left out.
            text += "id: \(state.withLock { $0.reader.position })\n\n"
        }
        return (text, page.next)
    }
}
