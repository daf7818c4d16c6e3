import Foundation
import Routing
import Synchronization
import Testing

@Suite struct SnapshotCellTests {
    static func snapshot(_ revision: Int64) -> RoutingSnapshot {
        var builder = SnapshotBuilder()
        return builder.snapshot(revision: Revision(revision))
    }

    @Test func `who pins after the swap sees the new snapshot; the old one is freed when its readers have passed`() {
        weak var old: RoutingSnapshot?
        let cell: SnapshotCell
        do {
            let first = Self.snapshot(1)
            old = first
            cell = SnapshotCell(first)
        }
        guard var reader = cell.makeReader() else {
            Issue.record("no place for a reader")
            return
        }
        reader.withSnapshot { pinned in
            cell.swap(to: Self.snapshot(2))
            #expect(pinned.withSnapshot { $0.revision } == Revision(1))
            #expect(cell.reclaim() == 1, "still pinned")
        }
        #expect(old != nil)
        #expect(cell.reclaim() == 0)
        #expect(old == nil, "freed")
        reader.withSnapshot { pinned in #expect(pinned.withSnapshot { $0.revision } == Revision(2)) }
    }

    @Test func `readers on several threads see revisions only grow while a writer swaps`() {
        let cell = SnapshotCell(Self.snapshot(0))
        let isDone = Atomic(false)
        let backwards = Atomic(0)
        let reads = Atomic(0)
        var threads: [Thread] = []
        let finished = DispatchSemaphore(value: 0)
        for _ in 0..<3 {
            let thread = Thread {
                defer { finished.signal() }
                guard var reader = cell.makeReader() else { return }
                var last = Revision(0)
                while !isDone.load(ordering: .acquiring) {
                    let seen = reader.withSnapshot { $0.withSnapshot { $0.revision } }
                    if seen < last { backwards.wrappingAdd(1, ordering: .relaxed) }
                    last = seen
                    reads.wrappingAdd(1, ordering: .relaxed)
                }
            }
            threads.append(thread)
            thread.start()
        }
        for revision in 1...2000 { cell.swap(to: Self.snapshot(Int64(revision))) }
        while reads.load(ordering: .relaxed) < 3 { Thread.sleep(forTimeInterval: 0.001) }
        isDone.store(true, ordering: .releasing)
        for _ in threads { finished.wait() }
        #expect(backwards.load(ordering: .relaxed) == 0)
        #expect(cell.reclaim() == 0)
    }

    @Test func `of all threads that see a gateway fail exactly one makes the change`() {
        let table = GatewayInformationTable()
        let slot = table.open(3)
        let changes = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<1000 {
                let now = SelectionTests.now
                if table.takeOut(slot, until: now, cause: .noResponse, now: now, reporter: .call) != nil {
                    changes.wrappingAdd(1, ordering: .relaxed)
                }
                if table.putBack(slot, cause: .callAnswered, now: now, reporter: .call) != nil {
                    changes.wrappingAdd(1, ordering: .relaxed)
                }
            }
        }
        let count = UInt16(truncatingIfNeeded: changes.load(ordering: .relaxed)) % StatusWord.changeCountModulus
        #expect(table.status(of: slot).changeCount == count)
    }
}
