import Glibc
import Synchronization
import Time

/// Ends a connection whose client sends too slowly. libmicrohttpd's own time-out is about silence: a byte now and then
/// would get round it.
final class ConnectionWatch: Sendable {
    private struct State {
        var descriptor: Int32?
        var deadline: Instant?
    }

    private let state: Mutex<State>

    init(descriptor: Int32, deadline: Instant) {
        state = Mutex(State(descriptor: descriptor < 0 ? nil : descriptor, deadline: deadline))
    }

    /// Until when the client must have sent what is due; nil while nothing is.
    func expect(by deadline: Instant?) { state.withLock { $0.deadline = deadline } }

    /// The socket is about to be closed: its number may soon be another's.
    func end() { state.withLock { $0.descriptor = nil } }

    /// Shuts the connection down when its time is up; libmicrohttpd sees that and closes it.
    func check(_ now: Instant) {
        state.withLock { state in
            guard let descriptor = state.descriptor, let deadline = state.deadline, deadline <= now else { return }
            shutdown(descriptor, Int32(SHUT_RDWR))
            state.deadline = nil
        }
    }
}

/// The watches of all open connections.
final class ConnectionWatches: Sendable {
    private let open = Mutex<[ObjectIdentifier: ConnectionWatch]>([:])

    /// A connection has come.
    func insert(_ watch: ConnectionWatch) { open.withLock { $0[ObjectIdentifier(watch)] = watch } }

    /// It has gone.
    func remove(_ watch: ConnectionWatch) {
        watch.end()
        open.withLock { $0[ObjectIdentifier(watch)] = nil }
    }

    /// Ends those that are too slow.
    func check(_ now: Instant) {
        for watch in open.withLock({ Array($0.values) }) { watch.check(now) }
    }
}
