import CSignalling

/// A thread with a name, to be joined once.
final class SignallingThread: Sendable {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private nonisolated(unsafe) let thread: OpaquePointer  // pthread's own; only `join` reads it

    /// Starts a thread; its name is at most 15 bytes. Nil when the kernel has no room for one.
    init?(name: String, _ run: @escaping @Sendable () -> Void) {
        let context = Unmanaged.passRetained(Body(run))
        let started = csig_thread_start(
            name,
            { context in
                guard let context else { return }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
            }, context.toOpaque())
        guard let started else {
            context.release()
            return nil
        }
        thread = started
    }

    /// Waits until the thread has ended. To be called once.
    func join() { csig_thread_join(thread) }
}
