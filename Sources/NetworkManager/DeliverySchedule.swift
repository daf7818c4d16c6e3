import Store
import Time

/// What one webhook has to do next, and how far it has got. No clock, no thread, no store: those come in.
///
///     reading --events--> sending --delivered--> sending the next
///                         sending --failed--> waiting (back-off) --> sending the same
///     waiting, 3 days old: given up, the next event is tried at the same pace
///
/// An event is given up when it could not be delivered for `deadAfter`, counted from when it happened or from when the
/// failures began, whichever is later: a receiver that was gone for a week gets the last three days. After a start, and
/// when the webhook was changed, an attempt has to fail first: the time that nobody tried is no failure.
struct DeliverySchedule {
    /// How patient deliveries are.
    struct Limits: Sendable {
        var backOff = BackOff(first: .seconds(1), limit: .seconds(3600))
        /// How long a row of failures goes on before network managers are told.
        var failingAfter = Duration.seconds(300)
        /// How long an event is tried.
        var deadAfter = Duration.seconds(3 * 86_400)
    }

    /// What is to be done.
    enum Step: Equatable {
        /// Nothing until then; nil: until there are events.
        case wait(until: Instant?)
        /// Read events behind this number and hand them to `take`.
        case read(after: Int64)
        /// Send it and tell `finish`.
        case send(StoredEvent)
    }

    /// What network managers are told.
    enum Notice: Equatable {
        case failing(since: WallTime, attemptCount: Int64, error: String)
        case recovered(since: WallTime)
        case deadLettered(first: Int64, last: Int64, count: Int64?, error: String)
    }

    /// How an attempt ended.
    struct Result {
        var status: Int64?
        /// Nil: delivered.
        var error: String?
        var retryAfter: Duration?
        var duration = Duration.zero
    }

    /// What is to be written down.
    struct Report {
        var progress: WebhookProgress
        var attempts: [WebhookAttempt]
        var notices: [Notice]
    }

    private struct Waiting {
        let event: StoredEvent
        /// When it happened.
        let since: Instant
    }

    /// How many events are held at most.
    static let pageLimitCount = 20

    private(set) var progress: WebhookProgress
    /// A report is due at once.
    private(set) var isUrgent = false
    /// Something has changed since the last report.
    private(set) var isChanged = false

    private let limits: Limits
    private var ahead: [Waiting] = []
    private var readPosition: Int64
    private var reportedCursor: Int64
    private var retryAt: Instant?
    private var failingFrom: Instant?
    /// An attempt has failed since the start or the webhook's last change.
    private var hasFailed = false
    private var lastError = ""
    private var attempts: [WebhookAttempt] = []
    private var notices: [Notice] = []

    /// - Parameter failingFrom: `progress.failingSince` on the monotonic time line.
    init(_ progress: WebhookProgress, failingFrom: Instant?, limits: Limits = Limits()) {
        (self.progress, self.failingFrom, self.limits) = (progress, failingFrom, limits)
        (readPosition, reportedCursor) = (progress.cursor, progress.cursor)
    }

    /// What to do now, while nothing is under way.
    ///
    /// - Parameter newest: the number of the newest event.
    mutating func next(at now: Instant, newest: Int64, wallTime: WallTime) -> Step {
        giveUpWhatIsOld(at: now, wallTime: wallTime)
        guard let head = ahead.first else {
            return readPosition < newest ? .read(after: readPosition) : .wait(until: nil)
        }
        guard let retryAt, now < retryAt else { return .send(head.event) }
        return .wait(until: deadline(of: head).map { min($0, retryAt) } ?? retryAt)
    }

    /// Events that fit, in order; all events up to `position` have been looked at.
    mutating func take(_ events: [StoredEvent], readUpTo position: Int64, since: (WallTime) -> Instant) {
        ahead += events.map { Waiting(event: $0, since: since($0.time)) }
        readPosition = max(readPosition, position, events.last?.sequence ?? 0)
        passOver()
    }

    /// Events up to `position` are kept no longer: what of them was not delivered is lost.
    mutating func skip(to position: Int64) {
        guard position > progress.cursor else { return }
        let first = progress.cursor + 1
        notices.append(.deadLettered(first: first, last: position, count: nil, error: "events are kept no longer"))
        ahead.removeAll { $0.event.sequence <= position }
        progress.cursor = position
        readPosition = max(readPosition, position)
        (isUrgent, isChanged) = (true, true)
    }

