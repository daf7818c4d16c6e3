import Synchronization

/// The one atomic reference through which every worker reaches the current snapshot, and the rule by which a superseded
/// one is freed: when every worker has passed on.
///
/// A reader announces the epoch it entered and then loads the reference; the writer swaps the reference, begins a new
/// epoch and frees what was superseded before the oldest epoch that is still announced. Both sides use sequentially
/// consistent operations: a reader whose announcement the writer did not see loads the reference after the swap. No
/// reader takes a lock, retains anything or writes a word that another reader writes.
package final class SnapshotCell: Sendable {
    /// How many readers one cell serves.
    package static let readerLimitCount = 256

    /// The address of the snapshot, which `owner` keeps alive.
    private let current: Atomic<UInt>
    private let epoch = Atomic<UInt64>(1)
    private let readerCount = Atomic<Int>(0)
    private let announced: Announcements
    /// What the writer has superseded and not yet freed, with the epoch that began after it.
    private let retired = Mutex<[(snapshot: RoutingSnapshot, epoch: UInt64)]>([])
    private let owner: Mutex<RoutingSnapshot>

    /// A cell that shows `snapshot`.
    package init(_ snapshot: RoutingSnapshot) {
        owner = Mutex(snapshot)
        current = Atomic(PinnedSnapshot.address(of: snapshot))
        announced = Announcements(count: Self.readerLimitCount)
    }

    /// Shows `snapshot` from now on: whoever pins after this returns sees it. Frees what nobody can see any more.
    package func swap(to snapshot: RoutingSnapshot) {
        owner.withLock { owned in
            let superseded = owned
            owned = snapshot
            current.store(PinnedSnapshot.address(of: snapshot), ordering: .sequentiallyConsistent)
            let next = epoch.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
            retired.withLock { $0.append((superseded, next)) }
        }
        reclaim()
    }

    /// Frees the superseded snapshots that every reader has passed, and returns how many still wait.
    @discardableResult
    package func reclaim() -> Int {
        let (freed, waiting) = retired.withLock { list -> ([RoutingSnapshot], Int) in
            // Looked at under the lock: what another thread retires after the look must not be freed by it.
            var oldest = UInt64.max
            for index in 0..<min(readerCount.load(ordering: .sequentiallyConsistent), Self.readerLimitCount) {
                oldest = min(oldest, announced[index].load(ordering: .sequentiallyConsistent))
            }
            let freed = list.filter { $0.epoch <= oldest }.map(\.snapshot)
            list.removeAll { $0.epoch <= oldest }
            return (freed, list.count)
        }
        _ = freed  // let go outside the lock: freeing a large snapshot takes a while
        return waiting
    }

    /// The current snapshot, kept alive by the caller: for the control plane's threads, not for workers.
    package var latest: RoutingSnapshot { owner.withLock { $0 } }

    /// A place among the readers, for one thread at a time and for the life of the cell.
    ///
    /// - Returns: nil when all `readerLimitCount` places are given away.
    package func makeReader() -> Reader? {
        let (index, _) = readerCount.wrappingAdd(1, ordering: .sequentiallyConsistent)
        guard index < Self.readerLimitCount else {
            readerCount.wrappingSubtract(1, ordering: .sequentiallyConsistent)
            return nil
        }
        return Reader(cell: self, index: index)
    }

    /// One worker's way to the snapshot.
    package struct Reader: ~Copyable, Sendable {
        private let cell: SnapshotCell
        private let index: Int

        fileprivate init(cell: SnapshotCell, index: Int) { (self.cell, self.index) = (cell, index) }

        /// Pins the current snapshot for as long as `body` runs: one batch of datagrams. The pin can't be kept, since
        /// it can't be copied and is only lent. Calls must not nest: the inner one would end the outer one's pin.
        @inline(__always)
        package mutating func withSnapshot<Result: ~Copyable, Failure: Error>(
            _ body: (borrowing PinnedSnapshot) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            let entered = cell.epoch.load(ordering: .sequentiallyConsistent)
            cell.announced[index].store(entered, ordering: .sequentiallyConsistent)
            defer { cell.announced[index].store(.max, ordering: .releasing) }
            guard let pinned = PinnedSnapshot(address: cell.current.load(ordering: .sequentiallyConsistent)) else {
                preconditionFailure("a cell is made with a snapshot and only ever gets another one")
            }
            return try body(pinned)
        }
    }
}

/// The snapshot that one worker has pinned: lent for one batch, never kept.
package struct PinnedSnapshot: ~Copyable {
    private let snapshot: Unmanaged<RoutingSnapshot>

    /// The address comes from `SnapshotCell.current`, whose owner keeps the snapshot while a reader is announced.
    fileprivate init?(address: UInt) {
        guard let pointer = UnsafeRawPointer(bitPattern: address) else { return nil }
        snapshot = .fromOpaque(pointer)
    }

    private init(_ snapshot: RoutingSnapshot) { self.snapshot = .passUnretained(snapshot) }

    fileprivate static func address(of snapshot: RoutingSnapshot) -> UInt {
        UInt(bitPattern: Unmanaged.passUnretained(snapshot).toOpaque())
    }

    /// A pin of a snapshot that the caller keeps alive: for the control plane, tests and the simulation.
    package static func lending<Result: ~Copyable, Failure: Error>(
        _ snapshot: RoutingSnapshot, _ body: (borrowing PinnedSnapshot) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(snapshot) {} }
        return try body(PinnedSnapshot(snapshot))
    }

    /// Calls `body` with the snapshot, without a retain.
    @inline(__always)
    package func withSnapshot<Result>(_ body: (RoutingSnapshot) -> Result) -> Result {
        snapshot._withUnsafeGuaranteedRef(body)
    }
}

/// The epoch that each reader is in, a cache line each; `UInt64.max` when in none.
private struct Announcements: ~Copyable, @unchecked Sendable {
    private static let stride = 8
    private let base: UnsafeMutablePointer<Atomic<UInt64>>
    private let count: Int

    init(count: Int) {
        self.count = count * Self.stride
        base = .allocate(capacity: self.count)
        for index in 0..<self.count { (base + index).initialize(to: Atomic(.max)) }
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    subscript(index: Int) -> Atomic<UInt64> {
        _read { yield base[index * Self.stride] }
    }
}
