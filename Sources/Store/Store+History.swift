import GRDB
import JSON
package import Routing
import Time

// The routing data as they were: a row says from which revision it holds and until which.
extension Store {
    /// The object of that path as it was at a revision; nil when it was not there, or is kept no longer.
    package func object(_ path: ResourcePath, at revision: Revision) throws(StoreError) -> StoredObject? {
        let table = ObjectTable(path.kind)
        let place = ObjectTable.place(of: path)
        return try rows(
            of: table, where: "\(table.scope) = ?2 AND \(table.name) = ?3", [place.scope, place.name], at: revision
        ).first
    }

    /// All objects of a kind, other than routes, as they were at a revision.
    package func objects(_ kind: ResourceKind, at revision: Revision) throws(StoreError) -> [StoredObject] {
        try rows(of: .objects, where: "kind = ?2", [kind.rawValue], at: revision)
    }

    /// Objects of a kind, other than routes, as they were at a revision: those behind an id, in the order of the ids'
    /// bytes, so many at most; the last is the one that makes their bodies so long.
    package func objects(
        _ kind: ResourceKind, at revision: Revision, after id: String, limit: Int, limitBytes: Int
    ) throws(StoreError) -> [StoredObject] {
        try reading { db in
            let table = ObjectTable.objects
            let statement = try db.cachedStatement(
                sql: """
                    \(table.selection) WHERE kind = ?2 AND id > ?3 AND \(table.heldAt.unended)
                    UNION ALL
                    \(table.selection) WHERE kind = ?2 AND id > ?3 AND \(table.heldAt.ended)
                    ORDER BY id LIMIT ?4
                    """)
            let rows = try Row.fetchCursor(
                statement, arguments: [revision.number, kind.rawValue, id, max(0, limit)])
            var (found, byteCount): ([StoredObject], Int) = ([], 0)
            while byteCount < limitBytes, let row = try rows.next() {
                found.append(try table.object(row))
                byteCount += try row.text(2).utf8.count
            }
            return found
        }
    }

    /// The routes of exactly these prefixes as they were at a revision.
    package func routes(
        _ prefixes: [String], in plan: String, at revision: Revision
    ) throws(StoreError) -> [StoredObject] {
        let names = JSONValue.array(prefixes.map { .string(ObjectTable.routes.stored($0)) }).canonicalText
        return try rows(
            of: .routes, where: "plan = ?2 AND prefix IN (SELECT value FROM json_each(?3))", [plan, names],
            at: revision)
    }

    private func rows(
        of table: ObjectTable, where condition: String, _ arguments: [String], at revision: Revision
    ) throws(StoreError) -> [StoredObject] {
        try reading { db in
            let statement = try db.cachedStatement(
                sql: """
                    \(table.selection) WHERE \(condition) AND \(table.heldAt.unended)
                    UNION ALL
                    \(table.selection) WHERE \(condition) AND \(table.heldAt.ended)
                    """)
            return try Row.fetchAll(statement, arguments: [revision.number] + StatementArguments(arguments))
                .map { try table.object($0) }
        }
    }
}
