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
    /// The round trip time estimate.
    package var t1: Duration = .milliseconds(500)
    /// The longest wait between two copies of a request other than INVITE, or of a response to INVITE.
    package var t2: Duration = .seconds(4)
    /// How long a message stays in the network.
    package var t4: Duration = .seconds(5)
    /// How long copies of a final response to INVITE are still acknowledged over UDP: at least 32 s.
    package var d: Duration = .seconds(32)

    /// The RFC's defaults.
    package init() {}

    /// 64 times T1: Timers B, F, H, J, L and M.
    package var transactionTimeout: Duration { Duration(attoseconds: t1.attoseconds << 6) }

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
