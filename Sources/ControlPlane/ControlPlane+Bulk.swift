import Dispatch
import Routing
import Store
import Synchronization

extension ControlPlane {
    /// Begins a bulk; `finish` or `abandon` has to follow. Throws `notFound` when there is no such plan,
    /// `tooManyRequests` when there are too many bulks already, `readOnly` when the disk takes nothing.
    package func beginBulk(_ order: BulkOrder) throws(Refusal) -> Bulk {
        if case .routes(let plan, _) = order.subject, !state.builder.contains(.routingPlans, plan) {
            throw .notFound(ResourcePath(.routingPlans, plan))
        }
        guard bulkCount.wrappingAdd(1, ordering: .relaxed).newValue <= Bulk.limitCount else {
            endBulk()
            var refusal = Refusal(.tooManyRequests, "\(Bulk.limitCount) bulks are under way, the most; come again.")
            refusal.retryAfterSeconds = 5
            throw refusal
        }
        do throws(StoreError) {
            return Bulk(order, try store.makeRouteStage(), self)
        } catch {
            endBulk()
            throw Refusal(staging: error)
        }
    }

    /// How many bulks are under way.
    package var bulksUnderWay: Int { bulkCount.load(ordering: .relaxed) }

    func endBulk() { bulkCount.wrappingSubtract(1, ordering: .relaxed) }

    /// Has the writer put a resolved stage in force, with its change: what is large of it is written beside the live
    /// routes before. Blocks until that is done; on the bulks' queue.
    func carryOut(_ change: Change, building stage: RouteStage) throws(Refusal) -> ChangeResult {
        if !change.isDryRun {
            let isBuilt = try Refusal.staging { () throws(StoreError) in
                try store.build(stage, inPlaceLimitCount: bulkInPlaceLimitCount) {
                    !areBulksStopped.load(ordering: .acquiring)
                }
            }
            guard isBuilt else { throw .readOnly("the server is stopping") }
        }
        let done = DispatchSemaphore(value: 0)
        let outcome = Mutex<Result<ChangeResult, Refusal>?>(nil)
        submit(change) { result in
            outcome.withLock { $0 = result }
            done.signal()
        }
        done.wait()
        return try (outcome.withLock { $0 } ?? .failure(.internalError("the bulk was not carried out"))).get()
    }

    /// Lets go of what bulks of an earlier run have left in the database: rows that nobody sees. What can't be deleted
    /// is tried again at the next start.
    func purgeLeftovers() {
        bulkQueue.async { [self] in _ = Result { () throws(StoreError) in try store.purgeLeftRouteTables() } }
    }
}
