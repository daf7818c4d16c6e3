import NetworkManager
import Routing
import Store
import Synchronization
import Time

/// The one thread that changes anything: takes what waits, evaluates, commits once, swaps, announces, answers.
final class Writer: Sendable {
    /// How many changes share one commit at most.
    static let changesAtOnce = 256
    /// How many status changes share one commit at most.
    static let statusChangesAtOnce = 4096
    /// How long after a change that the disk did not take it is looked at again.
    static let readOnlyPauseMilliseconds = 1000
    /// How often a batch is evaluated again because the log had moved on.
    static let staleLimitCount = 3

    /// How many status records, and how many events, go at once at most, and how long after that the next may.
    static let retiredAtOnce = 1000
    static let retirementPause = Duration.seconds(60)

    let inbox = Inbox()

    private let store: Store
    private let changeLog: any ChangeLog
    private let table: GatewayInformationTable
    private let snapshots: SnapshotCell
    private let networkManager: NetworkManager
    private let clock: any TimeSource
    private let committed: Mutex<CommittedState>
    private let readOnly: Mutex<String?>
    private let announcements = Mutex<[EventDraft]>([])
    private let webhooks: WebhookDesk
    private let retireAt = Mutex(Instant(nanoseconds: .min))
    private let deadlines: ConfirmationDeadlines
    private let counted: Mutex<WriterFigures>

    init(
        store: Store, changeLog: any ChangeLog, table: GatewayInformationTable, snapshots: SnapshotCell,
        networkManager: NetworkManager, webhooks: WebhookDesk, clock: any TimeSource, state: CommittedState
    ) {
        self.webhooks = webhooks
        (self.store, self.changeLog, self.table, self.snapshots) = (store, changeLog, table, snapshots)
        (self.networkManager, self.clock) = (networkManager, clock)
        deadlines = ConfirmationDeadlines(clock: clock)
        committed = Mutex(state)
        readOnly = Mutex(store.refusal)
        counted = Mutex(WriterFigures(snapshotAt: clock.wallTime))
    }

    /// What is on disk and in force.
    var state: CommittedState { committed.withLock { $0 } }

    /// What was counted.
    var figures: WriterFigures { counted.withLock { $0 } }

    /// Why no change is taken at present.
    var readOnlyReason: String? { readOnly.withLock { $0 } }

    /// Commits an event of its own with the next batch.
    func announce(_ event: EventDraft) {
        announcements.withLock { $0.append(event) }
        inbox.noteStatusChanges()
    }

    /// Works until the inbox is stopped and empty. One thread runs this, once.
    func run() {
        var backOffMilliseconds: UInt64 = 0
        var superseded = 0
        while true {
            let pause = superseded > 0 ? 50 : pauseMilliseconds
            let delivery = inbox.next(limitCount: Self.changesAtOnce, within: pause)
            if delivery == nil, superseded == 0 { seeWhetherTheDiskIsWell() }
            let isWell = delivery.map { carryOut($0.changes) } ?? takeBackWhatIsDue()
            if delivery != nil || !isWell {
                if isWell, backOffMilliseconds > 0 { inbox.releaseStatusChanges() }
                backOffMilliseconds = isWell ? 0 : min(max(100, backOffMilliseconds * 2), 5000)
                if isWell { retireWhatIsOld() }
                if !isWell { inbox.holdStatusChanges(milliseconds: backOffMilliseconds) }
                if delivery?.isLast == true, !isWell || networkManager.pendingCount == 0 { return }
            }
            superseded = snapshots.reclaim()
        }
    }

    /// Whoever waits for readiness may have no change to try.
    private func seeWhetherTheDiskIsWell() {
        guard readOnlyReason != nil, changeLog.readOnlyReason() == nil else { return }
        readOnly.withLock { $0 = nil }
        inbox.releaseStatusChanges()
    }

