/// Longest prefix match: a digit tree whose versions share what they have in common.
///
/// A table is a value that never changes. `changing` copies the nodes on the way to each changed prefix (at most 33)
/// and shares all others, so a change costs in proportion to the change and not to the table. Nodes that no version
/// uses any longer stay in the arena until a change finds that most of it is such waste, and then rebuilds the table.
package struct PrefixTable: Sendable {
    /// What a prefix leads to: a number of the caller's choice, below 2**32 - 1.
    package typealias Value = UInt32

    /// How many prefixes the table holds.
    package private(set) var count = 0

    private var arena = NodeArena()
    private var root: UInt32 = 0
    /// Nodes that this version uses.
    private var liveNodes: UInt32 = 0

    /// The table without a prefix.
    package init() {}

    /// The value of the longest prefix of the number, and that prefix' length in digits; a user part that is no number
    /// matches the catch-all alone. Nil when nothing matches.
    package func longestMatch(_ number: borrowing DialledNumber) -> (value: Value, digitCount: Int)? {
        guard root != 0 else { return nil }
        var (node, best, length) = (root, arena.word(NodeArena.valueWord, of: root), 0)
        for index in 0..<number.matchedDigitCount {
            node = arena.word(Int(number.code(at: index)), of: node)
            guard node != 0 else { break }
            let value = arena.word(NodeArena.valueWord, of: node)
            if value != 0 { (best, length) = (value, index + 1) }
        }
        return best == 0 ? nil : (best - 1, length)
    }

    /// The value of exactly this prefix.
    package subscript(prefix: Prefix) -> Value? {
        var node = root
        for code in prefix.codes where node != 0 { node = arena.word(Int(code), of: node) }
        let value = node == 0 ? 0 : arena.word(NodeArena.valueWord, of: node)
        return value == 0 ? nil : value - 1
    }

    /// The table after these changes, in order; a nil value takes the prefix out.
    package func changing(_ changes: some Sequence<(prefix: Prefix, value: Value?)>) -> PrefixTable {
        var changed = self
        if arena.nodeCount > 65_536, liveNodes < arena.nodeCount / 2 { changed = rebuilt() }
        let firstOwn = changed.arena.nodeCount  // nodes from here on are ours alone and may be written in place
        for (prefix, value) in changes { changed.set(prefix, to: value, firstOwn: firstOwn) }
        return changed
    }

    /// Calls `body` with each prefix and its value, in the order of the digits, until it returns false.
    package func forEach(_ body: (Prefix, Value) -> Bool) {
        guard root != 0 else { return }
        var path: [(node: UInt32, next: Int)] = [(root, -1)]
        var codes: [UInt8] = []
        while let (node, next) = path.last {
            if next < 0 {
                let value = arena.word(NodeArena.valueWord, of: node)
                if value != 0, !body(Prefix(codes: codes), value - 1) { return }
                path[path.count - 1].next = 0
            } else if next < NodeArena.childCount {
                path[path.count - 1].next = next + 1
                let child = arena.word(next, of: node)
                if child != 0 {
                    path.append((child, -1))
                    codes.append(UInt8(next))
                }
            } else {
                path.removeLast()
                if !codes.isEmpty { codes.removeLast() }
            }
        }
    }

    private mutating func set(_ prefix: Prefix, to value: Value?, firstOwn: UInt32) {
        let old = self[prefix]
        guard old != value else { return }
        count += (value == nil ? 0 : 1) - (old == nil ? 0 : 1)
        root = owned(root, firstOwn)
        var path = [root]
        for code in prefix.codes {
            let parent = path[path.count - 1]
            let child = owned(arena.word(Int(code), of: parent), firstOwn)
            arena.set(Int(code), of: parent, to: child)
            path.append(child)
        }
        arena.set(NodeArena.valueWord, of: path[path.count - 1], to: value.map { $0 + 1 } ?? 0)
        if value == nil { prune(path, prefix.codes) }
    }

    /// The node itself when it is ours alone, else a copy of it.
    private mutating func owned(_ node: UInt32, _ firstOwn: UInt32) -> UInt32 {
        if node >= firstOwn { return node }
        if node == 0 { liveNodes += 1 }
        return arena.addNode(copying: node)
    }

    /// Takes the end of the path out of the tree as far as it leads nowhere any more.
    private mutating func prune(_ path: [UInt32], _ codes: [UInt8]) {
        for depth in stride(from: path.count - 1, through: 0, by: -1) {
            for word in 0..<NodeArena.wordsPerNode where arena.word(word, of: path[depth]) != 0 { return }
            liveNodes -= 1
            if depth == 0 {
                root = 0
            } else {
                arena.set(Int(codes[depth - 1]), of: path[depth - 1], to: 0)
            }
        }
    }

    private func rebuilt() -> PrefixTable {
        var fresh = PrefixTable()
        forEach { prefix, value in
            fresh.set(prefix, to: value, firstOwn: 1)
            return true
        }
        return fresh
    }
}
