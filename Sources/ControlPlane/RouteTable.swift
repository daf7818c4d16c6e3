import JSON
import Routing
import Store
import Synchronization

/// The routes of a plan at one revision, page by page, in the forms that bulks have. It holds nothing between two pages
/// but where it stands: the rows of a revision stay as they are, whatever is changed meanwhile.
package final class RouteTable: Sendable {
    /// How its rows are written.
    enum Form: Sendable {
        /// As a bulk has them.
        case table(BulkOrder.Form)
        /// As lines of an export.
        case export
    }

    /// The revision whose routes they are.
    package let revision: Int64

    private static let pageCount = 2000

    private let store: Store
    private let plan: String
    private let prefix: String
    private let form: Form
    private let state: Mutex<State>

    private struct State: ~Copyable {
        /// The stored prefix to go on from; nil: all were given.
        var next: String?
        var isFirst = true
        var known = ByteMemo<[UInt8]>()
    }

    init(_ store: Store, plan: String, prefix: String = "", form: Form, at revision: Revision) {
        (self.store, self.plan, self.prefix, self.form) = (store, plan, prefix, form)
        self.revision = revision.number
        state = Mutex(State(next: prefix))
    }

    /// The entity tag of a plan's routes as a whole: it stays good while none of them is changed.
    package static func etag(of revision: Int64) -> String { "r\(revision)" }

    /// Its entity tag, without quotes.
    package var etag: String { Self.etag(of: revision) }

    /// The next routes; nothing behind the last.
    package func next() throws(Refusal) -> [UInt8] {
        let result = state.withLock { state in Result { () throws(Refusal) in try page(&state) } }
        return try result.get()
    }

    private func page(_ state: inout State) throws(Refusal) -> [UInt8] {
        var page: [UInt8] = []
        if state.isFirst, case .table(.csv) = form {
            page += RouteColumn.ofTable.map(\.rawValue).joined(separator: ",").utf8
            page += "\r\n".utf8
        }
        state.isFirst = false
        guard let from = state.next else { return page }
        var (count, last): (Int, String) = (0, "")
        var known = ByteMemo<[UInt8]>()
        swap(&known, &state.known)
        let (form, start) = (form, form.start(plan: plan))
        do throws(StoreError) {
            try store.forEachRoute(
                in: plan, at: Revision(revision), from: from, startingWith: prefix, limit: Self.pageCount
            ) { prefix, body in
                count += 1
                last = prefix
                let name = prefix.isEmpty ? Prefix.catchAllName : prefix
                var body = body
                body.withUTF8 { body in
                    let body = UnsafeRawBufferPointer(body)
                    let text = known[body] ?? form.text(of: body)
                    if known[body] == nil { known.remember(body, text) }
                    page += start
                    page += name.utf8
                    page += text
                }
            }
        } catch {
            throw Refusal(.internalError, "The database can't be read: \(error.detail)")
        }
        swap(&known, &state.known)
        // A blank sorts before everything that a prefix holds.
        state.next = count == Self.pageCount ? last + " " : nil
        return page
    }
}

extension RouteTable.Form {
    /// What stands before a route's prefix in this form.
    fileprivate func start(plan: String) -> [UInt8] {
        switch self {
        case .table(.csv): []
        case .table(.lines): Array("{\"prefix\":\"".utf8)
        case .export: Array(ExportForm.routeStart(plan: plan).utf8)
        }
    }

    /// What follows a route's prefix in this form, up to the line's end.
    fileprivate func text(of body: UnsafeRawBufferPointer) -> [UInt8] {
        switch self {
        case .export: return Array(ExportForm.valueStart.utf8) + body + Array("}\n".utf8)
        case .table(.lines):
            var text = Array("\"".utf8)
            let members = body.dropFirst()  // behind the brace
            if members.count > 1 { text.append(UInt8(ascii: ",")) }
            text += members
            text.append(UInt8(ascii: "\n"))
            return text
        case .table(.csv):
            var value = JSONValue.null
            do { value = try JSONValue(parsing: Array(body)) } catch { value = .null }
            let cells = RouteColumn.ofTable.dropFirst().map { $0.cell(of: value) }
            return Array(("," + cells.joined(separator: ",") + "\r\n").utf8)
        }
    }
}

extension ControlPlane {
    /// The routes of a plan as they are now. Throws `notFound` when there is no such plan.
    ///
    /// - Parameter prefix: only those whose prefix begins so; nil: all.
    package func routeTable(of plan: String, prefix: String?, form: BulkOrder.Form) throws(Refusal) -> RouteTable {
        let state = state
        guard state.builder.contains(.routingPlans, plan) else { throw .notFound(ResourcePath(.routingPlans, plan)) }
        let start = prefix == Prefix.catchAllName ? "" : prefix ?? ""
        return RouteTable(store, plan: plan, prefix: start, form: .table(form), at: state.position.revision)
    }
}
