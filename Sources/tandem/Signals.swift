import Glibc

/// The signals that steer the process. They are blocked in every thread, and the main thread takes them one by one, so
/// that what follows runs as ordinary code and not in a signal handler.
struct Signals {
    private let set: sigset_t

    /// Blocks the signals in this thread and in all that it starts from now on; a closed connection kills nobody.
    init() {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
        self.set = set
    }

    /// Returns at SIGTERM or SIGINT; calls `reopen` at each SIGHUP before.
    func wait(reopen: () -> Void) {
        var set = set
        var number: Int32 = 0
        while true {
            guard sigwait(&set, &number) == 0 else { continue }
            if number != SIGHUP { return }
            reopen()
        }
    }

    /// Waits for so long; true when SIGTERM or SIGINT came in that time.
    func cameWithin(milliseconds: Int) -> Bool {
        var set = set
        var timeout = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        let number = sigtimedwait(&set, nil, &timeout)
        return number == SIGTERM || number == SIGINT
    }
}
