import Glibc
import Synchronization
import Time

/// Ends a connection whose client sends or reads too slowly (libmicrohttpd's own time-out is about silence: a byte now
/// and then would get round it), and sees that a client has gone where libmicrohttpd does not: it does not look at a
/// suspended connection, and misses an end that comes together with the last bytes.
final class ConnectionWatch: Sendable {
    private struct State {
        var descriptor: Int32?
        var deadline: Instant?
        var lateAnswer: [UInt8]?
        /// The client is to send something: when it has closed its side, it never will.
        var isClientsTurn = true
        var whenGone: (@Sendable () -> Void)?
    }

    private let state: Mutex<State>

    init(descriptor: Int32, deadline: Instant, lateAnswer: [UInt8]) {
        state = Mutex(State(descriptor: descriptor < 0 ? nil : descriptor, deadline: deadline, lateAnswer: lateAnswer))
    }

    /// Until when the client must have done what is due.
    ///
    /// - Parameter lateAnswer: what is sent before the connection is shut down; nil when something was sent already.
    func expect(by deadline: Instant, orElse lateAnswer: [UInt8]?, isClientsTurn: Bool = true) {
        state.withLock { ($0.deadline, $0.lateAnswer, $0.isClientsTurn) = (deadline, lateAnswer, isClientsTurn) }
    }

    /// Nothing is due.
    func expectNothing() { state.withLock { ($0.deadline, $0.lateAnswer, $0.isClientsTurn) = (nil, nil, false) } }

    /// Calls `body`, from any thread, when the client has closed its side; nil: nobody wants to know any more.
    func whenGone(_ body: (@Sendable () -> Void)?) { state.withLock { $0.whenGone = body } }

    /// The socket is about to be closed: its number may soon be another's.
    func end() { state.withLock { ($0.descriptor, $0.whenGone) = (nil, nil) } }

    /// Shuts the connection down when its time is up; libmicrohttpd sees that and closes it.
    func check(_ now: Instant) {
        let whenGone = state.withLock { state -> (@Sendable () -> Void)? in
            guard let descriptor = state.descriptor else { return nil }
            if let deadline = state.deadline, deadline <= now {
                if let answer = state.lateAnswer {
                    _ = send(descriptor, answer, answer.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
                }
                shutdown(descriptor, Int32(SHUT_RDWR))
                state.deadline = nil
            }
            guard state.isClientsTurn || state.whenGone != nil, Self.isGone(descriptor) else { return nil }
            if state.isClientsTurn {
                shutdown(descriptor, Int32(SHUT_RDWR))
                state.isClientsTurn = false
            }
            defer { state.whenGone = nil }
            return state.whenGone
        }
        whenGone?()
    }

    /// True when there is nothing more to read and the other side has closed, or the connection is broken.
    private static func isGone(_ descriptor: Int32) -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)
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
