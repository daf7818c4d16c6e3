internal import Synchronization

/// A piece of a prefix table: memory that is written once and counts who refers to it, other pieces and tables.
///
/// Readers neither count nor wait: whoever looks something up holds a table, which holds all its pieces, and no piece
/// that a table holds is ever written again. That is why pointers may cross threads although the compiler can't see it.
///
/// What a piece is stands in the pointer to it, in the bits that its alignment leaves free, so that a look-up knows how
/// to go on before the memory has answered. The first 4 bytes are the count; the rest is `PrefixNode`'s or
/// `PrefixLeaf`'s.
struct PrefixBlock: Equatable, BitwiseCopyable, @unchecked Sendable {
    /// What lies in a block.
    enum Kind: UInt {
        /// Nodes by the form of their children, without and with prefixes that end there.
        case node, endNode, table, endTable
        /// Leaves by the bytes of their keys.
        case leaf4, leaf8, leaf16
    }

    private static let alignment = PrefixMemory.grainBytes

    /// The address with the kind in it.
    let tagged: UnsafeMutableRawPointer

    /// The block that was once kept as this.
    init(tagged: UnsafeMutableRawPointer) { self.tagged = tagged }

    /// A new block, referred to once. The rest of it is the caller's to write.
    init(byteCount: Int, kind: Kind) {
        let base = PrefixMemory.shared.allocate(byteCount: byteCount)
        base.bindMemory(to: Atomic<UInt32>.self, capacity: 1).initialize(to: Atomic(1))
        tagged = base + Int(bitPattern: kind.rawValue)
    }

    @inline(__always)
    private var tag: UInt { UInt(bitPattern: tagged) & UInt(bitPattern: Self.alignment - 1) }

    @inline(__always)
    var kind: Kind { Kind(rawValue: tag).unsafelyUnwrapped }

    @inline(__always)
    var isNode: Bool { tag < Kind.leaf4.rawValue }

    /// Where its memory begins.
    @inline(__always)
    var base: UnsafeMutableRawPointer { tagged - Int(bitPattern: tag) }

    /// One more refers to it.
    func retain() { references.pointee.wrappingAdd(1, ordering: .relaxed) }

    /// One fewer does; the last one frees it. Nodes are at most 16 deep.
    func release() {
        guard references.pointee.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        if isNode {
            for child in PrefixNode(self).children { child.block?.release() }
        }
        PrefixMemory.shared.free(base)
    }

    private var references: UnsafeMutablePointer<Atomic<UInt32>> { base.assumingMemoryBound(to: Atomic<UInt32>.self) }
}
