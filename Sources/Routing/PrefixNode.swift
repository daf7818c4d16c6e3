/// Where the digits part, two at a time: which block to go on in for each of the 144 pairs that may follow the first
/// `depth` digits, and the values of the prefixes that end here.
///
/// A child serves a range of pairs: a leaf holds the prefixes of as many pairs as fit into it, a node those of one. A
/// node of many children is a table of all pairs, since a look-up among millions of routes waits for memory at each
/// step; one of few has a bit a pair that says where a range begins, and its children behind, since there are very many
/// of them.
///
///     0  how many refer to it, 4 bytes
///     4  how many children, 1 byte
///     5  how many ranges begin in the first, and in the first two words at 16; 1 byte each (not in a table)
///     8  a bit for each prefix that ends here: 0 the digits so far, 1...12 these and one more
///     16 table: 144 x the child, 8 bytes each; else a bit for each pair with which a range begins, 3 x 8 bytes,
///        and at 40 the children, 8 bytes each; 0: no prefix in that range
///     .. the values of the prefixes that end here
struct PrefixNode {
    /// A range of pairs, up to the beginning of the next: `block` is a leaf, or a node for one pair, or nothing.
    struct Child {
        var firstPair: Int
        var block: PrefixBlock?
    }

    /// How many prefixes may end in one node.
    static let endCount = 13
    /// No prefix that ends in a node.
    static let noEnds = [UInt32?](repeating: nil, count: endCount)

    /// From so many children on a node is a table: 1.2 KB for several hundred routes.
    private static let tableCount = 48
    private static let tableOffset = 16
    private static let childrenOffset = 40
    private static var endsOffsetOfTable: Int { tableOffset + 8 * PackedDigits.pairCount }

    let block: PrefixBlock

    init(_ block: PrefixBlock) { self.block = block }

    /// A node of children in order, the first of which begins with pair 0; their references become its own.
    init(ends: [UInt32?], children: [Child]) {
        var (endBits, values): (UInt16, [UInt32]) = (0, [])
        for (place, value) in ends.enumerated() {
            guard let value else { continue }
            endBits |= 1 << UInt16(place)
            values.append(value)
        }
        let isTable = children.count >= Self.tableCount
        let endsOffset = isTable ? Self.endsOffsetOfTable : Self.childrenOffset + 8 * children.count
        let kind: PrefixBlock.Kind =
            isTable ? (values.isEmpty ? .table : .endTable) : (values.isEmpty ? .node : .endNode)
        block = PrefixBlock(byteCount: endsOffset + 4 * values.count, kind: kind)
        let base = block.base
        base.storeBytes(of: UInt8(truncatingIfNeeded: children.count), toByteOffset: 4, as: UInt8.self)
        base.storeBytes(of: endBits, toByteOffset: 8, as: UInt16.self)
        if isTable { writeTable(of: children) } else { writeList(of: children) }
        for (index, value) in values.enumerated() {
            base.storeBytes(of: value, toByteOffset: endsOffset + 4 * index, as: UInt32.self)
        }
    }

    private func writeTable(of children: [Child]) {
        for (index, child) in children.enumerated() {
            let end = index + 1 < children.count ? children[index + 1].firstPair : PackedDigits.pairCount
            for pair in child.firstPair..<end { store(child.block, at: Self.tableOffset + 8 * pair) }
        }
    }

    private func writeList(of children: [Child]) {
        var beginnings: [3 of UInt64] = [0, 0, 0]
        for (index, child) in children.enumerated() {
            beginnings[child.firstPair / 64] |= 1 << UInt64(child.firstPair % 64)
            store(child.block, at: Self.childrenOffset + 8 * index)
        }
        var count = 0
        for word in 0..<3 {
            block.base.storeBytes(of: beginnings[word], toByteOffset: 16 + 8 * word, as: UInt64.self)
            count += beginnings[word].nonzeroBitCount
            if word < 2 {
                block.base.storeBytes(of: UInt8(truncatingIfNeeded: count), toByteOffset: 5 + word, as: UInt8.self)
            }
        }
    }

    private func store(_ child: PrefixBlock?, at offset: Int) {
        block.base.storeBytes(of: child?.tagged, toByteOffset: offset, as: UnsafeMutableRawPointer?.self)
    }

    @inline(__always)
    private func child(atOffset offset: Int) -> PrefixBlock? {
        block.base.load(fromByteOffset: offset, as: UnsafeMutableRawPointer?.self).map { PrefixBlock(tagged: $0) }
    }

    @inline(__always)
    private var childCount: Int { Int(block.base.load(fromByteOffset: 4, as: UInt8.self)) }

    @inline(__always)
    private var isTable: Bool { block.kind == .table || block.kind == .endTable }

    /// True when prefixes end here.
    @inline(__always)
    var hasEnds: Bool { block.kind == .endNode || block.kind == .endTable }

    /// The value of the prefix that ends here: at 0 the digits so far, at 1...12 these and the one with that code plus
    /// 1.
    @inline(__always)
    func end(at place: Int) -> UInt32? {
        guard hasEnds else { return nil }
        let bits = UInt32(block.base.load(fromByteOffset: 8, as: UInt16.self))
        let bit = UInt32(1) &<< UInt32(truncatingIfNeeded: place)
        guard bits & bit != 0 else { return nil }
        let offset = isTable ? Self.endsOffsetOfTable : Self.childrenOffset &+ 8 &* childCount
        let index = (bits & (bit &- 1)).nonzeroBitCount
        return block.base.load(fromByteOffset: offset &+ 4 &* index, as: UInt32.self)
    }

    /// The block in whose range the pair, below 144, lies.
    @inline(__always)
    func child(of pair: Int) -> PrefixBlock? {
        if isTable { return child(atOffset: Self.tableOffset &+ 8 &* pair) }
        let word = pair &>> 6
        let bits = block.base.load(fromByteOffset: 16 &+ 8 &* word, as: UInt64.self)
        let upTo = bits & (~0 &>> UInt64(truncatingIfNeeded: 63 &- pair & 63))
        var index = upTo.nonzeroBitCount &- 1
        if word > 0 { index &+= Int(block.base.load(fromByteOffset: 4 &+ word, as: UInt8.self)) }
        return child(atOffset: Self.childrenOffset &+ 8 &* index)
    }

    /// All values of prefixes that end here, by place.
    var ends: [UInt32?] { hasEnds ? (0..<Self.endCount).map { end(at: $0) } : Self.noEnds }

    /// The children in order.
    var children: [Child] {
        var children: [Child] = []
        children.reserveCapacity(childCount + 1)
        if isTable {
            for pair in 0..<PackedDigits.pairCount {
                // Of two neighbours at least one is there, so another child is another pointer.
                let block = child(atOffset: Self.tableOffset + 8 * pair)
                if pair == 0 || block != children[children.count - 1].block {
                    children.append(Child(firstPair: pair, block: block))
                }
            }
            return children
        }
        for word in 0..<3 {
            var bits = block.base.load(fromByteOffset: 16 + 8 * word, as: UInt64.self)
            while bits != 0 {
                let pair = 64 * word + bits.trailingZeroBitCount
                bits &= bits - 1
                let block = child(atOffset: Self.childrenOffset + 8 * children.count)
                children.append(Child(firstPair: pair, block: block))
            }
        }
        return children
    }
}
