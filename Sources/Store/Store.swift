import GRDB
import Routing
import Synchronization
package import Time

// How this room works. `Store` holds one SQLite file: one connection writes (and checkpoints), a few read-only ones
// read. `Schema` makes and migrates the tables, `DatabaseFile` gets the file ready and keeps other processes away from
// it. Routing data is kept by revision: a row says from which revision it holds and until which; the live data are the
// rows without an end. So a change's effects are not stored a second time: they are the rows that begin and end at its
// revision, and `EntryDigest` chains them. `append` runs on the writer's thread, everything else on any thread.

/// The embedded database.
package final class Store: Sendable {
    /// The node that this database belongs to.
    package let node: String
    /// Names this opening of the database: 16 hexadecimal digits, drawn at random.
    package let bootID: String

    /// Why nothing is written; nil: all is. Set where the last good copy stands in for a damaged database.
    package let refusal: String?

    let path: String
    let pool: DatabasePool
    let stored: Mutex<Position>
    /// The number of the newest event; nil while that must be asked of the file.
    let newestEvent = Mutex<Int64?>(nil)
    private let lock: DatabaseLock
    /// Of the database that this one stands in for.
    private let originalLock: DatabaseLock?
    private let isClosed = Mutex(false)
    /// Tables of routes that a bulk of an earlier run has not finished.
    let leftRouteTables: [Int64]

    /// How many connections read.
    private static let readerLimitCount = 4

    /// Opens the database, or makes it with its first epoch, node id and secrets.
    ///
    /// Checks the whole file (`quick_check`), which takes a while when it is large. A damaged file is left as it is.
    ///
    /// - Parameters:
    ///   - node: The id of this node in a new database; an existing one keeps its own.
    ///   - time: The present, for what is made on opening.
    package convenience init(path: String, node: String, at time: WallTime) throws(StoreError) {
        try self.init(path: path, node: node, at: time, refusal: nil, holding: nil)
    }

    /// - Parameters:
    ///   - refusal: why nothing is written from then on; nil: all is.
    ///   - originalLock: is held as long as this is open.
    init(
        path: String, node: String, at time: WallTime, refusal: String?, holding originalLock: DatabaseLock?
    ) throws(StoreError) {
        (self.refusal, self.originalLock) = (refusal, originalLock)
        let file = try DatabaseFile(path)
        lock = try file.lock()
        if try file.makeIfMissing() { try file.check() }
        RouteStage.removeLeft(beside: file.resolvedPath)
        self.path = path
        let bootID = Self.hexadecimal(Self.randomBytes(8))
        self.bootID = bootID
        do {
            pool = try DatabasePool(path: file.resolvedPath, configuration: Self.configuration())
            let pool = pool
            // GRDB sets NORMAL when it turns WAL on: an acknowledged change could be lost with the power.
            try pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
            try Schema.migrator.migrate(pool)
            let opened = try pool.write { db in
                try Schema.begin(db, node: node, bootID: bootID, at: time)
                return (
                    node: try Schema.node(db), position: try Self.position(db), left: try RouteTables.notBegun(db)
                )
            }
            if refusal != nil {
                try pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA query_only = ON") }
            }
            (self.node, leftRouteTables) = (opened.node, opened.left)
            stored = Mutex(opened.position)
        } catch {
            throw StoreError(opening: path, error)
        }
    }

    /// The last committed position.
    package var position: Position { stored.withLock { $0 } }

    /// A secret that is kept over restarts, made at random when it is first asked for: `byteCount` bytes.
    package func secret(named name: String, byteCount: Int) throws(StoreError) -> [UInt8] {
        let kept = try reading { db in try Self.secret(named: name, db) }
        let secret = if let kept { kept } else { try makeSecret(named: name, byteCount) }
        guard secret.count == byteCount else {
            throw StoreError(.failed, "\(path): the secret \(name) has \(secret.count) bytes instead of \(byteCount)")
        }
        return secret
    }

    private static func secret(named name: String, _ db: Database) throws -> [UInt8]? {
        try Row.fetchOne(db, sql: "SELECT value FROM secrets WHERE name = ?", arguments: [name]).map { try $0.bytes(0) }
    }

    private func makeSecret(named name: String, _ byteCount: Int) throws(StoreError) -> [UInt8] {
        try writing { db in
            if let secret = try Self.secret(named: name, db) { return secret }
            let made = Self.randomBytes(byteCount)
            try db.execute(
                sql: "INSERT INTO secrets (name, value) VALUES (?, ?)",
                arguments: [name, DatabaseValue(bytes: made)])
            return made
        }
    }

    /// Lets go of the file. Nobody may read or write any more; a second call does nothing.
    ///
    /// - Returns: What SQLite said when it could not finish, for the log. Nothing is lost then: the write-ahead log
    ///   stays beside the file and is read at the next start.
    @discardableResult
    package func close() -> StoreError? {
        let wasClosed = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return isClosed
        }
        guard !wasClosed else { return nil }
        defer {
            lock.release()
            originalLock?.release()
        }
        do {
            // The last connection to close is a reader, which can't empty the write-ahead log.
            try pool.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
            try pool.close()
            return nil
        } catch {
            return StoreError(reading: path, error)
        }
    }

    func reading<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        do { return try pool.read(body) } catch { throw StoreError(reading: path, error) }
    }

    func writing<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        do { return try pool.write(body) } catch { throw StoreError(reading: path, error) }
    }

    /// Readers are opened read-only by GRDB, so they can neither write nor checkpoint; the rest says so once more.
    private static func configuration() -> Configuration {
        var configuration = Configuration()
        configuration.label = "store"
        configuration.maximumReaderCount = readerLimitCount
        configuration.persistentReadOnlyConnections = true
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA trusted_schema = OFF")
            if db.configuration.readonly {
                try db.execute(sql: "PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0")
            } else {
                try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
            }
        }
        return configuration
    }

    static func position(_ db: Database) throws -> Position {
        let statement = try db.cachedStatement(
            sql: "SELECT epoch, revision, digest FROM revisions ORDER BY revision DESC LIMIT 1")
        guard let row = try Row.fetchOne(statement) else { throw MalformedRow(what: "revisions is empty") }
        return Position(epoch: try row.integer(0), revision: Revision(try row.integer(1)), digest: try row.bytes(2))
    }

    static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<max(0, count)).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}
