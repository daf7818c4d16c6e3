/// A dictionary in 256 parts. A value like every dictionary, but a change of one that is shared copies one part and not
/// the whole: what makes a change of one gateway among very many cheap, although the live data are kept beside.
package struct Shelves<Value: Sendable>: Sendable {
    private static var shelfCount: Int { 256 }

    /// How many values there are.
    package private(set) var count = 0

    private var shelves: [[String: Value]] = Array(repeating: [:], count: Self.shelfCount)

    /// No value.
    package init() {}

    /// The value of that name; nil takes it out.
    package subscript(name: String) -> Value? {
        get { shelves[Self.shelf(of: name)][name] }
        set {
            let shelf = Self.shelf(of: name)
            let before = shelves[shelf].count
            shelves[shelf][name] = newValue
            count += shelves[shelf].count - before
        }
    }

    /// All names, in no particular order.
    package var keys: some Sequence<String> { shelves.lazy.flatMap(\.keys) }

    /// FNV-1a: the same name lies on the same shelf in every run.
    private static func shelf(of name: String) -> Int {
        var hash: UInt32 = 2_166_136_261
        for byte in name.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return Int((hash ^ hash >> 16) & UInt32(shelfCount - 1))
    }
}
