import Synchronization

/// Which worker has a connection with which peer, for the worker that has none: a request within a dialog comes to any
/// of them, and many user agents can be reached by the connection alone that they have opened.
///
/// Any worker enters, leaves and asks at any time, and nobody waits. What it says is a hint: a connection may end while
/// a message is on its way to its worker, who opens another for a request and drops a response.
///
/// Each peer has two lines of eight places, one cache line each, that its hash names, and lies anywhere in them. So
/// whoever looks reads two lines, whoever leaves empties his place, and nothing has to move for either. Who comes takes
/// the emptier line, which keeps them even: with two peers a line in the mean, both of one are never full. Were they,
/// the peer would not be entered, and another worker would open a connection of its own.
final class StreamDirectory: @unchecked Sendable {
    private static let placesPerLine = 8

    /// hash: upper 56 bits | worker + 1: 8 bits, of workers 0...254; zero: nobody. The hash has a secret of the
    /// process, so that no peer can choose to be taken for another.
    private let places: UnsafeMutablePointer<Atomic<UInt64>>
    private let lineMask: UInt64

    /// A directory with room for so many connections.
    init(connectionCount: Int) {
        var lines = 16
        while lines * 2 < connectionCount, lines < 1 << 24 { lines *= 2 }
        lineMask = UInt64(lines - 1)
        let count = lines * Self.placesPerLine
        places = UnsafeMutableRawPointer.allocate(
            byteCount: count * MemoryLayout<Atomic<UInt64>>.stride, alignment: 64
        ).bindMemory(to: Atomic<UInt64>.self, capacity: count)
        for index in 0..<count { (places + index).initialize(to: Atomic(0)) }
    }

    deinit {
        places.deinitialize(count: Int(lineMask + 1) * Self.placesPerLine)
        places.deallocate()
    }

    /// The worker has a connection with this peer; the latest one counts.
    func enter(_ key: StreamConnection.Key, of worker: UInt8) {
        let (own, lines) = lookUp(key, worker)
        // Once more for each change that another worker makes to the same lines meanwhile.
        while !tryToEnter(own, lines) {}
    }

    /// The worker's connection with this peer is of no more use for requests.
    func leave(_ key: StreamConnection.Key, of worker: UInt8) {
        let (own, lines) = lookUp(key, worker)
        for place in Places(lines) where places[place].load(ordering: .relaxed) == own {
            // Lost to another worker only, whose connection with the same peer is the latest then.
            _ = exchange(at: place, own, 0)
        }
    }

    /// Who has a connection with this peer.
    func owner(of key: StreamConnection.Key) -> UInt8? {
        let (wanted, lines) = lookUp(key, 0)
        for place in Places(lines) {
            let entry = places[place].load(ordering: .relaxed)
            if Self.isSamePeer(entry, wanted) { return UInt8(truncatingIfNeeded: entry) &- 1 }
        }
        return nil
    }

    /// The first places of a peer's two lines, which may be one.
    private struct Lines {
        let first: Int
        let second: Int
    }

    /// The places of both lines.
    private struct Places: Sequence, IteratorProtocol {
        private let lines: Lines
        private var count = 0

        init(_ lines: Lines) { self.lines = lines }

        mutating func next() -> Int? {
            guard count < 2 * placesPerLine else { return nil }
            defer { count += 1 }
            return count < placesPerLine ? lines.first + count : lines.second + count - placesPerLine
        }
    }

    private func lookUp(_ key: StreamConnection.Key, _ worker: UInt8) -> (entry: UInt64, lines: Lines) {
        let hash = UInt64(truncatingIfNeeded: Int64(key.hashValue))
        let first = Int(hash & lineMask) * Self.placesPerLine
        let second = Int(hash >> 32 & lineMask) * Self.placesPerLine
        return (hash & ~0xFF | UInt64(worker) + 1, Lines(first: first, second: second))
    }

    private static func isSamePeer(_ entry: UInt64, _ other: UInt64) -> Bool {
        entry & 0xFF != 0 && (entry ^ other) >> 8 == 0
    }

    /// False: another worker was quicker at the place that was chosen.
    private func tryToEnter(_ own: UInt64, _ lines: Lines) -> Bool {
        var free: (place: Int?, count: Int) = (nil, 0)
        for line in [lines.first, lines.second] {
            var here: (place: Int?, count: Int) = (nil, 0)
            for place in line..<line + Self.placesPerLine {
                let entry = places[place].load(ordering: .relaxed)
                if entry == 0 {
                    here = (here.place ?? place, here.count + 1)
                } else if Self.isSamePeer(entry, own) {
                    return entry == own || exchange(at: place, entry, own)
                }
            }
            if here.count > free.count { free = here }
        }
        return free.place.map { exchange(at: $0, 0, own) } ?? true
    }

    private func exchange(at place: Int, _ expected: UInt64, _ desired: UInt64) -> Bool {
        places[place].compareExchange(expected: expected, desired: desired, ordering: .relaxed).exchanged
    }
}
