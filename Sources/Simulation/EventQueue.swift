package import Time

/// Events by the instant at which they happen; those of the same instant in the order in which they were put in.
package struct EventQueue<Event> {
    /// What is moved about in the heap; the events themselves stay where they are.
    private struct Key {
        let at: Int64
        let sequence: UInt32
        let place: Int32

        func isBefore(_ other: Key) -> Bool { at < other.at || (at == other.at && sequence < other.sequence) }
    }

    private var heap: [Key] = []
    private var events: [Event?] = []
    private var free: [Int32] = []
    private var nextSequence: UInt32 = 0

    /// An empty queue.
    package init() {}

    /// When the next event happens; nil when there is none.
    package var next: Instant? { heap.first.map { Instant(nanoseconds: $0.at) } }

    /// How many events there are.
    package var count: Int { heap.count }

    /// Puts an event in.
    package mutating func push(_ event: Event, at instant: Instant) {
        let place: Int32
        if let freed = free.popLast() {
            place = freed
            events[Int(place)] = event
        } else {
            place = Int32(truncatingIfNeeded: events.count)
            events.append(event)
        }
        let key = Key(at: instant.nanoseconds, sequence: nextSequence, place: place)
        nextSequence += 1
        heap.append(key)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard key.isBefore(heap[parent]) else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = key
    }

    /// Takes the next event out.
    package mutating func pop() -> (at: Instant, event: Event)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty { sink(last) }
        let place = Int(first.place)
        guard let event = events[place] else { return nil }  // never: a key's place is taken
        events[place] = nil
        free.append(first.place)
        return (Instant(nanoseconds: first.at), event)
    }

    /// Lets the key go down from the top to where it belongs.
    private mutating func sink(_ key: Key) {
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(key) else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = key
    }
}
