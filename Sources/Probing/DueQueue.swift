import Time

/// What is due when: the earliest is found at once, and taking it or adding one costs the logarithm of their number.
struct DueQueue: Sendable {
    /// One gateway's next question.
    struct Entry: Sendable, BitwiseCopyable {
        let at: Instant
        /// The gateway's row.
        let index: UInt16
        /// Which of the row's entries it is: all but the last are stale.
        let stamp: UInt32
    }

    /// A heap: no entry is due before its parent.
    private var entries: [Entry] = []

    var count: Int { entries.count }
    var first: Entry? { entries.first }

    mutating func insert(_ entry: Entry) {
        entries.append(entry)
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].at < entries[parent].at else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() {
        guard let last = entries.popLast(), !entries.isEmpty else { return }
        entries[0] = last
        var parent = 0
        while true {
            var earliest = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && entries[child].at < entries[earliest].at {
                earliest = child
            }
            guard earliest != parent else { return }
            entries.swapAt(parent, earliest)
            parent = earliest
        }
    }
}
