import GRDB
package import Routing
package import Time

/// What is told of a change beside its effects.
package struct RevisionSummary: Equatable, Sendable {
    /// The revision that the change made.
    package let revision: Revision
    /// When.
    package let at: WallTime
    /// Who asked, as the audit names it.
    package let who: String
    /// Why, in the client's words.
    package let comment: String?
    /// The id of the request that asked; nil: no request did.
    package let requestID: String?
    /// How many objects it made or replaced.
    package let putCount: Int64
    /// How many objects it deleted.
    package let deleteCount: Int64
    /// Nil: it did not want to be confirmed.
    package let confirmation: StoredConfirmation?
}

extension Store {
    /// The changes before a revision, the newest first; nil: from the last one on.
    package func revisions(before: Revision?, limit: Int) throws(StoreError) -> Revised<[RevisionSummary]> {
        try reading { db in
            let statement = try db.cachedStatement(
                sql: "\(Self.summarySelection) WHERE revisions.revision BETWEEN 1 AND ? ORDER BY 1 DESC LIMIT ?")
            let newest = before.map { $0.number.subtractingReportingOverflow(1).partialValue } ?? .max
            let summaries = try Row.fetchAll(statement, arguments: [newest, max(0, limit)]).map(Self.summary)
            return Revised(summaries, revision: try Self.position(db).revision)
        }
    }

    /// One change; nil when there is none of that number.
    package func summary(of revision: Revision) throws(StoreError) -> Revised<RevisionSummary?> {
        try reading { db in
            let statement = try db.cachedStatement(sql: "\(Self.summarySelection) WHERE revisions.revision = ?")
            let row = revision > Revision(0) ? try Row.fetchOne(statement, arguments: [revision.number]) : nil
            return Revised(try row.map(Self.summary), revision: try Self.position(db).revision)
        }
    }

    private static let summarySelection = """
        SELECT revisions.revision, at, who, comment, request_id, put_count, delete_count, \(confirmationColumns)
        FROM revisions LEFT JOIN confirmations ON confirmations.revision = revisions.revision
        """

    private static func summary(_ row: Row) throws -> RevisionSummary {
        RevisionSummary(
            revision: Revision(try row.integer(0)), at: WallTime(milliseconds: try row.integer(1)),
            who: try row.text(2), comment: try row.textOrNull(3), requestID: try row.textOrNull(4),
            putCount: try row.integer(5), deleteCount: try row.integer(6), confirmation: try confirmation(row, at: 7))
    }
}
