import SIPTransaction

/// Finds the server transaction of a key: open addressing with linear probing, eight bytes a place, no hash beside the
/// one that the key is.
///
/// It holds 32 bits of each key and the slot of the record, which holds all of it: whoever asks compares the rest.
struct ServerTransactionTable: ~Copyable {
    /// key bits: 32 | slot + 1: 32; zero: empty
    private var places: UnsafeMutablePointer<UInt64>
    private var mask: Int
    /// How many transactions are in it.
    private(set) var count = 0

    /// A table with room for so many transactions before it grows, which stops the worker for some milliseconds.
    init(expectedCount: Int) {
        var size = 64
        while size < expectedCount * 4 / 3 { size *= 2 }
        mask = size - 1
        places = .allocate(capacity: size)
        places.initialize(repeating: 0, count: size)
    }

    deinit { places.deallocate() }

    /// The slot among those of that key which `isIt` affirms.
    @inline(__always)
    func slot(of key: ServerTransactionKey, where isIt: (UInt32) -> Bool) -> UInt32? {
        let tag = UInt64(key.tableBits)
        var index = Int(key.tableBits) & mask
        while true {  // ends: a quarter of the places is empty at least
            let place = places[index]
            guard place != 0 else { return nil }
            let slot = UInt32(truncatingIfNeeded: place) &- 1
            if place >> 32 == tag, isIt(slot) { return slot }
            index = (index &+ 1) & mask
        }
    }

    /// Puts a slot in, which is not there yet.
    mutating func insert(_ slot: UInt32, of key: ServerTransactionKey) {
        if (count + 1) * 4 > (mask + 1) * 3 { grow() }
        count += 1
        put(UInt64(key.tableBits) << 32 | UInt64(slot &+ 1))
    }

    /// Takes a slot out, where it is there.
    mutating func remove(_ slot: UInt32, of key: ServerTransactionKey) {
        let wanted = UInt64(key.tableBits) << 32 | UInt64(slot &+ 1)
        var index = Int(key.tableBits) & mask
        while places[index] != wanted {
            guard places[index] != 0 else { return }
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
    }

    private func put(_ place: UInt64) {
        var index = Int(place >> 32) & mask
        while places[index] != 0 { index = (index &+ 1) & mask }
        places[index] = place
    }

    private mutating func grow() {
        let (old, size) = (places, mask + 1)
        mask = size * 2 - 1
        places = .allocate(capacity: size * 2)
        places.initialize(repeating: 0, count: size * 2)
        for index in 0..<size where old[index] != 0 { put(old[index]) }
        old.deallocate()
    }
}
