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
