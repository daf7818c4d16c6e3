import Dispatch
import Routing
import Store

// A restore whose revision differs in very many routes goes the way of a bulk: its routes come from the database.
extension ControlPlane {
    /// Carries out a restore. `whenDone` is as that of `submit`.
    func restore(
        _ past: Revision, _ change: Change, whenDone: @escaping @Sendable (Result<ChangeResult, Refusal>) -> Void
    ) {
        previewQueue.async { [self] in
            do throws(Refusal) {
                let last = state.position.revision
                guard past >= Revision(1), past <= last, change.confirmWithin == nil,
                    try Change.isFar(last, past, in: store, limitCount: restoreInPlaceLimitCount)
                else { return submit(change, whenDone: whenDone) }
            } catch {
                return whenDone(.failure(error))
            }
            bulkQueue.async { [self] in
                whenDone(Result { () throws(Refusal) in try restoreAside(past, change) })
            }
        }
    }

    private func restoreAside(_ past: Revision, _ change: Change) throws(Refusal) -> ChangeResult {
        let stage = try Refusal.staging { () throws(StoreError) in try store.makeRouteStage() }
        // What can't be deleted of it, rows that nobody sees, goes at the next start.
        defer { _ = Result { () throws(StoreError) in try store.discard(stage) } }
        var change = change
        change.pastRoutes = stage
        let present = state.builder.plansWithRoutes
        try Refusal.staging { () throws(StoreError) in
            let then = try store.objects(.routingPlans, at: past).map(\.path.id)
            try stage.fill(from: past, plans: Set(present + then).sorted())
            try stage.resolve { _, _, _ in .unchanged }
        }
        return try carryOut(change, building: stage)
    }
}
