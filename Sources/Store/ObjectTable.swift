import GRDB
import JSON
import Routing
import Time

/// Where objects lie: routes in a table of their own, everything else in another.
enum ObjectTable: String {
    case objects, routes

    init(_ kind: ResourceKind) { self = kind == .routes ? .routes : .objects }

    var table: String { rawValue }
    /// The column that says where the name counts: the plan of a route, the kind of everything else.
    var scope: String { self == .routes ? "plan" : "kind" }
    /// The column that holds the name.
    var name: String { self == .routes ? "prefix" : "id" }

    /// What `object` reads.
    var selection: String {
        """
        SELECT \(scope), \(name), body, from_revision, created_at, revisions.at
        FROM \(table) JOIN revisions ON revision = from_revision
        """
    }

    /// The id as it stands in the table: the catch-all as the empty prefix.
    func stored(_ id: String) -> String { self == .routes && id == Prefix.catchAllName ? "" : id }

    /// Where the object of that path lies: the values of `scope` and `name`.
    static func place(of path: ResourcePath) -> (scope: String, name: String) {
        (path.plan ?? path.kind.rawValue, ObjectTable(path.kind).stored(path.id))
    }

    /// The path that scope and name stand for.
    func path(_ scope: String, _ name: String) throws -> ResourcePath {
        guard self == .objects else {
            return ResourcePath(route: name.isEmpty ? Prefix.catchAllName : name, plan: scope)
        }
        guard let kind = ResourceKind(rawValue: scope) else {
            throw MalformedRow(what: "an object is of the unknown kind \(scope)")
        }
        return ResourcePath(kind, name)
    }

    func object(_ row: Row) throws -> StoredObject {
        let path = try path(try row.text(0), try row.text(1))
        return StoredObject(
            path: path, body: try Self.body(try row.text(2), of: path), revision: Revision(try row.integer(3)),
            createdAt: WallTime(milliseconds: try row.integer(4)), updatedAt: WallTime(milliseconds: try row.integer(5))
        )
    }

    /// The body that a row holds as text.
    static func body(_ text: String, of path: ResourcePath) throws -> JSONValue {
        do {
            return try JSONValue(parsing: [UInt8](text.utf8))
        } catch {
            throw MalformedRow(what: "\(path.text): \(error.detail)")
        }
    }
}
