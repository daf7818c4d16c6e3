package import Addressing
package import Routing
import Synchronization
package import Time

/// The newest call records (API section 8), in memory and bounded: what the data plane's workers hand on goes in, the
/// API reads. Any thread may use it.
package final class CallLog: Sendable {
    /// One call as people read it: gateways by their names.
    package struct Call: Sendable {
        /// One attempt and the id of its gateway; empty when that has gone.
        package struct Attempt: Sendable {
            /// The gateway's id.
            package let gateway: String
            /// What became of it.
            package let attempt: CallRecord.Attempt
        }

        /// Its number in this log, from 1 on.
        package let sequence: UInt64
        /// When the request came first.
        package let receivedAt: WallTime
        /// Who sent it.
        package let source: TransportAddress
        /// Its Call-ID.
        package let callID: String
        /// The user part of the URI in From, or that URI.
        package let caller: String
        /// The user part of the Request-URI.
        package let dialled: String
        /// The plan that its source's calls are looked up in; nil: nobody who may call.
        package let plan: String?
        /// All else that is known of its search.
        package let record: Summary
        /// The attempts that are kept, in their order.
        package let attempts: [Attempt]
        /// When an answered call was over; nil: it goes on, or was never answered.
        package fileprivate(set) var endedAt: WallTime?
        /// True when it ended by a request, false when nothing was heard of it for too long.
        package fileprivate(set) var isEndedByRequest: Bool?
    }

    /// The figures of a call record.
    package struct Summary: Sendable {
        /// The routing data's revision that it was routed by.
        package let revision: Revision
        /// What became of it.
        package let result: CallRecord.Result
        /// The status code that the caller was sent; 0: none.
        package let status: UInt16
        /// True when that came from a gateway.
        package let isForwarded: Bool
        /// How long the search took, ms.
        package let searchMilliseconds: UInt32
        /// How many copies of the request came while it was searching.
        package let copyCount: UInt16
        /// When those came that are kept, ms.
        package let copyTimes: [UInt32]
        /// How many gateways were tried.
        package let attemptCount: UInt16
    }

    /// Which calls: those that fit all that is set.
    package struct Query: Sendable {
        /// Calls to numbers that begin so; a leading `+` plays no part.
        package var number: String?
        /// Calls that tried this gateway.
        package var gateway: String?
        /// Calls that began then or later.
        package var from: WallTime?
        /// Calls that began before.
        package var to: WallTime?
        /// Only calls with a lower sequence: where the page before ended.
        package var before: UInt64?
        /// At most so many.
        package var limitCount = 100

        /// All of them.
        package init() {}
    }

    fileprivate struct State {
        var capacity: Int
        /// As a ring: the oldest lies at `start`.
        var calls: [Call] = []
        var start = 0
        var lastSequence: UInt64 = 0
        /// Answered calls that go on, by the names that the workers know them by.
        var live: [UInt64: UInt64] = [:]
        /// The other way round, so that what is driven out is forgotten.
        var names: [UInt64: UInt64] = [:]
    }

    private let snapshots: SnapshotCell
    private let clock: any TimeSource
    private let state: Mutex<State>

    /// An empty log for so many calls, 0 or more.
    package init(snapshots: SnapshotCell, clock: any TimeSource, capacity: Int = 100_000) {
        (self.snapshots, self.clock) = (snapshots, clock)
        state = Mutex(State(capacity: max(0, capacity)))
    }

    /// How many are kept from now on; the newest stay.
    package func keep(_ capacity: Int) {
        state.withLock { state in
            guard capacity != state.capacity else { return }
            let ordered = (0..<state.calls.count).map { state.calls[(state.start + $0) % state.calls.count] }
            for call in ordered.dropLast(max(0, capacity)) { state.forget(call.sequence) }
            (state.calls, state.start, state.capacity) = (Array(ordered.suffix(max(0, capacity))), 0, max(0, capacity))
        }
    }

    /// How many calls are in it.
    package var count: Int { state.withLock { $0.calls.count } }

    /// Takes in calls whose search has ended, and ends of answered ones.
    package func receive(_ records: [CallRecord], _ endings: [CallRecord.Ending]) {
        let snapshot = snapshots.latest
        // Outside the lock: whoever reads does not wait for it.
        let described = records.map { describe($0, snapshot) }
        state.withLock { state in
            for (record, call) in zip(records, described) { state.append(call, record) }
            for ending in endings { state.end(ending, at: clock.wallTime(of: ending.at)) }
        }
    }

    /// The call with this sequence; nil when it is not kept any more.
    package func call(_ sequence: UInt64) -> Call? { state.withLock { $0.call(sequence) } }

    /// The calls that fit, newest first.
    package func page(_ query: Query) -> [Call] {
        let number = query.number.map { Self.digits($0) }
        return state.withLock { state in
            var found: [Call] = []
            var sequence = min(query.before.map { $0 > 0 ? $0 - 1 : 0 } ?? state.lastSequence, state.lastSequence)
            while found.count < query.limitCount, sequence > 0, let call = state.call(sequence) {
                sequence -= 1
                if let number, !Self.digits(call.dialled).hasPrefix(number) { continue }
                if let gateway = query.gateway, !call.attempts.contains(where: { $0.gateway == gateway }) { continue }
                if let from = query.from, call.receivedAt < from { continue }
                if let to = query.to, call.receivedAt >= to { continue }
                found.append(call)
            }
            return found
        }
    }

    private static func digits(_ number: String) -> Substring {
        number.hasPrefix("+") ? number.dropFirst() : number[...]
    }

    /// The sequence is given when it is put in.
    private func describe(_ record: CallRecord, _ snapshot: RoutingSnapshot) -> (UInt64) -> Call {
        let attempts = record.keptAttempts.map {
            Call.Attempt(gateway: snapshot.gateway(in: $0.gateway)?.id ?? "", attempt: $0)
        }
        let plan = snapshot.plan(for: record.source.address).map { snapshot.name(of: $0) }
        let summary = Summary(
            revision: record.revision, result: record.result, status: record.status, isForwarded: record.isForwarded,
            searchMilliseconds: record.endedAt, copyCount: record.copyCount, copyTimes: record.copyTimes,
            attemptCount: record.attemptCount)
        let (callID, caller, dialled) = (record.callID.string, record.caller.string, record.dialled.string)
        let at = clock.wallTime(of: record.receivedAt)
        return { sequence in
            Call(
                sequence: sequence, receivedAt: at, source: record.source, callID: callID, caller: caller,
                dialled: dialled, plan: plan, record: summary, attempts: attempts, endedAt: nil, isEndedByRequest: nil)
        }
    }
}

