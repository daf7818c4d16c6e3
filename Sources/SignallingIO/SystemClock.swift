import CSignalling
package import Time

// How this room works. `DataPlane` binds every socket, one a listener and worker, before any thread runs; the kernel
// spreads datagrams over the sockets of one address by their source and port (SO_REUSEPORT). Each `Worker` is one
// thread with a `SignallingCore`, a timer wheel and buffers of its own (`WorkerLoop`): it waits, pins one routing
// snapshot for the batch, receives up to 64 datagrams a socket, fires due timers and sends what came of it. What is
// for another worker goes through that one's `Mailbox`; status changes go through the worker's `TransitionRing` to
// the one observer thread; counts are published ten times a second. Nothing else is shared, and no worker ever waits
// for anything but its sockets.

/// The kernel's clocks.
package struct SystemClock: TimeSource {
    /// The kernel's clocks.
    package init() {}

    /// CLOCK_MONOTONIC: since the machine started, without the time that it slept.
    package var now: Instant { Instant(nanoseconds: csig_monotonic_nanoseconds()) }

    /// CLOCK_REALTIME, to the millisecond.
    package var wallTime: WallTime { WallTime(milliseconds: csig_wall_milliseconds()) }
}

/// The processors.
enum Processors {
    /// How many this process may run on, at least 1.
    static var count: Int { Int(csig_processor_count()) }
}
