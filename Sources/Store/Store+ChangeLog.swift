import GRDB
import JSON
import Routing
import Synchronization
import Time

extension Store: ChangeLog {
    /// Writes the batch in one transaction: rows that end and begin, revisions with their digests, status records,
    /// events.
    package func append(_ batch: CommitBatch) -> AppendOutcome {
        if let refusal { return .readOnly(reason: refusal) }
        return pool.writeWithoutTransaction { db in
            let after: (position: Position, newestEvent: Int64)
            let stage = batch.changes.compactMap(\.routes).first
            do { try stage.map { try Self.attach($0, db) } } catch { return refusal(of: error, rollingBack: db) }
            defer { if stage != nil { Self.detachStage(db) } }
            do {
                try db.beginTransaction(.immediate)
                let present = try Self.position(db)
                guard present == batch.base else {
                    try db.rollback()
                    stored.withLock { $0 = present }
                    return .stale(present)
                }
                after = try write(batch, db)
            } catch {
                return refusal(of: error, rollingBack: db)
            }
            do {
                try db.commit()
            } catch {
                newestEvent.withLock { $0 = nil }
                return outcome(ofFailedCommit: error, db)
            }
            stored.withLock { $0 = after.position }
            newestEvent.withLock { $0 = after.newestEvent }
            return .appended(after.position)
        }
    }

    /// Writes what changes nothing, to see whether the disk takes it.
    package func readOnlyReason() -> String? {
        if let refusal { return refusal }
        do {
            try writing { db in
                try db.execute(
                    sql: "UPDATE boots SET started_at = started_at WHERE boot_id = ?", arguments: [bootID])
            }
            return nil
        } catch {
            return error.detail
        }
    }

    /// Nothing was written: which outcome that is.
    private func refusal(of error: any Error, rollingBack db: Database) -> AppendOutcome {
        do { try db.rollback() } catch { return .unknown(reason: "\(path): \(StoreError.text(of: error))") }
        let reason = "\(path): \(StoreError.text(of: error))"
        switch (error as? DatabaseError)?.resultCode {
        case .SQLITE_FULL?, .SQLITE_IOERR?, .SQLITE_READONLY?, .SQLITE_CORRUPT?, .SQLITE_NOTADB?, .SQLITE_CANTOPEN?:
            return .readOnly(reason: reason)
        default: return .unavailable(reason: reason)
        }
    }

    /// A COMMIT that left the transaction open, or found the disk full, wrote no end of it. Of any other failure it is
    /// only known that the change can't be seen now: what the log got may count after a crash, until the next commit.
    private func outcome(ofFailedCommit error: any Error, _ db: Database) -> AppendOutcome {
        let code = (error as? DatabaseError)?.resultCode
        if db.isInsideTransaction || code == .SQLITE_FULL || code == .SQLITE_READONLY {
            return refusal(of: error, rollingBack: db)
        }
        return .unknown(reason: "\(path): \(StoreError.text(of: error))")
    }

    private func write(
        _ batch: CommitBatch, _ db: Database
    ) throws -> (position: Position, newestEvent: Int64) {
        var position = batch.base
        var numbers = try EventNumbers(db, node: node)
        for entry in batch.changes {
            position = try write(entry, on: position, db)
            for event in entry.events { try numbers.insert(event, db) }
        }
        for change in batch.statusChanges { try write(change, numbering: &numbers, db) }
        for event in batch.events { try numbers.insert(event, db) }
        for effect in batch.webhooks { try Self.write(effect, db) }
        for answer in batch.answers { try Self.write(answer, db) }
        for settlement in batch.settlements { try Self.write(settlement, db) }
        return (position, numbers.lastEvent)
    }

