/// Records at numbered places that are used again: a handle names a place and the generation of its tenant, so that
/// what outlives a record (a timer, a response) finds nothing instead of its successor.
///
/// A freed record stays in its place with whatever memory its arrays have; the next tenant makes use of it.
struct Slab<Record> {
    /// One tenant of one place.
    struct Handle: Hashable, Sendable, BitwiseCopyable {
        let slot: UInt32
        /// 24 bits, so that it fits into a timer token beside the slot.
        let generation: UInt32
    }

    static var generationMask: UInt32 { 0xFF_FFFF }

    private var records: [Record] = []
    private var generations: [UInt32] = []  // odd: taken
    private var free: [UInt32] = []

    /// How many places are taken.
    private(set) var liveCount = 0

    /// Takes a place: a freed one as it was left, or a new one with what `make` gives.
    mutating func take(_ make: () -> Record) -> Handle {
        liveCount += 1
        if let slot = free.popLast() {
            let generation = (generations[Int(slot)] &+ 1) & Self.generationMask
            generations[Int(slot)] = generation
            return Handle(slot: slot, generation: generation)
        }
        records.append(make())
        generations.append(1)
        return Handle(slot: UInt32(truncatingIfNeeded: records.count - 1), generation: 1)
    }

    /// Gives the place back. A handle whose tenant has gone changes nothing.
    mutating func giveBack(_ handle: Handle) {
        guard contains(handle) else { return }
        generations[Int(handle.slot)] = (generations[Int(handle.slot)] &+ 1) & Self.generationMask
        free.append(handle.slot)
        liveCount -= 1
    }

    /// True while the tenant is there.
    func contains(_ handle: Handle) -> Bool {
        handle.slot < UInt32(truncatingIfNeeded: generations.count)
            && generations[Int(handle.slot)] == handle.generation & Self.generationMask && handle.generation & 1 == 1
    }

    /// The record of a handle that `contains` has just affirmed.
    subscript(handle: Handle) -> Record {
        _read { yield records[Int(handle.slot)] }
        _modify { yield &records[Int(handle.slot)] }
    }
}
