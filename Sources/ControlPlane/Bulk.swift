import Dispatch
import JSON
import Routing
package import Store
import Synchronization
import Time

// How a bulk goes. Its pieces come from HTTPAPI and are read on a queue of the bulk's own onto a stage of its own, so
// that a client may be as slow as it likes; nobody waits for it. When all is there, one bulk at a time is compared with
// the live routes, and written beside them when it is large. Only its last step is a change that goes through the
// writer: what others did meanwhile is caught up with, and what was prepared is put in force.

/// What a client wants of a bulk.
package struct BulkOrder: Sendable {
    /// What its body holds.
    package enum Form: Sendable { case csv, lines }

    /// Whose routes.
    package let plan: String
    /// True: the plan has what is sent and nothing else. False: what is sent is merged into what it has.
    package let replaces: Bool
    /// What the body holds.
    package let form: Form
    /// What must hold of the plan's routes: their entity tags are those of the whole table.
    package let precondition: Precondition
    /// Who asks, and by which request.
    package let asker: TokenRegistry.Asker

    /// An order of its parts.
    package init(
        plan: String, replaces: Bool, form: Form, precondition: Precondition, asker: TokenRegistry.Asker
    ) {
        (self.plan, self.replaces, self.form) = (plan, replaces, form)
        (self.precondition, self.asker) = (precondition, asker)
    }
}

/// The routes of a plan as one client sends them: one change, all or nothing.
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
    private var failure: StoreError?
    private var hasEnded = false
    let merging: RouteMerging

    /// The lists that its routes lead to.
    var lists: Set<String> { intake.lists }

    init(_ order: BulkOrder, _ stage: RouteStage, _ plane: ControlPlane) {
        (self.order, self.stage, self.plane) = (order, stage, plane)
        intake = RouteIntake(
            stage, plan: stage.addPlan(order.plan, replaces: order.replaces), replaces: order.replaces)
        switch order.form {
        case .csv: csv = RouteCSV()
        case .lines: lines = RouteLines()
        }
        merging = RouteMerging(column: { _ in nil })
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
            }
        }
        if case .failure(let error) = result { failure = error }
    }

    private func endReceiving() throws(Refusal) {
        if let failure { throw Refusal(staging: failure) }
        let column = place(of: "prefix")
        try Refusal.staging { () throws(StoreError) in
            for repetition in try stage.endReceiving(limit: BulkFaults.limitCount) {
                let name = repetition.prefix.isEmpty ? Prefix.catchAllName : repetition.prefix
                intake.faults.note(
                    RouteRules.badPrefix(.string(name), "it stands in line \(repetition.firstLine) already"),
                    line: repetition.line, column: column)
            }
        }
        try noteMissingLists { plane.state.builder.contains(.routingLists, $0) }
        if let refusal = intake.faults.refusal { throw refusal }
    }

    /// Notes every line that leads to a list that is not there.
    private func noteMissingLists(_ exists: (String) -> Bool) throws(Refusal) {
        let missing = lists.filter { !exists($0) }
        guard !missing.isEmpty else { return }
        let column = place(of: "routing_list")
        try Refusal.staging { () throws(StoreError) in
            for (line, list) in try stage.lines(leadingTo: missing.sorted(), limit: BulkFaults.limitCount) {
                intake.faults.note(
                    FieldError(
                        "/routing_list", .string(list), "no such \(ResourceKind.routingLists.singular)",
                        allowed: FieldRule.reference(.routingLists).allowed), line: line, column: column)
            }
        }
    }

    private func place(of field: String) -> Int? { csv?.place(of: field) }

    private func carryOut() throws(Refusal) -> BulkResult {
        try Refusal.staging { () throws(StoreError) in try stage.resolve(merge: merging.merge) }
        if let refusal = merging.faults.refusal { throw refusal }
        let isBuilt = try Refusal.staging { () throws(StoreError) in
            try plane.store.build(stage, inPlaceLimitCount: plane.bulkInPlaceLimitCount) {
                !plane.areBulksStopped.load(ordering: .acquiring)
            }
        }
        guard isBuilt else { throw .readOnly("the server is stopping") }
        let done = DispatchSemaphore(value: 0)
        let outcome = Outcome()
        let change = Change(.bulk(self), who: order.asker.who, requestID: order.asker.requestID)
        plane.submit(change) { result in
            outcome.result = result
            done.signal()
        }
        done.wait()
        let revision = try (outcome.result ?? .failure(.internalError("the bulk was not carried out"))).get().revision
        return BulkResult(revision: revision, counts: stage.counts)
    }

    private final class Outcome: @unchecked Sendable {
        /// Written before the semaphore is signalled, read behind it.
        var result: Result<ChangeResult, Refusal>?
    }

    /// What can't be deleted of it, rows that nobody sees, goes at the next start.
    private func discard() {
        _ = Result { () throws(StoreError) in try plane.store.discard(stage) }
        plane.endBulk()
    }

    // MARK: its last step, on the writer's thread

    /// Catches up with what others did since it was compared; throws when it can't be put in force any more.
    func catchUp(with store: Store) throws(Refusal) {
        let standing = try Refusal.staging { () throws(StoreError) in
            let standing = try stage.catchUp(merge: merging.merge)
            if standing == .good { try store.repair(stage) }
            return standing
        }
        guard standing == .good else {
            var refusal = Refusal(.conflict, "Another bulk has replaced the plan's routes meanwhile; send it again.")
            refusal.retryAfterSeconds = 1
            throw refusal
        }
        if let refusal = merging.faults.refusal { throw refusal }
    }

    /// Throws when a list that its routes lead to is not there any more.
    func checkLists(_ exists: (String) -> Bool) throws(Refusal) {
        try noteMissingLists(exists)
        if let refusal = intake.faults.refusal { throw refusal }
    }
}

/// What came of a bulk.
package struct BulkResult: Sendable {
    /// The revision that it made; the one before when it changed nothing.
    package let revision: Int64
    /// What it did to the routes.
    package let counts: RouteCounts
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
