package import Time

/// Events by the instant at which they happen; those of the same instant in the order in which they were put in.
package struct EventQueue<Event> {
    private struct Entry {
        let at: Instant
        let sequence: UInt64
        let event: Event

        func isBefore(_ other: Entry) -> Bool { (at, sequence) < (other.at, other.sequence) }
    }

    private var heap: [Entry] = []
    private var nextSequence: UInt64 = 0

    /// An empty queue.
    package init() {}

    /// When the next event happens; nil when there is none.
    package var next: Instant? { heap.first?.at }

    /// Puts an event in.
    package mutating func push(_ event: Event, at instant: Instant) {
        heap.append(Entry(at: instant, sequence: nextSequence, event: event))
        nextSequence += 1
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Takes the next event out.
    package mutating func pop() -> (at: Instant, event: Event)? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return (last.at, last.event) }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].isBefore(heap[least])
            {
                least = child
            }
            if least == parent { break }
            heap.swapAt(least, parent)
            parent = least
        }
        return (first.at, first.event)
    }
}
