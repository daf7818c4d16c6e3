import Foundation
import GRDB
import Glibc
import Routing
package import Time

// A damaged database is no reason to drop calls. While all is well a copy of the database lies beside it
// (`tandem.db-good`), renewed by `ControlPlane` after changes. A database that is found damaged at start is kept aside
// (`tandem.db.damaged-TIME`), and what is served is a copy of that copy (`tandem.db-standby`), to which nothing is
// written: changes would be lost with it, and whoever made them would not know. That goes on over restarts until
// somebody puts a database in place of the damaged one (`tandem restore`).
extension Store {
    /// The last good copy of the database at a path.
    package static func goodCopyPath(of path: String) -> String { path + "-good" }

    /// Opens the database, or makes it; where it is damaged, and its last good copy is there, it is kept aside and
    /// that copy is opened to be read (`refusal` is set then).
    package static func open(path: String, node: String, at time: WallTime) throws(StoreError) -> Store {
        let hasCopy = access(goodCopyPath(of: path), R_OK) == 0
        if hasCopy, access(path, F_OK) != 0, let aside = damagedBeside(path) {
            let lock = try DatabaseFile(path).lock()
            return try standIn(for: path, lock: lock, node: node, at: time) { aside }
        }
        do {
            return try Store(path: path, node: node, at: time)
        } catch {
            guard hasCopy, error.reason == .damaged else { throw error }
            let file = try DatabaseFile(path)
            return try standIn(for: path, lock: try file.lock(), node: node, at: time) {
                try putAside(file.resolvedPath, as: "damaged", at: time) ?? path
            }
        }
    }

    /// The newest file that was kept aside as damaged.
    private static func damagedBeside(_ path: String) -> String? {
        let url = URL(fileURLWithPath: path)
        let beginning = url.lastPathComponent + ".damaged-"
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: url.deletingLastPathComponent().path)
        } catch {
            return nil  // a folder that can't be read has no database either
        }
        let newest = names.filter { $0.hasPrefix(beginning) && $0.hasSuffix("Z") }.max()
        return newest.map { url.deletingLastPathComponent().appendingPathComponent($0).path }
    }

    /// - Parameter putAside: keeps the damaged file aside and says where, once it is sure that the copy is good: a
    ///   database that is not there would be made anew at the next start.
    private static func standIn(
        for path: String, lock: DatabaseLock, node: String, at time: WallTime,
        keepingAside putAside: () throws -> String
    ) throws(StoreError) -> Store {
        let copy = goodCopyPath(of: path)
        let standby = path + "-standby"
        let last: (revision: Revision, at: WallTime)
        let aside: String
        do {
            try remove(standby)
            try makePrivate(standby)
            let source = try DatabaseFile(copy).readOnlyQueue()
            let target = try DatabaseQueue(path: standby)
            try source.backup(to: target)
            try source.close()
            last = try target.read { db in
                let row = try Row.fetchOne(db, sql: "SELECT revision, at FROM revisions ORDER BY revision DESC LIMIT 1")
                guard let row else { throw MalformedRow(what: "revisions is empty") }
                return (Revision(try row.integer(0)), WallTime(milliseconds: try row.integer(1)))
            }
            try target.close()
            try DatabaseFile(standby).check()
            aside = try putAside()
        } catch {
            throw StoreError(opening: copy, error)
        }
        let refusal =
            "\(path) was damaged and is kept as \(aside); calls and reads follow revision \(last.revision.number) "
            + "(\(last.at.rfc3339)) of its last good copy; stop the server and put that copy or a backup in its "
            + "place: tandem restore --from \(copy) --database \(path)"
        return try Store(path: standby, node: node, at: time, refusal: refusal, holding: lock)
    }

    /// Renews the good copy; changes go on meanwhile. Throws where there is no room for it, and leaves the old one.
    package func keepGoodCopy() throws(StoreError) {
        let copy = Self.goodCopyPath(of: path)
        let part = copy + ".part"
        try checkRoom()
        try self.copy(to: part)
        do {
            guard rename(part, copy) == 0 else { throw MalformedRow(what: String(cString: strerror(errno))) }
            try Self.syncFolder(of: copy)
        } catch {
            throw StoreError(reading: copy, error)
        }
    }

    /// The position of the good copy; nil where there is none that can be read.
    package var goodCopyPosition: Position? {
        do {
            let file = try DatabaseFile(Self.goodCopyPath(of: path))
            try file.checkReadable()
            let queue = try file.readOnlyQueue()
            let position = try queue.read { db in try Self.position(db) }
            try queue.close()
            return position
        } catch {
            return nil  // it is made anew
        }
    }

    /// A copy must not be what fills the disk.
    private func checkRoom() throws(StoreError) {
        var (file, volume) = (stat(), statvfs())
        guard stat(path, &file) == 0, statvfs(path, &volume) == 0 else {
            throw StoreError(.failed, "\(path): how much room there is can't be told")
        }
        let free = UInt64(volume.f_bavail) * UInt64(volume.f_frsize)
        let needed = UInt64(clamping: file.st_size) * 2 + Self.sparedBytes
        guard free >= needed else {
            throw StoreError(.failed, "\(Self.goodCopyPath(of: path)) is not renewed: \(free) bytes are free")
        }
    }

    /// So much is left free whatever the size.
    private static var sparedBytes: UInt64 { 16 << 20 }
}
