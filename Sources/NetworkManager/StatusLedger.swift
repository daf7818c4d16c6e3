import Routing
import Store
import Time

/// How far each gateway's status changes have been handed on: a row a gateway, by the row of the gateway information
/// table that the gateway holds.
///
/// Every change adds one to the row's change count (modulo 4096), so a transition says which place it has. One that
/// comes early is held until those before it have come; one that comes after its place was filled from the table is
/// dropped.
///
/// A change is one of status, cause and time value together: the operator's word on a gateway that is out already, and
/// the failure of a trial call, are changes from out-of-service to out-of-service. They become records, so that a
/// restart finds the cause and the time value that hold; a record never says what the one before it said.
struct StatusLedger {
    /// What turns a gateway's transition into a status change.
    struct Description {
        let revision: Revision
        let clock: any TimeSource
    }

    private struct Row {
        let gateway: String
        let uri: String
        /// The change count of the last change that was handed on.
        var count: UInt16 = 0
        /// The status after it.
        var status = GatewayStatus.inService
        /// Came early, by change count.
        var held: [UInt16: Held] = [:]
        /// The table's word when it was ahead at the last sweep.
        var ahead: StatusWord?
        var lastChange: StatusChange?
    }

    private struct Held {
        let transition: StatusTransition
        /// Who saw it, where others did.
        let name: String?
        /// What the operator says to it.
        let note: String?
    }

    private var rows: [GatewaySlot: Row] = [:]
    /// The words of the table, by row, that have been handed on whole.
    private var settled: [StatusWord?] = []
    private var slots: [String: GatewaySlot] = [:]
    /// Last changes from before the start, of gateways that were not seen since, or not since they have another URI.
    private var restored: [String: StatusChange] = [:]

    init(lastChanges: [StatusChange]) {
        for change in lastChanges { restored[change.gateway] = change }
    }

    func lastChange(of gateway: String) -> StatusChange? {
        guard let slot = slots[gateway] else { return restored[gateway] }
        return rows[slot]?.lastChange
    }

    /// The change that a gateway with another URI began with, until it is seen.
    func beginning(of gateway: String) -> StatusChange? { restored[gateway] }

    /// The row that a gateway was last seen in.
    func slot(of gateway: String) -> GatewaySlot? { slots[gateway] }

    /// The status that was last handed on, before the start too; nil: the gateway never changed.
    func status(of gateway: SnapshotGateway) -> GatewayStatus? {
        if let row = rows[gateway.slot] { return row.status }
        return restored[gateway.id].flatMap { $0.uri == gateway.uri ? $0.to : nil }
    }

    /// True when there is nothing to be said about a row of the table.
    func isSettled(_ index: UInt16, _ word: StatusWord) -> Bool {
        Int(index) < settled.count && settled[Int(index)] == word
    }

    /// A change that came another way.
    mutating func noteLast(_ change: StatusChange) {
        guard let slot = slots[change.gateway], rows[slot]?.uri == change.uri else { return }
        rows[slot]?.lastChange = change
    }

    /// The change that a gateway with another URI begins with.
    mutating func begin(with change: StatusChange) { restored[change.gateway] = change }

    /// Takes a transition in and appends the changes that it completes, in order.
    mutating func receive(
        _ transition: StatusTransition, reportedBy name: String? = nil, note: String? = nil,
        of gateway: SnapshotGateway, _ description: Description, into changes: inout [StatusChange]
    ) {
        var row = row(of: gateway)
        if Self.distance(from: row.count, to: transition.after.changeCount) > 0 {
            row.held[transition.after.changeCount] = Held(transition: transition, name: name, note: note)
            Self.handOn(&row, description, into: &changes)
        }
        rows[gateway.slot] = row
    }

    /// Compares the row with the table's word. What the word said at the last sweep and nobody has reported since is
    /// made up: as one change, from the status that was last handed on, or as none when it is the same again.
    mutating func reconcile(
        _ gateway: SnapshotGateway, with word: StatusWord, at now: Instant, _ description: Description,
        into changes: inout [StatusChange]
    ) {
        guard word.generation == gateway.slot.generation else { return }
        var row = row(of: gateway)
        if let missed = row.ahead {
            while Self.distance(from: row.count, to: missed.changeCount) > 0 {
                // The first that was held knows the word before it, which is the nearest to what is missing.
                let next = row.held.keys.min {
                    Self.distance(from: row.count, to: $0) < Self.distance(from: row.count, to: $1)
                }
                var known = missed
                if let before = next.flatMap({ row.held[$0]?.transition.before }),
                    Self.distance(from: before.changeCount, to: missed.changeCount) >= 0
                {
                    known = before
                }
                if Self.isNews(known, to: row, description) {
                    let change = Self.makeUp(known, from: row.status, row, at: now, description)
                    changes.append(change)
                    row.lastChange = change
                }
                (row.count, row.status) = (known.changeCount, known.status)
                row.held = row.held.filter { Self.distance(from: known.changeCount, to: $0.key) > 0 }
                Self.handOn(&row, description, into: &changes)
            }
        }
        row.ahead = Self.distance(from: row.count, to: word.changeCount) > 0 ? word : nil
        rows[gateway.slot] = row
        settle(gateway.slot.index, row.ahead == nil ? word : nil)
    }

