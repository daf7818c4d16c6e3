import Addressing

/// Datagrams that a socket had no room for, in their order, until it has. Bounded: what comes when it is full is
/// refused.
struct SendBacklog: ~Copyable {
    struct Entry: BitwiseCopyable {
        /// Bytes of the backlog, which stay where they are until the entry is removed.
        let bytes: UnsafeBufferPointer<UInt8>
        let destination: TransportAddress
    }

    private static let limitBytes = 1 << 20
    private static let limitCount = 1024

    private let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.limitBytes)
    private var byteCount = 0
    /// What waits: the entries from `first` on.
    private(set) var entries: [Entry] = []
    private(set) var first = 0

    var isEmpty: Bool { first == entries.count }

    deinit { bytes.deallocate() }

    /// Copies a datagram in. False: there is no room.
    mutating func append(_ datagram: UnsafeBufferPointer<UInt8>, to destination: TransportAddress) -> Bool {
        guard entries.count < Self.limitCount, byteCount + datagram.count <= Self.limitBytes else { return false }
        if let start = datagram.baseAddress { (bytes + byteCount).update(from: start, count: datagram.count) }
        entries.append(
            Entry(
                bytes: UnsafeBufferPointer(start: bytes + byteCount, count: datagram.count), destination: destination))
        byteCount += datagram.count
        return true
    }

    /// Forgets the `count` entries that have waited longest. Their bytes are used again when all are gone.
    mutating func removeFirst(_ count: Int) {
        first = min(first + count, entries.count)
        guard isEmpty else { return }
        (first, byteCount) = (0, 0)
        entries.removeAll(keepingCapacity: true)
    }
}
