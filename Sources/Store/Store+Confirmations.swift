import GRDB
import Routing
import Time

extension Store {
    /// The changes that wait for their confirmation, by revision.
    package func pendingConfirmations() throws(StoreError) -> [StoredConfirmation] {
        try reading { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT \(Self.confirmationColumns) FROM confirmations WHERE state = 'pending' ORDER BY revision
                    """
            ).compactMap { try Self.confirmation($0) }
        }
    }

    static let confirmationColumns = """
        confirmations.revision, confirm_by, state, settled_at, settled_by, settled_revision
        """

    /// Reads `confirmationColumns` from a place in the row on; nil when there is no confirmation.
    static func confirmation(_ row: Row, at index: Int = 0) throws -> StoredConfirmation? {
        guard let number = try row.integerOrNull(index) else { return nil }
        let revision = Revision(number)
        guard let state = ConfirmationState(rawValue: try row.text(index + 2)) else {
            throw MalformedRow(what: "the confirmation of revision \(number) is in an unknown state")
        }
        var confirmation = StoredConfirmation(
            revision: revision, confirmBy: WallTime(milliseconds: try row.integer(index + 1)))
        if state != .pending {
            confirmation.settlement = ConfirmationSettlement(
                revision: revision, state, at: WallTime(milliseconds: try row.integer(index + 3)),
                who: try row.text(index + 4), by: try row.integerOrNull(index + 5).map { Revision($0) })
        }
        return confirmation
    }

    /// The change of that revision is to be confirmed; part of the batch's transaction.
    static func write(confirmBy time: WallTime, of revision: Revision, _ db: Database) throws {
        try db.cachedStatement(
            sql: "INSERT INTO confirmations (revision, confirm_by, state) VALUES (?, ?, ?)"
        ).execute(arguments: [revision.number, time.milliseconds, ConfirmationState.pending.rawValue])
    }

    /// Writes the end of a pending confirmation; part of the batch's transaction.
    static func write(_ settlement: ConfirmationSettlement, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE confirmations SET state = ?, settled_at = ?, settled_by = ?, settled_revision = ?
                WHERE revision = ? AND state = 'pending'
                """
        ).execute(arguments: [
            settlement.state.rawValue, settlement.at.milliseconds, settlement.who, settlement.by?.number,
            settlement.revision.number,
        ])
        guard db.changesCount == 1 else {
            throw MalformedRow(what: "revision \(settlement.revision.number) does not wait for its confirmation")
        }
    }
}
