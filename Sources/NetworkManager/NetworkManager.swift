package import Routing
package import Store
import Synchronization
package import Time

// How this room works. Whoever changes a row of the gateway information table hands the transition to `receive`, from
// any thread; what the operator or others say comes by `order` and `report`. `StatusLedger` puts the transitions of
// each gateway in the order of its change counts and makes status changes of them, which wait in a queue for the one
// writer (`takePending`, then `noteCommitted` or `giveBack`); `GroupWatch` follows what that makes of the groups.
// `sweep`, which the owner calls four times a second, puts gateways back whose time value is reached, and compares
// the ledger with the table, which is right: a change whose transition never came is made up from it. It also asks
// `NetworkWatch` whether the fault may be our own. What routing data does to groups and gateways the writer asks
// before it commits them (`foresee`), so that it is told by the same commit. After a commit the writer calls
// `announce`, which wakes the subscribers; they read the events from the store themselves.

/// Receives every status change, hands it to the writer and wakes whoever waits for events.
package final class NetworkManager: Sendable {
    /// The newest call records.
    package let callLog: CallLog
    let table: GatewayInformationTable
    let snapshots: SnapshotCell
    let clock: any TimeSource
    private let state: Mutex<State>
    private let subscribers = Subscribers()
    private let wakeWriter = Mutex<(@Sendable () -> Void)?>(nil)
    private let tell = Mutex<(@Sendable (StatusChange) -> Void)?>(nil)

    /// What routing data does to groups and gateways.
    package struct Foresight {
        /// Of gateways that begin afresh and were out-of-service.
        package var changes: [StatusChange] = []
        /// Of groups.
        package var events: [EventDraft] = []
    }

    private struct State {
        var ledger: StatusLedger
        var groups = GroupWatch()
        var network = NetworkWatch()
        /// The routing data that the groups follow; ahead of what is in force while it is being committed.
        var followed: Revision?
        /// The routing data whose gateways the ledger holds.
        var kept: Revision?
        var pending: [StatusChange] = []
        /// Events that are no status change of a gateway.
        var events: [EventDraft] = []
        /// How many status changes were ever handed to the queue, and how many of them are on disk.
        var foundCount = 0
        var recordedCount = 0
        var waiting: [(count: Int, tell: @Sendable () -> Void)] = []
    }

    /// A network manager that knows each gateway's last status record.
    package convenience init(
        store: Store, table: GatewayInformationTable, snapshots: SnapshotCell, clock: any TimeSource
    ) throws(StoreError) {
        self.init(
            lastChanges: try store.lastStatusRecords().map(\.change), table: table, snapshots: snapshots, clock: clock)
    }

    /// The same, with the records themselves: the last of each gateway.
    package init(
        lastChanges: [StatusChange], table: GatewayInformationTable, snapshots: SnapshotCell, clock: any TimeSource
    ) {
        (self.table, self.snapshots, self.clock) = (table, snapshots, clock)
        callLog = CallLog(table: table, snapshots: snapshots, clock: clock)
        state = Mutex(State(ledger: StatusLedger(lastChanges: lastChanges)))
    }

    /// Takes status changes in from any thread, in the order in which one thread made them. Never waits for the disk.
    ///
    /// A transition of a gateway that is gone from the latest snapshot is dropped.
    ///
    /// - Parameters:
    ///   - name: the reporter's, where others saw it.
    ///   - note: what the operator says to it.
    package func receive(_ transitions: [StatusTransition], reportedBy name: String? = nil, note: String? = nil) {
        guard !transitions.isEmpty else { return }
        collect { state, snapshot in
            for transition in transitions {
                guard let gateway = snapshot.gateway(in: transition.slot) else { continue }
                if transition.before.status == .inService, transition.after.cause?.isSilence == true {
                    state.network.noteFall(of: transition.slot, at: transition.at)
                }
                state.ledger.receive(
                    transition, reportedBy: name, note: note, of: gateway, describe(snapshot), into: &state.pending)
            }
        }
    }

    /// Records time values that are reached (the method, step 3) and reconciles with the table: a change whose
    /// transition was lost is made up for. Called four times a second, by one thread.
    ///
    /// Costs a look at one word a row; the rest only for rows that have changed.
    package func sweep() {
        let now = clock.now
        recover(now)
        collect { state, snapshot in
            if state.kept != snapshot.revision {
                state.ledger.keepOnly { snapshot.gateway(in: $0) != nil }
                state.kept = snapshot.revision
            }
            for number in 0..<table.rowLimit {
                let index = UInt16(truncatingIfNeeded: number)
                let word = table.word(at: index)
                guard !state.ledger.isSettled(index, word),
                    let gateway = snapshot.gateway(in: GatewaySlot(index: index, generation: word.generation))
                else { continue }
                state.ledger.reconcile(gateway, with: word, at: now, describe(snapshot), into: &state.pending)
            }
        }
        watchNetwork(now)
    }

    private func recover(_ now: Instant) {
        let snapshot = snapshots.latest
        var due: [StatusTransition] = []
        for number in 0..<table.rowLimit {
            let index = UInt16(truncatingIfNeeded: number)
            let word = table.word(at: index)
            guard word.status == .outOfService, word.isUsable(at: now),
                let gateway = snapshot.gateway(in: GatewaySlot(index: index, generation: word.generation)),
                let transition = table.recoverIfDue(gateway.slot, recovery: gateway.gateway.recovery, now: now)
            else { continue }
            due.append(transition)
        }
        receive(due)
    }

    /// What `wakeWriter` was set to is called whenever something begins to wait for the writer.
    package func onPending(_ wakeWriter: @escaping @Sendable () -> Void) {
        self.wakeWriter.withLock { $0 = wakeWriter }
    }

    /// `tell` is called with each status change as it is found, before it is on disk and whether or not the disk takes
    /// it, from any thread. Must not block.
    package func onChange(_ tell: @escaping @Sendable (StatusChange) -> Void) {
        self.tell.withLock { $0 = tell }
    }

    /// The writer takes what waits, in order, at most so many.
    package func takePending(limitCount: Int) -> [StatusChange] {
        state.withLock { state in
            let taken = Array(state.pending.prefix(max(0, limitCount)))
            state.pending.removeFirst(taken.count)
            return taken
        }
    }

    /// The same, with the events that belong to none of them: all that wait.
    package func takePending(limitCount: Int, events: inout [EventDraft]) -> [StatusChange] {
        state.withLock { state in
            events += state.events
            state.events = []
            let taken = Array(state.pending.prefix(max(0, limitCount)))
            state.pending.removeFirst(taken.count)
            return taken
        }
    }

    /// Calls `tell` once, from any thread, when every status change that was found until now is on disk. It must not
    /// block.
    package func whenRecorded(_ tell: @escaping @Sendable () -> Void) {
        let isRecorded = state.withLock { state in
            if state.recordedCount >= state.foundCount { return true }
            state.waiting.append((state.foundCount, tell))
            return false
        }
        if isRecorded { tell() }
    }

    /// The writer could not commit them: they go back to the front.
    package func giveBack(_ changes: [StatusChange]) {
        state.withLock { $0.pending.insert(contentsOf: changes, at: 0) }
    }

    /// The writer has committed: from now on they are each gateway's last change.
    package func noteCommitted(_ changes: [StatusChange]) {
        let told = state.withLock { state in
            var waiting: Set<String>?  // made once, since very many may wait
            for change in changes where state.ledger.lastChange(of: change.gateway) != change {
                // Either a later one waits behind it, or it never came through here.
                let names = waiting ?? Set(state.pending.map(\.gateway))
                waiting = names
                if !names.contains(change.gateway) { state.ledger.noteLast(change) }
            }
            state.recordedCount += changes.count
            let told = state.waiting.filter { $0.count <= state.recordedCount }
            state.waiting.removeAll { $0.count <= state.recordedCount }
            return told
        }
        for waiting in told { waiting.tell() }
    }

    /// Something was committed that streams may want to see: wakes them all. Cannot block.
    package func announce() { subscribers.wakeAll() }

    /// Calls `wake` (from any thread, must not block) after each commit with events, until the subscription is ended.
    ///
    /// `wake` must not end a subscription itself.
    package func subscribe(_ wake: @escaping @Sendable () -> Void) -> EventSubscription { subscribers.add(wake) }

    /// Ends a subscription; `wake` is not called after this returns.
    package func end(_ subscription: EventSubscription) { subscribers.end(subscription) }

    /// The last change of a gateway, pending ones among them; nil when it never changed.
    package func lastChange(of gateway: String) -> StatusChange? {
        state.withLock { state in
            // A changed URI begins afresh at once, not with the next sweep.
            if let slot = state.ledger.slot(of: gateway), snapshots.latest.gateway(in: slot) == nil {
                return state.ledger.beginning(of: gateway)
            }
            return state.ledger.lastChange(of: gateway)
        }
    }

    /// How many status changes, and events of the network manager's own, wait for the writer.
    package var pendingCount: Int { state.withLock { $0.pending.count + $0.events.count } }

    /// The rows of gateways by name.
    func slots(of names: Set<String>, in snapshot: RoutingSnapshot) -> [String: GatewaySlot] {
        var found: [String: GatewaySlot] = [:]
        state.withLock { state in
            for name in names { found[name] = state.ledger.slot(of: name) }
        }
        guard !names.allSatisfy({ name in found[name].map { snapshot.gateway(in: $0) != nil } ?? false }) else {
            return found
        }
        // One of them is newer than the last sweep.
        for gateway in snapshot.gateways where names.contains(gateway.id) { found[gateway.id] = gateway.slot }
        return found
    }

    /// Lets `body` append to what waits; tells of what it appended, and wakes the writer for it.
    private func collect(_ body: (inout State, RoutingSnapshot) -> Void) {
        let (found, hasEvents) = state.withLock { state in
            let (before, eventCount) = (state.pending.count, state.events.count)
            let snapshot = snapshots.latest
            // Of what comes now, the groups must know whom it concerns.
            if state.followed.map({ $0 < snapshot.revision }) ?? true { followGroups(&state, snapshot) }
            body(&state, snapshot)
            let found = Array(state.pending[before...])
            state.foundCount += found.count
            for change in found { followGroups(of: change, &state, snapshot) }
            return (found, state.events.count > eventCount)
        }
        guard !found.isEmpty || hasEvents else { return }
        if let wake = wakeWriter.withLock({ $0 }) { wake() }
        if let tell = tell.withLock({ $0 }) { for change in found { tell(change) } }
    }

    private func describe(_ snapshot: RoutingSnapshot) -> StatusLedger.Description {
        StatusLedger.Description(revision: snapshot.revision, clock: clock)
    }

    // MARK: groups

    /// What routing data that is about to be committed does to groups and gateways, to be committed with it. Groups are
    /// followed by it from now on, so that what happens meanwhile is told in its place; then `confirm` or `forget`.
    ///
    /// - Parameter mayMoveGroups: whether it has other gateways, groups or defaults.
    package func foresee(_ next: RoutingSnapshot, mayMoveGroups: Bool = true) -> Foresight {
        state.withLock { state in
            let present = snapshots.latest
            guard mayMoveGroups || state.followed != present.revision else {
                state.followed = next.revision
                return Foresight()
            }
            if state.followed.map({ $0 < present.revision }) ?? true { followGroups(&state, present) }
            let eventCount = state.events.count
            let changes = beginnings(state.ledger, present, next)
            followGroups(&state, next)
            let events = Array(state.events[eventCount...])
            state.events.removeLast(events.count)
            state.foundCount += changes.count
            return Foresight(changes: changes, events: events)
        }
    }

    /// What was foreseen is committed; to be called before it is in force.
    package func confirm(_ foresight: Foresight) {
        guard !foresight.changes.isEmpty else { return }
        state.withLock { state in
            for change in foresight.changes { state.ledger.begin(with: change) }
        }
        noteCommitted(foresight.changes)
        if let tell = tell.withLock({ $0 }) { for change in foresight.changes { tell(change) } }
    }

    /// What was foreseen does not come.
    package func forget(_ foresight: Foresight) {
        state.withLock { state in
            state.foundCount -= foresight.changes.count
            let eventCount = state.events.count
            followGroups(&state, snapshots.latest)
            state.events.removeLast(state.events.count - eventCount)
        }
    }

    /// Gateways that were out-of-service and have another URI now: a change of status that the operator made.
    private func beginnings(
        _ ledger: StatusLedger, _ present: RoutingSnapshot, _ next: RoutingSnapshot
    ) -> [StatusChange] {
        var left: Set<String> = []
        for gateway in present.gateways where next.gateway(in: gateway.slot) == nil {
            if ledger.status(of: gateway) == .outOfService { left.insert(gateway.id) }
        }
        guard !left.isEmpty else { return [] }
        let time = clock.wallTime
        return next.gateways.compactMap { gateway in
            guard left.contains(gateway.id) else { return nil }
            return StatusChange(
                at: time, gateway: gateway.id, uri: gateway.uri, from: .outOfService, to: .inService,
                cause: .operatorWord, sipStatus: nil, timeValue: nil, reporter: StatusReporter.operatorWord.rawValue,
                callID: nil, revision: next.revision)
        }
    }

    /// Follows other routing data.
    private func followGroups(_ state: inout State, _ snapshot: RoutingSnapshot) {
        state.followed = snapshot.revision
        let (ledger, table) = (state.ledger, table)
        let changes = state.groups.rebuild(snapshot) { slot in
            let told = snapshot.gateway(in: slot).flatMap { ledger.status(of: $0) }
            return (told ?? table.status(of: slot).status) == .inService
        }
        for change in changes {
            state.events.append(
                NetworkManagerEvent.groupStatus(change, because: nil, at: clock.wallTime, revision: snapshot.revision))
        }
    }

    private func followGroups(of change: StatusChange, _ state: inout State, _ snapshot: RoutingSnapshot) {
        guard change.from != change.to, let slot = state.ledger.slot(of: change.gateway) else { return }
        for group in state.groups.note(slot, isInService: change.to == .inService) {
            state.events.append(
                NetworkManagerEvent.groupStatus(group, because: change, at: change.at, revision: change.revision))
        }
    }

    // MARK: our own network

    /// Asks whether the fault may be our own, and does what the setting says.
    private func watchNetwork(_ now: Instant) {
        let snapshot = snapshots.latest
        let isHolding = snapshot.settings.whenNetworkSuspected == .hold
        var undone: [StatusTransition] = []
        collect { state, _ in
            let finding = state.network.judge(snapshot, table, now: now)
            table.holdStatus(isHolding && state.network.suspectedSince != nil)
            guard let finding else { return }
            if finding.change == .suspected, isHolding {
                undone = finding.fallen.compactMap { table.undoFall($0, now: now) }
            }
            let names = finding.fallen.compactMap { snapshot.gateway(in: $0)?.id }.sorted()
            state.events.append(
                NetworkManagerEvent.network(finding, gateways: names, isHeld: isHolding, at: clock.wallTime(of: now)))
        }
        receive(undone)
    }
}
