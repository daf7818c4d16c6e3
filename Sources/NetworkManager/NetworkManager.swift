package import Routing
package import Store
import Synchronization
package import Time

// How this room works. Whoever changes a row of the gateway information table hands the transition to `receive`, from
// any thread. `StatusLedger` puts the transitions of each gateway in the order of its change counts and makes status
// changes of them, which wait in a queue for the one writer (`takePending`, then `noteCommitted` or `giveBack`).
// `sweep`, which the owner calls four times a second, puts gateways back whose time value is reached, and compares
// the ledger with the table, which is right: a change whose transition never came is made up from it. After a commit
// the writer calls `announce`, which wakes the subscribers; they read the events from the store themselves.

/// Receives every status change, hands it to the writer and wakes whoever waits for events.
package final class NetworkManager: Sendable {
    private let table: GatewayInformationTable
    private let snapshots: SnapshotCell
    private let clock: any TimeSource
    private let state: Mutex<State>
    private let subscribers = Subscribers()
    private let wakeWriter = Mutex<(@Sendable () -> Void)?>(nil)
    private let tell = Mutex<(@Sendable (StatusChange) -> Void)?>(nil)

    private struct State {
        var ledger: StatusLedger
        var pending: [StatusChange] = []
    }

    /// A network manager that knows each gateway's last status record.
    package init(
        store: Store, table: GatewayInformationTable, snapshots: SnapshotCell, clock: any TimeSource
    ) throws(StoreError) {
        (self.table, self.snapshots, self.clock) = (table, snapshots, clock)
        state = Mutex(State(ledger: StatusLedger(lastChanges: try store.lastStatusRecords().map(\.change))))
    }

    /// Takes status changes in from any thread, in the order in which one thread made them. Never waits for the disk.
    ///
    /// A transition of a gateway that is gone from the latest snapshot is dropped.
    package func receive(_ transitions: [StatusTransition]) {
        guard !transitions.isEmpty else { return }
        collect { state, snapshot in
            for transition in transitions {
                guard let gateway = snapshot.gateway(in: transition.slot) else { continue }
                state.ledger.receive(transition, of: gateway, describe(snapshot), into: &state.pending)
            }
        }
    }

    /// Records time values that are reached (the method, step 3) and reconciles with the table: a change whose
    /// transition was lost is made up for. Called four times a second, by one thread.
    package func sweep() {
        let now = clock.now
        let due = snapshots.latest.gateways.compactMap { table.recoverIfDue($0.slot, now: now) }
        receive(due)
        collect { state, snapshot in
            state.ledger.keepOnly { snapshot.gateway(in: $0) != nil }
            for gateway in snapshot.gateways {
                state.ledger.reconcile(
                    gateway, with: table.status(of: gateway.slot), at: now, describe(snapshot), into: &state.pending)
            }
        }
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

    /// The writer could not commit them: they go back to the front.
    package func giveBack(_ changes: [StatusChange]) {
        state.withLock { $0.pending.insert(contentsOf: changes, at: 0) }
    }

    /// The writer has committed: from now on they are each gateway's last change.
    package func noteCommitted(_ changes: [StatusChange]) {
        state.withLock { state in
            var waiting: Set<String>?  // made once, since very many may wait
            for change in changes where state.ledger.lastChange(of: change.gateway) != change {
                // Either a later one waits behind it, or it never came through here.
                let names = waiting ?? Set(state.pending.map(\.gateway))
                waiting = names
                if !names.contains(change.gateway) { state.ledger.noteLast(change) }
            }
        }
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
            if let slot = state.ledger.slot(of: gateway), snapshots.latest.gateway(in: slot) == nil { return nil }
            return state.ledger.lastChange(of: gateway)
        }
    }

    /// How many status changes wait for the writer.
    package var pendingCount: Int { state.withLock { $0.pending.count } }

    /// Lets `body` append to what waits; tells of what it appended, and wakes the writer for it.
    private func collect(_ body: (inout State, RoutingSnapshot) -> Void) {
        let found = state.withLock { state in
            let before = state.pending.count
            body(&state, snapshots.latest)
            return Array(state.pending[before...])
        }
        guard !found.isEmpty else { return }
        if let wake = wakeWriter.withLock({ $0 }) { wake() }
        if let tell = tell.withLock({ $0 }) { for change in found { tell(change) } }
    }

    private func describe(_ snapshot: RoutingSnapshot) -> StatusLedger.Description {
        StatusLedger.Description(revision: snapshot.revision, clock: clock)
    }
}
