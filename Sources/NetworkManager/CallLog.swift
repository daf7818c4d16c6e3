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
        package let endedAt: WallTime?
        /// True when it ended by a request, false when nothing was heard of it for too long.
        package let isEndedByRequest: Bool?
    }

    /// The figures of a call record.
    package struct Summary: Sendable {
        /// The routing data's revision that it was routed by.
        package let revision: Revision
        /// What became of it.
        package let result: CallRecord.Result
        /// The status code that the caller was sent; 0: none.
        package let status: UInt16
        /// True when that came from a gateway or a redirect server.
        package let isForwarded: Bool
        /// True when that came from a redirect server elsewhere.
        package let isOfRedirectServer: Bool
        /// The URI of the redirect server elsewhere that was asked last; nil: it was routed here.
        package let redirectServer: String?
        /// How many redirect servers elsewhere were asked.
        package let inquiryCount: UInt8
        /// When one of them had named targets, ms from when the call was received; nil: none did.
        package let routedAt: UInt32?
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

    private let table: GatewayInformationTable
    private let snapshots: SnapshotCell
    private let clock: any TimeSource
    private let ring: Mutex<CallRing>

    /// An empty log for so many calls, 0 or more.
    package init(
        table: GatewayInformationTable, snapshots: SnapshotCell, clock: any TimeSource, capacity: Int = 100_000
    ) {
        (self.table, self.snapshots, self.clock) = (table, snapshots, clock)
        ring = Mutex(CallRing(capacity: max(0, capacity)))
    }

    /// How many are kept from now on; the newest stay.
    package func keep(_ capacity: Int) { ring.withLock { $0.keep(max(0, capacity)) } }

    /// How many calls are in it.
    package var count: Int { ring.withLock { $0.count } }

    /// Takes in what came of calls. As cheap as it can be: a redirect server may have a hundred thousand of them a
    /// second.
    package func receive(_ news: CallNews) {
        let snapshot = snapshots.latest
        let wallTime = clock.wallTime(of: Instant(nanoseconds: 0))  // how the clocks stand to each other
        ring.withLock { ring in
            for record in news.records {
                ring.append(record, at: wallTime + .nanoseconds(record.receivedAt.nanoseconds), snapshot, table)
            }
            for search in news.searches {
                let receivedAt = wallTime + .nanoseconds(search.record.receivedAt.nanoseconds)
                ring.append(search, at: receivedAt, snapshot, table)
            }
            for ending in news.endings { ring.end(ending, at: wallTime + .nanoseconds(ending.at.nanoseconds)) }
        }
    }

    /// The call with this sequence; nil when it is not kept any more.
    package func call(_ sequence: UInt64) -> Call? { ring.withLock { $0.call(sequence) } }

    /// The calls that fit, newest first.
    package func page(_ query: Query) -> [Call] {
        let number = query.number.map { ($0.hasPrefix("+") ? $0.dropFirst() : $0[...]).utf8.map { $0 } }
        return ring.withLock { ring in
            var found: [Call] = []
            var sequence = min(query.before.map { $0 > 0 ? $0 - 1 : 0 } ?? ring.lastSequence, ring.lastSequence)
            while found.count < query.limitCount, let entry = ring.entry(sequence) {
                defer { sequence -= 1 }
                if let number, !entry.isTo(number) { continue }
                if let gateway = query.gateway, !ring.tried(gateway, in: entry) { continue }
                if let from = query.from, entry.receivedAt < from { continue }
                if let to = query.to, entry.receivedAt >= to { continue }
                found.append(ring.describe(entry, sequence))
            }
            return found
        }
    }
}
