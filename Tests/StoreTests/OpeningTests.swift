import Fixtures
import Foundation
import GRDB
import JSON
import Routing
import Store
import Testing
import Time

@Suite struct OpeningTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The error with which the store refuses to open, checked to be one line that names the file.
    private func refusal(_ name: String = "tandem.db", sourceLocation: SourceLocation = #_sourceLocation) throws
        -> StoreError
    {
        do {
            try folder.store(name).close()
        } catch {
            #expect(error.detail.contains(folder.file(name)), sourceLocation: sourceLocation)
            #expect(!error.detail.contains("\n"), sourceLocation: sourceLocation)
            return error
        }
        Issue.record("opened", sourceLocation: sourceLocation)
        throw StoreError(.failed, "opened")
    }

    private func execute(_ sql: String) throws {
        let queue = try DatabaseQueue(path: folder.file())
        try queue.writeWithoutTransaction { db in try db.execute(sql: sql) }
        try queue.close()
    }

    @Test func `every migration runs from an empty file`() throws {
        try folder.store().close()
        let report = try Store.check(path: folder.file())
        #expect((report.schema, report.node, report.findings) == ("answers-by-who", "n1", []))
    }

    @Test func `a new database is for its owner's eyes`() throws {
        let store = try folder.store()
        for name in ["tandem.db", "tandem.db-wal", "tandem.db-shm", "tandem.db-lock"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: folder.file(name))
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600, "\(name)")
        }
        store.close()
    }

    @Test func `node and secrets are kept over a restart, each start has another boot id`() throws {
        let first = try folder.store()
        let secret = try first.secret(named: "routes", byteCount: 32)
        #expect(secret.count == 32)
        #expect(try first.secret(named: "routes", byteCount: 32) == secret)
        #expect(try first.secret(named: "other", byteCount: 32) != secret)
        first.close()
        let second = try folder.store(node: "another")
        #expect(second.node == "n1")
        #expect(second.bootID != first.bootID && second.bootID.count == 16)
        #expect(try second.secret(named: "routes", byteCount: 32) == secret)
        #expect(throws: StoreError.self) { try second.secret(named: "routes", byteCount: 16) }
        second.close()
    }

    @Test func `a second opener is refused until the first lets go`() throws {
        let first = try folder.store()
        let error = try refusal()
        #expect(error.reason == .unusable)
        #expect(error.detail.hasSuffix("is in use by another process"))
        first.close()
        try folder.store().close()
    }

    @Test func `a database of a newer Tandem is refused and left as it is`() throws {
        try folder.store().close()
        try execute("INSERT INTO grdb_migrations (identifier) VALUES ('v9')")
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.file()))
        let error = try refusal()
        #expect(error.reason == .newerSchema)
        #expect(error.detail.contains("was written by a newer version of Tandem"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file())) == before)
        do { _ = try Store.check(path: folder.file()) } catch { #expect(error.reason == .newerSchema) }
    }

    @Test func `a file that is no database is refused and left as it is`() throws {
        let bytes = Data(String(repeating: "no database ", count: 1000).utf8)
        try bytes.write(to: URL(fileURLWithPath: folder.file()))
        #expect(try refusal().reason == .damaged)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file())) == bytes)
    }

    @Test(arguments: [20_000, 30_000, 40_000]) func `a damaged page is found at the start`(offset: UInt64) throws {
        let store = try folder.store()
        let filler = JSONValue.string(String(repeating: "x", count: 2000))
        store.change((0..<100).map { (ResourcePath(.gateways, "g\($0)"), filler) })
        store.close()
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder.file()))
        try file.seek(toOffset: offset / 4096 * 4096)
        try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        try file.close()
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.file()))
        #expect(try refusal().reason == .damaged)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file())) == before)
    }

    @Test func `a database that was cut short is refused`() throws {
        let store = try folder.store()
        store.change((0..<100).map { (ResourcePath(.gateways, "g\($0)"), .string(String(repeating: "x", count: 999))) })
        store.close()
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder.file()))
        try file.truncate(atOffset: 20_000)
        try file.close()
        #expect(try refusal().reason == .damaged)
    }

    @Test func `another program's database is refused`() throws {
        try execute("CREATE TABLE a (b); CREATE TABLE c (d); CREATE TABLE e (f)")
        let error = try refusal()
        #expect(error.reason == .unusable)
        #expect(error.detail.contains("another program"))
    }

    @Test func `a folder that is missing, a folder in the file's place, an empty name: one clear line`() throws {
        let missing = try refusal("no/tandem.db")
        #expect(missing.reason == .unusable)
        #expect(missing.detail.contains("No such file or directory"))
        try FileManager.default.createDirectory(atPath: folder.file("folder"), withIntermediateDirectories: true)
        #expect(try refusal("folder").reason == .unusable)
        #expect(throws: StoreError.self) { try Store(path: "", node: "n", at: Sample.time(0)) }
    }

    @Test func `what was committed is there after a process that did not close`() throws {
        let store = try folder.store()
        store.change([(ResourcePath(.gateways, "a"), .object([:]))])
        // The files of a process that was killed: the write-ahead log still holds everything.
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(
                atPath: folder.file("tandem.db" + suffix), toPath: folder.file("killed.db" + suffix))
        }
        store.close()
        let killed = try folder.store("killed.db")
        #expect(try killed.export().keys.sorted() == ["gateways/a"])
        killed.close()
    }
}
