import GRDB
import JSON
import Routing
import Time

/// Where objects lie: routes in a table of their own, everything else in another.
enum ObjectTable: String {
    case objects, routes

    init(_ kind: ResourceKind) { self = kind == .routes ? .routes : .objects }

    /// The column that says where the name counts: the plan of a route, the kind of everything else.
    var scope: String { self == .routes ? "plan" : "kind" }
    /// The column that holds the name.
    var name: String { self == .routes ? "prefix" : "id" }

    /// What `object` reads, of every row that there is or was.
    var selection: String {
        switch self {
        case .objects:
            """
            SELECT kind, id, body, from_revision, created_at, revisions.at
            FROM objects JOIN revisions ON revision = from_revision
            """
        case .routes:
            """
            SELECT plan, prefix, body, coalesce(since_revision, from_revision, begun_revision),
                ifnull(created_at, revisions.at), revisions.at
            FROM route_tables CROSS JOIN routes USING (table_number)
                JOIN revisions ON revision = coalesce(since_revision, from_revision, begun_revision)
            """
        }
    }

    /// Which rows of `selection` are live.
    var isLive: String {
        switch self {
        case .objects: "until_revision IS NULL"
        case .routes: "until_revision IS NULL AND begun_revision IS NOT NULL AND ended_revision IS NULL"
        }
    }

    /// Which rows of `selection` held at revision ?1: those without an end, and the others. Each is found by an index
    /// of its own.
    var heldAt: (unended: String, ended: String) {
        switch self {
        case .objects:
            ("until_revision IS NULL AND from_revision <= ?1", "until_revision > ?1 AND from_revision <= ?1")
        case .routes:
            (
                "until_revision IS NULL AND ifnull(from_revision, 0) <= ?1 AND \(Self.isTableHeld)",
                "until_revision > ?1 AND ifnull(from_revision, 0) <= ?1 AND \(Self.isTableHeld)"
            )
        }
    }

    private static let isTableHeld = "begun_revision <= ?1 AND (ended_revision IS NULL OR ended_revision > ?1)"

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
