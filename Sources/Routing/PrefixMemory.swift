internal import CMemory
internal import Synchronization

/// Where prefix tables have their blocks from: huge pages, in which blocks of one size lie side by side. With millions
/// of routes that is what keeps a look-up from waiting for page tables, and nodes, of which each look-up reads several,
/// from being strewn among the leaves.
///
/// Memory comes from the kernel in chunks, each divided into slabs; a slab has blocks of one size, and is anybody's
/// again when all of them are free. One lock guards it all: writers come here, look-ups never.
final class PrefixMemory: Sendable {
    /// The memory of all tables of the process.
    static let shared = PrefixMemory()

    private static let chunkBytes = 2 << 20
    private static let slabBytes = 64 << 10
    private static let slabsPerChunk = chunkBytes / slabBytes
    /// Sizes are rounded up to this, and addresses are multiples of it.
    static let grainBytes = 16
    /// No block is larger.
    static let limitBytes = 1536

    private let state = Mutex(State())

    /// A block of at least so many bytes, at most `limitBytes`.
    func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
        precondition(byteCount <= Self.limitBytes, "no node and no leaf is that large")
        let grains = (byteCount + Self.grainBytes - 1) / Self.grainBytes
        return state.withLock { UnsafeMutableRawPointer(bitPattern: $0.allocate(grains)).unsafelyUnwrapped }
    }

    /// Takes back a block.
    func free(_ block: UnsafeMutableRawPointer) {
        let address = UInt(bitPattern: block)
        state.withLock { $0.free(address) }
    }

    /// Bytes that the kernel has given and not got back.
    var mappedBytes: Int { state.withLock { $0.chunkCount } * Self.chunkBytes }

    private typealias SlabPointer = UnsafeMutablePointer<Slab>

    /// The head of a slab, in its first bytes.
    private struct Slab {
        static let headBytes = 64

        /// A list of the free blocks that were used before, through their first bytes.
        var freed: UnsafeMutableRawPointer?
        /// Neighbours in a list of slabs: those of one size that have room, or those that are free.
        var previous: SlabPointer?
        var next: SlabPointer?
        /// Where the part begins that was never used.
        var unused = UInt32(headBytes)
        var blockBytes: UInt32 = 0
        var liveCount: UInt32 = 0
        /// In the first slab of a chunk: how many of the chunk's slabs are free.
        var freeSlabCount: UInt32 = 0

        var isFull: Bool { freed == nil && Int(unused) + Int(blockBytes) > slabBytes }
    }

    private struct State: ~Copyable {
        var chunkCount = 0
        /// Chunks of which all slabs are free: one is kept, lest a block that comes and goes takes and returns one.
        private var spareChunkCount = 0
        /// By size in grains: the slabs with room.
        private var withRoom = [UInt](repeating: 0, count: limitBytes / grainBytes + 1)
        private var free: UInt = 0

        mutating func allocate(_ grains: Int) -> UInt {
            let slab = Self.pointer(withRoom[grains]) ?? newSlab(grains)
            let block: UnsafeMutableRawPointer
            if let freed = slab.pointee.freed {
                slab.pointee.freed = freed.load(as: UnsafeMutableRawPointer?.self)
                block = freed
            } else {
                block = UnsafeMutableRawPointer(slab) + Int(slab.pointee.unused)
                slab.pointee.unused += slab.pointee.blockBytes
            }
            slab.pointee.liveCount += 1
            if slab.pointee.isFull { Self.remove(slab, from: &withRoom[grains]) }
            return UInt(bitPattern: block)
        }

        mutating func free(_ address: UInt) {
            guard let block = UnsafeMutableRawPointer(bitPattern: address),
                let slab = Self.pointer(address & ~UInt(slabBytes - 1))
            else { return }
            let grains = Int(slab.pointee.blockBytes) / grainBytes
            if slab.pointee.isFull { Self.insert(slab, into: &withRoom[grains]) }
            block.storeBytes(of: slab.pointee.freed, as: UnsafeMutableRawPointer?.self)
            slab.pointee.freed = block
            slab.pointee.liveCount -= 1
            guard slab.pointee.liveCount == 0 else { return }
            Self.remove(slab, from: &withRoom[grains])
            giveBack(slab)
        }

        private mutating func newSlab(_ grains: Int) -> SlabPointer {
            if free == 0 { mapChunk() }
            let slab = Self.pointer(free).unsafelyUnwrapped
            Self.remove(slab, from: &free)
            let first = Self.firstSlab(ofChunkWith: slab)
            if first.pointee.freeSlabCount == slabsPerChunk { spareChunkCount -= 1 }
            first.pointee.freeSlabCount -= 1
            (slab.pointee.freed, slab.pointee.unused) = (nil, UInt32(Slab.headBytes))
            (slab.pointee.blockBytes, slab.pointee.liveCount) = (UInt32(grains * grainBytes), 0)
            Self.insert(slab, into: &withRoom[grains])
            return slab
        }

        private mutating func giveBack(_ slab: SlabPointer) {
            Self.insert(slab, into: &free)
            let first = Self.firstSlab(ofChunkWith: slab)
            first.pointee.freeSlabCount += 1
            guard first.pointee.freeSlabCount == slabsPerChunk else { return }
            guard spareChunkCount > 0 else {
                spareChunkCount = 1
                return
            }
            let chunk = UnsafeMutableRawPointer(first)
            for index in 0..<slabsPerChunk {
                Self.remove((chunk + index * slabBytes).assumingMemoryBound(to: Slab.self), from: &free)
            }
            cmem_unmap(chunk, chunkBytes)
            chunkCount -= 1
        }

        private mutating func mapChunk() {
            guard let chunk = cmem_map(chunkBytes) else { preconditionFailure("out of memory") }
            chunkCount += 1
            spareChunkCount += 1
            for index in (0..<slabsPerChunk).reversed() {
                let slab = (chunk + index * slabBytes).bindMemory(to: Slab.self, capacity: 1)
                slab.initialize(to: Slab())
                Self.insert(slab, into: &free)
            }
            Self.firstSlab(ofChunkWith: chunk.assumingMemoryBound(to: Slab.self)).pointee.freeSlabCount = UInt32(
                slabsPerChunk)
        }

        // MARK: lists of slabs

        private static func pointer(_ address: UInt) -> SlabPointer? { SlabPointer(bitPattern: address) }

        private static func firstSlab(ofChunkWith slab: SlabPointer) -> SlabPointer {
            pointer(UInt(bitPattern: slab) & ~UInt(chunkBytes - 1)).unsafelyUnwrapped
        }

        private static func insert(_ slab: SlabPointer, into list: inout UInt) {
            (slab.pointee.previous, slab.pointee.next) = (nil, pointer(list))
            slab.pointee.next?.pointee.previous = slab
            list = UInt(bitPattern: slab)
        }

        private static func remove(_ slab: SlabPointer, from list: inout UInt) {
            if let previous = slab.pointee.previous {
                previous.pointee.next = slab.pointee.next
            } else {
                list = UInt(bitPattern: slab.pointee.next)
            }
            slab.pointee.next?.pointee.previous = slab.pointee.previous
            (slab.pointee.previous, slab.pointee.next) = (nil, nil)
        }
    }
}
