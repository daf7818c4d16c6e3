/// All entries below a block in the order of the digits.
enum PrefixWalk {
    /// Calls `body` with each entry until it returns false; returns false then. Nodes are at most 16 deep, and so is
    /// this.
    static func visit(
        _ block: PrefixBlock, path: PackedDigits, depth: Int, _ body: (PrefixLeaf.Entry) -> Bool
    ) -> Bool {
        guard block.isNode else {
            let leaf = PrefixLeaf(block)
            for index in 0..<leaf.count where !body(leaf.entry(at: index, path: path, depth: depth)) { return false }
            return true
        }
        let node = PrefixNode(block)
        return visit(node.ends, node.children, path: path, depth: depth, body)
    }

    /// The same of the parts of a node.
    static func visit(
        _ ends: [UInt32?], _ children: [PrefixNode.Child], path: PackedDigits, depth: Int,
        _ body: (PrefixLeaf.Entry) -> Bool
    ) -> Bool {
        if let value = ends[0], !body(PrefixLeaf.Entry(digits: path, value: value)) { return false }
        var nextEnd = 1
        /// Those that end here stand before what begins with them, in the midst of leaves even.
        func visitEnds(upTo code: Int) -> Bool {
            while nextEnd <= code + 1, nextEnd < PrefixNode.endCount {
                let place = nextEnd
                nextEnd += 1
                guard let value = ends[place] else { continue }
                let digits = path.setting(UInt8(truncatingIfNeeded: place - 1), at: depth)
                if !body(PrefixLeaf.Entry(digits: digits, value: value)) { return false }
            }
            return true
        }
        for child in children {
            guard let block = child.block else { continue }
            if block.isNode {
                guard visitEnds(upTo: child.firstPair / 12) else { return false }
                let deeper = path.setting(pair: child.firstPair, at: depth)
                guard visit(block, path: deeper, depth: depth + 2, body) else { return false }
            } else {
                let leaf = PrefixLeaf(block)
                for index in 0..<leaf.count {
                    let entry = leaf.entry(at: index, path: path, depth: depth)
                    guard visitEnds(upTo: entry.digits.digit(at: depth) - 1), body(entry) else { return false }
                }
            }
        }
        return visitEnds(upTo: 11)
    }
}
