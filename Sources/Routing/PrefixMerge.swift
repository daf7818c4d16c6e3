/// Changes put into a tree of prefixes, all of them in one pass: each block on the way to one of them is written anew
/// once.
///
/// Leaves are split when they are full and joined with their neighbours when these are small enough, and a node whose
/// prefixes fit into a leaf becomes one, so that a table is as small after any history as one of the same contents.
struct PrefixMerge {
    typealias Entry = PrefixLeaf.Entry

    /// One prefix and its value from now on; nil: there is no such prefix.
    struct Change {
        let digits: PackedDigits
        let value: UInt32?
    }

    /// Leaves with no more prefixes than that in all are made one: less than one holds, so that a prefix that comes and
    /// goes does not split and join them each time.
    private static let joinLimitCount = PrefixLeaf.limitCount / 2

    /// How many prefixes more the table has after it.
    private(set) var countChange = 0

    /// Each prefix once, with its last value, in the order of the digits.
    static func inOrder(_ changes: some Sequence<(prefix: Prefix, value: UInt32?)>) -> [Change] {
        var sorted = changes.map { Change(digits: $0.prefix.digits, value: $0.value) }
        var (isInOrder, index) = (true, 1)
        while isInOrder, index < sorted.count {
            isInOrder = sorted[index - 1].digits < sorted[index].digits
            index += 1
        }
        if isInOrder { return sorted }
        sorted.sort { $0.digits < $1.digits }  // those of one prefix stay in their order
        var kept = 0
        for index in sorted.indices {
            if index > 0, sorted[index].digits == sorted[kept - 1].digits { kept -= 1 }
            sorted[kept] = sorted[index]
            kept += 1
        }
        sorted.removeLast(sorted.count - kept)
        return sorted
    }

    /// The root after the changes, which are in order. The caller gets a reference of its own, also when it is the
    /// same.
    mutating func changing(_ root: PrefixBlock?, _ changes: [Change]) -> PrefixBlock? {
        if changes.isEmpty {
            root?.retain()
            return root
        }
        let path = PackedDigits(bits: 0)
        guard let root, root.isNode else {
            let entries = merged(root, changes[...], path: path, depth: 0, shortest: 0)
            guard entries.count > PrefixLeaf.limitCount else {
                return entries.isEmpty ? nil : PrefixLeaf(entries, depth: 0).block
            }
            return node(entries[...], depth: 0)
        }
        let parts = changing(PrefixNode(root), changes[...], path: path, depth: 0)
        guard let entries = parts.fewEntries(path: path, depth: 0) else {
            return PrefixNode(ends: parts.ends, children: parts.children).block
        }
        return entries.isEmpty ? nil : PrefixLeaf(entries, depth: 0).block
    }

    // MARK: what is there and what changes

    /// A node's contents before it is written. The children's references are held.
    private struct Parts {
        var ends: [UInt32?]
        var children: [PrefixNode.Child]

        /// All entries when they would do with one leaf; the children are let go of then.
        func fewEntries(path: PackedDigits, depth: Int) -> [Entry]? {
            var count = ends.count { $0 != nil }
            for child in children {
                guard let block = child.block else { continue }
                guard !block.isNode else { return nil }
                count += PrefixLeaf(block).count
            }
            guard count <= PrefixMerge.joinLimitCount else { return nil }
            var entries: [Entry] = []
            entries.reserveCapacity(count)
            _ = PrefixWalk.visit(ends, children, path: path, depth: depth) {
                entries.append($0)
                return true
            }
            for child in children { child.block?.release() }
            return entries
        }
    }

    private mutating func changing(
        _ node: PrefixNode, _ changes: ArraySlice<Change>, path: PackedDigits, depth: Int
    ) -> Parts {
        var parts = Parts(ends: node.ends, children: [])
        let children = node.children
        parts.children.reserveCapacity(children.count + 2)
        var next = changes.startIndex
        for (index, child) in children.enumerated() {
            let end = index + 1 < children.count ? children[index + 1].firstPair : PackedDigits.pairCount
            // Prefixes that end here stand among the others.
            var (first, isDeeper) = (next, false)
            while next < changes.endIndex, changes[next].digits.pair(at: depth) < end {
                if changes[next].digits.count < depth + 2 {
                    setEnd(changes[next], depth: depth, in: &parts)
                    if !isDeeper { first = next + 1 }
                } else {
                    isDeeper = true
                }
                next += 1
            }
            guard isDeeper else {
                child.block?.retain()
                parts.children.append(child)
                continue
            }
            let deeper = changes[first..<next]
            guard let block = child.block, block.isNode else {
                let entries = merged(child.block, deeper, path: path, depth: depth, shortest: depth + 2)
                pack(entries[...], from: child.firstPair, to: end, depth: depth, into: &parts.children)
                continue
            }
            let deeperPath = path.setting(pair: child.firstPair, at: depth)
            let changed = changing(PrefixNode(block), deeper, path: deeperPath, depth: depth + 2)
            if let entries = changed.fewEntries(path: deeperPath, depth: depth + 2) {
                pack(entries[...], from: child.firstPair, to: end, depth: depth, into: &parts.children)
            } else {
                let block = PrefixNode(ends: changed.ends, children: changed.children).block
                parts.children.append(.init(firstPair: child.firstPair, block: block))
            }
        }
        join(&parts.children, path: path, depth: depth)
        return parts
    }

