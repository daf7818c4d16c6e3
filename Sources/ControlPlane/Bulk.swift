import Dispatch
import JSON
import Routing
import Store
import Synchronization
import Time

// How a bulk goes. Its pieces come from HTTPAPI and are read on a queue of the bulk's own onto a stage of its own, so
// that a client may be as slow as it likes; nobody waits for it. When all is there, one bulk at a time is compared with
// the live routes, and written beside them when it is large. Only its last step is a change that goes through the
// writer: what others did meanwhile is caught up with, and what was prepared is put in force.

/// The routes of a plan, or all routing data, as one client sends them: one change, all or nothing.
package final class Bulk: @unchecked Sendable, Equatable {
    /// So many are under way at most.
    package static let limitCount = 8

    let order: BulkOrder
    let stage: RouteStage
    /// Everything below belongs to the queue, and then to the writer while `finish` waits for it.
    private let queue = DispatchQueue(label: "tandem-bulk")
    private let plane: ControlPlane
    private var intake: RouteIntake
    private var csv: RouteCSV?
    private var lines: RouteLines?
    private var export: ExportLines?
    private var failure: StoreError?
    private var hasEnded = false
    let merging = RouteMerging()

    /// The lists that its routes lead to.
    var lists: Set<String> { intake.lists }

    init(_ order: BulkOrder, _ stage: RouteStage, _ plane: ControlPlane) {
        (self.order, self.stage, self.plane) = (order, stage, plane)
        switch order.subject {
        case .routes(let plan, let form):
            let number = stage.addPlan(plan, as: order.replaces ? .replace : .merge)
            intake = RouteIntake(stage, plan: number, of: order.replaces ? .table : .merging)
            if form == .csv { csv = RouteCSV() } else { lines = RouteLines() }
        case .everything:
            intake = RouteIntake(stage, plan: -1, of: .export)
            export = ExportLines(mode: order.replaces ? .replace : .put)
        }
    }

    /// The same object.
    package static func == (left: Bulk, right: Bulk) -> Bool { left === right }

    /// Takes the next piece of the body in; `whenTaken` is called once that is done, from another thread, and must not
    /// block.
    package func receive(_ piece: [UInt8], whenTaken: @escaping @Sendable () -> Void) {
        queue.async { [self] in
            take(piece, isLast: false)
            whenTaken()
        }
    }

    /// The body is whole: carries the bulk out. `whenDone` is called once, from another thread, and must not block:
    /// with success only after it is on disk and in force for the next call.
    package func finish(whenDone: @escaping @Sendable (Result<BulkResult, Refusal>) -> Void) {
        queue.async { [self] in
            guard !hasEnded else { return }
            hasEnded = true
            take([], isLast: true)
            do throws(Refusal) {
                try endReceiving()
            } catch {
                discard()
                return whenDone(.failure(error))
            }
            plane.bulkQueue.async { [self] in
                whenDone(Result { () throws(Refusal) in try carryOut() })
                discard()
            }
        }
    }

    /// The client has gone before its body was whole.
    package func abandon() {
        queue.async { [self] in
            guard !hasEnded else { return }
            hasEnded = true
            discard()
        }
    }

    // MARK: its steps

    private func take(_ piece: [UInt8], isLast: Bool) {
        guard failure == nil else { return }
        let result = piece.withUnsafeBytes { piece in
            Result { () throws(StoreError) in
                try csv?.take(piece, isLast: isLast, into: &intake)
                try lines?.take(piece, isLast: isLast, into: &intake)
                try export?.take(piece, isLast: isLast, into: &intake)
            }
        }
        if case .failure(let error) = result { failure = error }
    }

    private func endReceiving() throws(Refusal) {
        if let failure { throw Refusal(staging: failure) }
        let column = place(of: "prefix")
        if let csv { merging.column = { csv.place(of: $0) } }
        try Refusal.staging { () throws(StoreError) in
            for repetition in try stage.endReceiving(limit: BulkFaults.limitCount) {
                let name = repetition.prefix.isEmpty ? Prefix.catchAllName : repetition.prefix
                intake.note(
                    RouteRules.badPrefix(.string(name), "it stands in line \(repetition.firstLine) already"),
                    ofRouteIn: repetition.plan, line: repetition.line, column: column)
            }
        }
        try check(beside: plane.state.builder)
    }

    /// Throws when something that its objects refer to is neither among them nor, where others stay, among the others.
    ///
    /// Asked again in its last step, since the others may have changed meanwhile.
    func check(beside builder: SnapshotBuilder) throws(Refusal) {
        let others = order.subject == .everything && order.replaces ? nil : builder
        export?.objects.check(beside: others, faults: &intake.faults)
        let objects = export?.objects
        func exists(_ kind: ResourceKind, _ id: String) -> Bool {
            objects?.holds(ResourcePath(kind, id)) == true || others?.contains(kind, id) == true
        }
        try notePlans { exists(.routingPlans, $0) }
        try noteMissingLists { exists(.routingLists, $0) }
        if let refusal = intake.faults.refusal { throw refusal }
    }

    /// Notes every plan that is not there and has routes all the same.
    private func notePlans(_ exists: (String) -> Bool) throws(Refusal) {
        guard let export else { return }
        try Refusal.staging { () throws(StoreError) in
            for (plan, number) in export.plans where !exists(plan) {
                guard let line = try stage.firstLine(of: number) else { continue }
                let error = FieldError(
                    "/path", .string(ResourcePath(.routingPlans, plan).text), "no such routing plan",
                    allowed: "routes of a plan that has a line of its own, or is there and stays")
                intake.faults.note(error, line: line, column: nil)
            }
        }
    }

    /// Notes every line that leads to a list that is not there.
    private func noteMissingLists(_ exists: (String) -> Bool) throws(Refusal) {
        let missing = lists.filter { !exists($0) }
        guard !missing.isEmpty else { return }
        let column = place(of: "routing_list")
        try Refusal.staging { () throws(StoreError) in
            for (line, list) in try stage.lines(leadingTo: missing.sorted(), limit: BulkFaults.limitCount) {
                intake.note(
                    FieldError(
                        "/routing_list", .string(list), "no such \(ResourceKind.routingLists.singular)",
                        allowed: FieldRule.reference(.routingLists).allowed), line: line
                ) { _ in column }
            }
        }
    }

    private func place(of field: String) -> Int? { csv?.place(of: field) }

    private func carryOut() throws(Refusal) -> BulkResult {
        for plan in plansToEmpty(plane.state.builder) { _ = stage.addPlan(plan, as: .replace) }
        try Refusal.staging { () throws(StoreError) in try stage.resolve(merge: merging.merge) }
        if let refusal = merging.faults.refusal { throw refusal }
        let result = try plane.carryOut(change, building: stage)
        return BulkResult(revision: result.revision, counts: stage.counts, countsByKind: result.counts)
    }

    private var change: Change {
        let asker = order.asker
        var change = Change(.bulk(self), who: asker.who, comment: order.comment, requestID: asker.requestID)
        (change.overridesTests, change.isDryRun) = (order.overridesTests, order.isDryRun)
        return change
    }

    /// The plans with routes that a bulk of everything does not name.
    private func plansToEmpty(_ builder: SnapshotBuilder) -> [String] {
        guard order.subject == .everything, order.replaces else { return [] }
        let known = Set(stage.planIDs)
        return builder.plansWithRoutes.filter { !known.contains($0) }
    }

    /// What can't be deleted of it, rows that nobody sees, goes at the next start.
    private func discard() {
        _ = Result { () throws(StoreError) in try plane.store.discard(stage) }
        plane.endBulk()
    }

    // MARK: its last step, on the writer's thread

    /// Catches up with what others did since it was compared; throws when it can't be put in force any more.
    ///
    /// - Returns: how the objects beside routes differ from what they will be.
    func catchUp(with store: Store, _ builder: SnapshotBuilder) throws(Refusal) -> [Difference] {
        try stage.catchUp(with: store, emptying: plansToEmpty(builder), merge: merging.merge)
        if let refusal = merging.faults.refusal { throw refusal }
        guard let objects = export?.objects else { return [] }
        return try Refusal.staging { () throws(StoreError) in
            try objects.differences(from: store, deletingOthers: order.replaces)
        }
    }
}

extension Refusal {
    /// A bulk can't be put beside the live data.
    init(staging error: StoreError) {
        self = error.reason == .unwritable ? .readOnly(error.detail) : .internalError(error.detail)
    }

    static func staging<Value>(_ body: () throws(StoreError) -> Value) throws(Refusal) -> Value {
        do { return try body() } catch { throw Refusal(staging: error) }
    }
}
