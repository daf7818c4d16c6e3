import GRDB
import Routing
import Time

/// A change as the rows tell it: its row in `revisions`, and the rows of objects and routes that begin and end with it.
struct RevisionRows {
    let revision: Revision
    let epoch: Int64
    let at: WallTime
    let who: String
    let comment: String?
    let requestID: String?
    /// In the order of the paths' bytes.
    let effects: [EntryDigest.EffectLine]
    /// As it is stored.
    let digest: [UInt8]

    /// What `init` reads.
    static let columns = "revision, epoch, at, who, comment, digest, request_id"

    init(_ db: Database, _ row: Row) throws {
        revision = Revision(try row.integer(0))
        epoch = try row.integer(1)
        at = WallTime(milliseconds: try row.integer(2))
        who = try row.text(3)
        comment = try row.textOrNull(4)
        digest = try row.bytes(5)
        requestID = try row.textOrNull(6)
        effects = try (Self.effects(db, of: revision, in: .objects) + Self.effects(db, of: revision, in: .routes))
            .map { (path: $0.path.text, effect: $0) }
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }.map(\.effect)
    }

    /// The digest that follows from the rows and the digest before.
    func digest(behind previous: [UInt8]) -> [UInt8] {
        EntryDigest.of(
            revision: revision, epoch: epoch, at: at, who: who, comment: comment, effects: effects, previous: previous)
    }

    /// A row that ends without a successor at the same revision is a deletion. Told apart here and not in SQL, where it
    /// would cost the product of both when a whole plan is replaced.
    private static func effects(
        _ db: Database, of revision: Revision, in table: ObjectTable
    ) throws -> [EntryDigest.EffectLine] {
        let selection = "SELECT \(table.scope), \(table.name), body, created_at FROM \(table.table)"
        func lines(_ condition: String) throws -> [EntryDigest.EffectLine] {
            let statement = try db.cachedStatement(sql: "\(selection) WHERE \(condition)")
            return try Row.fetchAll(statement, arguments: [revision.number]).map { row in
                EntryDigest.EffectLine(
                    path: try table.path(try row.text(0), try row.text(1)), body: try row.text(2),
                    createdAt: WallTime(milliseconds: try row.integer(3)))
            }
        }
        let begun = try lines("from_revision = ?")
        let successors = Set(begun.map(\.path))
        let deleted = try lines("until_revision = ?").filter { !successors.contains($0.path) }
        return begun + deleted.map { EntryDigest.EffectLine(path: $0.path, body: nil, createdAt: $0.createdAt) }
    }
}