    /// Lets go of status records and events that are older than the settings say: some at a time, and now and then.
    private func retireWhatIsOld() {
        let now = clock.now
        guard retireAt.withLock({ $0 <= now }) else { return }
        let limit = clock.wallTime + .seconds(-86_400 * Int64(state.settings.statusRecordDays))
        var pause = Self.retirementPause
        do {
            let counts = [
                try store.retireStatusRecords(before: limit, limitCount: Self.retiredAtOnce),
                try store.retireEvents(before: limit, limitCount: Self.retiredAtOnce),
            ]
            if counts.contains(Self.retiredAtOnce) { pause = .seconds(1) }
        } catch {
            pause = Self.retirementPause  // nothing went; the next commit will tell what ails the disk
        }
        retireAt.withLock { $0 = now + pause }
    }

    // MARK: what waits

    /// Carries out all that waits in its order, as few batches as that takes. False: something is left to be tried
    /// again.
    private func carryOut(_ waiting: [Inbox.Waiting]) -> Bool {
        var isWell = takeBackWhatIsDue()
        for part in Self.parts(of: waiting) {
            if part.first?.change.isDryRun == true {
                if store.position != state.position { _ = reload() }
                answer(part, evaluate(part).answers)
            } else if !commit(part) {
                isWell = false
            }
        }
        return isWell
    }

    /// What goes into one batch: a dry run is on its own, and so is what is done by looking at what is committed.
    private static func parts(of waiting: [Inbox.Waiting]) -> [[Inbox.Waiting]] {
        var parts: [[Inbox.Waiting]] = []
        var isOpen = false
        for next in waiting {
            let isAlone = next.change.isDryRun || next.change.aim != .operations
            if isOpen, !isAlone { parts[parts.count - 1].append(next) } else { parts.append([next]) }
            isOpen = !isAlone
        }
        return parts.isEmpty ? [[]] : parts
    }

    /// How long to wait for something to do at most; nil: as long as it takes.
    private var pauseMilliseconds: Int? {
        let untilDue = deadlines.pauseMilliseconds(state.confirmations)
        return readOnlyReason == nil ? untilDue : min(untilDue ?? .max, Self.readOnlyPauseMilliseconds)
    }

    /// Takes back the changes that nobody confirmed in time. False: one is left to be tried again.
    private func takeBackWhatIsDue() -> Bool {
        var isWell = true
        for revision in deadlines.due(state.confirmations) {
            var change = Change(
                .goBack(revision), who: "tandem", comment: "revision \(revision.number) was not confirmed in time")
            change.overridesTests = true
            let waiting = Inbox.Waiting(change: change, since: clock.now) { [deadlines] result in
                if case .failure(let refusal) = result { deadlines.note(refusal.detail, against: revision) }
            }
            if !commit([waiting]) { isWell = false }
        }
        return isWell
    }

    /// Why a change that nobody confirmed in time is there still; nil: its time has not come, or it is not.
    func obstacle(toGoingBack revision: Revision) -> String? { deadlines.obstacle(to: revision) }

    // MARK: one batch

    private typealias Answer = Result<ChangeResult, Refusal>

