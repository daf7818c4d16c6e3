import GRDB
import Routing
package import Time

extension Store {
    /// How available a gateway was, by its status records. A gateway that was deleted meanwhile, or that had another
    /// URI, began afresh: in-service.
    ///
    /// - Parameters:
    ///   - from: Nil: as far back as records are kept.
    ///   - to: The end; what lies after `now` is unknown.
    /// - Returns: Nil when no such gateway was ever kept.
    package func availability(
        ofGateway gateway: String, from: WallTime?, to: WallTime?, now: WallTime
    ) throws(StoreError) -> Availability? {
        try reading { db in
            let lives = try Self.lives(of: gateway, db)
            guard let first = lives.first else { return nil }
            var begin = first.at
            if let from { begin = max(begin, from) }
            if let kept = try Self.statusRecordsKeptFrom(db) { begin = max(begin, kept) }
            let records = try Row.fetchAll(
                try db.cachedStatement(
                    sql: "SELECT at, uri, to_status FROM status_records WHERE gateway = ? ORDER BY sequence"),
                arguments: [gateway]
            ).map { row in
                (
                    at: WallTime(milliseconds: try row.integer(0)), uri: try row.text(1),
                    isInService: try row.text(2) == GatewayStatus.inService.rawValue
                )
            }
            // A life's turns are its beginning and the records with its URI until the next life.
            var turns: [(at: WallTime, isInService: Bool?)] = []
            for (index, life) in lives.enumerated() {
                turns.append((life.at, life.uri == nil ? nil : true))
                let end = index + 1 < lives.count ? lives[index + 1].at : nil
                for record in records where record.uri == life.uri && record.at >= life.at {
                    if let end, record.at >= end { continue }
                    turns.append((record.at, record.isInService))
                }
            }
            return Availability(turns: turns, from: begin, to: min(to ?? now, now))
        }
    }

    /// When a gateway began afresh, in order: made, its URI changed, or (nil) deleted.
    private static func lives(of gateway: String, _ db: Database) throws -> [(at: WallTime, uri: String?)] {
        let rows = try Row.fetchAll(
            try db.cachedStatement(
                sql: """
                    SELECT begun.at, json_extract(body, '$.uri'), ended.at, objects.created_at
                    FROM objects JOIN revisions AS begun ON begun.revision = from_revision
                        LEFT JOIN revisions AS ended ON ended.revision = until_revision
                    WHERE kind = 'gateways' AND id = ? ORDER BY from_revision
                    """), arguments: [gateway])
        var lives: [(at: WallTime, uri: String?)] = []
        for row in rows {
            let begun = WallTime(milliseconds: try row.integer(0))
            let uri = try row.textOrNull(1) ?? ""
            if let last = lives.last, last.uri == nil, last.at == begun { lives.removeLast() }
            if lives.last?.uri != uri {
                // Of the first row that is kept, earlier ones may have been retired.
                let made = WallTime(milliseconds: try row.integer(3))
                lives.append((lives.isEmpty ? min(made, begun) : begun, uri))
            }
            if let ended = try row.integerOrNull(2) { lives.append((WallTime(milliseconds: ended), nil)) }
        }
        return lives
    }
}
