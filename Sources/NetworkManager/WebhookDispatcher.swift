package import Addressing
package import HTTPClient
import JSON
package import Store
import Synchronization
package import Time

/// What deliveries need of the process.
package struct WebhookSurroundings: Sendable {
    /// Sends a request; calls back once, from any thread.
    package var post: @Sendable (HTTPPost, @escaping @Sendable (HTTPPostResult) -> Void) -> Void
    /// The networks that webhooks may reach although they are not public, or without TLS.
    package var networks: @Sendable () -> [Network]
    /// Hands reports to the one writer. Must not block.
    package var report: @Sendable ([WebhookReport]) -> Void
    /// Tells that events could not be read. Must not block.
    package var fault: @Sendable (String) -> Void = { _ in }

    /// Surroundings of their parts.
    package init(
        post: @escaping @Sendable (HTTPPost, @escaping @Sendable (HTTPPostResult) -> Void) -> Void,
        networks: @escaping @Sendable () -> [Network], report: @escaping @Sendable ([WebhookReport]) -> Void
    ) {
        (self.post, self.networks, self.report) = (post, networks, report)
    }
}

/// Delivers events to webhooks (API section 7): in order, one under way for each, read back from the store page by
/// page, so that a slow receiver costs a page of memory and holds nobody.
///
/// One thread asks each webhook's `DeliverySchedule` what to do. Progress goes to the writer at most four times a
/// second for each webhook, so after a crash what was delivered since is delivered once more.
package final class WebhookDispatcher: Sendable {
    struct Line {
        var subscription: WebhookSubscription
        var schedule: DeliverySchedule
        /// The number of the attempt that is under way; nil: none is.
        var attempt: UInt64?
        var isTesting = false
        var reportAt: Instant?
        var waitsUntil: Instant?
        var deliveredCount: UInt64 = 0
        var failedCount: UInt64 = 0
    }

    private struct State {
        var lines: [String: Line] = [:]
        var attemptCount: UInt64 = 0
        var isStopped = false
    }

    /// What one look at all webhooks found to do.
    private struct Work {
        var reads: [(id: String, turn: UInt64, after: Int64, types: Set<String>)] = []
        var sends: [(subscription: WebhookSubscription, event: StoredEvent, attempt: UInt64)] = []
        var reports: [WebhookReport] = []
        var wakeAt: Instant?
    }

    /// How often progress without trouble is written down.
    private static let reportInterval = Duration.milliseconds(250)

    private let store: Store
    private let networkManager: NetworkManager
    private let clock: any TimeSource
    private let surroundings: WebhookSurroundings
    private let limits: DeliverySchedule.Limits
    private let state = Mutex(State())
    private let thread: DeliveryThread
    private let subscription = Mutex<EventSubscription?>(nil)

    /// Deliveries that begin with `start`.
    package convenience init(
        store: Store, networkManager: NetworkManager, clock: any TimeSource, surroundings: WebhookSurroundings
    ) {
        self.init(
            store: store, networkManager: networkManager, clock: clock, surroundings: surroundings,
            limits: DeliverySchedule.Limits())
    }

    init(
        store: Store, networkManager: NetworkManager, clock: any TimeSource, surroundings: WebhookSurroundings,
        limits: DeliverySchedule.Limits
    ) {
        (self.store, self.networkManager, self.clock) = (store, networkManager, clock)
        (self.surroundings, self.limits) = (surroundings, limits)
        thread = DeliveryThread(name: "tandem-webhooks", clock: clock)
    }

    /// Begins to deliver, on a thread of its own.
    package func start() {
        subscription.withLock { $0 = $0 ?? networkManager.subscribe { [thread] in thread.wake() } }
        thread.start { [weak self] in self?.step() }
    }

    /// Ends the thread; what is under way is not waited for, and its outcome does not count. Reports what it knows.
    package func stop() {
        let subscription = subscription.withLock { held in
            defer { held = nil }
            return held
        }
        if let subscription { networkManager.end(subscription) }
        thread.stop()
        let reports = state.withLock { state in
            state.isStopped = true
            return state.lines.keys.sorted().compactMap { id in
                state.lines[id]?.schedule.isChanged == true ? takeReport(of: &state.lines[id]) : nil
            }
        }
        if !reports.isEmpty { surroundings.report(reports) }
    }

    /// The webhooks are these from now on. Cannot block for long.
    package func update(_ subscriptions: [WebhookSubscription]) {
        state.withLock { state in
            var lines: [String: Line] = [:]
            for new in subscriptions {
                guard var line = state.lines[new.id], line.subscription.turn == new.turn else {
                    let schedule = DeliverySchedule(
                        new.progress, failingFrom: new.progress.failingSince.map { clock.instant(of: $0) },
                        limits: limits)
                    var line = Line(subscription: new, schedule: schedule)
                    line.attempt = state.lines[new.id]?.attempt
                    line.isTesting = state.lines[new.id]?.isTesting ?? false
                    lines[new.id] = line
                    continue
                }
                if line.subscription.types != new.types { line.schedule.rewind() }
                if !line.subscription.hasSameWay(as: new) { line.schedule.retryNow() }
                line.subscription = new
                lines[new.id] = line
            }
            state.lines = lines
        }
        thread.wake()
    }

    /// How the deliveries stand, by id.
    package var standings: [WebhookStanding] {
        let newest = newestEvent() ?? 0
        return state.withLock { state in
            state.lines.values.sorted { $0.subscription.id < $1.subscription.id }.map { line in
                let isWaiting = line.schedule.progress.failureCount > 0 && line.attempt == nil
                return WebhookStanding(
                    id: line.subscription.id, lagCount: max(0, newest - line.schedule.progress.cursor),
                    deliveredCount: line.deliveredCount, failedCount: line.failedCount,
                    progress: line.schedule.progress,
                    nextAttemptAt: isWaiting ? line.waitsUntil.map { clock.wallTime(of: $0) } : nil)
            }
        }
    }

    /// Sends an event of the type `webhook.test`, which is none of the sequence, past the order and the back-off.
    ///
    /// - Parameter whenDone: is called once, from any thread, with what came of it; nil: there is no such webhook, or a
    ///   test of it is under way.
    package func test(_ id: String, whenDone: @escaping @Sendable (WebhookAttempt?) -> Void) {
        let subscription = state.withLock { state -> WebhookSubscription? in
            guard !state.isStopped, let line = state.lines[id], !line.isTesting else { return nil }
            state.lines[id]?.isTesting = true
            return line.subscription
        }
        guard let subscription else { return whenDone(nil) }
        let type = "webhook.test"
        let now = clock.wallTime
        let event = "test-\(String(UInt64.random(in: .min ... .max), radix: 16))"
        let data = JSONValue.object(["webhook": .string(id)]).canonicalText
        let text = CloudEvent.text(
            id: event, source: "tandem/\(store.node)", type: type, subject: "webhooks/\(id)", time: now, data: data)
        send(text, id: event, to: subscription) { [self] result in
            let ending = Self.ending(result)
            let attempt = WebhookAttempt(
                event: event, type: type, at: now, outcome: ending.error == nil ? .delivered : .failed,
                status: ending.status, error: ending.error, durationMilliseconds: ending.duration.milliseconds)
            let report = state.withLock { state -> WebhookReport? in
                state.lines[id]?.isTesting = false
                guard !state.isStopped, let line = state.lines[id] else { return nil }
                return WebhookReport(
                    id: id, turn: line.subscription.turn, progress: line.schedule.progress, attempts: [attempt],
                    events: [])
            }
            if let report { surroundings.report([report]) }
            whenDone(attempt)
        }
    }

    // MARK: one step

    /// Does what is due, and returns until when there is nothing more.
    func step() -> Instant? {
        while true {
            guard let newest = newestEvent() else { return clock.now + .seconds(1) }
            let work = look(newest: newest)
            if !work.reports.isEmpty { surroundings.report(work.reports) }
            for send in work.sends { deliver(send.event, to: send.subscription, attempt: send.attempt) }
            guard !work.reads.isEmpty else { return work.wakeAt }
            for read in work.reads {
                guard self.read(read, newest: newest) else { return clock.now + .seconds(1) }
            }
        }
    }

    private func newestEvent() -> Int64? {
        do {
            return try store.newestEventNumber()
        } catch {
            surroundings.fault(error.detail)
            return nil
        }
    }

    private func look(newest: Int64) -> Work {
        let now = clock.now
        let wallTime = clock.wallTime
        var work = Work()
        func wake(at instant: Instant?) {
            if let instant { work.wakeAt = work.wakeAt.map { min($0, instant) } ?? instant }
        }
        state.withLock { state in
            for id in state.lines.keys.sorted() {
                guard var line = state.lines[id] else { continue }
                line.waitsUntil = nil
                if line.subscription.isEnabled, line.attempt == nil {
                    switch line.schedule.next(at: now, newest: newest, wallTime: wallTime) {
                    case .wait(let until):
                        line.waitsUntil = until
                        wake(at: until)
                    case .read(let after):
                        work.reads.append((id, line.subscription.turn, after, line.subscription.types))
                    case .send(let event):
                        state.attemptCount &+= 1
                        line.attempt = state.attemptCount
                        work.sends.append((line.subscription, event, state.attemptCount))
                    }
                }
                if line.schedule.isChanged {
                    let due = line.schedule.isUrgent ? now : line.reportAt ?? now + Self.reportInterval
                    line.reportAt = due
                    wake(at: due)
                }
                state.lines[id] = line
                if let due = line.reportAt, due <= now, let report = takeReport(of: &state.lines[id]) {
                    work.reports.append(report)
                }
            }
        }
        return work
    }

    private func read(
        _ read: (id: String, turn: UInt64, after: Int64, types: Set<String>), newest: Int64
    ) -> Bool {
        do throws(StoreError) {
            let limit = DeliverySchedule.pageLimitCount
            let events = try store.events(after: read.after, types: read.types, limit: limit)
            // Asked after the events were read: what retention deleted meanwhile shows as a gap.
            let oldest = try store.eventBounds().oldest
            state.withLock { state in
                guard let line = state.lines[read.id], line.subscription.turn == read.turn,
                    line.subscription.types == read.types
                else { return }
                if oldest > 0, read.after < oldest - 1 { state.lines[read.id]?.schedule.skip(to: oldest - 1) }
                state.lines[read.id]?.schedule.take(
                    events, readUpTo: events.count < limit ? newest : events.last?.sequence ?? newest
                ) { clock.instant(of: $0) }
            }
            return true
        } catch {
            surroundings.fault(error.detail)
            return false
        }
    }

    private func deliver(_ event: StoredEvent, to subscription: WebhookSubscription, attempt: UInt64) {
        send(CloudEvent.text(event), id: "\(event.sequence)", to: subscription) { [self] result in
            let (now, wallTime) = (clock.now, clock.wallTime)
            state.withLock { state in
                // Of one that was deleted and made again meanwhile another may be under way.
                guard let line = state.lines[subscription.id], line.attempt == attempt else { return }
                state.lines[subscription.id]?.attempt = nil
                guard !state.isStopped, line.subscription.turn == subscription.turn else { return }
                let ending = Self.ending(result)
                if ending.error == nil {
                    state.lines[subscription.id]?.deliveredCount &+= 1
                } else {
                    state.lines[subscription.id]?.failedCount &+= 1
                    guard line.subscription.hasSameWay(as: subscription) else {
                        state.lines[subscription.id]?.schedule.finishOld(event, ending, wallTime: wallTime)
                        return
                    }
                }
                state.lines[subscription.id]?.schedule.finish(
                    event, ending, at: now, wallTime: wallTime, chance: UInt64.random(in: .min ... .max))
            }
            thread.wake()
        }
    }

    private func send(
        _ text: String, id: String, to subscription: WebhookSubscription,
        whenDone: @escaping @Sendable (HTTPPostResult) -> Void
    ) {
        let now = clock.wallTime
        let keys = subscription.keys.filter { key in key.until.map { now < $0 } ?? true }.map(\.key)
        var post = HTTPPost(to: subscription.url, rule: .publicOr(surroundings.networks()))
        post.body = Array(text.utf8)
        post.headers =
            [("Content-Type", "application/cloudevents+json; charset=utf-8")]
            + WebhookSignature.headers(id: id, at: now, body: post.body, keys: keys)
        surroundings.post(post, whenDone)
    }

    private static func ending(_ result: HTTPPostResult) -> DeliverySchedule.Result {
        switch result.outcome {
        case .response(let status, let retryAfter):
            let isRedirect = (300...399).contains(status)
            let error = result.isSuccess ? nil : "status \(status)" + (isRedirect ? "; redirects are not followed" : "")
            return .init(status: Int64(status), error: error, retryAfter: retryAfter, duration: result.duration)
        case .failure(let failure):
            return .init(status: nil, error: failure.text, retryAfter: nil, duration: result.duration)
        }
    }

    private func takeReport(of line: inout Line?) -> WebhookReport? {
        guard var held = line else { return nil }
        let report = held.schedule.takeReport()
        held.reportAt = nil
        line = held
        let (id, time) = (held.subscription.id, clock.wallTime)
        return WebhookReport(
            id: id, turn: held.subscription.turn, progress: report.progress, attempts: report.attempts,
            events: report.notices.map { $0.event(ofWebhook: id, at: time) })
    }
}

