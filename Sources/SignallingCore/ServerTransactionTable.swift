internal import CMemory
import SIPTransaction

/// Finds the server transaction of a key: open addressing with linear probing, eight bytes a place, no hash beside the
/// one that the key is.
///
/// It holds 32 bits of each key and the slot of the record, which holds all of it: whoever asks compares the rest.
///
/// It grows a little at a time, so that no call waits for it, in two steps that never meet, since each ends long before
/// the next can begin:
///
///     5/8 full --each insertion clears some places of a larger table--> cleared --3/4 full--> the larger table is used
///     --each insertion and removal moves some places over; until then a search that fails looks in both--> moved
struct ServerTransactionTable: ~Copyable {
    /// key bits: 32 | slot + 1: 32; zero: empty
    private var places: UnsafeMutablePointer<UInt64>
    private var mask: Int
    /// How many transactions are in it.
    private(set) var count = 0

    /// An insertion that finds so many has to see to growth.
    private var growthCount: Int
    /// What takes the place of `places` next, twice as large, and how far it is cleared.
    private var next: UnsafeMutablePointer<UInt64>?
    private var clearedCount = 0
    /// What `places` has taken the place of, half as large, and how many of its places have been moved.
    private var old: UnsafeMutablePointer<UInt64>?
    private var movedCount = 0

    /// A place of `old` whose entry is there no more; whoever was pushed on by it lies behind.
    private static let gone: UInt64 = 1 << 32
    /// How many places an insertion clears: at least 16 are needed, twice the size in an eighth of it.
    private static let clearedPerStepCount = 32
    /// How many places an insertion or a removal moves, which lie in one cache line: at least 2 are needed.
    private static let movedPerStepCount = 8

    /// A table that does not grow before it has so many transactions.
    init(expectedCount: Int) {
        var size = 64
        while size < expectedCount * 4 / 3 { size *= 2 }
        (mask, growthCount) = (size - 1, Self.growthCount(size))
        places = .allocate(capacity: size)
        places.initialize(repeating: 0, count: size)
    }

    deinit {
        places.deallocate()
        next?.deallocate()
        old?.deallocate()
    }

    private static func growthCount(_ size: Int) -> Int { size / 8 * 5 }

    /// True while entries lie in two tables.
    var isMoving: Bool { old != nil }

    /// True while there is a larger table to be cleared or used.
    var isPreparing: Bool { next != nil }

    /// The slot among those of that key which `isIt` affirms.
    @inline(__always)
    func slot(of key: ServerTransactionKey, where isIt: (UInt32) -> Bool) -> UInt32? {
        let tag = UInt64(key.tableBits)
        var index = Int(key.tableBits) & mask
        while true {  // ends: a quarter of the places is empty at least
            let place = places[index]
            guard place != 0 else { break }
            let slot = UInt32(truncatingIfNeeded: place) &- 1
            if place >> 32 == tag, isIt(slot) { return slot }
            index = (index &+ 1) & mask
        }
        return old == nil ? nil : oldSlot(of: key, where: isIt)
    }

    /// Fetches where a key is looked for, so that a search that follows soon does not wait.
    @inline(__always)
    func prefetch(_ key: ServerTransactionKey) { cmem_prefetch(places + (Int(key.tableBits) & mask)) }

    @inline(never)
    private func oldSlot(of key: ServerTransactionKey, where isIt: (UInt32) -> Bool) -> UInt32? {
        guard let old else { return nil }
        let (tag, oldMask) = (UInt64(key.tableBits), mask >> 1)
        var index = Int(key.tableBits) & oldMask
        while old[index] != 0 {
            let place = old[index]
            let slot = UInt32(truncatingIfNeeded: place) &- 1
            if place != Self.gone, place >> 32 == tag, isIt(slot) { return slot }
            index = (index &+ 1) & oldMask
        }
        return nil
    }

    /// Puts a slot in, which is not there yet.
    mutating func insert(_ slot: UInt32, of key: ServerTransactionKey) {
        if count >= growthCount { grow() }
        count += 1
        put(UInt64(key.tableBits) << 32 | UInt64(slot &+ 1))
    }

    /// Takes a slot out, where it is there.
    mutating func remove(_ slot: UInt32, of key: ServerTransactionKey) {
        let wanted = UInt64(key.tableBits) << 32 | UInt64(slot &+ 1)
        var index = Int(key.tableBits) & mask
        while places[index] != wanted {
            guard places[index] != 0 else {
                if old != nil { removeOld(wanted) }
                return
            }
            index = (index &+ 1) & mask
        }
        count -= 1
        // Whoever was pushed on by it moves back, so that no search ends before him.
        var next = (index &+ 1) & mask
        while places[next] != 0 {
            let home = Int(places[next] >> 32) & mask
            if (next &- home) & mask >= (next &- index) & mask {
                places[index] = places[next]
                index = next
            }
            next = (next &+ 1) & mask
        }
        places[index] = 0
        if old != nil { moveSome() }
    }

    private mutating func removeOld(_ wanted: UInt64) {
        guard let old else { return }
        let oldMask = mask >> 1
        var index = Int(wanted >> 32) & oldMask
        while old[index] != 0, old[index] != wanted { index = (index &+ 1) & oldMask }
        if old[index] == wanted {
            old[index] = Self.gone
            count -= 1
        }
        moveSome()
    }

    private func put(_ place: UInt64) {
        var index = Int(place >> 32) & mask
        while places[index] != 0 { index = (index &+ 1) & mask }
        places[index] = place
    }

    // MARK: growth

    @inline(never)
    private mutating func grow() {
        guard old == nil else {
            moveSome()
            return
        }
        let size = mask + 1
        let larger = next ?? .allocate(capacity: size * 2)
        let isDue = (count + 1) * 4 > size * 3
        let clearing = min(isDue ? size * 2 : Self.clearedPerStepCount, size * 2 - clearedCount)
        (larger + clearedCount).initialize(repeating: 0, count: clearing)
        (next, clearedCount) = (larger, clearedCount + clearing)
        guard isDue else { return }
        (old, movedCount, growthCount) = (places, 0, 0)
        (places, mask) = (larger, size * 2 - 1)
        (next, clearedCount) = (nil, 0)
    }

    private mutating func moveSome() {
        guard let old else { return }
        let oldSize = (mask + 1) / 2
        let end = min(movedCount + Self.movedPerStepCount, oldSize)
        for index in movedCount..<end where old[index] != 0 && old[index] != Self.gone {
            put(old[index])
            old[index] = Self.gone
        }
        movedCount = end
        guard end == oldSize else { return }
        old.deallocate()
        (self.old, growthCount) = (nil, Self.growthCount(mask + 1))
    }
}
