import Addressing
import Routing
import Time

/// The calls of a `CallLog` as they lie in memory: a ring of entries without references, and a queue of their attempts.
/// What people read is made of it when they ask.
struct CallRing {
    /// One call.
    struct Entry {
        let receivedAt: WallTime
        let id: UInt64
        let source: TransportAddress
        let callID: ShortText
        let caller: ShortText
        let dialled: ShortText
        /// Which of `planNames`; nil: nobody who may call.
        let plan: UInt32?
        let revision: Revision
        let result: CallRecord.Result
        let status: UInt16
        let isForwarded: Bool
        let isOfRedirectServer: Bool
        let redirectServer: GatewaySlot?
        let inquiryCount: UInt8
        let routedAt: UInt32?
        let searchMilliseconds: UInt32
        let copyCount: UInt16
        let copyTimes: InlineArray<7, UInt32>
        let attemptCount: UInt16
        /// Which attempts of the queue.
        let attempts: Range<UInt64>
        var endedAt: WallTime?
        var isEndedByRequest: Bool?

        /// True for a call to a number that begins so; a leading `+` plays no part.
        func isTo(_ prefix: [UInt8]) -> Bool {
            dialled.withBytes { ($0.first == UInt8(ascii: "+") ? $0.dropFirst() : $0[...]).starts(with: prefix) }
        }
    }

    /// So much room is asked for at once; memory is taken as it is used.
    private static let reservedCount = 131_072
    /// So many names of gateways are kept before those that no attempt needs are let go.
    private static let nameLimitCount = 131_072

    private(set) var capacity: Int
    private var entries: [Entry] = []
    /// Where the oldest lies.
    private var start = 0
    /// The number of the newest, from 1 on.
    private(set) var lastSequence: UInt64 = 0
    private var attempts = AttemptQueue()
    /// Answered calls that go on, by the names that the workers know them by.
    private var live: [UInt64: UInt64] = [:]

    /// The ids of gateways that were tried, and the URIs of redirect servers that were asked.
    private var gatewayNames: [GatewaySlot: String] = [:]
    /// Which generation of each slot has its name there; 0: none, else one more.
    private var namedGenerations: [UInt16] = []
    private var planNames: [String] = []
    /// Which of them the plans of the snapshot at hand have.
    private var plans: [PlanNumber: UInt32] = [:]
    private var plansRevision: Revision?

    /// An empty ring for so many calls.
    init(capacity: Int) { self.capacity = capacity }

    var count: Int { entries.count }

    // MARK: in

    /// A call that was proxied.
    mutating func append(
        _ search: CallSearch, at receivedAt: WallTime, _ snapshot: RoutingSnapshot, _ table: GatewayInformationTable
    ) {
        let first = attempts.end
        if capacity > 0 {
            for number in 0..<search.keptAttemptCount {
                let attempt = search.keptAttempt(number)
                noteName(of: attempt.gateway, snapshot, table)
                attempts.append(attempt)
            }
        }
        append(search.record, first..<attempts.end, at: receivedAt, snapshot, table)
    }

    /// A call that no gateway was tried for.
    mutating func append(
        _ record: CallRecord, at receivedAt: WallTime, _ snapshot: RoutingSnapshot, _ table: GatewayInformationTable
    ) {
        append(record, attempts.end..<attempts.end, at: receivedAt, snapshot, table)
    }

    private mutating func append(
        _ record: CallRecord, _ attempts: Range<UInt64>, at receivedAt: WallTime, _ snapshot: RoutingSnapshot,
        _ table: GatewayInformationTable
    ) {
        lastSequence += 1
        guard capacity > 0 else { return }
        if let server = record.redirectServer { noteName(of: server, snapshot, table) }
        let entry = Entry(
            receivedAt: receivedAt, id: record.id, source: record.source, callID: record.callID, caller: record.caller,
            dialled: record.dialled, plan: plan(of: record.source.address, snapshot), revision: record.revision,
            result: record.result, status: record.status, isForwarded: record.isForwarded,
            isOfRedirectServer: record.isOfRedirectServer, redirectServer: record.redirectServer,
            inquiryCount: record.inquiryCount, routedAt: record.routedAt,
            searchMilliseconds: record.endedAt, copyCount: record.copyCount, copyTimes: record.copies,
            attemptCount: record.attemptCount, attempts: attempts)
        if entries.count < capacity {
            if entries.isEmpty { entries.reserveCapacity(min(capacity, Self.reservedCount)) }
            entries.append(entry)
        } else {
            forget(entries[start])
            entries[start] = entry
            start = start + 1 < capacity ? start + 1 : 0
        }
        if record.result == .answered { live[record.id] = lastSequence }
    }

    mutating func end(_ ending: CallRecord.Ending, at instant: WallTime) {
        guard let sequence = live.removeValue(forKey: ending.call), entry(sequence) != nil else { return }
        let position = position(of: sequence)
        (entries[position].endedAt, entries[position].isEndedByRequest) = (instant, ending.isByRequest)
    }

    /// How many are kept from now on; the newest stay.
    mutating func keep(_ capacity: Int) {
        guard capacity != self.capacity else { return }
        let ordered = entries[start...] + entries[..<start]
        for entry in ordered.dropLast(capacity) { forget(entry) }
        (entries, start, self.capacity) = (Array(ordered.suffix(capacity)), 0, capacity)
    }