    private mutating func settle(_ index: UInt16, _ word: StatusWord?) {
        while settled.count <= Int(index) { settled.append(nil) }
        settled[Int(index)] = word
    }

    /// True when a word that nobody reported says something that was not handed on: another status or, of a gateway
    /// that is out, another cause or time value.
    private static func isNews(_ word: StatusWord, to row: Row, _ description: Description) -> Bool {
        guard word.status == row.status else { return true }
        guard word.status == .outOfService, let last = row.lastChange else { return false }
        guard word.cause == last.cause, let timeValue = word.timeValue, let known = last.timeValue else {
            return word.cause != last.cause || (word.timeValue == nil) != (last.timeValue == nil)
        }
        let shown = description.clock.wallTime(of: timeValue)  // the wall clock may have been set a little
        return known + .seconds(1) < shown || shown + .seconds(1) < known
    }

    /// Forgets gateways that have gone.
    mutating func keepOnly(_ isPresent: (GatewaySlot) -> Bool) {
        for (slot, row) in rows where !isPresent(slot) {
            rows[slot] = nil
            if slots[row.gateway] == slot { slots[row.gateway] = nil }
        }
    }

    /// The row, or a new one for a gateway that is seen first.
    private mutating func row(of gateway: SnapshotGateway) -> Row {
        if let row = rows[gateway.slot] { return row }
        var row = Row(gateway: gateway.id, uri: gateway.uri)
        let last = restored.removeValue(forKey: gateway.id)
        if let last, last.uri == gateway.uri {
            (row.lastChange, row.status) = (last, last.to)
        }
        if let old = slots[gateway.id] { rows[old] = nil }
        slots[gateway.id] = gateway.slot
        return row
    }

    /// Hands on what was held, as far as nothing is missing.
    private static func handOn(_ row: inout Row, _ description: Description, into changes: inout [StatusChange]) {
        while let next = row.held.removeValue(forKey: (row.count &+ 1) % StatusWord.changeCountModulus) {
            let change = change(next, row, description)
            changes.append(change)
            (row.count, row.status, row.lastChange) = (next.transition.after.changeCount, change.to, change)
        }
    }

    private static func change(_ held: Held, _ row: Row, _ description: Description) -> StatusChange {
        let transition = held.transition
        var change = StatusChange(
            at: description.clock.wallTime(of: transition.at), gateway: row.gateway, uri: row.uri,
            from: transition.before.status, to: transition.after.status, cause: transition.after.cause ?? .reported,
            sipStatus: transition.sipStatus == 0 ? nil : Int(transition.sipStatus),
            timeValue: transition.after.timeValue.map { description.clock.wallTime(of: $0) },
            reporter: held.name ?? transition.reporter.rawValue,
            callID: transition.callID.isEmpty ? nil : transition.callID.string, revision: description.revision)
        change.note = held.note
        return change
    }

    private static func makeUp(
        _ word: StatusWord, from: GatewayStatus, _ row: Row, at now: Instant, _ description: Description
    ) -> StatusChange {
        let cause = word.cause ?? .reported
        return StatusChange(
            at: description.clock.wallTime(of: now), gateway: row.gateway, uri: row.uri, from: from, to: word.status,
            cause: cause, sipStatus: nil, timeValue: word.timeValue.map { description.clock.wallTime(of: $0) },
            reporter: reporter(of: cause), callID: nil, revision: description.revision)
    }

    /// Who usually sees such a cause: the table keeps the cause alone.
    private static func reporter(of cause: StatusCause) -> String {
        switch cause {
        case .noResponse, .transportError, .failureResponse, .retryAfter, .trialAnswered, .callAnswered:
            StatusReporter.call.rawValue
        case .probeNoResponse, .probeFailureResponse, .probeAnswered: StatusReporter.probe.rawValue
        case .timeValueReached: StatusReporter.clock.rawValue
        case .operatorWord: StatusReporter.operatorWord.rawValue
        case .reported, .reportedNoResponse: StatusReporter.reported.rawValue
        }
    }

    /// How many changes `later` lies behind `earlier`, on the circle of change counts; negative when it lies before.
    private static func distance(from earlier: UInt16, to later: UInt16) -> Int {
        let modulus = Int(StatusWord.changeCountModulus)
        let forward = (Int(later) - Int(earlier) + modulus) % modulus
        return forward < modulus / 2 ? forward : forward - modulus
    }
}
