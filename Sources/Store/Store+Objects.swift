import GRDB
import JSON
package import Routing
import Time

extension Store {
    /// The live object of that path.
    package func object(_ path: ResourcePath) throws(StoreError) -> Revised<StoredObject?> {
        try reading { db in
            let table = ObjectTable(path.kind)
            let place = ObjectTable.place(of: path)
            let statement = try db.cachedStatement(
                sql: "\(table.selection) WHERE \(table.scope) = ? AND \(table.name) = ? AND \(table.isLive)")
            let row = try Row.fetchOne(
                statement, arguments: [place.scope, place.name])
            return Revised(try row.map { try table.object($0) }, revision: try Self.position(db).revision)
        }
    }

    /// Live objects of a kind in the order of their ids (bytes), behind `after`. For routes: of `plan`, and with
    /// `idPrefix` only those whose prefix begins so (`any` counts as the empty prefix and comes first).
    ///
    /// - Parameters:
    ///   - label: Only objects that have it.
    ///   - limitBytes: The list ends with the object that makes its bodies that long.
    package func objects(
        _ kind: ResourceKind, plan: String?, idPrefix: String?, label: ObjectLabel? = nil, after: String?, limit: Int,
        limitBytes: Int = .max
    ) throws(StoreError) -> Revised<[StoredObject]> {
        try reading { db in
            let table = ObjectTable(kind)
            let start = idPrefix.map { table.stored($0) } ?? ""
            let after = after.map { table.stored($0) }
            let hasLabel =
                label == nil
                ? "" : "AND EXISTS (SELECT 1 FROM json_each(body, '$.labels') WHERE key = ?6 AND value = ?7)"
            let statement = try db.cachedStatement(
                sql: """
                    \(table.selection)
                    WHERE \(table.scope) = ?1 AND \(table.isLive) AND \(table.name) < ?3
                        AND \(table.name) >= max(?2, ifnull(?4, '')) AND (?4 IS NULL OR \(table.name) <> ?4)
                        \(hasLabel)
                    ORDER BY \(table.name) LIMIT ?5
                    """)
            // No text that a client can write sorts behind the last character.
            let end = start + "\u{10FFFF}"
            var arguments: StatementArguments = [
                kind == .routes ? plan ?? RoutingPlan.defaultID : kind.rawValue, start, end, after, max(0, limit),
            ]
            if let label { arguments += [label.name, label.value] }
            let rows = try Row.fetchCursor(statement, arguments: arguments)
            var (found, byteCount): ([StoredObject], Int) = ([], 0)
            while byteCount < limitBytes, let row = try rows.next() {
                found.append(try table.object(row))
                byteCount += try row.text(2).utf8.count
            }
            return Revised(found, revision: try Self.position(db).revision)
        }
    }

    /// Up to `limit` changes behind a revision, in order, as effects: what replays to the same objects and digests. The
    /// events that came with them are among the events.
    package func entries(after revision: Revision, limit: Int) throws(StoreError) -> [ChangeEntry] {
        try reading { db in
            let statement = try db.cachedStatement(
                sql: "SELECT \(RevisionRows.columns) FROM revisions WHERE revision > ? ORDER BY revision LIMIT ?")
            return try Row.fetchAll(statement, arguments: [revision.number, max(0, limit)]).map { row in
                let rows = try RevisionRows(row)
                var effects: [Effect] = []
                try rows.forEachEffect(db) { line in
                    effects.append(
                        Effect(
                            path: line.path, body: try line.body.map { try ObjectTable.body($0, of: line.path) },
                            createdAt: line.createdAt))
                }
                return ChangeEntry(
                    revision: rows.revision, at: rows.at, who: rows.who, comment: rows.comment,
                    requestID: rows.requestID, effects: effects, events: [])
            }
        }
    }
}