extension CallLog.State {
    func call(_ sequence: UInt64) -> CallLog.Call? {
        guard sequence > 0, sequence <= lastSequence, lastSequence - sequence < UInt64(calls.count) else { return nil }
        return calls[position(of: sequence)]
    }

    private func position(of sequence: UInt64) -> Int {
        (start + calls.count - 1 - Int(lastSequence - sequence)) % calls.count
    }

    mutating func append(_ make: (UInt64) -> CallLog.Call, _ record: CallRecord) {
        lastSequence += 1
        guard capacity > 0 else { return }
        let call = make(lastSequence)
        if calls.count < capacity {
            calls.append(call)
        } else {
            forget(calls[start].sequence)
            calls[start] = call
            start = (start + 1) % capacity
        }
        guard record.result == .answered else { return }
        (live[record.id], names[lastSequence]) = (lastSequence, record.id)
    }

    mutating func end(_ ending: CallRecord.Ending, at instant: WallTime) {
        guard let sequence = live[ending.call], call(sequence) != nil else { return }
        let position = position(of: sequence)
        (calls[position].endedAt, calls[position].isEndedByRequest) = (instant, ending.isByRequest)
        forget(sequence)
    }

    mutating func forget(_ sequence: UInt64) {
        guard let name = names.removeValue(forKey: sequence) else { return }
        live[name] = nil
    }
}
