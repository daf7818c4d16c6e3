/// Bytes of one connection that wait: received and not whole yet, or to be sent. Without bytes it has no memory; what
/// it has comes from its worker's `StreamMemory`, and goes back there.
struct StreamBuffer: BitwiseCopyable {
    private var memory: UnsafeMutablePointer<UInt8>?
    private var capacity = 0
    private var first = 0
    /// How many bytes wait.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// What waits.
    var start: UnsafeMutablePointer<UInt8>? { memory.map { $0 + first } }

    /// Where `room` more bytes may be put, and how many fit there; nil: they would be more than the limit.
    ///
    /// The room may be larger than asked for. What was put there is told to `added`.
    mutating func reserve(
        _ room: Int, limitBytes: Int, _ pool: inout StreamMemory
    ) -> (start: UnsafeMutablePointer<UInt8>, count: Int)? {
        guard room <= limitBytes - count else { return nil }
        if memory == nil || capacity - first - count < room {
            if let memory, capacity - count >= room, first >= count {
                memory.update(from: memory + first, count: count)
            } else {
                guard let (larger, size) = pool.take(atLeast: count + room) else { return nil }
                if let memory {
                    larger.update(from: memory + first, count: count)
                    pool.giveBack(memory, capacity)
                }
                (memory, capacity) = (larger, size)
            }
            first = 0
        }
        return memory.map { ($0 + first + count, min(capacity - first, limitBytes) - count) }
    }

    /// So many bytes were put where `reserve` said.
    mutating func added(_ more: Int) { count += more }

    /// Copies bytes in. False: they would be more than the limit.
    mutating func append(
        _ bytes: UnsafeBufferPointer<UInt8>, limitBytes: Int, _ pool: inout StreamMemory
    ) -> Bool {
        guard let source = bytes.baseAddress, !bytes.isEmpty else { return true }
        guard let place = reserve(bytes.count, limitBytes: limitBytes, &pool) else { return false }
        place.start.update(from: source, count: bytes.count)
        count += bytes.count
        return true
    }

    /// Forgets the bytes that have waited longest, and gives the memory back when none is left.
    mutating func removeFirst(_ removed: Int, _ pool: inout StreamMemory) {
        (first, count) = (first + removed, count - removed)
        guard count <= 0 else { return }
        if let memory { pool.giveBack(memory, capacity) }
        self = StreamBuffer()
    }

    /// Forgets all bytes.
    mutating func removeAll(_ pool: inout StreamMemory) { removeFirst(count, &pool) }
}

/// Memory for the buffers of one worker's connections: blocks of 4 KiB and its doubles, kept for the next connection
/// that needs one, so that in the steady state nothing is allocated.
struct StreamMemory: ~Copyable {
    private static let smallestBytes = 4096
    private static let classCount = 9  // up to 1 MiB
    private static let keptBytesPerClass = 1 << 20

    private var free: [[UnsafeMutablePointer<UInt8>]] = Array(repeating: [], count: Self.classCount)

    deinit {
        for blocks in free {
            for block in blocks { block.deallocate() }
        }
    }

    private static func sizeClass(_ count: Int) -> Int {
        var size = 0
        while smallestBytes << size < count { size += 1 }
        return size
    }

    /// A block of at least so many bytes, and its size; nil: there is none so large.
    mutating func take(atLeast count: Int) -> (UnsafeMutablePointer<UInt8>, Int)? {
        guard count <= Self.smallestBytes << (Self.classCount - 1) else { return nil }
        let size = Self.sizeClass(count)
        return (free[size].popLast() ?? .allocate(capacity: Self.smallestBytes << size), Self.smallestBytes << size)
    }

    /// Takes a block back; of each size some are kept.
    mutating func giveBack(_ block: UnsafeMutablePointer<UInt8>, _ bytes: Int) {
        let size = Self.sizeClass(bytes)
        guard free[size].count < max(1, Self.keptBytesPerClass / bytes) else {
            block.deallocate()
            return
        }
        free[size].append(block)
    }
}
