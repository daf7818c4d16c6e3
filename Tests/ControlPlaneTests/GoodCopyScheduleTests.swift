import Fixtures
import Routing
import Store
import Synchronization
import Testing
import Time

@testable import ControlPlane

@Suite struct GoodCopyScheduleTests {
    private func position(_ revision: Int64) -> Position {
        Position(epoch: 1, revision: Revision(revision), digest: [UInt8(truncatingIfNeeded: revision)])
    }
    private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    @Test func `other data are copied, at once the first time, then after a pause`() {
        var schedule = GoodCopySchedule(every: .seconds(60), copied: nil)
        #expect(schedule.isDue(position(1), at: at(0)))
        schedule.noteCopy(of: position(1), from: at(0), to: at(0))
        #expect(!schedule.isDue(position(1), at: at(1000)))
        #expect(!schedule.isDue(position(2), at: at(59)))
        #expect(schedule.isDue(position(2), at: at(60)))
        #expect(!GoodCopySchedule(every: .seconds(60), copied: position(7)).isDue(position(7), at: at(0)))
    }

    @Test func `a copy that takes long is made less often, and one that fails is tried again`() {
        var schedule = GoodCopySchedule(every: .seconds(60), copied: nil)
        schedule.noteCopy(of: position(1), from: at(0), to: at(3))
        #expect(!schedule.isDue(position(2), at: at(302)))
        #expect(schedule.isDue(position(2), at: at(303)))
        schedule.noteFailure(from: at(303), to: at(303))
        #expect(!schedule.isDue(position(2), at: at(362)))
        #expect(schedule.isDue(position(2), at: at(363)))
    }

    @Test func `a copy is renewed after a change and told of`() async throws {
        let fixture = try ControlPlaneFixture()
        let told = Mutex<[Int64]>([])
        let copies = GoodCopies(of: fixture.store, every: .seconds(60), clock: fixture.clock) { outcome in
            if case .renewed(let revision) = outcome { told.withLock { $0.append(revision) } }
        }
        copies.look()
        copies.look()
        try await fixture.commit(try put("gateways/a", #"{"uri":"sip:192.0.2.1"}"#))
        copies.look()
        fixture.clock.move(by: .seconds(60))
        copies.look()
        #expect(told.withLock { $0 } == [1, 2])
        #expect(fixture.store.goodCopyPosition == fixture.store.position)
        fixture.close()
    }
}
