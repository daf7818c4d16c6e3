import CMicrohttpd
import Synchronization

/// The place where one request waits without a thread: its connection is suspended, and `wake` resumes it from any
/// thread.
///
///     running --park--> parked --wake--> running
///     running --wake--> called --park--> called: the caller looks again at once, so that no call is lost
///     any --end--> ended: the connection is not touched again
final class Parking: Sendable {
    private enum State: @unchecked Sendable { case running, called, parked(OpaquePointer), ended }

    private let state = Mutex(State.running)

    /// Suspends the connection unless someone has called since the last `look`. On libmicrohttpd's thread, from one of
    /// its handlers, only.
    ///
    /// - Returns: false when the caller must look again instead.
    func park(_ connection: OpaquePointer) -> Bool {
        state.withLock { state in
            guard case .running = state else { return false }
            MHD_suspend_connection(connection)
            state = .parked(connection)
            return true
        }
    }

    /// Takes note of calls: what they announced is looked at after this.
    func look() {
        state.withLock { state in
            if case .called = state { state = .running }
        }
    }

    /// Whatever the request waits for may be there.
    func wake() {
        state.withLock { state in
            switch state {
            case .parked(let connection):
                state = .called
                MHD_resume_connection(connection)
            case .running: state = .called
            case .called, .ended: break
            }
        }
    }

    /// The request is over.
    func end() { state.withLock { $0 = .ended } }

    /// True while the connection is suspended.
    var isParked: Bool {
        state.withLock { state in
            if case .parked = state { return true }
            return false
        }
    }
}
