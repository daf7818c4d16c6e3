import Foundation
import GRDB
import Glibc
import JSON
import Routing
import Time

/// What a bulk brings, in a file of its own beside the database: routes as they were sent, and what they change.
///
///     receiving --endReceiving--> received --resolve--> resolved --Store.build--> built --append--> in force
///
/// Memory stays bounded whatever is sent. A stage is used by one thread at a time: by its bulk's, and then by the
/// writer's. Whatever becomes of it, `Store.discard` ends it; a file that a crash leaves behind goes at the next start.
///
/// Tables of the stage: `sent` holds routes that did not come in the order of their prefixes, `file` all that were
/// sent (with a time: those of an earlier revision, made then), `changes` those that differ from the live ones, as they
/// will be (a body of null: deleted; a time of null: made with the change; whether there is one now), `touched` what
/// others changed meanwhile.
package final class RouteStage: @unchecked Sendable {
    /// What becomes of the routes of a plan.
    package enum Mode: Sendable {
        /// They are those that are added, and no others.
        case replace
        /// Those that are added are there as they were added, beside the others.
        case put
        /// Those that are added are merged into those of the same prefix; the others stay.
        case merge
    }

    /// One plan of the bulk.
    struct Plan {
        let id: String
        let mode: Mode
        /// The table that the plan's calls follow; -1 when it has none.
        var table: Int64 = -1
        /// When that one's first rows were made.
        var tableMadeAt = WallTime(milliseconds: 0)
        /// The table that takes its place; nil: its rows are changed one by one.
        var successor: Int64?
        var counts = RouteCounts()
        /// The digest of many effects.
        var digest: RoutesDigest.Finished?
    }

    /// More differences than this are written as a new table beside the live one; fewer cost less room where they are.
    package static let inPlaceLimitCount = 100_000

    let path: String
    let connection: StageConnection
    var plans: [Plan] = []
    /// The revision whose live routes `changes` was made against.
    var base = Revision(0)
    private let livePath: String
    private var insertSorted: StageStatement?
    private var insertSent: StageStatement?
    private var last: (plan: Int64, prefix: [UInt8])?
    private var isInOrder = true
    private var sentCount = 0
    var isLiveAttached = false

    /// A new stage beside the database of that path.
    init(beside livePath: String, name: String) throws {
        (self.livePath, path) = (livePath, livePath + Self.suffix + name)
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw DatabaseError(resultCode: errno == ENOSPC ? .SQLITE_FULL : .SQLITE_CANTOPEN, message: path)
        }
        Glibc.close(descriptor)
        do {
            connection = try StageConnection(path: path)
            try connection.execute(Self.schema)
        } catch {
            unlink(path)
            throw error
        }
    }

    private static let suffix = "-bulk-"

    // Nothing of it has to outlive a crash.
    private static let schema = """
        PRAGMA journal_mode = OFF;
        PRAGMA synchronous = OFF;
        PRAGMA cache_size = -8192;
        PRAGMA secure_delete = OFF;
        CREATE TABLE sent (plan INTEGER NOT NULL, prefix TEXT NOT NULL, line INTEGER NOT NULL, body TEXT) STRICT;
        CREATE TABLE file (
            plan INTEGER NOT NULL, prefix TEXT NOT NULL, line INTEGER NOT NULL, body TEXT, created_at INTEGER,
            PRIMARY KEY (plan, prefix)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE changes (
            plan INTEGER NOT NULL, prefix TEXT NOT NULL, body TEXT, created_at INTEGER, is_there INTEGER NOT NULL,
            PRIMARY KEY (plan, prefix)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE touched (plan INTEGER NOT NULL, prefix TEXT NOT NULL, PRIMARY KEY (plan, prefix)) WITHOUT ROWID;
        BEGIN;
        """

    /// Deletes the files that stages of an earlier process have left.
    static func removeLeft(beside livePath: String) {
        let folder = (livePath as NSString).deletingLastPathComponent
        let start = (livePath as NSString).lastPathComponent + suffix
        guard let handle = opendir(folder.isEmpty ? "." : folder) else { return }
        defer { closedir(handle) }
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(start) { unlink(folder.isEmpty ? name : folder + "/" + name) }
        }
    }

    // MARK: receiving

    /// The number of a plan, under which its routes are added.
    package func addPlan(_ id: String, as mode: Mode) -> Int {
        plans.append(Plan(id: id, mode: mode))
        return plans.count - 1
    }

    /// Adds a route that was sent.
    ///
    /// - Parameters:
    ///   - prefix: Digits; empty for the catch-all.
    ///   - line: Where it stands in what was sent.
    ///   - body: What was sent of it, canonical; nil: it is to be deleted.
    package func add(
        plan: Int, prefix: UnsafeRawBufferPointer, line: Int64, body: UnsafeRawBufferPointer?
    ) throws(StoreError) {
        try staging {
            let plan = Int64(plan)
            if isInOrder, let last, last.plan > plan || last.plan == plan && !Self.precedes(last.prefix, prefix) {
                isInOrder = false
            }
            let insert: StageStatement
            if isInOrder {
                insert =
                    try insertSorted
                    ?? connection.statement("INSERT INTO file (plan, prefix, line, body) VALUES (?, ?, ?, ?)")
                insertSorted = insert
                last = (plan, Array(prefix))
            } else {
                insert = try insertSent ?? connection.statement("INSERT INTO sent VALUES (?, ?, ?, ?)")
                insertSent = insert
                sentCount += 1
            }
            insert.bind(1, plan)
            insert.bind(2, prefix)
            insert.bind(3, line)
            insert.bind(4, body)
            try insert.run()
        }
    }

    private static func precedes(_ left: [UInt8], _ right: UnsafeRawBufferPointer) -> Bool {
        left.withUnsafeBytes { left in
            let count = min(left.count, right.count)
            guard count > 0, let first = left.baseAddress, let second = right.baseAddress else {
                return left.count < right.count
            }
            let order = memcmp(first, second, count)
            return order == 0 ? left.count < right.count : order < 0
        }
    }

    /// A prefix that was sent twice.
    package struct Repetition: Equatable, Sendable {
        /// The plan's id.
        package let plan: String
        /// Digits; empty for the catch-all.
        package let prefix: String
        /// Where it stands again.
        package let line: Int64
        /// Where it stands first.
        package let firstLine: Int64
    }

    /// All has been sent. Nothing can be added any more.
    ///
    /// - Returns: Prefixes that were sent more than once, the first `limit` in the order of the lines. What becomes of
    ///   them then is not said: refuse the bulk.
    package func endReceiving(limit: Int) throws(StoreError) -> [Repetition] {
        try staging {
            (insertSorted, insertSent) = (nil, nil)
            var repetitions: [Repetition] = []
            if sentCount > 0 {
                try connection.execute(
                    """
                    INSERT OR IGNORE INTO file (plan, prefix, line, body)
                    SELECT plan, prefix, line, body FROM sent ORDER BY plan, prefix, line
                    """)
                if connection.changesCount != sentCount { repetitions = try self.repetitions(limit: limit) }
                try connection.execute("DELETE FROM sent")
            }
            try connection.execute("COMMIT")
            return repetitions
        }
    }

    private func repetitions(limit: Int) throws -> [Repetition] {
        let statement = try connection.statement(
            """
            SELECT sent.prefix, max(sent.line, file.line), min(sent.line, file.line), plan
            FROM sent JOIN file USING (plan, prefix) WHERE sent.line <> file.line ORDER BY 2 LIMIT ?
            """)
        statement.bind(.integer(Int64(limit)))
        var found: [Repetition] = []
        while try statement.next() {
            let plan = Int(statement.integer(3))
            found.append(
                Repetition(
                    plan: plans.indices.contains(plan) ? plans[plan].id : "", prefix: statement.text(0),
                    line: statement.integer(1), firstLine: statement.integer(2)))
        }
        return found
    }

    /// Where routes stand that lead to one of these lists, the first `limit` in the order of the lines: the line and
    /// the list's id.
    package func lines(
        leadingTo lists: [String], limit: Int
    ) throws(StoreError) -> [(line: Int64, list: String)] {
        try staging {
            let names = JSONValue.array(lists.map { .string($0) }).canonicalText
            let statement = try connection.statement(
                """
                SELECT line, body ->> '$.routing_list' AS list FROM file
                WHERE list IN (SELECT value FROM json_each(?)) ORDER BY line LIMIT ?
                """)
            statement.bind(.text(names), .integer(Int64(limit)))
            var found: [(line: Int64, list: String)] = []
            while try statement.next() { found.append((statement.integer(0), statement.text(1))) }
            return found
        }
    }

    /// Where the first route of a plan stands.
    package func firstLine(of plan: Int) throws(StoreError) -> Int64? {
        try staging {
            let statement = try connection.statement("SELECT min(line) FROM file WHERE plan = ?")
                .bind(.integer(Int64(plan)))
            defer { statement.reset() }
            return try statement.next() ? statement.integerOrNull(0) : nil
        }
    }

    /// What it does to all plans together, once it is resolved.
    package var counts: RouteCounts {
        plans.reduce(into: RouteCounts()) { sum, plan in
            sum.created += plan.counts.created
            sum.replaced += plan.counts.replaced
            sum.deleted += plan.counts.deleted
        }
    }

    /// What it does to one plan, once it is resolved.
    package func counts(of plan: Int) -> RouteCounts { plans[plan].counts }

    /// The plans' ids, by their numbers.
    package var planIDs: [String] { plans.map(\.id) }

    // MARK: its end

    /// Takes the file away. Whoever has it open reads on.
    func remove() { unlink(path) }

    /// Lets the stage see the database as it is committed, read-only, under the name `live`.
    func attachLive() throws {
        let name = livePath.utf8.map { byte -> String in
            let isPlain =
                byte < 0x80 && Character(Unicode.Scalar(byte)).isLetter || "0123456789/._-".utf8.contains(byte)
            return isPlain ? String(Unicode.Scalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        try connection.statement("ATTACH DATABASE ? AS live").bind(.text("file:\(name)?mode=ro")).run()
    }

    func staging<Value>(_ body: () throws -> Value) throws(StoreError) -> Value {
        do { return try body() } catch { throw StoreError(staging: path, error) }
    }
}

/// What a bulk does to the routes of a plan.
package struct RouteCounts: Equatable, Sendable {
    /// Routes that are new.
    package var created = 0
    /// Routes that say something else than before.
    package var replaced = 0
    /// Routes that are gone.
    package var deleted = 0

    /// No routes at all.
    package init() {}

    /// How many are touched.
    package var total: Int { created + replaced + deleted }
}
