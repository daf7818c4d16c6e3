import GRDB
import Routing

/// A table of routes: what a plan's routes are or were, until a bulk put another table in its place.
struct RouteTable {
    let number: Int64
    let plan: String
    /// Its rows have this number or a higher one.
    let firstRow: Int64

    fileprivate init(_ row: Row) throws {
        (number, plan, firstRow) = (try row.integer(0), try row.text(1), try row.integer(2))
    }
}

/// The tables of routes in the database.
enum RouteTables {
    private static let isLive = "begun_revision IS NOT NULL AND ended_revision IS NULL"
    private static let columns = "table_number, plan, first_row"

    /// Those that calls follow, one a plan; a plan that never had a route may have none.
    static func live(_ db: Database) throws -> [RouteTable] {
        try Row.fetchAll(db, sql: "SELECT \(columns) FROM route_tables WHERE \(isLive)").map { try RouteTable($0) }
    }

    /// The numbers of those that a bulk has not put in force.
    static func notBegun(_ db: Database) throws -> [Int64] {
        try Int64.fetchAll(db, sql: "SELECT table_number FROM route_tables WHERE begun_revision IS NULL")
    }

    /// The number of the table that a plan's calls followed at a revision; nil when it had none.
    static func number(of plan: String, at revision: Revision, _ db: Database) throws -> Int64? {
        let statement = try db.cachedStatement(
            sql: """
                SELECT table_number FROM route_tables INDEXED BY route_tables_begun
                WHERE plan = ? AND begun_revision <= ? ORDER BY begun_revision DESC LIMIT 1
                """)
        return try Row.fetchOne(statement, arguments: [plan, revision.number]).map { try $0.integer(0) }
    }

    /// The number of the table that a plan's calls follow; makes one when there is none.
    static func number(of plan: String, _ db: Database) throws -> Int64 {
        let statement = try db.cachedStatement(
            sql: "SELECT table_number FROM route_tables WHERE plan = ? AND \(isLive)")
        if let row = try Row.fetchOne(statement, arguments: [plan]) { return try row.integer(0) }
        try db.execute(
            sql: """
                INSERT INTO route_tables (plan, begun_revision, first_row)
                VALUES (?, 0, 1 + (SELECT ifnull(max(number), 0) FROM routes))
                """, arguments: [plan])
        return db.lastInsertedRowID
    }
}
