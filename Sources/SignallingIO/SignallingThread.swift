import CSignalling
import Glibc

/// A thread with a name, to be joined once.
final class SignallingThread: Sendable {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private nonisolated(unsafe) let thread: OpaquePointer  // pthread's own; only `join` reads it

    /// Starts a thread; its name is at most 15 bytes. A real-time one (SCHED_RR) runs before all threads that are none.
    /// Throws when the kernel has no room for it, or the process may not have such threads.
    init(name: String, isRealTime: Bool = false, _ run: @escaping @Sendable () -> Void) throws(SocketError) {
        let context = Unmanaged.passRetained(Body(run))
        var started: OpaquePointer?
        let result = csig_thread_start(
            name, isRealTime,
            { context in
                guard let context else { return }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
            }, context.toOpaque(), &started)
        guard result == 0, let started else {
            context.release()
            throw SocketError(nil, reason: Self.reason(of: -result))
        }
        thread = started
    }

    private static func reason(of number: Int32) -> String {
        guard number == EPERM else { return "no room for another thread: \(SocketError.reason(of: number))" }
        return "workers of real-time priority need the privilege (CAP_SYS_NICE, or a limit RLIMIT_RTPRIO of 1 and more)"
    }

    /// Waits until the thread has ended. To be called once.
    func join() { csig_thread_join(thread) }
}
