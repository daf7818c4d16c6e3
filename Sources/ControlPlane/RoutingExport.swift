import JSON
import Routing
import Store
import Synchronization

/// All routing data at one revision, page by page, as lines that an import reads (`ExportForm`): kind by kind, each by
/// ids, so that two exports of the same data are the same but for the revision. It holds nothing between two pages but
/// where it stands: the rows of a revision stay as they are, whatever is changed meanwhile.
package final class RoutingExport: Sendable {
    /// The revision whose routing data they are.
    package let revision: Int64

    private static let (pageCount, pageBytes) = (500, 256 * 1024)

    private let store: Store
    private let state = Mutex(State())

    private struct State {
        var step = Step.head
        /// The plans' ids, once they were passed.
        var plans: [String] = []
    }

    private enum Step {
        case head
        /// Objects of a kind behind an id.
        case objects(ResourceKind, after: String)
        /// Routes: of the plan of that index, nothing or something of which was read.
        case routes(Int, RouteTable?)
        case end, done
    }

    init(_ store: Store, at revision: Revision) { (self.store, self.revision) = (store, revision.number) }

    /// Its entity tag, without quotes.
    package var etag: String { RouteTable.etag(of: revision) }

    /// The next lines; nothing behind the last.
    package func next() throws(Refusal) -> [UInt8] {
        let result = state.withLock { state in Result { () throws(Refusal) in try page(&state) } }
        return try result.get()
    }

    private func page(_ state: inout State) throws(Refusal) -> [UInt8] {
        while true {
            let page: [UInt8]
            switch state.step {
            case .head:
                page = Array(ExportForm.head(revision: revision).utf8)
                state.step = Self.step(from: nil)
            case .objects(let kind, let id): page = try objects(kind, after: id, &state)
            case .routes(let index, let table): page = try routes(index, table, &state)
            case .end:
                page = Array(ExportForm.end.utf8)
                state.step = .done
            case .done: return []
            }
            if !page.isEmpty { return page }
        }
    }

    /// What comes behind the objects of a kind.
    private static func step(from kind: ResourceKind?) -> Step {
        let kinds = ResourceKind.allCases
        let next = kind.flatMap { kinds.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
        guard kinds.indices.contains(next) else { return .end }
        return kinds[next] == .routes ? .routes(0, nil) : .objects(kinds[next], after: "")
    }

    private func objects(_ kind: ResourceKind, after id: String, _ state: inout State) throws(Refusal) -> [UInt8] {
        var objects = try reading { () throws(StoreError) in
            try store.objects(
                kind, at: Revision(revision), after: id, limit: Self.pageCount, limitBytes: Self.pageBytes)
        }
        if let last = objects.last {
            state.step = .objects(kind, after: last.path.id)
        } else {
            state.step = Self.step(from: kind)
            // They always exist, also before the first change of them.
            if kind == .settings, id.isEmpty { objects = [.newSettings] }
        }
        if kind == .routingPlans { state.plans += objects.map(\.path.id) }
        return objects.flatMap { Array($0.exportLine.utf8) }
    }

    private func routes(_ index: Int, _ table: RouteTable?, _ state: inout State) throws(Refusal) -> [UInt8] {
        guard state.plans.indices.contains(index) else {
            state.step = Self.step(from: .routes)
            return []
        }
        let table = table ?? RouteTable(store, plan: state.plans[index], form: .export, at: Revision(revision))
        let page = try table.next()
        state.step = page.isEmpty ? .routes(index + 1, nil) : .routes(index, table)
        return page
    }

    private func reading<Value>(_ body: () throws(StoreError) -> Value) throws(Refusal) -> Value {
        do {
            return try body()
        } catch {
            throw Refusal(.internalError, "The database can't be read: \(error.detail)")
        }
    }
}

extension StoredObject {
    /// Its line in an export: what was set, without what is never shown.
    fileprivate var exportLine: String {
        let line: JSONValue = .object(["path": .string(path.text), "value": shownBody])
        return line.canonicalText + "\n"
    }
}

extension ControlPlane {
    /// All routing data at a revision; nil: at the last one. Throws `notFound` when there is no such revision.
    package func export(at revision: Int64?) throws(Refusal) -> RoutingExport {
        let last = state.position.revision
        let wanted = revision.map { Revision($0) } ?? last
        guard wanted >= Revision(1), wanted <= last else { throw .noRevision(wanted, last: last) }
        return RoutingExport(store, at: wanted)
    }
}
