/// Longest prefix match for ten million prefixes: a digit tree whose versions share what they have in common.
///
/// A table is a value that never changes. `changing` writes anew the blocks on the way to each changed prefix (a leaf,
/// and a node every two digits) and shares all others, so a change costs in proportion to the change and not to the
/// table, and nothing has to be tidied up later: a block is freed with the last version that has it.
///
/// The first digits lead through `PrefixNode`s, two digits each, to a `PrefixLeaf` of up to 64 prefixes. With millions
/// of routes the nodes stay in the processor's cache and the leaf is what a look-up waits for.
package struct PrefixTable: Sendable {
    /// What a prefix leads to: a number of the caller's choice.
    package typealias Value = UInt32

    /// How many prefixes the table holds.
    package let count: Int

    /// What `owner` holds.
    private let root: PrefixBlock?
    private let owner: Owner?

    /// The table without a prefix.
    package init() { (count, root, owner) = (0, nil, nil) }

    /// - Parameter root: the table takes over the reference.
    private init(count: Int, root: PrefixBlock?) {
        (self.count, self.root) = (count, root)
        owner = root.map { Owner($0) }
    }

    /// The value of the longest prefix of the number, and that prefix' length in digits; a user part that is no number
    /// matches the catch-all alone. Nil when nothing matches.
    package func longestMatch(_ number: borrowing DialledNumber) -> (value: Value, digitCount: Int)? {
        guard var block = root else { return nil }
        let digits = number.digits
        var (best, depth): ((value: Value, digitCount: Int)?, Int) = (nil, 0)
        while block.isNode {
            let node = PrefixNode(block)
            let (first, second) = (digits.digit(at: depth), digits.digit(at: depth + 1))  // depth is 30 at most
            if node.hasEnds {
                if let value = node.end(at: 0) { best = (value, depth) }
                if first > 0, let value = node.end(at: first) { best = (value, depth + 1) }
            }
            guard second > 0, let child = node.child(of: first * 12 + second - 13) else { return best }
            block = child
            depth += child.isNode ? 2 : 0
        }
        guard let match = PrefixLeaf(block).longestMatch(digits, depth: depth) else { return best }
        return (match.value, depth + match.digitCount)
    }

    /// The value of exactly this prefix.
    package subscript(prefix: Prefix) -> Value? {
        guard var block = root else { return nil }
        let (digits, count) = (prefix.digits, prefix.digitCount)
        var depth = 0
        while block.isNode {
            let node = PrefixNode(block)
            if count == depth { return node.end(at: 0) }
            if count == depth + 1 { return node.end(at: digits.digit(at: depth)) }
            guard let child = node.child(of: digits.pair(at: depth)) else { return nil }
            block = child
            depth += child.isNode ? 2 : 0
        }
        guard let match = PrefixLeaf(block).longestMatch(digits, depth: depth) else { return nil }
        return depth + match.digitCount == count ? match.value : nil
    }

    /// The table after these changes, in order; a nil value takes the prefix out. Many at once cost much less than each
    /// by itself.
    package func changing(_ changes: some Sequence<(prefix: Prefix, value: Value?)>) -> PrefixTable {
        var merge = PrefixMerge()
        let changed = merge.changing(root, PrefixMerge.inOrder(changes))
        return PrefixTable(count: count + merge.countChange, root: changed)
    }

    /// Calls `body` with each prefix and its value, in the order of the digits, until it returns false.
    package func forEach(_ body: (Prefix, Value) -> Bool) {
        guard let root else { return }
        _ = PrefixWalk.visit(root, path: PackedDigits(bits: 0), depth: 0) { body(Prefix($0.digits), $0.value) }
    }

    /// Bytes of memory that all tables of the process take, room for more included.
    package static var memoryBytes: Int { PrefixMemory.shared.mappedBytes }

    /// Lets go of the blocks with the last copy of the table.
    private final class Owner: Sendable {
        private let root: PrefixBlock

        init(_ root: PrefixBlock) { self.root = root }

        deinit { root.release() }
    }
}
