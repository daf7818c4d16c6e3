package import SignallingCore
import Time

/// Keeps for each record of one core the latest instant that a timer of it was armed for, and finds those that live on
/// after it. It hears of timers as the core arms them, whatever becomes of them.
package struct LifeWatch {
    private struct Entry {
        var generation: UInt32 = 0  // 0: nobody
        var latest: Int64 = .min
        var call = -1
    }

    /// A record that should be gone.
    package struct Overdue {
        /// Which.
        package let record: RecordName
        /// The call that the last of its timers was armed for; -1 for none.
        package let call: Int
    }

    private var entries: [[Entry]] = RecordName.Kind.allCases.map { _ in [] }

    /// - Parameter call: the call whose message led to the timer; -1 where that was a timer itself.
    mutating func noteTimer(_ token: TimerToken, at instant: Instant, call: Int) {
        guard let record = token.record else { return }
        let (kind, slot) = (Int(record.kind.rawValue), Int(record.slot))
        while entries[kind].count <= slot { entries[kind].append(Entry()) }
        if entries[kind][slot].generation == record.generation {
            entries[kind][slot].latest = max(entries[kind][slot].latest, instant.nanoseconds)
            if call >= 0 { entries[kind][slot].call = call }
        } else {
            entries[kind][slot] = Entry(generation: record.generation, latest: instant.nanoseconds, call: call)
        }
    }

    private func hasTimer(_ record: RecordName, after now: Instant) -> Bool {
        let (kind, slot) = (Int(record.kind.rawValue), Int(record.slot))
        guard slot < entries[kind].count else { return false }
        let entry = entries[kind][slot]
        return entry.generation == record.generation && entry.latest > now.nanoseconds
    }

    /// The records that are alive with all their timers past, and nobody else's to end them. All timers up to `now`
    /// have fired.
    mutating func overdue(in core: borrowing SignallingCore, now: Instant) -> [Overdue] {
        var found: [Overdue] = []
        for kind in RecordName.Kind.allCases {
            let number = Int(kind.rawValue)
            for slot in entries[number].indices {
                let entry = entries[number][slot]
                guard entry.generation != 0, entry.latest <= now.nanoseconds else { continue }
                let record = RecordName(
                    kind: kind, slot: UInt32(truncatingIfNeeded: slot), generation: entry.generation)
                guard core.isAlive(record) else {
                    entries[number][slot].generation = 0
                    continue
                }
                if core.supports(of: record).contains(where: { core.isAlive($0) && hasTimer($0, after: now) }) {
                    continue
                }
                found.append(Overdue(record: record, call: entry.call))
                entries[number][slot].generation = 0  // told once
            }
        }
        return found
    }
}