    /// Commits what waits in one batch and answers everyone. False: something is left to be tried again.
    private func commit(_ waiting: [Inbox.Waiting]) -> Bool {
        if store.position != state.position { _ = reload() }  // a refusal must speak of what is, too
        var events = announcements.withLock { list in
            defer { list = [] }
            return list
        }
        let status = networkManager.takePending(limitCount: Self.statusChangesAtOnce, events: &events)
        let desk = webhooks.take(at: clock.wallTime, revision: state.position.revision.number)
        for _ in 0...Self.staleLimitCount {
            var (candidate, answers) = evaluate(waiting)
            let snapshot = candidate.entries.isEmpty ? nil : candidate.snapshot()
            let foreseen = snapshot.map {
                networkManager.foresee($0, mayMoveGroups: candidate.entries.mayMoveGroups)
            }
            var batch = CommitBatch(
                base: candidate.base, changes: candidate.entries, statusChanges: status + (foreseen?.changes ?? []),
                events: events + (foreseen?.events ?? []) + desk.events, webhooks: desk.effects)
            batch.settlements = candidate.settlements
            batch.answers = zip(waiting, answers).compactMap { $1.isSuccess ? $0.change.answer : nil }
            if batch.isEmpty {
                webhooks.commit(desk)
                answer(waiting, answers)
                return true
            }
            let outcome = append(batch)
            if let foreseen, !outcome.isAppended { networkManager.forget(foreseen) }
            switch outcome {
            case .appended(let position):
                if let foreseen { networkManager.confirm(foreseen) }
                putInForce(candidate.state(at: position), snapshot, status)
                webhooks.commit(desk)
                countChanges(waiting, answers)
                answer(waiting, answers)
                return true
            case .stale:
                guard reload() else {
                    return fail(waiting, answers, status, events, desk, .internalError("The database can't be read."))
                }
            case .unavailable(let reason):
                return fail(waiting, answers, status, events, desk, .noQuorum(reason))
            case .readOnly(let reason):
                readOnly.withLock { $0 = reason }
                return fail(waiting, answers, status, events, desk, .readOnly(reason))
            case .unknown(let reason):
                return settle(waiting, answers, status, events, desk, reason)
            }
        }
        let late = Refusal.noQuorum("Others keep changing the data.")
        return fail(waiting, evaluate(waiting).answers, status, events, desk, late)
    }

    private func evaluate(_ waiting: [Inbox.Waiting]) -> (candidate: Candidate, answers: [Answer]) {
        let state = self.state
        let store = store
        var candidate = Candidate(
            state, table: table, read: { (path) throws(StoreError) in try store.object(path).value },
            readGateways: { () throws(StoreError) in
                try store.objects(.gateways, plan: nil, idPrefix: nil, after: nil, limit: .max).value
            })
        let time = clock.wallTime
        let answers = waiting.map { waiting -> Answer in
            do throws(Refusal) {
                let differences = try waiting.change.differences(in: store, at: state)
                return .success(try candidate.take(waiting.change, doing: differences, at: time))
            } catch {
                return .failure(error)
            }
        }
        return (candidate, answers)
    }

    private func append(_ batch: CommitBatch) -> AppendOutcome {
        let began = clock.now
        let outcome = changeLog.append(batch)
        let taken = clock.now - began
        counted.withLock { $0.commits.count(taken) }
        return outcome
    }

    private func countChanges(_ waiting: [Inbox.Waiting], _ answers: [Answer]) {
        let now = clock.now
        counted.withLock { figures in
            for (waiting, answer) in zip(waiting, answers) where answer.isSuccess {
                figures.changes.count(now - waiting.since)
            }
        }
    }

    private func show(_ snapshot: RoutingSnapshot) {
        snapshots.swap(to: snapshot)
        let time = clock.wallTime
        counted.withLock { $0.snapshotAt = time }
    }

    /// The batch is on disk: shows it to calls, then to subscribers. Nothing here can fail.
    private func putInForce(_ state: CommittedState, _ snapshot: RoutingSnapshot?, _ status: [StatusChange]) {
        var state = state
        state.builder.settle()
        let settled = state
        committed.withLock { $0 = settled }
        if let snapshot { show(snapshot) }
        readOnly.withLock { $0 = nil }
        networkManager.noteCommitted(status)
        networkManager.announce()
        if networkManager.pendingCount > 0 { inbox.noteStatusChanges() }
    }

    private func answer(_ waiting: [Inbox.Waiting], _ answers: [Answer]) {
        for (waiting, answer) in zip(waiting, answers) { waiting.whenDone(answer) }
    }

    // MARK: when it did not go well

    /// Nothing was written: status changes and events are kept; whoever would have had success gets the refusal.
    private func fail(
        _ waiting: [Inbox.Waiting], _ answers: [Answer], _ status: [StatusChange], _ events: [EventDraft],
        _ desk: WebhookDesk.Batch, _ refusal: Refusal
    ) -> Bool {
        networkManager.giveBack(status)
        webhooks.fail(desk, refusal)
        announcements.withLock { $0 = events + $0 }
        let stands = standing(answers, of: waiting)
        answer(waiting, zip(answers, stands).map { !$1 || $0.isSuccess ? .failure(refusal) : $0 })
        return status.isEmpty && events.isEmpty && !desk.hasReports
    }

