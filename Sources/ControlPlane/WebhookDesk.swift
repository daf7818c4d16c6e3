import Addressing
import JSON
import NetworkManager
import Store
import Synchronization
import Time

/// The writer's side of webhooks: what is committed, the requests that wait, and the reports of deliveries.
///
/// The writer takes all of it into its next batch, so that a change of a webhook, its progress and the events that
/// tell of it are on disk together. Requests and reports come from any thread; `take`, `commit` and `fail` are the
/// writer's.
final class WebhookDesk: Sendable {
    typealias Answer = Result<WebhookResult, Refusal>

    /// A webhook and the turn that it is in.
    struct Entry {
        var webhook: StoredWebhook
        var turn: UInt64
    }

    /// One request and who waits for it.
    struct Waiting: Sendable {
        let request: WebhookRequest
        /// Nil: nobody whom the audit would name.
        var asker: TokenRegistry.Asker?
        let whenDone: @Sendable (Answer) -> Void
    }

    /// What goes into one commit.
    struct Batch {
        var effects: [WebhookEffect] = []
        var events: [EventDraft] = []
        fileprivate var after: [String: Entry] = [:]
        fileprivate var waiting: [Waiting] = []
        fileprivate var answers: [Answer] = []
        fileprivate var reports: [WebhookReport] = []
        fileprivate var lastTurn: UInt64 = 0

        /// A failure leaves something to be tried again.
        var hasReports: Bool { !reports.isEmpty }
    }

    /// More requests that wait are refused.
    static let waitingLimitCount = 1000

    private struct State {
        var committed: [String: Entry] = [:]
        var lastTurn: UInt64 = 0
        var waiting: [Waiting] = []
        var reports: [String: WebhookReport] = [:]
        var isStopped = false
        var dispatcher: WebhookDispatcher?
    }

    private let store: Store
    private let state = Mutex(State())
    private let networksRule = Mutex<@Sendable () -> [Network]>({ [] })

    /// Reads the webhooks that there are.
    init(store: Store) throws(StoreError) {
        self.store = store
        let webhooks = try store.webhooks()
        let newest = try store.newestEventNumber()
        state.withLock { Self.load(webhooks, newest: newest, into: &$0) }
    }

    /// The networks that webhooks may reach although they are not public.
    var networks: [Network] { networksRule.withLock { $0 }() }

    /// Where those networks are asked for.
    func setNetworks(_ networks: @escaping @Sendable () -> [Network]) { networksRule.withLock { $0 = networks } }

    /// The webhooks, by id (bytes).
    var webhooks: [StoredWebhook] {
        state.withLock { $0.committed.values.map(\.webhook) }.sorted {
            $0.id.utf8.lexicographicallyPrecedes($1.id.utf8)
        }
    }

    /// One webhook.
    func webhook(_ id: String) -> StoredWebhook? { entry(id)?.webhook }

    /// One webhook and its turn.
    func entry(_ id: String) -> Entry? { state.withLock { $0.committed[id] } }

    /// Who delivers; told of every change from now on.
    func attach(_ dispatcher: WebhookDispatcher?) {
        state.withLock { $0.dispatcher = dispatcher }
        tellDispatcher()
    }

    /// Who delivers.
    var dispatcher: WebhookDispatcher? { state.withLock { $0.dispatcher } }

    /// Takes a request in. False: answered at once, there is nothing for the writer to do.
    func add(_ waiting: Waiting) -> Bool {
        let refusal = state.withLock { state -> Refusal? in
            guard !state.isStopped else { return .readOnly("the server is stopping") }
            guard state.waiting.count < Self.waitingLimitCount else {
                var refusal = Refusal(.tooManyRequests, "\(Self.waitingLimitCount) requests wait already; come again.")
                refusal.retryAfterSeconds = 1
                return refusal
            }
            state.waiting.append(waiting)
            return nil
        }
        guard let refusal else { return true }
        waiting.whenDone(.failure(refusal))
        return false
    }

    /// Takes reports in. Those of one webhook become one.
    func add(_ reports: [WebhookReport]) { state.withLock { Self.merge(reports, into: &$0.reports, isOlder: false) } }