    private mutating func setEnd(_ change: Change, depth: Int, in parts: inout Parts) {
        let place = change.digits.count == depth ? 0 : change.digits.digit(at: depth)
        countChange += (change.value == nil ? 0 : 1) - (parts.ends[place] == nil ? 0 : 1)
        parts.ends[place] = change.value
    }

    /// The entries of a leaf after the changes, of which those that are too short for it are none of its.
    private mutating func merged(
        _ leaf: PrefixBlock?, _ changes: ArraySlice<Change>, path: PackedDigits, depth: Int, shortest: Int
    ) -> [Entry] {
        let old = leaf.map { PrefixLeaf($0) }
        let oldCount = old?.count ?? 0
        var (entries, oldIndex): ([Entry], Int) = ([], 0)
        entries.reserveCapacity(oldCount + changes.count)
        var waiting = oldCount > 0 ? old?.entry(at: 0, path: path, depth: depth) : nil
        func takeOld() {
            oldIndex += 1
            waiting = oldIndex < oldCount ? old?.entry(at: oldIndex, path: path, depth: depth) : nil
        }
        for change in changes where change.digits.count >= shortest {
            while let entry = waiting, entry.digits < change.digits {
                entries.append(entry)
                takeOld()
            }
            if waiting?.digits == change.digits { takeOld() }
            if let value = change.value { entries.append(Entry(digits: change.digits, value: value)) }
        }
        while let entry = waiting {
            entries.append(entry)
            takeOld()
        }
        countChange += entries.count - oldCount
        return entries
    }

    // MARK: blocks of entries

    /// A node of entries in order, more than a leaf holds, that all begin with the same `depth` digits. A node below
    /// has two digits more, so this is at most 16 deep.
    private func node(_ entries: ArraySlice<Entry>, depth: Int) -> PrefixBlock {
        var parts = Parts(ends: PrefixNode.noEnds, children: [])
        for entry in entries where entry.digits.count < depth + 2 {
            parts.ends[entry.digits.count == depth ? 0 : entry.digits.digit(at: depth)] = entry.value
        }
        pack(entries, from: 0, to: PackedDigits.pairCount, depth: depth, into: &parts.children)
        return PrefixNode(ends: parts.ends, children: parts.children).block
    }

    /// Appends children for a range of pairs: nodes for pairs with more entries than a leaf holds, and between them as
    /// few leaves as will do, filled evenly. Entries that end in the node itself are left out.
    private func pack(
        _ entries: ArraySlice<Entry>, from firstPair: Int, to endPair: Int, depth: Int,
        into children: inout [PrefixNode.Child]
    ) {
        let leafCount = max(1, (entries.count + PrefixLeaf.limitCount - 1) / PrefixLeaf.limitCount)
        let fullCount = (entries.count + leafCount - 1) / leafCount
        var leaf: [Entry] = []
        leaf.reserveCapacity(PrefixLeaf.limitCount)
        var start = firstPair  // of the leaf
        func endLeaf(before pair: Int) {
            if start < pair {
                let block = leaf.isEmpty ? nil : PrefixLeaf(leaf, depth: depth).block
                children.append(.init(firstPair: start, block: block))
            }
            leaf.removeAll(keepingCapacity: true)
            start = pair
        }
        var index = entries.startIndex
        while index < entries.endIndex {
            guard entries[index].digits.count >= depth + 2 else {
                index += 1
                continue
            }
            let pair = entries[index].digits.pair(at: depth)
            let first = index
            while index < entries.endIndex, entries[index].digits.pair(at: depth) == pair { index += 1 }
            if index - first > PrefixLeaf.limitCount {
                endLeaf(before: pair)
                children.append(.init(firstPair: pair, block: node(entries[first..<index], depth: depth + 2)))
                start = pair + 1
            } else {
                if !leaf.isEmpty, leaf.count + index - first > fullCount { endLeaf(before: pair) }
                leaf += entries[first..<index]
            }
        }
        endLeaf(before: endPair)
    }

    /// Makes one of neighbours that would do with one leaf.
    private func join(_ children: inout [PrefixNode.Child], path: PackedDigits, depth: Int) {
        var kept = 0
        for child in children {
            if kept > 0, let joined = joined(children[kept - 1].block, child.block, path: path, depth: depth) {
                children[kept - 1].block = joined
            } else {
                children[kept] = child
                kept += 1
            }
        }
        children.removeLast(children.count - kept)
    }

    /// The one block of both; nil when they stay two. None and none is none.
    private func joined(
        _ left: PrefixBlock?, _ right: PrefixBlock?, path: PackedDigits, depth: Int
    ) -> PrefixBlock?? {
        guard !(left?.isNode ?? false), !(right?.isNode ?? false) else { return nil }
        guard let left, let right else { return .some(left ?? right) }
        let (first, second) = (PrefixLeaf(left), PrefixLeaf(right))
        guard first.count + second.count <= Self.joinLimitCount else { return nil }
        let entries =
            (0..<first.count).map { first.entry(at: $0, path: path, depth: depth) }
            + (0..<second.count).map { second.entry(at: $0, path: path, depth: depth) }
        left.release()
        right.release()
        return PrefixLeaf(entries, depth: depth).block
    }
}
