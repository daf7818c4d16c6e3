import Dispatch
package import JSON
import NetworkManager
import Routing
package import Store
import Time

// Change sets (API section 4): several operations as one change, looked at before or as it is made.
extension ControlPlane {
    /// Carries out a change set, or only evaluates it, and tells what it touches. `whenDone` is called once, from
    /// another thread or the caller's, and must not block: with success only after the change is in force.
    package func carryOut(
        _ change: Change, whenDone: @escaping @Sendable (Result<Revised<JSONValue>, Refusal>) -> Void
    ) {
        let answering: @Sendable (Result<ChangeResult, Refusal>) -> Void = { [self] result in
            switch result {
            case .failure(let refusal): whenDone(.failure(refusal))
            case .success(let done):
                // The writer goes on meanwhile: it is worked out from the values that the change was evaluated on.
                previewQueue.async { [self] in
                    let revision = Revision(change.isDryRun ? self.revision : done.revision)
                    whenDone(.success(Revised(answer(to: change, done), revision: revision)))
                }
            }
        }
        if case .restore(let past) = change.aim {
            restore(past, change, whenDone: answering)
        } else {
            submit(change, whenDone: answering)
        }
    }

    private func answer(to change: Change, _ done: ChangeResult) -> JSONValue {
        var members: [String: JSONValue] = [
            "revision": .integer(done.revision), "dry_run": .bool(change.isDryRun), "counts": done.counts,
            "confirm_by": done.confirmBy.map { .string($0.rfc3339) } ?? .null,
        ]
        switch change.aim {
        case .operations:
            members["operations"] = .array(zip(change.operations, done.operations).map { $0.answer($1) })
        case .restore(let past): members["restores"] = .integer(past.number)
        case .goBack, .confirm, .bulk: break
        }
        if let basis = done.basis {
            let preview = ChangePreview(
                basis, calls: networkManager.callLog.newest(ChangePreview.callLimitCount), status: table,
                revision: Revision(done.revision), clock: clock)
            members["preview"] = preview.json
        }
        return .object(members)
    }

    /// Decides what becomes of a change that waits for its confirmation: it stays, or it is taken back at once.
    ///
    /// `whenDone` is called once, from another thread or the caller's, and must not block: with success, and the
    /// revision as the API shows it, only after that is on disk and in force. What is decided so already is so again.
    ///
    /// Refusals: `notFound`, `conflict` when the revision waits for no confirmation, and `forbidden`.
    ///
    /// - Parameter mayChangeSettings: false: what changed the settings is not taken back.
    package func settle(
        _ number: Int64, isConfirmed: Bool, by asker: TokenRegistry.Asker, mayChangeSettings: Bool,
        whenDone: @escaping @Sendable (Result<Revised<JSONValue>, Refusal>) -> Void
    ) {
        let revision = Revision(number)
        do throws(Refusal) {
            let summary = try summary(of: revision).value
            guard let confirmation = summary.confirmation else { throw .noPendingConfirmation(of: revision) }
            switch (confirmation.state, isConfirmed) {
            case (.pending, true): break
            case (.pending, false):
                guard mayChangeSettings || state.confirmations[revision]?.hasTouched(.settings) != true else {
                    throw Refusal(
                        .forbidden, "Revision \(number) changed the settings; to take it back needs the role admin.")
                }
            case (.confirmed, true), (.goneBack, false):
                return whenDone(Result { () throws(Refusal) in try shown(revision) })
            case (.confirmed, false), (.goneBack, true), (.superseded, _): throw .settled(confirmation)
            }
        } catch {
            return whenDone(.failure(error))
        }
        var change = Change(
            isConfirmed ? .confirm(revision) : .goBack(revision), who: asker.who,
            comment: "revision \(number) taken back", requestID: asker.requestID)
        change.overridesTests = true
        submit(change) { [self] result in
            previewQueue.async { [self] in
                whenDone(result.flatMap { _ in Result { () throws(Refusal) in try shown(revision) } })
            }
        }
    }

    /// How many changes go back by themselves unless they are confirmed.
    package var pendingConfirmationCount: Int { state.confirmations.revisions.count }
}

extension CallLog {
    /// So many of the newest calls, read a few at a time: whoever records calls must not wait for it.
    fileprivate func newest(_ limitCount: Int) -> [Call] {
        var calls: [Call] = []
        var query = Query()
        query.limitCount = 256
        while calls.count < limitCount {
            let part = page(query)
            calls += part
            guard part.count == query.limitCount, let last = part.last else { break }
            query.before = last.sequence
        }
        return calls
    }
}

extension Operation {
    /// What came of it as the API shows it.
    fileprivate func answer(_ result: OperationResult) -> JSONValue {
        .object([
            "op": .string(name), "path": .string(path.text), "outcome": .string(result.outcome.rawValue),
            "etag": result.view.map { .string("\"\($0.etag)\"") } ?? .null, "value": result.view?.body ?? .null,
        ])
    }

    /// The word of the API for what it does.
    private var name: String {
        switch self {
        case .put: "put"
        case .patch: "patch"
        case .delete: "delete"
        }
    }
}

extension Refusal {
    fileprivate static func settled(_ confirmation: StoredConfirmation) -> Refusal {
        let by = confirmation.settlement?.by.map { " by revision \($0.number)" } ?? ""
        let at = confirmation.settlement.map { " at \($0.at.rfc3339)" } ?? ""
        let what =
            switch confirmation.state {
            case .pending: "waits"
            case .confirmed: "was confirmed"
            case .goneBack: "has gone back"
            case .superseded: "was superseded"
            }
        return Refusal(.conflict, "Revision \(confirmation.revision.number) \(what)\(at)\(by).")
    }
}
