import Addressing
import CMicrohttpd
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
        /// Since when the client keeps us waiting; nil: it does not.
        var waitingSince: Instant?
        var isShut = false
        var whenGone: (@Sendable () -> Void)?
    }

    /// Where the client is.
    let address: IPAddress?
    /// Nothing can be said past libmicrohttpd, and what waits to be read may be the end of the encrypted stream.
    private let isTLS: Bool
    private let state: Mutex<State>

    init(descriptor: Int32, address: IPAddress?, isTLS: Bool) {
        (self.address, self.isTLS) = (address, isTLS)
        state = Mutex(State(descriptor: descriptor < 0 ? nil : descriptor))
    }

    /// How long the client may take for what is due.
    ///
    /// - Parameter lateAnswer: what is sent before the connection is shut down; nil when something was sent already.
    func expect(
        within limit: Duration, from now: Instant, orElse lateAnswer: [UInt8]?, isClientsTurn: Bool = true
    ) {
        state.withLock { state in
            (state.deadline, state.lateAnswer, state.isClientsTurn) = (now + limit, lateAnswer, isClientsTurn)
            state.waitingSince = now
        }
    }

    /// Nothing is due.
    func expectNothing() {
        state.withLock { state in
            (state.deadline, state.lateAnswer, state.isClientsTurn) = (nil, nil, false)
            state.waitingSince = nil
        }
    }

    /// The client has done a part of what is due: it gets more time for the rest.
    func extend(to deadline: Instant) {
        state.withLock { if $0.deadline != nil { $0.deadline = deadline } }
    }

    /// The client goes on sending what takes long: it keeps nobody waiting, and has until then for the rest.
    func noteProgress(at now: Instant, deadline: Instant) {
        state.withLock { state in
            guard state.deadline != nil else { return }
            (state.deadline, state.waitingSince) = (deadline, now)
        }
    }

    /// Since when the client keeps us waiting; nil: it does not, or the connection is shut down.
    var waitingSince: Instant? { state.withLock { $0.isShut ? nil : $0.waitingSince } }

    /// True when we have shut the connection down: whatever of a request may still come is not to be carried out.
    var isShut: Bool { state.withLock { $0.isShut } }

    /// Calls `body`, from any thread, when the client has closed its side; nil: nobody wants to know any more.
    func whenGone(_ body: (@Sendable () -> Void)?) { state.withLock { $0.whenGone = body } }

    /// The socket is about to be closed: its number may soon be another's.
    func end() { state.withLock { ($0.descriptor, $0.whenGone) = (nil, nil) } }

    /// Shuts the connection down; libmicrohttpd sees that and closes it.
    ///
    /// - Parameter answer: what the client is told, where nothing else was sent for its request.
    func shut(saying answer: [UInt8]) {
        state.withLock { state in
            guard let descriptor = state.descriptor, !state.isShut else { return }
            shut(&state, descriptor, saying: state.lateAnswer == nil ? nil : answer)
        }
    }

    /// Tells a client that still sends how its request ends, and sends nothing more; what it sends can still be read.
    ///
    /// - Returns: false when it can't be told: over TLS, and when something was sent already.
    func tell(_ answer: [UInt8]) -> Bool {
        state.withLock { state in
            guard let descriptor = state.descriptor, !isTLS, !state.isShut, state.lateAnswer != nil else {
                return false
            }
            state.lateAnswer = nil
            let count = send(descriptor, answer, answer.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            shutdown(descriptor, Int32(SHUT_WR))
            return count == answer.count
        }
    }

    /// Shuts the connection down when its time is up; true when it did.
    func check(_ now: Instant) -> Bool {
        let (isLate, whenGone) = state.withLock { state -> (Bool, (@Sendable () -> Void)?) in
            guard let descriptor = state.descriptor else { return (false, nil) }
            var isLate = false
            if let deadline = state.deadline, deadline <= now, !state.isShut {
                shut(&state, descriptor, saying: state.lateAnswer)
                isLate = true
            }
            guard state.isClientsTurn || state.whenGone != nil, isGone(descriptor) else { return (isLate, nil) }
            if state.isClientsTurn {
                shutdown(descriptor, Int32(SHUT_RDWR))
                state.isClientsTurn = false
            }
            defer { state.whenGone = nil }
            return (isLate, state.whenGone)
        }
        whenGone?()
        return isLate
    }

    private func shut(_ state: inout State, _ descriptor: Int32, saying answer: [UInt8]?) {
        if let answer, !isTLS {
            _ = send(descriptor, answer, answer.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        }
        shutdown(descriptor, Int32(SHUT_RDWR))
        (state.isShut, state.deadline) = (true, nil)
    }

    /// True when there is nothing more to read and the other side has closed, or the connection is broken.
    private func isGone(_ descriptor: Int32) -> Bool {
        guard !isTLS else {
            var poll = pollfd(fd: descriptor, events: Int16(tandem_http_poll_hang_up()), revents: 0)
            return Glibc.poll(&poll, 1, 0) > 0 && poll.revents != 0
        }
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)
    }
}
