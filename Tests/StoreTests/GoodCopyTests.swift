import Fixtures
import Foundation
import JSON
import Routing
import Testing
import Time

@testable import Store

/// What becomes of a database that is found damaged at start.
@Suite struct GoodCopyTests {
    private let folder: TemporaryFolder
    private static let time = WallTime(milliseconds: 1_767_261_600_000)

    init() throws { folder = try TemporaryFolder() }

    private func open() throws -> Store { try Store.open(path: folder.file(), node: "n1", at: Self.time) }

    private func put(_ id: String, in store: Store) -> AppendOutcome {
        let base = store.position
        let effect = Effect(path: ResourcePath(.gateways, id), body: .object([:]), createdAt: Self.time)
        let entry = ChangeEntry(
            revision: Revision(base.revision.number + 1), at: Self.time, who: "test", comment: nil, effects: [effect],
            events: [])
        return store.append(CommitBatch(base: base, changes: [entry]))
    }

    private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path) }

    /// Zeros in the midst of every page but the first.
    private func damage(_ name: String = "tandem.db") throws -> Data {
        let url = URL(fileURLWithPath: folder.file(name))
        var bytes = try Data(contentsOf: url)
        for page in 1..<bytes.count / 4096 {
            bytes.replaceSubrange(page * 4096..<page * 4096 + 512, with: Data(count: 512))
        }
        try bytes.write(to: url)
        return bytes
    }

    /// A database with one gateway, its good copy, and another gateway that the copy does not have.
    private func provision() throws {
        let store = try open()
        #expect(store.goodCopyPosition == nil)
        _ = put("a", in: store)
        try store.keepGoodCopy()
        #expect(store.goodCopyPosition == store.position)
        _ = put("b", in: store)
        #expect(store.goodCopyPosition?.revision == Revision(1))
        #expect(store.refusal == nil && store.close() == nil)
    }

    @Test func `the copy is whole and for its owner's eyes, and nothing is left beside it`() throws {
        try provision()
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.file("tandem.db-good"))
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        #expect(try Store.check(path: folder.file("tandem.db-good")).findings.isEmpty)
        #expect(try names().filter { $0.hasPrefix("tandem.db-good") } == ["tandem.db-good"])
    }

    @Test func `a damaged database is kept aside as it is; its copy is read and takes nothing`() throws {
        try provision()
        let damaged = try damage()
        let store = try open()
        let aside = try #require(try names().first { $0.hasPrefix("tandem.db.damaged-") && $0.hasSuffix("Z") })
        #expect(FileManager.default.contents(atPath: folder.file(aside)) == damaged)
        let refusal = try #require(store.refusal)
        #expect(refusal.contains(aside) && refusal.contains("revision 1 ") && refusal.contains("tandem restore"))
        #expect(try store.object(ResourcePath(.gateways, "a")).value != nil)
        #expect(try store.object(ResourcePath(.gateways, "b")).value == nil)
        #expect(put("c", in: store) == .readOnly(reason: refusal))
        #expect(store.readOnlyReason() == refusal)
        let entry = AuditEntry(at: Self.time, who: "x", requestID: nil, action: "a", subject: "b")
        #expect(throws: StoreError.self) { try store.audit(entry) }
        #expect(throws: StoreError.self) { try Store(path: folder.file(), node: "n1", at: Self.time) }
        store.close()
        let copy = try Store.check(path: folder.file("tandem.db-good"))
        #expect(copy.findings.isEmpty && copy.position.revision == Revision(1))
    }

    @Test func `that goes on over restarts until a database is put in its place`() throws {
        try provision()
        _ = try damage()
        try open().close()
        let again = try open()
        #expect(again.refusal != nil)
        #expect(try again.object(ResourcePath(.gateways, "a")).value != nil)
        again.close()
        let restored = try Store.restore(
            from: folder.file("tandem.db-good"), to: folder.file(), at: Self.time)
        #expect(restored.keptAside == nil)
        let mended = try open()
        #expect(mended.refusal == nil)
        guard case .appended = put("c", in: mended) else { throw StoreError(.failed, "not taken") }
        mended.close()
        #expect(try names().count { $0.hasPrefix("tandem.db.damaged-") && $0.hasSuffix("Z") } == 1)
    }

    @Test func `without a copy, or with one that is damaged too, it is refused and left as it is`() throws {
        try provision()
        let damaged = try damage()
        _ = try damage("tandem.db-good")
        #expect(throws: StoreError.self) { try open() }
        try FileManager.default.removeItem(atPath: folder.file("tandem.db-good"))
        #expect(throws: StoreError.self) { try open() }
        #expect(FileManager.default.contents(atPath: folder.file()) == damaged)
        #expect(try !names().contains { $0.hasPrefix("tandem.db.damaged-") })
    }

    @Test func `a database that is gone and never was damaged is a new one`() throws {
        try provision()
        try FileManager.default.removeItem(atPath: folder.file())
        let store = try open()
        #expect(store.refusal == nil && store.position.revision == Revision(0))
        store.close()
    }
}
