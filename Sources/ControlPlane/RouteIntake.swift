import JSON
import Routing
import Store

/// Takes routes in, row by row: checks each and puts it on the stage.
struct RouteIntake {
    /// Of what the rows are.
    enum Body {
        /// A whole table: each is a whole route.
        case table
        /// A table that is merged into another: each is what is new of a route, or takes it away.
        case merging
        /// An export: each is a whole route behind its path.
        case export
    }

    /// What is made of everything in a row but its prefix.
    enum Made {
        /// A route, with what of it is kept, canonical.
        case body([UInt8])
        /// The route is to be deleted.
        case deletion
        /// Rules are broken, which are noted.
        case nothing
    }

    let stage: RouteStage
    /// The plan of the next rows, as the stage numbers it.
    var plan: Int
    let body: Body
    /// True when a row is the whole route; else it is merged into what is.
    var replaces: Bool { body != .merging }
    /// The lists that routes were sent to.
    private(set) var lists: Set<String> = []
    var faults = BulkFaults()
    private var memo = ByteMemo<Made>()

    init(_ stage: RouteStage, plan: Int, of body: Body) { (self.stage, self.plan, self.body) = (stage, plan, body) }

    /// Takes a row.
    ///
    /// - Parameters:
    ///   - rest: the row without its prefix: the same bytes give the same route.
    ///   - column: where the prefix stands.
    ///   - make: makes something of the row, unless it is known.
    mutating func take(
        _ prefix: UnsafeRawBufferPointer, line: Int64, column: Int?, rest: UnsafeRawBufferPointer,
        _ make: (inout RouteIntake) -> Made
    ) throws(StoreError) {
        let known = memo[rest]
        let made = known ?? make(&self)
        if known == nil {
            switch made {
            case .body, .deletion: memo.remember(rest, made)
            case .nothing: break
            }
        }
        guard let stored = RouteRules.stored(prefix) else {
            let text = JSONValue.string(String(decoding: prefix, as: UTF8.self))
            return note(RouteRules.badPrefix(text), line: line) { _ in column }
        }
        switch made {
        case .nothing: return
        case .deletion: try stage.add(plan: plan, prefix: stored, line: line, body: nil)
        case .body(let body):
            do {
                try body.withUnsafeBytes { try stage.add(plan: plan, prefix: stored, line: line, body: $0) }
            } catch let error as StoreError {
                throw error
            } catch {
                throw StoreError(.failed, "\(error)")
            }
        }
    }

    /// What is made of a row's members without the prefix.
    ///
    /// - Parameter column: where a member stands.
    mutating func make(_ members: [String: JSONValue], line: Int64, column: (String) -> Int?) -> Made {
        var members = members
        if body != .export, let delete = members.removeValue(forKey: "delete"), delete != .null {
            guard !replaces else {
                let error = FieldError(
                    "/delete", delete, "all routes are replaced",
                    allowed: "leave it and the route out; only PATCH deletes routes by name")
                faults.note(error, line: line, column: column("delete"))
                return .nothing
            }
            guard case .bool(let isDeletion) = delete else {
                let error = FieldError("/delete", delete, "not true or false", allowed: FieldRule.flag.allowed)
                faults.note(error, line: line, column: column("delete"))
                return .nothing
            }
            if isDeletion { return .deletion }
        }
        if let list = members["routing_list"]?.text { lists.insert(list) }
        members = members.filter { !RouteRules.ignored.contains($0.key) }
        guard replaces else { return .body(Array(JSONValue.object(members).canonicalText.utf8)) }
        let (body, errors) = RouteRules.check(members)
        for error in errors { note(error, line: line, column: column) }
        return errors.isEmpty ? .body(Array(body.canonicalText.utf8)) : .nothing
    }

    /// Notes a rule that a row breaks.
    mutating func note(_ error: FieldError, line: Int64, column: (String) -> Int?) {
        let name = error.pointer.dropFirst().split(separator: "/").first.map(String.init) ?? ""
        faults.note(placed(error), line: line, column: column(name))
    }

    /// Notes a rule that a row breaks by being there.
    mutating func note(_ error: FieldError, ofRouteIn plan: String, line: Int64, column: Int?) {
        var error = placed(error)
        if body == .export, let prefix = error.value.text {
            error = FieldError(
                error.pointer, .string(ResourcePath(route: prefix, plan: plan).text), error.reason,
                allowed: "each path once")
        }
        faults.note(error, line: line, column: column)
    }

    /// The error where a row has what it is about: an export's has the route in its member `value`.
    private func placed(_ error: FieldError) -> FieldError {
        guard body == .export else { return error }
        let pointer = error.pointer == "/prefix" ? "/path" : "/value" + error.pointer
        return FieldError(pointer, error.value, error.reason, allowed: error.allowed)
    }
}
