import GRDB
package import JSON
package import Routing

/// A live route as it is loaded: very many of them say the same.
package struct StoredRoute: Sendable {
    /// The plan that it belongs to.
    package let plan: String
    /// Its prefix.
    package let prefix: Prefix
    /// What was set.
    package let body: JSONValue
    /// Routes of one number have the same body, within one load; a number never comes back with another body.
    package let bodyNumber: Int
}

extension Store {
    /// Calls `object` with every live object, and then `route` with every live route, all of one revision.
    ///
    /// Neither the objects of one kind nor the routes come in a particular order. Neither closure may ask the store.
    package func forEachObject(
        _ object: (StoredObject) -> Void, route: (StoredRoute) -> Void
    ) throws(StoreError) -> Revision {
        try reading { db in try Self.forEachObject(db, object, route) }
    }

    /// The same of a file that is opened for this alone, whether or not a server runs on it.
    package static func forEachObject(
        inFileAt path: String, _ object: (StoredObject) -> Void, route: (StoredRoute) -> Void
    ) throws(StoreError) -> Revision {
        let file = try DatabaseFile(path)
        try file.checkReadable()
        do {
            let queue = try file.readOnlyQueue()
            let revision = try queue.read { db in
                try file.checkOwner(db)
                return try forEachObject(db, object, route)
            }
            try queue.close()
            return revision
        } catch {
            throw StoreError(opening: path, error)
        }
    }

    private static func forEachObject(
        _ db: Database, _ object: (StoredObject) -> Void, _ route: (StoredRoute) -> Void
    ) throws -> Revision {
        let table = ObjectTable.objects
        for kind in ResourceKind.allCases where kind != .routes {
            let rows = try Row.fetchCursor(
                db,
                sql: "\(table.selection) WHERE \(table.scope) = ? AND until_revision IS NULL ORDER BY number",
                arguments: [kind.rawValue])
            while let row = try rows.next() { object(try table.object(row)) }
        }
        let tables = try RouteTables.live(db)
        // Straight through the rows: the index would jump from one to the next.
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT table_number, prefix, body FROM routes
                WHERE until_revision IS NULL AND number >= ? ORDER BY number
                """, arguments: [tables.map(\.firstRow).min() ?? .max])
        let plans = Dictionary(uniqueKeysWithValues: tables.map { ($0.number, $0.plan) })
        var bodies = RouteBodies()
        while let row = try rows.next() {
            guard let plan = plans[try row.integer(0)] else { continue }
            let name = try row.text(1)
            guard let prefix = name.isEmpty ? .catchAll : Prefix(name) else {
                throw MalformedRow(what: "\(plan) has a route whose prefix is \(name)")
            }
            let (body, number) = try bodies.body(try row.text(2)) { try ObjectTable.routes.path(plan, name) }
            route(StoredRoute(plan: plan, prefix: prefix, body: body, bodyNumber: number))
        }
        return try Self.position(db).revision
    }
}

/// The bodies that were read, each parsed once: a million routes lead to some hundred lists.
private struct RouteBodies {
    /// So many are remembered; then it begins anew.
    private static let limitCount = 4096

    private var known: [ExactText: (body: JSONValue, number: Int)] = [:]
    private var last: (text: ExactText, body: JSONValue, number: Int)?
    private var count = 0

    mutating func body(_ text: String, of path: () throws -> ResourcePath) throws -> (body: JSONValue, number: Int) {
        let text = ExactText(text)
        if let last, last.text == text { return (last.body, last.number) }
        let found = try known[text] ?? read(text, of: path)
        last = (text, found.body, found.number)
        return found
    }

    private mutating func read(_ text: ExactText, of path: () throws -> ResourcePath) throws -> (JSONValue, Int) {
        if known.count == Self.limitCount { known.removeAll(keepingCapacity: true) }
        count += 1
        let read = (body: try ObjectTable.body(text.text, of: path()), number: count)
        known[text] = read
        return read
    }
}
