import Dispatch
package import JSON
import Routing
package import Store
import Time

// The history of the routing data (API section 4).
extension ControlPlane {
    /// The changes before a revision, the newest first; nil: from the last one on. `next` is the number to go on
    /// before.
    package func revisions(before: Int64?, limitCount: Int) throws(Refusal) -> ResourcePage {
        let limit = min(max(limitCount, 1), Self.pageLimitCount)
        let stored = try reading { () throws(StoreError) in
            try store.revisions(before: before.map { Revision($0) }, limit: limit + 1)
        }
        let page = stored.value.prefix(limit)
        return ResourcePage(
            items: page.map { .object(members(of: $0)) },
            next: stored.value.count > page.count ? page.last.map { "\($0.revision.number)" } : nil,
            revision: stored.revision.number)
    }

    /// One change and what it did to each object, before and after: a part of that, with where the next part begins.
    /// May take a while.
    package func revision(
        _ number: Int64, after cursor: String?, limitCount: Int
    ) throws(Refusal) -> (body: Revised<JSONValue>, next: String?) {
        let summary = try summary(of: Revision(number))
        var members = members(of: summary.value)
        let page = try differences(from: Revision(number - 1), to: Revision(number), after: cursor, limitCount)
        members["operations"] = .array(page.items.map(\.json))
        return (Revised(.object(members), revision: summary.revision), page.next?.text)
    }

    /// What leads from the routing data of one revision to those of another, earlier or later one; nil: the last one.
    /// A part of it, with where the next part begins. May take a while.
    package func difference(
        from: Int64, to: Int64?, after cursor: String?, limitCount: Int
    ) throws(Refusal) -> (to: Int64, body: Revised<JSONValue>, next: String?) {
        let last = state.position.revision
        let (from, to) = (Revision(from), to.map { Revision($0) } ?? last)
        for revision in [from, to] where revision < Revision(1) || revision > last {
            throw .noRevision(revision, last: last)
        }
        let page = try differences(from: from, to: to, after: cursor, limitCount)
        let body: JSONValue = .object([
            "from": .integer(from.number), "to": .integer(to.number), "items": .array(page.items.map(\.json)),
        ])
        return (to.number, Revised(body, revision: last), page.next?.text)
    }

    /// Reads what takes a while, away from whoever asks; `whenDone` is called once, from another thread, and must not
    /// block.
    package func readAside<Value: Sendable>(
        _ read: @escaping @Sendable (ControlPlane) throws(Refusal) -> Value,
        whenDone: @escaping @Sendable (Result<Value, Refusal>) -> Void
    ) {
        previewQueue.async { [self] in whenDone(Result { () throws(Refusal) in try read(self) }) }
    }

    private func differences(
        from: Revision, to: Revision, after cursor: String?, _ limitCount: Int
    ) throws(Refusal) -> DifferencePage {
        let position = cursor.map { DifferencePosition($0) }
        guard position != .some(nil) else {
            throw Refusal(.malformed, "cursor: one is needed that the member next of a page held.")
        }
        return try reading { () throws(StoreError) in
            try store.differences(
                from: from, to: to, after: position ?? nil, limit: min(max(limitCount, 1), Self.pageLimitCount),
                limitBytes: Self.pageLimitBytes, scanLimit: Self.scanLimitCount)
        }
    }

    /// How many rows are looked at for one page of differences.
    private static var scanLimitCount: Int { 10_000 }

    /// Throws `notFound` when there is no such revision.
    func summary(of revision: Revision) throws(Refusal) -> Revised<RevisionSummary> {
        let stored = try reading { () throws(StoreError) in try store.summary(of: revision) }
        guard let summary = stored.value else { throw .noRevision(revision, last: stored.revision) }
        return Revised(summary, revision: stored.revision)
    }

    /// One change without what it did.
    func shown(_ revision: Revision) throws(Refusal) -> Revised<JSONValue> {
        let summary = try summary(of: revision)
        return Revised(.object(members(of: summary.value)), revision: summary.revision)
    }

    private func members(of summary: RevisionSummary) -> [String: JSONValue] {
        var confirmation = JSONValue.null
        if let stored = summary.confirmation {
            var members: [String: JSONValue] = [
                "state": .string(stored.state.rawValue), "confirm_by": .string(stored.confirmBy.rfc3339),
                "settled_at": stored.settlement.map { .string($0.at.rfc3339) } ?? .null,
                "settled_by": stored.settlement.map { .string($0.who) } ?? .null,
                "settled_revision": stored.settlement?.by.map { .integer($0.number) } ?? .null,
            ]
            if stored.state == .pending, let obstacle = obstacle(toGoingBack: summary.revision) {
                members["obstacle"] = .string(obstacle)
            }
            confirmation = .object(members)
        }
        return [
            "revision": .integer(summary.revision.number), "at": .string(summary.at.rfc3339),
            "who": .string(summary.who), "comment": summary.comment.map { .string($0) } ?? .null,
            "request_id": summary.requestID.map { .string($0) } ?? .null,
            "counts": .object(["put": .integer(summary.putCount), "deleted": .integer(summary.deleteCount)]),
            "confirmation": confirmation,
        ]
    }
}

extension Difference {
    /// The difference as an operation that leads from the one to the other.
    fileprivate var json: JSONValue {
        .object([
            "op": .string(after == nil ? "delete" : "put"), "path": .string(path.text),
            "before": before?.shownBody ?? .null, "after": after?.shownBody ?? .null,
        ])
    }
}

extension StoredObject {
    /// What was set, without what is never shown.
    var shownBody: JSONValue {
        guard case .object(let members) = body else { return body }
        return .object(Schema.of(path.kind).shown(members))
    }
}
