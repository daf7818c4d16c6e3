import GRDB
import Routing
import Time

extension Store {
    /// Acknowledgements, which go with their records, and from when on records are kept.
    static let statusHistorySchema = """
        CREATE TABLE status_acknowledgements (
            sequence INTEGER PRIMARY KEY REFERENCES status_records (sequence) ON DELETE CASCADE,
            at INTEGER NOT NULL,
            who TEXT NOT NULL,
            note TEXT
        ) STRICT;
        CREATE INDEX status_records_by_time ON status_records (at);

        CREATE TABLE status_records_kept (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            kept_from INTEGER NOT NULL
        ) STRICT;
        """

    /// What became of an acknowledgement.
    package enum AcknowledgementOutcome: Equatable, Sendable {
        /// It is on disk; or the same was before.
        case stored(StatusRecord)
        /// Somebody was first; that one stays.
        case alreadyAcknowledged(StatusRecord)
        /// There is no record with this number, or it is kept no longer.
        case noSuchRecord
    }

    /// Notes that somebody has taken note of a status record. The first one stays.
    package func acknowledge(
        _ sequence: Int64, _ acknowledgement: Acknowledgement
    ) throws(StoreError) -> AcknowledgementOutcome {
        try writing { db in
            guard var record = try Self.statusRecord(sequence, db) else { return .noSuchRecord }
            if let first = record.acknowledgement {
                let isSame =
                    first.who == acknowledgement.who
                    && first.note.map(ExactText.init) == acknowledgement.note.map(ExactText.init)
                return isSame ? .stored(record) : .alreadyAcknowledged(record)
            }
            try db.cachedStatement(
                sql: "INSERT INTO status_acknowledgements (sequence, at, who, note) VALUES (?, ?, ?, ?)"
            ).execute(
                arguments: [
                    sequence, acknowledgement.at.milliseconds, acknowledgement.who, acknowledgement.note,
                ])
            record.acknowledgement = acknowledgement
            return .stored(record)
        }
    }

    /// One status record; nil when there is none with this number.
    package func statusRecord(_ sequence: Int64) throws(StoreError) -> StatusRecord? {
        try reading { db in try Self.statusRecord(sequence, db) }
    }

    private static func statusRecord(_ sequence: Int64, _ db: Database) throws -> StatusRecord? {
        let statement = try db.cachedStatement(
            sql: "SELECT \(recordColumns) FROM status_records WHERE sequence = ?")
        guard let row = try Row.fetchOne(statement, arguments: [sequence]) else { return nil }
        return try acknowledged([record(row)], db).first
    }

    /// The records with who took note of them. They are in the order of their numbers.
    static func acknowledged(_ records: [StatusRecord], _ db: Database) throws -> [StatusRecord] {
        guard let first = records.first, let last = records.last else { return records }
        let statement = try db.cachedStatement(
            sql: "SELECT sequence, at, who, note FROM status_acknowledgements WHERE sequence BETWEEN ? AND ?")
        var found: [Int64: Acknowledgement] = [:]
        for row in try Row.fetchAll(statement, arguments: [first.sequence, last.sequence]) {
            found[try row.integer(0)] = Acknowledgement(
                at: WallTime(milliseconds: try row.integer(1)), who: try row.text(2), note: try row.textOrNull(3))
        }
        guard !found.isEmpty else { return records }
        return records.map { record in
            var record = record
            record.acknowledgement = found[record.sequence]
            return record
        }
    }
}
