import JSON
package import Routing
package import Time

/// What a remote proxy saw of a gateway in one call (the method: the proxy tells the redirect server's side).
package struct OutgoingReport: Sendable, Equatable {
    /// What was seen.
    package enum Outcome: String, Sendable {
        case answered
        case noResponse = "no-response"
        case transportError = "transport-error"
        case failureResponse = "failure-response"
    }

    /// The gateway, as the redirect server named it.
    package let gateway: String
    /// What was seen.
    package let outcome: Outcome
    /// The status code of a failure response.
    package let sipStatus: Int?
    /// When.
    package let at: WallTime
    /// In which call; nil: unknown.
    package let callID: String?
    /// The Retry-After of a failure response, s.
    package var retryAfterSeconds: Int64?
    /// The gateway's row here; nil: it has none.
    package var slot: GatewaySlot?

    /// A report of its parts.
    package init(gateway: String, outcome: Outcome, sipStatus: Int?, at: WallTime, callID: String?) {
        (self.gateway, self.outcome, self.sipStatus, self.at, self.callID) = (gateway, outcome, sipStatus, at, callID)
    }

    var json: JSONValue {
        var members: [String: JSONValue] = [
            "gateway": .string(gateway), "outcome": .string(outcome.rawValue),
            "sip_status": sipStatus.map { .integer(Int64($0)) } ?? .null, "at": .string(at.rfc3339),
            "call_id": callID.map { .string($0) } ?? .null,
        ]
        if let retryAfterSeconds { members["retry_after_s"] = .integer(retryAfterSeconds) }
        return .object(members)
    }
}

/// Reports that wait to be sent, in batches, in order. No clock, no thread: those come in.
///
/// When it is full the oldest is dropped: what was seen last says most about a gateway. A batch that is under way is
/// kept apart and sent again until it is taken or refused for good.
struct OutgoingReports {
    /// What is to be done.
    enum Step: Equatable {
        /// Nothing until then; nil: until there are reports.
        case wait(until: Instant?)
        /// Send them in one request, and tell `finish`.
        case send([OutgoingReport])
    }

    /// How a request ended.
    enum Ending {
        case taken
        /// Never will be: the other side can't read it.
        case refused
        case failed(retryAfter: Duration?)
    }

    /// How many wait at most.
    static let limitCount = 10_000
    /// How many one request holds at most.
    static let batchLimitCount = 100
    /// How long the first waits for others to join it.
    static let linger = Duration.milliseconds(200)

    /// How many were dropped because it was full.
    private(set) var droppedCount: UInt64 = 0
    /// How many the other side refused.
    private(set) var refusedCount: UInt64 = 0
    /// How many the other side has taken.
    private(set) var sentCount: UInt64 = 0

    private let backOff = BackOff(first: .milliseconds(500), limit: .seconds(30))
    /// A ring, so that a full queue drops its oldest at no cost.
    private var ring: [OutgoingReport] = []
    private var head = 0
    private var batch: [OutgoingReport] = []
    private var isSending = false
    private var failureCount: Int64 = 0
    private var dueAt: Instant?
    private let limitCount: Int

    init(limitCount: Int = Self.limitCount) { self.limitCount = max(1, limitCount) }

    /// How many wait, those under way among them.
    var count: Int { ring.count - head + batch.count }

    /// Takes a report in.
    ///
    /// - Returns: true when the sender has to look again.
    mutating func append(_ report: OutgoingReport, at now: Instant) -> Bool {
        if ring.count - head >= limitCount {
            head += 1
            droppedCount &+= 1
        }
        if head >= limitCount {
            ring.removeFirst(head)
            head = 0
        }
        ring.append(report)
        let waiting = ring.count - head
        if dueAt == nil { dueAt = now + Self.linger }
        return waiting == 1 || waiting == Self.batchLimitCount
    }

    /// What to do now.
    mutating func next(at now: Instant) -> Step {
        guard !isSending, let dueAt else { return .wait(until: nil) }
        let isFull = failureCount == 0 && batch.isEmpty && ring.count - head >= Self.batchLimitCount
        guard isFull || dueAt <= now else { return .wait(until: dueAt) }
        if batch.isEmpty {
            batch = Array(ring[head...].prefix(Self.batchLimitCount))
            head += batch.count
        }
        guard !batch.isEmpty else {
            self.dueAt = nil
            return .wait(until: nil)
        }
        isSending = true
        return .send(batch)
    }

    /// The request under way has ended.
    mutating func finish(_ ending: Ending, at now: Instant, chance: UInt64) {
        isSending = false
        switch ending {
        case .taken: sentCount &+= UInt64(batch.count)
        case .refused: refusedCount &+= UInt64(batch.count)
        case .failed(let retryAfter):
            failureCount += failureCount < .max ? 1 : 0
            let delay = backOff.delay(behind: failureCount, chance: chance)
            dueAt = now + max(delay, min(retryAfter ?? .zero, backOff.limit))
            return
        }
        (batch, failureCount) = ([], 0)
        dueAt = ring.count > head ? now + (ring.count - head >= Self.batchLimitCount ? .zero : Self.linger) : nil
    }
}
