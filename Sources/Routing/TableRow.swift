import Synchronization
import Time

/// One gateway's words in the gateway information table: all that calls, probes and reports write, in 256 bytes, which
/// are four cache lines.
struct TableRow: ~Copyable {
    // What each call touches stands together.
    let status = Atomic<UInt64>(0)
    /// Generation in the high half, live calls in the low one, so that a gateway that has gone can't be counted for
    /// its successor.
    let liveCalls = Atomic<UInt64>(0)
    /// The second in the high half, calls begun in it in the low one.
    let callRate = Atomic<UInt64>(0)
    let answered = Atomic<UInt64>(0)
    let failed = Atomic<UInt64>(0)
    /// When an attempt was last answered, ns; 0: never.
    let answeredAt = Atomic<Int64>(0)
    let consecutiveFailures = Atomic<UInt32>(0)
    let probeFailures = Atomic<UInt32>(0)
    /// Until when calls try others first, ns; 0: nobody waits for it longer than usual.
    let suspectUntil = Atomic<Int64>(0)

    /// Since when the share grows, ns; 0: it is full.
    let rampBegan = Atomic<Int64>(0)
    /// When an attempt last met silence, ns; 0: never.
    let silentAt = Atomic<Int64>(0)
    let changedAt = Atomic<Int64>(0)
    /// Until when the trial call that is under way holds its place, ns; 0: there is none.
    let trialUntil = Atomic<Int64>(0)
    let lastProbeAt = Atomic<Int64>(0)
    /// Status code in the high half, round trip in us in the low one; without an answer that one says why.
    let lastProbe = Atomic<UInt64>(0)
    /// What stands in `lastProbe` for a probe that could not be sent.
    static let transportError: UInt64 = 1
    let probeSuccesses = Atomic<UInt32>(0)
    /// Times that it went out without a success between: the hold doubles with each.
    let repeats = Atomic<UInt32>(0)
    let responseTimes = ResponseTimes()
    private let padding = Atomic<UInt64>(0)

    /// As a new gateway finds it; the status word comes last and from elsewhere.
    func reset(generation: UInt8) {
        liveCalls.store(UInt64(generation) << 32, ordering: .relaxed)
        callRate.store(0, ordering: .relaxed)
        answered.store(0, ordering: .relaxed)
        failed.store(0, ordering: .relaxed)
        answeredAt.store(0, ordering: .relaxed)
        suspectUntil.store(0, ordering: .relaxed)
        rampBegan.store(0, ordering: .relaxed)
        silentAt.store(0, ordering: .relaxed)
        changedAt.store(0, ordering: .relaxed)
        trialUntil.store(0, ordering: .relaxed)
        lastProbeAt.store(0, ordering: .relaxed)
        lastProbe.store(0, ordering: .relaxed)
        forgetFailures()
        responseTimes.reset()
    }

    /// What failures had added up to.
    func forgetFailures() {
        Self.clear(consecutiveFailures)
        Self.clear(probeFailures)
        Self.clear(repeats)
        Self.clear(probeSuccesses)
    }

    /// The status has changed.
    func noteChange(to status: GatewayStatus, at now: Instant) {
        changedAt.store(now.nanoseconds, ordering: .relaxed)
        trialUntil.store(0, ordering: .relaxed)
        Self.clear(suspectUntil)
        switch status {
        case .inService: rampBegan.store(now.nanoseconds, ordering: .relaxed)
        case .outOfService:
            rampBegan.store(0, ordering: .relaxed)
            Self.clear(probeSuccesses)
        }
    }

    /// A word that is 0 mostly is not written again: that would take its line from other workers.
    static func clear(_ word: borrowing Atomic<UInt32>) {
        if word.load(ordering: .relaxed) != 0 { word.store(0, ordering: .relaxed) }
    }

    /// The same.
    static func clear(_ word: borrowing Atomic<Int64>) {
        if word.load(ordering: .relaxed) != 0 { word.store(0, ordering: .relaxed) }
    }
}

/// The rows at addresses that stay, in parts of 256 that are made when the first of them is opened.
struct TableRows: ~Copyable, @unchecked Sendable {
    private static let partRows = 256
    private static let partCount = GatewayInformationTable.rowCount / partRows

    private let parts: UnsafeMutablePointer<Atomic<UnsafeMutablePointer<TableRow>?>>
    /// What every row reads like before it is opened.
    private let blank: UnsafeMutablePointer<TableRow>
    private let highest = Atomic(0)

    init() {
        parts = .allocate(capacity: Self.partCount)
        for part in 0..<Self.partCount { (parts + part).initialize(to: Atomic(nil)) }
        blank = Self.makePart()
    }

    deinit {
        for part in 0..<Self.partCount {
            if let rows = parts[part].load(ordering: .acquiring) { Self.free(rows) }
        }
        parts.deinitialize(count: Self.partCount)
        parts.deallocate()
        Self.free(blank)
    }

    /// One more than the highest index that was opened.
    var limit: Int { highest.load(ordering: .acquiring) }

    /// Every index is a `UInt16`, so none lies outside.
    subscript(index: UInt16) -> UnsafePointer<TableRow> {
        let (part, place) = Int(index).quotientAndRemainder(dividingBy: Self.partRows)
        let rows = parts[part].load(ordering: .acquiring) ?? blank
        return UnsafePointer(rows + place)
    }

    /// The row, with memory of its own from now on.
    func opened(_ index: UInt16) -> UnsafePointer<TableRow> {
        makePart(of: index)
        _ = highest.max(Int(index) + 1, ordering: .acquiringAndReleasing)
        return self[index]
    }

    /// Sees to it that the row has memory of its own. Any thread.
    func makePart(of index: UInt16) {
        let part = Int(index) / Self.partRows
        guard parts[part].load(ordering: .acquiring) == nil else { return }
        let made = Self.makePart()
        let (isMine, _) = parts[part].compareExchange(expected: nil, desired: made, ordering: .acquiringAndReleasing)
        if !isMine { Self.free(made) }
    }

    /// In cache lines of their own, so that two gateways' calls do not disturb each other.
    private static func makePart() -> UnsafeMutablePointer<TableRow> {
        precondition(MemoryLayout<TableRow>.stride == 256, "four lines and no more")
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: partRows * MemoryLayout<TableRow>.stride, alignment: 64)
        let rows = bytes.bindMemory(to: TableRow.self, capacity: partRows)
        for place in 0..<partRows { (rows + place).initialize(to: TableRow()) }
        return rows
    }

    private static func free(_ rows: UnsafeMutablePointer<TableRow>) {
        rows.deinitialize(count: partRows)
        UnsafeMutableRawPointer(rows).deallocate()
    }
}
