/// Where records keep messages that may have to be sent again: blocks of a few sizes, used again at once, so that what
/// is kept for long is exactly as large as what must be kept.
///
/// Blocks of up to 4 KiB are cut from chunks that are never given back; larger ones are the allocator's.
struct ByteStore: ~Copyable {
    /// A kept message. A copy of this value is the same block: one record owns it and gives it back once.
    struct Block: BitwiseCopyable {
        fileprivate var start: UnsafeMutablePointer<UInt8>?
        fileprivate var length: UInt32 = 0
        fileprivate var sizeClass: UInt8 = 0

        /// Nothing kept.
        static var empty: Block { Block() }

        /// How many bytes.
        var count: Int { Int(length) }

        /// True when nothing is kept.
        var isEmpty: Bool { length == 0 }

        /// The bytes, for as long as the block is not given back.
        var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: start, count: Int(length)) }

        /// Lends the bytes.
        @inline(__always)
        func withSpan<Result>(_ body: (Span<UInt8>) -> Result) -> Result { body(bytes.span) }
    }

    /// 256, 512, 1024, 2048 and 4096 bytes.
    private static var classCount: Int { 5 }
    private static var smallestBytes: Int { 256 }
    private static var chunkBytes: Int { 1 << 18 }

    /// The first free block of each class; a free block begins with the address of the next.
    private var free = InlineArray<5, UnsafeMutableRawPointer?>(repeating: nil)
    private var chunks: [UnsafeMutableRawPointer] = []
    private var unusedStart: UnsafeMutableRawPointer?
    private var unusedBytes = 0

    /// How many bytes are kept.
    private(set) var keptBytes = 0

    init() {}

    deinit { for chunk in chunks { chunk.deallocate() } }

    /// Keeps a copy of the bytes.
    mutating func keep(_ bytes: UnsafeBufferPointer<UInt8>) -> Block {
        guard let from = bytes.baseAddress, bytes.count > 0, bytes.count <= UInt32.max else { return .empty }
        var (sizeClass, size) = (0, Self.smallestBytes)
        while size < bytes.count, sizeClass < Self.classCount { (sizeClass, size) = (sizeClass + 1, size * 2) }
        let memory =
            sizeClass < Self.classCount ? take(sizeClass, size) : .allocate(byteCount: bytes.count, alignment: 8)
        let start = memory.bindMemory(to: UInt8.self, capacity: bytes.count)
        start.update(from: from, count: bytes.count)
        keptBytes += bytes.count
        return Block(
            start: start, length: UInt32(truncatingIfNeeded: bytes.count),
            sizeClass: UInt8(truncatingIfNeeded: sizeClass))
    }

    /// Gives a block back and leaves nothing in its place; nothing kept is fine.
    mutating func release(_ block: inout Block) {
        guard let start = block.start else { return }
        keptBytes -= block.count
        let memory = UnsafeMutableRawPointer(start)
        let sizeClass = Int(block.sizeClass)
        block = .empty
        guard sizeClass < Self.classCount else {
            memory.deallocate()
            return
        }
        memory.storeBytes(of: free[sizeClass], as: UnsafeMutableRawPointer?.self)
        free[sizeClass] = memory
    }

    private mutating func take(_ sizeClass: Int, _ size: Int) -> UnsafeMutableRawPointer {
        if let block = free[sizeClass] {
            free[sizeClass] = block.load(as: UnsafeMutableRawPointer?.self)
            return block
        }
        if let start = unusedStart, unusedBytes >= size {
            (unusedStart, unusedBytes) = (start + size, unusedBytes - size)
            return start
        }
        // What is left of the last chunk is at most 4 KiB of 256.
        let chunk = UnsafeMutableRawPointer.allocate(byteCount: Self.chunkBytes, alignment: 16)
        chunks.append(chunk)
        (unusedStart, unusedBytes) = (chunk + size, Self.chunkBytes - size)
        return chunk
    }
}
