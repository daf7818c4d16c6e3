import GRDB
package import Time

extension Store {
    /// Deletes status records that are older than `time`, with their acknowledgements, the oldest first and at most so
    /// many. The last one before `time` of each gateway stays, however old: it says what held then. Called by the one
    /// writer.
    ///
    /// - Returns: How many went; as many as the limit: there may be more.
    package func retireStatusRecords(before time: WallTime, limitCount: Int) throws(StoreError) -> Int {
        try writing { db in
            try db.cachedStatement(
                sql: """
                    DELETE FROM status_records WHERE sequence IN (
                        SELECT sequence FROM status_records AS old
                        WHERE at < ? AND EXISTS (
                            SELECT 1 FROM status_records AS later
                            WHERE later.gateway = old.gateway AND later.sequence > old.sequence AND later.at < ?)
                        ORDER BY at LIMIT ?)
                    """
            ).execute(arguments: [time.milliseconds, time.milliseconds, max(0, limitCount)])
            let count = db.changesCount
            if count > 0 {
                try db.cachedStatement(
                    sql: """
                        INSERT INTO status_records_kept (only, kept_from) VALUES (1, ?)
                        ON CONFLICT (only) DO UPDATE SET kept_from = max(kept_from, excluded.kept_from)
                        """
                ).execute(arguments: [time.milliseconds])
            }
            return count
        }
    }

    /// Deletes events that are older than `time`, the oldest first and at most so many; the newest of all stays, for it
    /// tells the next number. Called by the one writer.
    ///
    /// - Returns: How many went; as many as the limit: there may be more.
    package func retireEvents(before time: WallTime, limitCount: Int) throws(StoreError) -> Int {
        try writing { db in
            // What follows on the first that is kept is kept too, so that none is missing between two.
            try db.cachedStatement(
                sql: """
                    WITH oldest AS (SELECT sequence, time FROM events ORDER BY sequence LIMIT ?)
                    DELETE FROM events WHERE sequence IN (SELECT sequence FROM oldest)
                        AND sequence < (SELECT max(sequence) FROM events)
                        AND sequence < ifnull((SELECT min(sequence) FROM oldest WHERE time >= ?), 9223372036854775807)
                    """
            ).execute(arguments: [max(0, limitCount), time.milliseconds])
            return db.changesCount
        }
    }

    /// From when on all status records are kept; nil: none ever went.
    static func statusRecordsKeptFrom(_ db: Database) throws -> WallTime? {
        let statement = try db.cachedStatement(sql: "SELECT kept_from FROM status_records_kept")
        return try Row.fetchOne(statement).map { WallTime(milliseconds: try $0.integer(0)) }
    }
}
