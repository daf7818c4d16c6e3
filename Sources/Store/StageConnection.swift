import GRDB
import GRDBSQLite

/// A connection to an SQLite file of its own, past GRDB: a bulk goes through it several million times. One thread at a
/// time. What fails throws GRDB's `DatabaseError`.
final class StageConnection {
    private let handle: OpaquePointer

    /// Opens a file that is there.
    init(path: String) throws {
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI
        let code = sqlite3_open_v2(path, &opened, flags, nil)
        guard let opened else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
        guard code == SQLITE_OK else {
            let error = Self.error(opened, code)
            sqlite3_close_v2(opened)
            throw error
        }
        handle = opened
        sqlite3_busy_timeout(handle, 5000)
    }

    deinit { sqlite3_close_v2(handle) }

    /// Runs statements that have no parameters and no rows.
    func execute(_ sql: String) throws {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw Self.error(handle, code) }
    }

    /// Compiles one statement.
    func statement(_ sql: String) throws -> StageStatement {
        var compiled: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &compiled, nil)
        guard code == SQLITE_OK, let compiled else { throw Self.error(handle, code) }
        return StageStatement(compiled, of: self)
    }

    /// How many rows the last statement inserted, changed or deleted.
    var changesCount: Int { Int(sqlite3_changes(handle)) }

    fileprivate func error(_ code: CInt) -> DatabaseError { Self.error(handle, code) }

    private static func error(_ handle: OpaquePointer, _ code: CInt) -> DatabaseError {
        DatabaseError(resultCode: ResultCode(rawValue: code), message: String(cString: sqlite3_errmsg(handle)))
    }
}

/// A compiled statement of a stage.
final class StageStatement {
    /// What a parameter is given.
    enum Value { case null, integer(Int64), text(String) }

    private let handle: OpaquePointer
    private let connection: StageConnection

    fileprivate init(_ handle: OpaquePointer, of connection: StageConnection) {
        (self.handle, self.connection) = (handle, connection)
    }

    deinit { sqlite3_finalize(handle) }

    /// Gives the parameters from the first on, and begins anew.
    @discardableResult
    func bind(_ values: Value...) -> StageStatement {
        sqlite3_reset(handle)
        for (index, value) in values.enumerated() {
            let place = CInt(truncatingIfNeeded: index + 1)
            switch value {
            case .null: sqlite3_bind_null(handle, place)
            case .integer(let number): sqlite3_bind_int64(handle, place, number)
            case .text(let text): sqlite3_bind_text(handle, place, text, -1, Self.copying)
            }
        }
        return self
    }

    func bind(_ place: CInt, _ number: Int64) { sqlite3_bind_int64(handle, place, number) }

    /// UTF-8 that stays where it is until the statement has run; nil: null.
    func bind(_ place: CInt, _ bytes: UnsafeRawBufferPointer?) {
        guard let bytes else {
            sqlite3_bind_null(handle, place)
            return
        }
        guard let start = bytes.baseAddress, let count = CInt(exactly: bytes.count) else {
            sqlite3_bind_text(handle, place, "", 0, Self.copying)
            return
        }
        sqlite3_bind_text(handle, place, start.assumingMemoryBound(to: CChar.self), count, nil)
    }

    /// Runs a statement that has no rows.
    func run() throws {
        let code = sqlite3_step(handle)
        sqlite3_reset(handle)
        guard code == SQLITE_DONE else { throw connection.error(code) }
    }

    /// The next row is there; false at the end.
    func next() throws -> Bool {
        let code = sqlite3_step(handle)
        guard code != SQLITE_ROW else { return true }
        sqlite3_reset(handle)
        guard code == SQLITE_DONE else { throw connection.error(code) }
        return false
    }

    /// Forgets the rows that were not read.
    func reset() { sqlite3_reset(handle) }

    func isNull(_ column: CInt) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    func integer(_ column: CInt) -> Int64 { sqlite3_column_int64(handle, column) }

    func integerOrNull(_ column: CInt) -> Int64? { isNull(column) ? nil : integer(column) }

    func text(_ column: CInt) -> String {
        String(decoding: bytes(column) ?? .init(start: nil, count: 0), as: UTF8.self)
    }

    func textOrNull(_ column: CInt) -> String? { bytes(column).map { String(decoding: $0, as: UTF8.self) } }

    /// The text's bytes until the next row; nil for null.
    func bytes(_ column: CInt) -> UnsafeRawBufferPointer? {
        guard let start = sqlite3_column_text(handle, column) else { return nil }
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
    }

    /// SQLITE_TRANSIENT, a macro that Swift does not see.
    private static let copying = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
}
