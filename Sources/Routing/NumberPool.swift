/// The rows of the gateway information table, each given to one gateway at a time. A row that was given back rests
/// before it is another's: until the data without its gateway are settled, and until no fresh row is left.
struct RowPool: Sendable {
    private let limitCount: Int
    private var next = 0
    private var free: [UInt16] = []
    private var resting: [UInt16] = []

    init(limitCount: Int) { self.limitCount = limitCount }

    mutating func take() -> UInt16? {
        if next < limitCount, let row = UInt16(exactly: next) {
            next += 1
            return row
        }
        return free.isEmpty ? nil : free.removeFirst()
    }

    mutating func giveBack(_ row: UInt16) { resting.append(row) }

    /// Takes rows that were given back and still rest: they are again whose they were.
    mutating func takeAgain(_ rows: Set<UInt16>) { resting.removeAll { rows.contains($0) } }

    mutating func settle() {
        guard !resting.isEmpty else { return }
        free += resting
        resting = []
    }
}

/// Numbers from 0 up, each given to one holder at a time. What was given back is used first, so that tables by number
/// stay as short as they can.
struct NumberPool: Sendable {
    private let limitCount: Int
    private var next: UInt32 = 0
    private var free: [UInt32] = []

    init(limitCount: Int) { self.limitCount = limitCount }

    mutating func take() -> UInt32? {
        if let number = free.popLast() { return number }
        guard Int(next) < limitCount else { return nil }
        next += 1
        return next - 1
    }

    mutating func giveBack(_ number: UInt32) { free.append(number) }
}

/// The rows of the peer table, each given to one peer at a time, with the number of peers that had it before. Those
/// that nobody had come first.
struct PeerRowPool: Sendable {
    private let limitCount: Int
    private var next = 0
    private var free: [PeerSlot] = []

    init(limitCount: Int) { self.limitCount = limitCount }

    mutating func take() -> PeerSlot? {
        if next < limitCount, let row = UInt16(exactly: next) {
            next += 1
            return PeerSlot(index: row, generation: 1)
        }
        guard !free.isEmpty else { return nil }
        let last = free.removeFirst()
        return PeerSlot(index: last.index, generation: last.generation &+ 1)
    }

    mutating func giveBack(_ slot: PeerSlot) { free.append(slot) }

    /// Takes a row that was given back. False: it is another peer's by now.
    mutating func takeAgain(_ slot: PeerSlot) -> Bool {
        guard let place = free.lastIndex(of: slot) else { return false }
        free.remove(at: place)
        return true
    }
}
