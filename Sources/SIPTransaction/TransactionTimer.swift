// How this room works. The four machines of RFC 3261 section 17, with RFC 6026's `accepted`, know neither messages nor
// clocks: an event and `now` come in, `TransactionActions` come out, the owner sends, arms and delivers. A timer is
// never stopped; one that fires where it means nothing changes nothing. Names are here too: `Branch` names a client
// transaction in our Via, `ServerTransactionKey` finds the server transaction of a request, `KeyedHash` keeps others
// from making either up.

/// The timers of RFC 3261 table 4 and RFC 6026 by their letters. Timer C is the response context's.
package enum TransactionTimer: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    case a, b, c, d, e, f, g, h, i, j, k, l, m
}

/// The times from which all timers are made (RFC 3261 section 17.1.1.1 and table 4).
package struct TimerSettings: Hashable, Sendable, BitwiseCopyable {
    // Each machine has a copy, so that it is kept small.
    private(set) var intervalT1 = Interval(.milliseconds(500))
    private(set) var intervalT2 = Interval(.seconds(4))
    private(set) var intervalT4 = Interval(.seconds(5))
    private(set) var intervalD = Interval(.seconds(32))

    /// The RFC's defaults.
    package init() {}

    /// The round trip time estimate. Like the others it is kept in whole nanoseconds, up to 292 years.
    package var t1: Duration {
        get { intervalT1.duration }
        set { intervalT1 = Interval(newValue) }
    }
    /// The longest wait between two copies of a request other than INVITE, or of a response to INVITE.
    package var t2: Duration {
        get { intervalT2.duration }
        set { intervalT2 = Interval(newValue) }
    }
    /// How long a message stays in the network.
    package var t4: Duration {
        get { intervalT4.duration }
        set { intervalT4 = Interval(newValue) }
    }
    /// How long copies of a final response to INVITE are still acknowledged over UDP: at least 32 s.
    package var d: Duration {
        get { intervalD.duration }
        set { intervalD = Interval(newValue) }
    }

    /// 64 times T1: Timers B, F, H, J, L and M.
    package var transactionTimeout: Duration { intervalTimeout.duration }

    /// The same.
    var intervalTimeout: Interval { intervalT1 * 64 }

    /// How long it takes until Timer E is T2: before that a request other than INVITE gets no 100 over UDP, then it
    /// must get one (RFC 4320 section 4.1). 3.5 s by default.
    package var tryingDelay: Duration {
        var (interval, delay) = (t1, t1)
        while interval > .zero, interval * 2 < t2 {
            interval = interval * 2
            delay = delay + interval
        }
        return delay
    }
}
