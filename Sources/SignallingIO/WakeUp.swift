import CSignalling
import Synchronization

/// Wakes one sleeping thread from any other. However many signals come before it looks, the kernel is asked once.
final class WakeUp: Sendable {
    let descriptor: Int32
    private let isSignalled = Atomic(false)

    init() throws(SocketError) {
        descriptor = csig_eventfd_create()
        guard descriptor >= 0 else { throw SocketError(nil, result: descriptor) }
    }

    deinit {
        if descriptor >= 0 { csig_close(descriptor) }
    }

    /// Whoever calls this has put down what the sleeper is to find.
    func signal() {
        if !isSignalled.exchange(true, ordering: .acquiringAndReleasing) { csig_eventfd_signal(descriptor) }
    }

    /// The sleeper calls this when it woke, before it looks: what is put down afterwards signals again.
    func clear() {
        csig_eventfd_clear(descriptor)
        _ = isSignalled.exchange(false, ordering: .acquiringAndReleasing)
    }

    /// Sleeps until a signal comes, and clears it.
    func wait() {
        csig_eventfd_wait(descriptor)
        _ = isSignalled.exchange(false, ordering: .acquiringAndReleasing)
    }
}