    /// An attempt to send the event has ended.
    ///
    /// - Parameter chance: a random number, for the back-off.
    mutating func finish(_ event: StoredEvent, _ result: Result, at now: Instant, wallTime: WallTime, chance: UInt64) {
        isChanged = true
        note(event, result.error == nil ? .delivered : .failed, result, at: wallTime + (.zero - result.duration))
        guard let error = result.error else { return succeed(event) }
        (lastError, hasFailed, isUrgent) = (error, true, true)
        progress.failureCount += progress.failureCount < .max ? 1 : 0
        let began = failingFrom ?? now + (.zero - result.duration)
        failingFrom = began
        let since = progress.failingSince ?? wallTime + (.zero - result.duration)
        progress.failingSince = since
        let delay = limits.backOff.delay(behind: progress.failureCount, chance: chance)
        retryAt = now + max(delay, min(result.retryAfter ?? .zero, limits.backOff.limit))
        if !progress.isTold, now - began >= limits.failingAfter {
            progress.isTold = true
            notices.append(.failing(since: since, attemptCount: progress.failureCount, error: error))
        }
    }

    /// The events are looked through anew: others are wanted.
    mutating func rewind() {
        ahead = []
        readPosition = progress.cursor
    }

    /// An attempt has failed that was made in a way that is no longer the webhook's: it says nothing of the new one.
    mutating func finishOld(_ event: StoredEvent, _ result: Result, wallTime: WallTime) {
        isChanged = true
        note(event, .failed, result, at: wallTime + (.zero - result.duration))
    }

    /// Whatever made it fail may be mended: tries at once, and begins to count anew.
    mutating func retryNow() {
        (retryAt, failingFrom, hasFailed) = (nil, nil, false)
        progress.failureCount = 0
    }

    /// What is to be written down, handed out once.
    mutating func takeReport() -> Report {
        defer {
            (attempts, notices) = ([], [])
            (isUrgent, isChanged) = (false, false)
            reportedCursor = progress.cursor
        }
        return Report(progress: progress, attempts: attempts, notices: notices)
    }

    private mutating func succeed(_ event: StoredEvent) {
        if ahead.first?.event.sequence == event.sequence { ahead.removeFirst() }
        progress.cursor = max(progress.cursor, event.sequence)
        readPosition = max(readPosition, progress.cursor)
        if progress.isTold, let since = progress.failingSince { notices.append(.recovered(since: since)) }
        if progress.failureCount > 0 { isUrgent = true }
        (progress.failureCount, progress.failingSince, progress.isTold) = (0, nil, false)
        (failingFrom, retryAt, hasFailed) = (nil, nil, false)
        passOver()
    }

    /// Nothing waits: what was left out lies behind us. That is worth a write only now and then.
    private mutating func passOver() {
        guard ahead.isEmpty else { return }
        progress.cursor = max(progress.cursor, readPosition)
        if progress.cursor - reportedCursor >= 256 { isChanged = true }
    }

    private func deadline(of waiting: Waiting) -> Instant? {
        failingFrom.map { max($0, waiting.since) + limits.deadAfter }
    }

    private mutating func giveUpWhatIsOld(at now: Instant, wallTime: WallTime) {
        guard hasFailed else { return }
        var lost: (first: Int64, last: Int64, count: Int64)?
        var isWorthTelling = false
        while let head = ahead.first, let deadline = deadline(of: head), deadline <= now {
            ahead.removeFirst()
            progress.cursor = head.event.sequence
            progress.deadLetterCount += progress.deadLetterCount < .max ? 1 : 0
            note(head.event, .deadLettered, Result(error: lastError), at: wallTime)
            lost = (lost?.first ?? head.event.sequence, head.event.sequence, (lost?.count ?? 0) + 1)
            // What was said of failing webhooks is not mourned: each loss would make another event to lose.
            isWorthTelling = isWorthTelling || head.event.type != "webhook.failing"
        }
        guard let lost else { return }
        (isUrgent, isChanged) = (true, true)
        guard isWorthTelling else { return }
        if case .deadLettered(let first, _, let count?, _)? = notices.last {
            notices.removeLast()
            notices.append(.deadLettered(first: first, last: lost.last, count: count + lost.count, error: lastError))
        } else {
            notices.append(.deadLettered(first: lost.first, last: lost.last, count: lost.count, error: lastError))
        }
    }

    private mutating func note(
        _ event: StoredEvent, _ outcome: WebhookAttempt.Outcome, _ result: Result, at time: WallTime
    ) {
        if attempts.count >= Store.webhookAttemptLimitCount { attempts.removeFirst() }
        attempts.append(
            WebhookAttempt(
                event: "\(event.sequence)", type: event.type, at: time, outcome: outcome, status: result.status,
                error: result.error, durationMilliseconds: result.duration.milliseconds))
    }
}
