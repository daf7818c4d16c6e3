import Foundation
import GRDB
import Glibc
import Routing
package import Time

extension Store {
    /// The file that a backup is made in, beside the database: one at a time.
    package var backupPath: String { path + "-backup" }

    /// Writes a consistent copy of the database into a new file, and examines it. Changes go on meanwhile.
    package func backUp() throws(StoreError) {
        try copy(to: backupPath)
    }

    /// The same into any new file.
    func copy(to file: String) throws(StoreError) {
        do {
            try Self.remove(file)
            try Self.makePrivate(file)
            let copy = try DatabaseQueue(path: file)
            try pool.backup(to: copy)
            try copy.writeWithoutTransaction { db in
                // One file, whatever becomes of it: no log beside it is needed to read it.
                _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE")
                let findings = try String.fetchAll(db, sql: "PRAGMA quick_check(1)")
                guard findings == ["ok"] else { throw StoreError.damaged(file, findings.first ?? "no answer") }
            }
            try copy.close()
        } catch {
            let said = StoreError(reading: file, error)
            do { try Self.remove(file) } catch { throw said }
            throw said
        }
    }

    /// An empty file for the owner's eyes.
    static func makePrivate(_ file: String) throws {
        let descriptor = Glibc.open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw MalformedRow(what: String(cString: strerror(errno))) }
        Glibc.close(descriptor)
    }

    /// Takes a database's file away, with what belongs to it.
    static func remove(_ path: String) throws {
        for name in [path, path + "-wal", path + "-shm", path + "-journal"] {
            guard unlink(name) == 0 || errno == ENOENT else {
                throw MalformedRow(what: String(cString: strerror(errno)))
            }
        }
    }

    /// What a restore has done.
    package struct Restored: Sendable {
        /// Where the database is that was there before; nil: there was none.
        package let keptAside: String?
        /// The position of the restored database; its epoch is new.
        package let position: Position
    }

    /// Puts a copy in the place of a database that no server has open. The copy is examined before anything is
    /// touched; the old database is kept aside. The restored one begins a new epoch, with a revision that says so.
    ///
    /// - Parameter time: The present; names what is kept aside.
    package static func restore(from copy: String, to path: String, at time: WallTime) throws(StoreError) -> Restored {
        let report = try check(path: copy)
        guard report.findings.isEmpty else {
            throw StoreError(.damaged, "\(copy) is damaged (\(report.findings.first ?? "")): nothing was touched")
        }
        let target = try DatabaseFile(path)
        let lock = try target.lock()
        defer { lock.release() }
        let staged = target.resolvedPath + "-restore"
        do {
            try remove(staged)
            let position = try stage(copy, as: staged, at: time)
            // What was staged is what counts from here on: it is examined whole, chain and all.
            let findings = try check(path: staged).findings
            guard findings.isEmpty else { throw StoreError.damaged(staged, findings.first ?? "") }
            let keptAside = try putAside(target.resolvedPath, as: "before-restore", at: time)
            guard rename(staged, target.resolvedPath) == 0 else {
                throw MalformedRow(what: "\(staged) can't be renamed: \(String(cString: strerror(errno)))")
            }
            try syncFolder(of: target.resolvedPath)
            return Restored(keptAside: keptAside, position: position)
        } catch {
            throw StoreError(opening: path, error)
        }
    }

    /// A copy for the owner's eyes, on disk, with the revision that begins its new epoch.
    private static func stage(_ copy: String, as staged: String, at time: WallTime) throws -> Position {
        try makePrivate(staged)
        let source = try DatabaseFile(copy).readOnlyQueue()
        let queue = try DatabaseQueue(path: staged)
        try source.backup(to: queue)
        try source.close()
        try Schema.migrator.migrate(queue)  // what follows knows the present schema only
        let position = try queue.writeWithoutTransaction { db in
            _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE")
            try db.execute(sql: "PRAGMA synchronous = FULL")
            return try beginEpoch(db, at: time)
        }
        try queue.close()
        return position
    }

    private static func beginEpoch(_ db: Database, at time: WallTime) throws -> Position {
        let last = try position(db)
        let (revision, overflow) = last.revision.number.addingReportingOverflow(1)
        guard !overflow, last.epoch < .max else { throw MalformedRow(what: "the revisions are used up") }
        let (epoch, who, comment) = (last.epoch + 1, "tandem", "restored from a backup")
        var digest = EntryDigest(
            behind: last.digest, revision: Revision(revision), epoch: epoch, at: time, who: who, comment: comment)
        let digestBytes = digest.finish()
        try db.execute(
            sql: """
                INSERT INTO revisions (revision, epoch, at, who, comment, put_count, delete_count, digest)
                VALUES (?, ?, ?, ?, ?, 0, 0, ?)
                """,
            arguments: [revision, epoch, time.milliseconds, who, comment, DatabaseValue(bytes: digestBytes)])
        return Position(epoch: epoch, revision: Revision(revision), digest: digestBytes)
    }

    /// Renames a database, with what belongs to it, to `PATH.WORD-TIME`; nil: there is none. Its log goes first: beside
    /// another file it would be taken for that one's.
    static func putAside(_ path: String, as word: String, at time: WallTime) throws -> String? {
        let aside = "\(path).\(word)-" + time.rfc3339.filter { $0 != ":" }
        for suffix in ["-wal", "-shm", ""] {
            guard rename(path + suffix, aside + suffix) == 0 || errno == ENOENT else {
                throw MalformedRow(what: "\(path)\(suffix) can't be kept aside: \(String(cString: strerror(errno)))")
            }
        }
        try syncFolder(of: path)
        return access(aside, F_OK) == 0 ? aside : nil
    }

    /// Has the names in the folder of a file on disk.
    static func syncFolder(of path: String) throws {
        let folder = path.contains("/") ? path[..<(path.lastIndex(of: "/") ?? path.startIndex)] : "."
        let descriptor = Glibc.open(folder.isEmpty ? "/" : String(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw MalformedRow(what: String(cString: strerror(errno))) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw MalformedRow(what: String(cString: strerror(errno))) }
    }
}