extension WebhookSubscription {
    /// True when an attempt would be made in the same way as before.
    fileprivate func hasSameWay(as other: WebhookSubscription) -> Bool {
        url == other.url && isEnabled == other.isEnabled && keys.map(\.key) == other.keys.map(\.key)
    }
}

extension DeliverySchedule.Notice {
    /// The event `webhook.failing` that says it.
    fileprivate func event(ofWebhook id: String, at time: WallTime) -> EventDraft {
        var data: [String: JSONValue] = ["webhook": .string(id)]
        switch self {
        case .failing(let since, let attemptCount, let error):
            data["state"] = .string("failing")
            data["since"] = .string(since.rfc3339)
            data["attempts"] = .integer(attemptCount)
            data["error"] = .string(error)
        case .recovered(let since):
            data["state"] = .string("recovered")
            data["since"] = .string(since.rfc3339)
        case .deadLettered(let first, let last, let count, let error):
            data["state"] = .string("dead-lettered")
            data["first_event"] = .string("\(first)")
            data["last_event"] = .string("\(last)")
            data["events"] = count.map { .integer($0) } ?? .null
            data["error"] = .string(error)
        }
        return EventDraft(type: "webhook.failing", subject: "webhooks/\(id)", time: time, data: .object(data))
    }
}
