import GRDB
import Glibc
import Synchronization

/// The file of a database before SQLite has it open.
struct DatabaseFile {
    /// As the operator named it.
    let path: String
    /// The same without symbolic links, so that one file has one lock.
    let resolvedPath: String

    init(_ path: String) throws(StoreError) {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw StoreError(.unusable, "the database has no file name")
        }
        self.path = path
        if let resolved = realpath(path, nil) {
            resolvedPath = String(cString: resolved)
            free(resolved)
        } else {
            // A name that SQLite reads as a file's, whatever it looks like (`:memory:`).
            resolvedPath = path.hasPrefix("/") ? path : "./" + path
        }
    }

    /// Keeps every other process away, until the lock is released or the process ends.
    func lock() throws(StoreError) -> DatabaseLock {
        let descriptor = Glibc.open(resolvedPath + "-lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw unusable("its lock file \(path)-lock can't be made", errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            Glibc.close(descriptor)
            guard code != EWOULDBLOCK else {
                throw StoreError(.unusable, "\(path) is in use by another process")
            }
            throw unusable("it can't be locked", code)
        }
        return DatabaseLock(descriptor)
    }

    /// Refuses a file that is not there or may not be read; SQLite's words for both are the same.
    func checkReadable() throws(StoreError) {
        guard access(resolvedPath, R_OK) == 0 else { throw unusable("it can't be read", errno) }
    }

    /// Makes an empty file that only its owner may read when there is none. Returns false when the file is empty: a new
    /// database.
    func makeIfMissing() throws(StoreError) -> Bool {
        let descriptor = Glibc.open(resolvedPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw unusable("it can't be opened for writing", errno) }
        defer { Glibc.close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw unusable("it can't be read", errno) }
        guard information.st_mode & S_IFMT == S_IFREG else { throw StoreError(.unusable, "\(path) is no regular file") }
        return information.st_size > 0
    }

    /// Refuses, before anything is written, a file that is no database of ours, is damaged, or was written by a newer
    /// Tandem.
    func check() throws(StoreError) {
        do {
            let queue = try readOnlyQueue()
            try queue.read { db in
                try checkOwner(db)
                let findings = try String.fetchAll(db, sql: "PRAGMA quick_check(1)")
                guard findings == ["ok"] else {
                    throw StoreError.damaged(path, findings.first ?? "quick_check did not answer")
                }
            }
            try queue.close()
        } catch {
            throw StoreError(opening: path, error)
        }
    }

    /// Throws `StoreError` for the database of another program, or of a newer Tandem.
    func checkOwner(_ db: Database) throws {
        let application = try Int64.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let tableCount = try Int64.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
        // A start that was cut short leaves the migrator's empty table and no more.
        guard application == Schema.applicationID || tableCount <= 2 else {
            throw StoreError(.unusable, "\(path) is a database of another program; choose another --database")
        }
        if try Schema.migrator.hasBeenSuperseded(db) {
            let last =
                try String.fetchOne(db, sql: "SELECT identifier FROM grdb_migrations ORDER BY rowid DESC LIMIT 1")
                ?? "?"
            throw StoreError(
                .newerSchema,
                "\(path) was written by a newer version of Tandem (schema \(last)); use that version, or another "
                    + "--database"
            )
        }
    }

    /// A connection that changes nothing, whoever else has the file open.
    func readOnlyQueue() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0")
        }
        return try DatabaseQueue(path: resolvedPath, configuration: configuration)
    }

    private func unusable(_ what: String, _ code: CInt) -> StoreError {
        StoreError(.unusable, "\(path) can't be used: \(what) (\(String(cString: strerror(code))))")
    }
}

/// A lock on a database's file, by a file beside it: SQLite's own locks come and go with each transaction.
final class DatabaseLock: Sendable {
    private let descriptor: Mutex<CInt?>

    init(_ descriptor: CInt) { self.descriptor = Mutex(descriptor) }

    deinit { release() }

    /// Lets others open the database; a second call does nothing.
    func release() {
        descriptor.withLock { descriptor in
            if let held = descriptor {
                // By name: a child of ours that is just about to become another program still has the descriptor too.
                flock(held, LOCK_UN)
                Glibc.close(held)
            }
            descriptor = nil
        }
    }
}
