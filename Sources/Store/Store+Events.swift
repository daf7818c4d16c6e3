import GRDB
import JSON
import Routing
import Synchronization
import Time

extension Store {
    /// Up to `limit` events behind `after`, of these types only (empty: all).
    package func events(after: Int64, types: Set<String>, limit: Int) throws(StoreError) -> [StoredEvent] {
        try reading { db in
            // With several types SQLite would collect and sort all that fit; `+` makes it walk and stop at the limit.
            let column = types.count > 1 ? "+type" : "type"
            let condition = types.isEmpty ? "" : "AND \(column) IN (\(Self.placeholders(types.count)))"
            var arguments: [any DatabaseValueConvertible] = [after]
            arguments += types.sorted()
            arguments.append(max(0, limit))
            let sql = """
                SELECT sequence, type, source, subject, time, data FROM events
                WHERE sequence > ? \(condition) ORDER BY sequence LIMIT ?
                """
            return try Row.fetchAll(try db.cachedStatement(sql: sql), arguments: StatementArguments(arguments))
                .map { row in
                    StoredEvent(
                        sequence: try row.integer(0), type: try row.text(1), source: try row.text(2),
                        subject: try row.textOrNull(3), time: WallTime(milliseconds: try row.integer(4)),
                        data: try row.text(5))
                }
        }
    }

    /// The sequence numbers of the oldest event kept and of the newest; 0 and 0 when there was none yet.
    package func eventBounds() throws(StoreError) -> (oldest: Int64, newest: Int64) {
        try reading { db in
            // Two look-ups at the ends of the table; `min` and `max` in one SELECT would walk through it.
            let statement = try db.cachedStatement(
                sql: "SELECT (SELECT min(sequence) FROM events), (SELECT max(sequence) FROM events)")
            guard let row = try Row.fetchOne(statement) else { return (0, 0) }
            return (try row.integerOrNull(0) ?? 0, try row.integerOrNull(1) ?? 0)
        }
    }

    /// The number of the newest event, 0 before the first; read once, then kept by whoever appends.
    package func newestEventNumber() throws(StoreError) -> Int64 {
        if let known = newestEvent.withLock({ $0 }) { return known }
        let read = try eventBounds().newest
        return newestEvent.withLock { newest in
            let number = newest ?? read  // what was appended meanwhile is newer
            newest = number
            return number
        }
    }

    /// Status records that fit, by sequence, behind `after`.
    package func statusRecords(_ query: StatusRecordQuery) throws(StoreError) -> [StatusRecord] {
        try reading { db in
            var conditions = ["sequence > ?"]
            var arguments: [any DatabaseValueConvertible] = [query.after]
            if query.gateways.count == 1, let gateway = query.gateways.first {
                conditions.append("gateway = ?")
                arguments.append(gateway)
            } else if !query.gateways.isEmpty {
                // As one JSON array: a group may have more members than a statement has parameters. `+` as above.
                conditions.append("+gateway IN (SELECT value FROM json_each(?))")
                arguments.append(JSONValue.array(query.gateways.sorted().map { .string($0) }).canonicalText)
            }
            if let cause = query.cause {
                conditions.append("cause = ?")
                arguments.append(cause.name)
            }
            if let from = query.from {
                conditions.append("at >= ?")
                arguments.append(from.milliseconds)
            }
            if let to = query.to {
                conditions.append("at < ?")
                arguments.append(to.milliseconds)
            }
            arguments.append(max(0, query.limitCount))
            let sql = """
                SELECT \(Self.recordColumns) FROM status_records
                WHERE \(conditions.joined(separator: " AND ")) ORDER BY sequence LIMIT ?
                """
            let records = try Row.fetchAll(
                try db.cachedStatement(sql: sql), arguments: StatementArguments(arguments)
            ).map(Self.record)
            return try Self.acknowledged(records, db)
        }
    }

    /// The last status record of each gateway that exists with the URI of that record.
    ///
    /// A gateway that was deleted or had another URI after the record began afresh since: the record isn't given.
    package func lastStatusRecords() throws(StoreError) -> [StatusRecord] {
        try reading { db in
            let sql = """
                SELECT \(Self.recordColumns) FROM status_records AS record
                WHERE sequence IN (
                    SELECT (SELECT max(sequence) FROM status_records WHERE gateway = objects.id)
                    FROM objects WHERE kind = 'gateways' AND until_revision IS NULL
                        AND EXISTS (SELECT 1 FROM status_records WHERE gateway = objects.id))
                AND uri = (
                    SELECT json_extract(body, '$.uri') FROM objects
                    WHERE kind = 'gateways' AND id = record.gateway AND until_revision IS NULL)
                AND NOT EXISTS (
                    SELECT 1 FROM objects AS past
                    WHERE kind = 'gateways' AND id = record.gateway AND until_revision > record.revision
                        AND (json_extract(body, '$.uri') <> record.uri OR NOT EXISTS (
                            SELECT 1 FROM objects AS next
                            WHERE next.kind = 'gateways' AND next.id = past.id
                                AND next.from_revision = past.until_revision)))
                ORDER BY sequence
                """
            return try Row.fetchAll(db, sql: sql).map(Self.record)
        }
    }

    static let recordColumns = """
        sequence, at, gateway, uri, from_status, to_status, cause, sip_status, time_value, reporter, call_id, \
        revision, observer, note
        """

    static func record(_ row: Row) throws -> StatusRecord {
        guard let from = GatewayStatus(rawValue: try row.text(4)), let to = GatewayStatus(rawValue: try row.text(5)),
            var cause = StatusCause(name: try row.text(6))
        else { throw MalformedRow(what: "a status record holds an unknown status or cause") }
        // Both are called so; what was reported without a status was silence.
        if cause == .reported, to == .outOfService, try row.integerOrNull(7) == nil { cause = .reportedNoResponse }
        var change = StatusChange(
            at: WallTime(milliseconds: try row.integer(1)), gateway: try row.text(2), uri: try row.text(3),
            from: from, to: to, cause: cause, sipStatus: try row.integerOrNull(7).map { Int(clamping: $0) },
            timeValue: try row.integerOrNull(8).map { WallTime(milliseconds: $0) }, reporter: try row.text(9),
            callID: try row.textOrNull(10), revision: Revision(try row.integer(11)))
        change.note = try row.textOrNull(13)
        return StatusRecord(sequence: try row.integer(0), observer: try row.text(12), change: change)
    }

    private static func placeholders(_ count: Int) -> String {
        Array(repeating: "?", count: count).joined(separator: ",")
    }
}
