import JSON
import Store
import Synchronization
import Testing
import Time

@testable import ControlPlane

@Suite struct InboxTests {
    private static func waiting() throws -> Inbox.Waiting {
        Inbox.Waiting(
            change: Change([try put("gateway-groups/g", "{}")], who: "test"), since: Instant(nanoseconds: 0)
        ) { _ in }
    }

    /// Nothing is to be done now.
    private static func isEmpty(_ inbox: Inbox) -> Bool {
        switch inbox.next(limitCount: 10, within: 0) {
        case nil: true
        case .some: false
        }
    }

    @Test func `an empty inbox gives nothing, and what was rung before is not lost`() throws {
        let inbox = Inbox()
        #expect(Self.isEmpty(inbox))
        inbox.noteStatusChanges()
        #expect(inbox.next(limitCount: 10, within: nil)?.changes.isEmpty == true)
        #expect(Self.isEmpty(inbox))
    }

    @Test func `changes come in order, so many at once`() throws {
        let inbox = Inbox()
        for _ in 0..<5 { try inbox.add(try Self.waiting()) }
        #expect(inbox.next(limitCount: 3, within: nil)?.changes.count == 3)
        #expect(inbox.count == 2)
        #expect(inbox.next(limitCount: 3, within: nil)?.changes.count == 2)
        #expect(Self.isEmpty(inbox))
    }

    @Test func `after a failure status changes alone don't wake the writer, a change does`() throws {
        let inbox = Inbox()
        inbox.holdStatusChanges(milliseconds: 3_600_000)
        inbox.noteStatusChanges()
        #expect(Self.isEmpty(inbox))
        try inbox.add(try Self.waiting())
        #expect(inbox.next(limitCount: 10, within: nil)?.changes.count == 1)
        inbox.holdStatusChanges(milliseconds: 3_600_000)
        inbox.releaseStatusChanges()
        #expect(inbox.next(limitCount: 10, within: nil)?.changes.isEmpty == true)
    }

    @Test func `a stopped inbox gives what is in it, then says that it was the last`() throws {
        let inbox = Inbox()
        for _ in 0..<3 { try inbox.add(try Self.waiting()) }
        inbox.holdStatusChanges(milliseconds: 3_600_000)
        inbox.stop()
        #expect(throws: Inbox.Closed.stopped) { try inbox.add(try Self.waiting()) }
        #expect(inbox.next(limitCount: 2, within: nil)?.isLast == false)
        let last = try #require(inbox.next(limitCount: 2, within: nil))
        #expect(last.isLast)
        #expect(last.changes.count == 1)
    }
}