    /// Which refusals hold although nothing of the batch was written: one may rest on a change before it in the batch.
    private func standing(_ answers: [Answer], of waiting: [Inbox.Waiting]) -> [Bool] {
        let firstSuccess = answers.firstIndex { $0.isSuccess } ?? answers.count
        return answers.indices.map { index in
            guard index > firstSuccess, !answers[index].isSuccess else { return true }
            return !(evaluate([waiting[index]]).answers.first?.isSuccess ?? true)
        }
    }

    /// It can't be told whether the batch was taken. The store is asked; clients are told the truth: that we don't
    /// know.
    private func settle(
        _ waiting: [Inbox.Waiting], _ answers: [Answer], _ status: [StatusChange], _ events: [EventDraft],
        _ desk: WebhookDesk.Batch, _ reason: String
    ) -> Bool {
        let before = state.position
        let refusal = Refusal.outcomeUnknown(reason)
        let isTaken = reload() && (state.position != before || (status.first.map(isStored) ?? false))
        guard isTaken else { return fail(waiting, answers, status, events, desk, refusal) }
        webhooks.fail(desk, refusal)  // what is read again may show that it was taken; a report is good twice
        networkManager.noteCommitted(status)
        networkManager.announce()
        answer(waiting, answers.map { $0.isSuccess ? .failure(refusal) : $0 })
        return true
    }

    private func isStored(_ change: StatusChange) -> Bool {
        var query = StatusRecordQuery()
        query.gateways = [change.gateway]
        query.from = change.at
        query.limitCount = 1000
        do {
            return try store.statusRecords(query).contains { $0.change == change }
        } catch {
            return false
        }
    }

    /// Takes over what the store holds. False: it can't be read; all stays as it was.
    private func reload() -> Bool {
        var state = self.state
        do {
            let loaded = try state.builder.load(from: store, table: table)
            (state.settings, state.tests) = (loaded.settings, loaded.tests)
            state.confirmations = try PendingConfirmations(from: store)
            state.position = store.position
            let snapshot = state.builder.snapshot(revision: loaded.revision)
            committed.withLock { $0 = state }
            show(snapshot)
            return true
        } catch {
            return false
        }
    }
}

extension CommitBatch {
    fileprivate var isEmpty: Bool {
        changes.isEmpty && statusChanges.isEmpty && events.isEmpty && webhooks.isEmpty && answers.isEmpty
            && settlements.isEmpty
    }
}

extension AppendOutcome {
    fileprivate var isAppended: Bool {
        guard case .appended = self else { return false }
        return true
    }
}

extension Result {
    fileprivate var isSuccess: Bool {
        switch self {
        case .success: true
        case .failure: false
        }
    }
}

extension Refusal {
    static func internalError(_ detail: String) -> Refusal { Refusal(.internalError, detail) }

    static func noRevision(_ revision: Revision, last: Revision) -> Refusal {
        Refusal(.notFound, "There is no revision \(revision.number); the last one is \(last.number).")
    }

    static func noQuorum(_ reason: String) -> Refusal {
        var refusal = Refusal(.noQuorum, "The order of changes can't be reached, nothing was changed: \(reason)")
        refusal.retryAfterSeconds = 1
        return refusal
    }

    static func readOnly(_ reason: String) -> Refusal {
        var refusal = Refusal(.readOnly, "Nothing can be written, nothing was changed: \(reason)")
        refusal.retryAfterSeconds = 10
        return refusal
    }

    static func outcomeUnknown(_ reason: String) -> Refusal {
        var refusal = Refusal(
            .outcomeUnknown, "Whether the change was taken can't be told; look at the object: \(reason)")
        refusal.retryAfterSeconds = 1
        return refusal
    }
}