    private func write(_ entry: ChangeEntry, on base: Position, _ db: Database) throws -> Position {
        let (next, overflow) = base.revision.number.addingReportingOverflow(1)
        guard !overflow, entry.revision.number == next else {
            throw MalformedRow(what: "revision \(entry.revision.number) can't follow \(base.revision.number)")
        }
        let lines = entry.effects.map {
            EntryDigest.EffectLine(path: $0.path, body: $0.body?.canonicalText, createdAt: $0.createdAt)
        }
        var digest = EntryDigest(
            behind: base.digest, revision: entry.revision, epoch: base.epoch, at: entry.at, who: entry.who,
            comment: entry.comment)
        try Self.add(lines, entry.routes, at: entry.at, to: &digest)
        let digestBytes = digest.finish()
        let routes = entry.routes?.counts ?? RouteCounts()
        let putCount = lines.count { $0.body != nil } + routes.created + routes.replaced
        try db.cachedStatement(
            sql: """
                INSERT INTO revisions
                    (revision, epoch, at, who, comment, put_count, delete_count, digest, request_id)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            entry.revision.number, base.epoch, entry.at.milliseconds, entry.who, entry.comment, putCount,
            lines.count + routes.total - putCount, DatabaseValue(bytes: digestBytes), entry.requestID,
        ])
        for line in lines { try write(line, at: entry.revision, db) }
        if let confirmBy = entry.confirmBy { try Self.write(confirmBy: confirmBy, of: entry.revision, db) }
        if let stage = entry.routes { try Self.write(stage, at: entry.revision, entry.at, db) }
        return Position(epoch: base.epoch, revision: entry.revision, digest: digestBytes)
    }

    private func write(_ effect: EntryDigest.EffectLine, at revision: Revision, _ db: Database) throws {
        let (scope, name) = ObjectTable.place(of: effect.path)
        let (table, scopeColumn, nameColumn): (String, String, String)
        let place: any DatabaseValueConvertible
        switch ObjectTable(effect.path.kind) {
        case .objects: (table, scopeColumn, nameColumn, place) = ("objects", "kind", "id", scope)
        case .routes:
            (table, scopeColumn, nameColumn) = ("routes", "table_number", "prefix")
            place = try RouteTables.number(of: scope, db)
        }
        try db.cachedStatement(
            sql: """
                UPDATE \(table) SET until_revision = ?
                WHERE \(scopeColumn) = ? AND \(nameColumn) = ? AND until_revision IS NULL
                """
        ).execute(arguments: [revision.number, place, name])
        guard let body = effect.body else {
            // A deletion is kept as a row's end, so there must be a row.
            guard db.changesCount == 1 else {
                throw MalformedRow(what: "\(effect.path.text) is not there to be deleted")
            }
            return
        }
        try db.cachedStatement(
            sql: """
                INSERT INTO \(table) (\(scopeColumn), \(nameColumn), body, from_revision, created_at)
                VALUES (?, ?, ?, ?, ?)
                """
        ).execute(arguments: [place, name, body, revision.number, effect.createdAt.milliseconds])
    }

    private func write(_ change: StatusChange, numbering numbers: inout EventNumbers, _ db: Database) throws {
        let record = StatusRecord(sequence: try numbers.nextRecord(), observer: node, change: change)
        try db.cachedStatement(
            sql: """
                INSERT INTO status_records (sequence, at, gateway, uri, from_status, to_status, cause, sip_status,
                    time_value, reporter, call_id, revision, observer, note)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            record.sequence, change.at.milliseconds, change.gateway, change.uri, change.from.rawValue,
            change.to.rawValue, change.cause.name, change.sipStatus, change.timeValue?.milliseconds, change.reporter,
            change.callID, change.revision.number, node, change.note,
        ])
        let event = EventDraft(
            type: "gateway.status.changed", subject: ResourcePath(.gateways, change.gateway).text, time: change.at,
            data: record.json)
        try numbers.insert(event, isOfOrigin: true, db)
    }
}

/// The numbers that the next event and the next status record follow, read once a batch.
private struct EventNumbers {
    /// The number of the last event that was inserted.
    private(set) var lastEvent: Int64
    private var lastRecord: Int64
    private var lastOfOrigin: Int64
    private let node: String

    init(_ db: Database, node: String) throws {
        self.node = node
        let statement = try db.cachedStatement(
            sql: """
                SELECT (SELECT max(sequence) FROM events), (SELECT max(sequence) FROM status_records),
                    (SELECT max(origin_number) FROM events WHERE origin = ?)
                """)
        let row = try Row.fetchOne(statement, arguments: [node])
        lastEvent = try row?.integerOrNull(0) ?? 0
        lastRecord = try row?.integerOrNull(1) ?? 0
        lastOfOrigin = try row?.integerOrNull(2) ?? 0
    }

    /// Stores the event under the next number; an observation of this node's also gets the node's own next number.
    mutating func insert(_ event: EventDraft, isOfOrigin: Bool = false, _ db: Database) throws {
        lastEvent = try Self.number(after: lastEvent)
        if isOfOrigin { lastOfOrigin = try Self.number(after: lastOfOrigin) }
        try db.cachedStatement(
            sql: """
                INSERT INTO events (sequence, type, source, subject, time, data, origin, origin_number)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            lastEvent, event.type, "tandem/\(node)", event.subject, event.time.milliseconds, event.data.canonicalText,
            isOfOrigin ? node : nil, isOfOrigin ? lastOfOrigin : nil,
        ])
    }

    /// The next status record's number.
    mutating func nextRecord() throws -> Int64 {
        lastRecord = try Self.number(after: lastRecord)
        return lastRecord
    }

    /// The numbers come from the file.
    private static func number(after last: Int64) throws -> Int64 {
        guard last < .max else { throw MalformedRow(what: "the numbers of events are used up") }
        return last + 1
    }
}