    /// The writer has ended: refuses what waits and what comes.
    func stop() {
        let waiting = state.withLock { state in
            state.isStopped = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiting in waiting { waiting.whenDone(.failure(.readOnly("the server is stopping"))) }
    }

    // MARK: the writer's

    /// Everything that waits, evaluated; `commit` or `fail` must follow.
    func take(at time: WallTime, revision: Int64) -> Batch {
        var batch = state.withLock { state in
            var batch = Batch()
            (batch.after, batch.lastTurn, batch.waiting) = (state.committed, state.lastTurn, state.waiting)
            batch.reports = state.reports.values.sorted { $0.id < $1.id }
            (state.waiting, state.reports) = ([], [:])
            return batch
        }
        for report in batch.reports {
            guard batch.after[report.id]?.turn == report.turn else { continue }
            batch.after[report.id]?.webhook.progress = report.progress
            batch.effects.append(.progress(id: report.id, report.progress, attempts: report.attempts))
            batch.events += report.events
        }
        for waiting in batch.waiting {
            let effectCount = batch.effects.count
            do throws(Refusal) {
                batch.answers.append(.success(try carryOut(waiting.request, in: &batch, at: time, revision: revision)))
                guard let asker = waiting.asker, batch.effects.count > effectCount else { continue }
                batch.effects.append(.audit(asker.entry(of: waiting.request, at: time)))
            } catch {
                batch.answers.append(.failure(error))
            }
        }
        return batch
    }

    /// The batch is on disk.
    func commit(_ batch: Batch) {
        guard !batch.effects.isEmpty || !batch.waiting.isEmpty else { return }
        let isChanged = state.withLock { state in
            let isChanged = batch.effects.contains { effect in
                if case .progress = effect { return false }
                return true
            }
            (state.committed, state.lastTurn) = (batch.after, batch.lastTurn)
            return isChanged
        }
        if isChanged { tellDispatcher() }
        for (waiting, answer) in zip(batch.waiting, batch.answers) { waiting.whenDone(answer) }
    }

    /// The batch was not written, as far as is known: reports are kept, whoever would have had success gets the
    /// refusal. What the store holds is read again, since it may have been written after all.
    func fail(_ batch: Batch, _ refusal: Refusal) {
        state.withLock { state in Self.merge(batch.reports, into: &state.reports, isOlder: true) }
        if !batch.waiting.isEmpty { reload() }
        for (waiting, answer) in zip(batch.waiting, batch.answers) {
            switch answer {
            case .success: waiting.whenDone(.failure(refusal))
            case .failure: waiting.whenDone(answer)
            }
        }
    }

    private func reload() {
        do throws(StoreError) {
            let webhooks = try store.webhooks()
            let newest = try store.newestEventNumber()
            let isChanged = state.withLock { state in
                let known = state.committed.mapValues { $0.webhook }
                let isSame = webhooks.count == known.count && webhooks.allSatisfy { known[$0.id] == $0 }
                if !isSame { Self.load(webhooks, newest: newest, into: &state) }
                return !isSame
            }
            if isChanged { tellDispatcher() }
        } catch {
            return  // all stays as it was, and so does what is delivered
        }
    }

    private static func load(_ webhooks: [StoredWebhook], newest: Int64, into state: inout State) {
        state.committed = [:]
        for var webhook in webhooks {
            // A database that was put back to an earlier state: to wait for that number would pass over what comes.
            webhook.progress.cursor = min(webhook.progress.cursor, newest)
            state.lastTurn &+= 1
            state.committed[webhook.id] = Entry(webhook: webhook, turn: state.lastTurn)
        }
    }

    private func tellDispatcher() {
        let (dispatcher, entries) = state.withLock { ($0.dispatcher, $0.committed.values.map { $0 }) }
        dispatcher?.update(entries.compactMap { $0.webhook.subscription(turn: $0.turn) })
    }

    private static func merge(
        _ reports: [WebhookReport], into kept: inout [String: WebhookReport], isOlder: Bool
    ) {
        for report in reports {
            guard let other = kept[report.id] else {
                kept[report.id] = report
                continue
            }
            var (early, late) = isOlder ? (report, other) : (other, report)
            // What was said of an earlier turn is still said; where it stood counts no longer.
            if early.turn == late.turn {
                let attempts = early.attempts + late.attempts
                late.attempts = Array(attempts.suffix(Store.webhookAttemptLimitCount))
                early.events += late.events
                late.events = Array(early.events.suffix(100))
            }
            kept[report.id] = late
        }
    }

    // MARK: one request

    private func carryOut(
        _ request: WebhookRequest, in batch: inout Batch, at time: WallTime, revision: Int64
    ) throws(Refusal) -> WebhookResult {
        let id = request.id
        let old = batch.after[id]
        switch request {
        case .put(_, let value, let precondition):
            try precondition.check(tag: old?.webhook.entityTag)
            return try set(id, value, in: &batch, at: time, revision: revision)
        case .patch(_, let value, let precondition):
            try precondition.check(tag: old?.webhook.entityTag)
            guard let old else { throw .noWebhook(id) }
            guard case .object = value else { throw .notAnObject }
            return try set(id, old.webhook.body.toCheck(after: value), in: &batch, at: time, revision: revision)
        case .delete(_, let precondition):
            try precondition.check(tag: old?.webhook.entityTag)
            guard old != nil else { throw .noWebhook(id) }
            batch.after[id] = nil
            batch.effects.append(.delete(id))
            return WebhookResult(outcome: .deleted, view: nil, revision: revision)
        case .replay(_, let after):
            guard var entry = old else { throw .noWebhook(id) }
            try checkKept(after)
            var progress = WebhookProgress(cursor: after)
            progress.deadLetterCount = entry.webhook.progress.deadLetterCount
            batch.lastTurn &+= 1
            (entry.webhook.progress, entry.turn) = (progress, batch.lastTurn)
            batch.after[id] = entry
            batch.effects.append(.put(entry.webhook))
            return WebhookResult(outcome: .replaced, view: entry.webhook.view(), revision: revision)
        }
    }

    private func set(
        _ id: String, _ value: JSONValue, in batch: inout Batch, at time: WallTime, revision: Int64
    ) throws(Refusal) -> WebhookResult {
        guard ResourcePath(.gateways, id).nameRule == nil else {
            throw Refusal(
                .invalid, "The id \(id.debugDescription) is none.",
                errors: [FieldError("", .string(id), "not an id", allowed: "^[a-z0-9][a-z0-9._-]{0,62}$")])
        }
        let presentURL = batch.after[id]?.webhook.body["url"]?.text
        let checked = try WebhookRules(networks: networks, presentURL: presentURL).check(value)
        guard var entry = batch.after[id] else {
            guard batch.after.count < WebhookRules.webhookLimitCount else {
                throw Refusal(.conflict, "\(WebhookRules.webhookLimitCount) webhooks are there; delete one first.")
            }
            let key = checked.key ?? WebhookKey((0..<32).map { _ in UInt8.random(in: .min ... .max) })
            let webhook = StoredWebhook(
                id: id, body: .object(checked.body), key: key, createdAt: time, updatedAt: time,
                progress: WebhookProgress(cursor: try newestEvent()))
            batch.lastTurn &+= 1
            batch.after[id] = Entry(webhook: webhook, turn: batch.lastTurn)
            batch.effects.append(.put(webhook))
            let view = webhook.view(exposing: checked.key == nil ? key : nil)
            return WebhookResult(outcome: .created, view: view, revision: revision)
        }
        let body = JSONValue.object(checked.body)
        let hasNewKey = checked.key.map { $0 != entry.webhook.key } ?? false
        guard body != entry.webhook.body || hasNewKey else {
            return WebhookResult(outcome: .unchanged, view: entry.webhook.view(), revision: revision)
        }
        entry.webhook.body = body
        entry.webhook.updatedAt = time
        if let key = checked.key, hasNewKey {
            entry.webhook.previousKey = (entry.webhook.key, time + WebhookRules.previousKeyDuration)
            entry.webhook.key = key
        }
        batch.after[id] = entry
        batch.effects.append(.put(entry.webhook))
        return WebhookResult(outcome: .replaced, view: entry.webhook.view(), revision: revision)
    }

    private func newestEvent() throws(Refusal) -> Int64 {
        do { return try store.newestEventNumber() } catch { throw .internalError(error.detail) }
    }

    private func checkKept(_ after: Int64) throws(Refusal) {
        let bounds: (oldest: Int64, newest: Int64)
        do { bounds = try store.eventBounds() } catch { throw .internalError(error.detail) }
        guard after < bounds.oldest - 1 || after > bounds.newest else { return }
        var refusal = Refusal(
            .gone,
            "Events \(bounds.oldest)...\(bounds.newest) are kept; replay after \(max(0, bounds.oldest - 1)) or "
                + "later.")
        refusal.extensions["oldest"] = .integer(bounds.oldest)
        refusal.extensions["newest"] = .integer(bounds.newest)
        throw refusal
    }
}

extension Refusal {
    static func noWebhook(_ id: String) -> Refusal { Refusal(.notFound, "There is no webhooks/\(id).") }
}

extension TokenRegistry.Asker {
    fileprivate func entry(of request: WebhookRequest, at time: WallTime) -> AuditEntry {
        let action =
            switch request {
            case .put: "put"
            case .patch: "patch"
            case .delete: "delete"
            case .replay: "replay"
            }
        return AuditEntry(
            at: time, who: who, requestID: requestID, action: action, subject: "webhooks/\(request.id)")
    }
}
