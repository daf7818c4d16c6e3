/// Remembers what was made of bytes: very many rows of a bulk say the same but for their prefix. Asking costs no
/// memory.
struct ByteMemo<Value> {
    private struct Entry {
        let key: [UInt8]
        let value: Value
    }

    /// So many are remembered; then it begins anew.
    private static var limitCount: Int { 4096 }
    private static var placeCount: Int { 8192 }

    private var places = [Int32](repeating: -1, count: placeCount)
    private var entries: [Entry] = []

    /// What was made of these bytes; nil: nothing yet.
    subscript(key: UnsafeRawBufferPointer) -> Value? {
        let place = place(of: key)
        return places[place] < 0 ? nil : entries[Int(places[place])].value
    }

    /// Remembers what was made of bytes that nothing was made of yet.
    mutating func remember(_ key: UnsafeRawBufferPointer, _ value: Value) {
        if entries.count == Self.limitCount { self = ByteMemo() }
        let place = place(of: key)
        guard places[place] < 0 else { return }
        places[place] = Int32(truncatingIfNeeded: entries.count)
        entries.append(Entry(key: Array(key), value: value))
    }

    /// Where the key is, or where it would be: there are twice as many places as entries, so one is free.
    private func place(of key: UnsafeRawBufferPointer) -> Int {
        // FNV-1a; whoever sends keys that meet in one place makes his own bulk slow, and no slower than 4096 looks a
        // row.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var place = Int(truncatingIfNeeded: hash ^ hash >> 32) & (Self.placeCount - 1)
        while places[place] >= 0 {
            let known = entries[Int(places[place])].key
            if known.count == key.count, known.withUnsafeBytes({ $0.elementsEqual(key) }) { return place }
            place = (place + 1) & (Self.placeCount - 1)
        }
        return place
    }
}
