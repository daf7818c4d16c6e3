internal import CMemory

/// Records at numbered places that are used again: a handle names a place and the generation of its tenant, so that
/// what outlives a record (a timer, a response) finds nothing instead of its successor.
///
/// Places lie in chunks that never move, so that a worker that grows under load does not stop to copy what it has.
struct Slab<Record: BitwiseCopyable>: ~Copyable {
    /// One tenant of one place.
    struct Handle: Hashable, Sendable, BitwiseCopyable {
        let slot: UInt32
        /// 24 bits, so that it fits into a timer token beside the slot.
        let generation: UInt32
    }

    static var generationMask: UInt32 { 0xFF_FFFF }
    private static var placesPerChunk: Int { 1024 }

    private struct Place: BitwiseCopyable {
        var generation: UInt32  // odd: taken
        /// Where the place is free: the one that became free before it. Kept here, so that nothing grows with what was
        /// freed.
        var nextFree: UInt32
        var record: Record
    }

    private static var none: UInt32 { .max }

    private var chunks: [UnsafeMutablePointer<Place>] = []
    /// Places that were ever taken.
    private var count = 0
    private var firstFree = none

    /// How many places are taken.
    private(set) var liveCount = 0

    init() {}

    deinit {
        for chunk in chunks { chunk.deallocate() }
    }

    /// Puts a record into a free place.
    mutating func take(_ record: Record) -> Handle {
        liveCount += 1
        if firstFree != Self.none {
            let slot = firstFree
            let place = place(slot)
            let generation = (place.pointee.generation &+ 1) & Self.generationMask
            firstFree = place.pointee.nextFree
            place.pointee = Place(generation: generation, nextFree: Self.none, record: record)
            return Handle(slot: slot, generation: generation)
        }
        let (chunk, inChunk) = count.quotientAndRemainder(dividingBy: Self.placesPerChunk)
        if chunk == chunks.count { chunks.append(.allocate(capacity: Self.placesPerChunk)) }
        (chunks[chunk] + inChunk).initialize(to: Place(generation: 1, nextFree: Self.none, record: record))
        count += 1
        return Handle(slot: UInt32(truncatingIfNeeded: count - 1), generation: 1)
    }

    /// Gives the place back. A handle whose tenant has gone changes nothing.
    mutating func giveBack(_ handle: Handle) {
        guard contains(handle) else { return }
        let place = place(handle.slot)
        place.pointee.generation = (place.pointee.generation &+ 1) & Self.generationMask
        place.pointee.nextFree = firstFree
        firstFree = handle.slot
        liveCount -= 1
    }

    /// True while the tenant is there.
    func contains(_ handle: Handle) -> Bool {
        guard Int(handle.slot) < count, handle.generation & 1 == 1 else { return false }
        return place(handle.slot).pointee.generation == handle.generation & Self.generationMask
    }

    /// The record of a handle that `contains` has just affirmed.
    subscript(handle: Handle) -> Record {
        _read { yield place(handle.slot).pointee.record }
        nonmutating _modify { yield &place(handle.slot).pointee.record }
    }

    /// Places that were ever taken, for whoever looks at all of them.
    var placeCount: Int { count }

    /// Who has the place; nil when nobody has.
    func tenant(at index: Int) -> Handle? {
        guard index >= 0, index < count else { return nil }
        let slot = UInt32(truncatingIfNeeded: index)
        let generation = place(slot).pointee.generation
        return generation & 1 == 1 ? Handle(slot: slot, generation: generation) : nil
    }

    /// Fetches what is at a place, so that whoever asks for it soon does not wait.
    func prefetch(_ slot: UInt32) {
        guard Int(slot) < count else { return }
        let start = UnsafeRawPointer(place(slot))
        for line in stride(from: 0, to: MemoryLayout<Place>.stride, by: 64) { cmem_prefetch(start + line) }
    }

    /// Who has the place, of which it is known that it is taken.
    func handle(at slot: UInt32) -> Handle { Handle(slot: slot, generation: place(slot).pointee.generation) }

    /// Any slot below `count` has its chunk; the array checks the rest.
    @inline(__always)
    private func place(_ slot: UInt32) -> UnsafeMutablePointer<Place> {
        let (chunk, inChunk) = Int(slot).quotientAndRemainder(dividingBy: Self.placesPerChunk)
        return chunks[chunk] + inChunk
    }
}