    /// The oldest entry makes room.
    private mutating func forget(_ entry: Entry) {
        attempts.drop(to: entry.attempts.upperBound)
        // Almost all have ended long before.
        if entry.result == .answered, entry.endedAt == nil { live[entry.id] = nil }
    }

    private mutating func noteName(
        of slot: GatewaySlot, _ snapshot: RoutingSnapshot, _ table: GatewayInformationTable
    ) {
        let index = Int(slot.index)
        if index >= namedGenerations.count {
            namedGenerations += Array(repeating: 0, count: index + 1 - namedGenerations.count)
        }
        guard namedGenerations[index] != UInt16(slot.generation) + 1 else { return }
        // Of a remote gateway we know what its redirect server calls it.
        let name = slot.isRemote ? table.remoteGateway(in: slot)?.name.string : snapshot.gateway(in: slot)?.id
        guard let name else { return }
        if gatewayNames.count >= Self.nameLimitCount {
            let tried = Set(attempts.map(\.gateway))
            gatewayNames = gatewayNames.filter { tried.contains($0.key) || $0.key.isRemote }
        }
        namedGenerations[index] = UInt16(slot.generation) + 1
        gatewayNames[slot] = name
    }

    private mutating func plan(of source: IPAddress, _ snapshot: RoutingSnapshot) -> UInt32? {
        guard let plan = snapshot.plan(for: source) else { return nil }
        if plansRevision != snapshot.revision { (plans, plansRevision) = ([:], snapshot.revision) }
        if let number = plans[plan] { return number }
        let name = snapshot.name(of: plan)
        let number = planNames.firstIndex(of: name) ?? planNames.count
        if number == planNames.count { planNames.append(name) }
        plans[plan] = UInt32(truncatingIfNeeded: number)
        return UInt32(truncatingIfNeeded: number)
    }

    // MARK: out

    /// The entry with this number; nil when it is not kept.
    func entry(_ sequence: UInt64) -> Entry? {
        guard sequence > 0, sequence <= lastSequence, lastSequence - sequence < UInt64(entries.count) else {
            return nil
        }
        return entries[position(of: sequence)]
    }

    func call(_ sequence: UInt64) -> CallLog.Call? { entry(sequence).map { describe($0, sequence) } }

    private func position(of sequence: UInt64) -> Int {
        (start + entries.count - 1 - Int(lastSequence - sequence)) % entries.count
    }

    /// True for a call that tried the gateway of this id.
    func tried(_ gateway: String, in entry: Entry) -> Bool {
        entry.attempts.contains { gatewayNames[attempts[$0].gateway] == gateway }
    }

    func describe(_ entry: Entry, _ sequence: UInt64) -> CallLog.Call {
        let summary = CallLog.Summary(
            revision: entry.revision, result: entry.result, status: entry.status, isForwarded: entry.isForwarded,
            isOfRedirectServer: entry.isOfRedirectServer,
            redirectServer: entry.redirectServer.flatMap { gatewayNames[$0] }, inquiryCount: entry.inquiryCount,
            routedAt: entry.routedAt,
            searchMilliseconds: entry.searchMilliseconds, copyCount: entry.copyCount,
            copyTimes: (0..<min(Int(entry.copyCount), entry.copyTimes.count)).map { entry.copyTimes[$0] },
            attemptCount: entry.attemptCount)
        return CallLog.Call(
            sequence: sequence, receivedAt: entry.receivedAt, source: entry.source, callID: entry.callID.string,
            caller: entry.caller.string, dialled: entry.dialled.string, plan: entry.plan.map { planNames[Int($0)] },
            record: summary,
            attempts: entry.attempts.map {
                let attempt = attempts[$0]
                return CallLog.Call.Attempt(gateway: gatewayNames[attempt.gateway] ?? "", attempt: attempt)
            }, endedAt: entry.endedAt, isEndedByRequest: entry.isEndedByRequest)
    }
}

/// Attempts by their running number: new ones come at the end, old ones go at the front.
private struct AttemptQueue {
    private var places: [CallRecord.Attempt] = []
    private var begin: UInt64 = 0
    private(set) var end: UInt64 = 0

    /// The attempt of that number, which is in it.
    subscript(number: UInt64) -> CallRecord.Attempt { places[place(number)] }

    // A power of two, so that the places of numbers in a row are in a row.
    private func place(_ number: UInt64) -> Int { Int(truncatingIfNeeded: number & UInt64(places.count - 1)) }

    mutating func append(_ attempt: CallRecord.Attempt) {
        if end - begin == UInt64(places.count) { grow(attempt) }
        places[place(end)] = attempt
        end += 1
    }

    /// What comes before that number goes.
    mutating func drop(to number: UInt64) { begin = max(begin, min(number, end)) }

    func map<Value>(_ transform: (CallRecord.Attempt) -> Value) -> [Value] { (begin..<end).map { transform(self[$0]) } }

    private mutating func grow(_ filler: CallRecord.Attempt) {
        let kept = map { $0 }
        places = Array(repeating: filler, count: max(1024, places.count * 2))
        for (offset, attempt) in kept.enumerated() { places[place(begin + UInt64(offset))] = attempt }
    }
}
