import Dispatch
import Fixtures
import NetworkManager
import Routing
import Store
import Synchronization
import Testing
import Time

@Suite struct NetworkManagerTests {
    @Test func `a transition becomes one status change with the gateway's name, URI and wall times`() throws {
        let exchange = try Exchange()
        exchange.manager.receive([try exchange.takeOut("lon1")])
        #expect(exchange.manager.pendingCount == 1)
        let change = try #require(exchange.manager.lastChange(of: "lon1"))
        #expect((change.gateway, change.uri) == ("lon1", "sip:192.0.2.10"))
        #expect((change.from, change.to, change.cause) == (.inService, .outOfService, .noResponse))
        #expect((change.sipStatus, change.reporter, change.callID) == (408, "call", nil))
        #expect(change.at == exchange.clock.wallTime)
        let timeValue = try #require(change.timeValue)
        #expect(abs(timeValue.milliseconds - exchange.clock.wallTime.milliseconds - 60_000) <= 1)
        #expect(change.revision == exchange.store.position.revision)
        #expect(exchange.commit() == [change])
        #expect(exchange.manager.pendingCount == 0)
        #expect(try exchange.records("lon1") == [.outOfService])
        #expect(exchange.manager.lastChange(of: "lon2") == nil)
    }

    @Test func `the writer is woken for what begins to wait, and for nothing else`() throws {
        let exchange = try Exchange()
        let bell = Bell()
        exchange.manager.onPending { bell.ring() }
        exchange.manager.receive([])
        exchange.manager.sweep()
        #expect(bell.count == 0)
        exchange.manager.receive([try exchange.takeOut("lon1")])
        #expect(bell.count == 1)
        exchange.clock.move(by: .seconds(61))
        exchange.manager.sweep()
        #expect(bell.count == 2)
    }

    @Test func `each change is told once, whether it came by a transition or was found by a sweep`() throws {
        let exchange = try Exchange()
        let told = Mutex<[StatusChange]>([])
        exchange.manager.onChange { change in told.withLock { $0.append(change) } }
        exchange.manager.receive([try exchange.takeOut("lon1")])
        exchange.clock.move(by: .seconds(61))
        exchange.manager.sweep()
        exchange.manager.giveBack(exchange.manager.takePending(limitCount: 2))
        _ = exchange.commit()
        exchange.manager.sweep()
        #expect(told.withLock { $0.map(\.to) } == [.outOfService, .inService])
        #expect(told.withLock { $0.map(\.cause) } == [.noResponse, .timeValueReached])
    }

    @Test func `changes come out in order, so many at a time, and go back to the front`() throws {
        let exchange = try Exchange()
        exchange.manager.receive([
            try exchange.takeOut("lon1"), try exchange.takeOut("lon2"), try exchange.putBack("lon1"),
        ])
        let taken = exchange.manager.takePending(limitCount: 2)
        #expect(taken.map(\.gateway) == ["lon1", "lon2"])
        exchange.manager.giveBack(taken)
        #expect(exchange.manager.pendingCount == 3)
        #expect(exchange.commit().map(\.gateway) == ["lon1", "lon2", "lon1"])
        #expect(exchange.manager.takePending(limitCount: 5).isEmpty)
    }

    @Test func `the last change is the pending one, also when an earlier one is committed meanwhile`() throws {
        let exchange = try Exchange()
        exchange.manager.receive([try exchange.takeOut("lon1")])
        let taken = exchange.manager.takePending(limitCount: 1)
        exchange.manager.receive([try exchange.putBack("lon1")])
        exchange.manager.noteCommitted(taken)
        #expect(exchange.manager.lastChange(of: "lon1")?.to == .inService)
    }

    @Test func `transitions that come out of order are recorded in the order in which they happened (API 6)`() throws {
        let exchange = try Exchange()
        let transitions = [
            try exchange.takeOut("lon1"), try exchange.putBack("lon1"), try exchange.takeOut("lon1"),
            try exchange.putBack("lon1"),
        ]
        for index in [1, 3, 2, 0] { exchange.manager.receive([transitions[index]]) }
        exchange.commit()
        #expect(try exchange.records("lon1") == [.outOfService, .inService, .outOfService, .inService])
    }

    @Test func `the same transition twice is one record`() throws {
        let exchange = try Exchange()
        let transition = try exchange.takeOut("lon1")
        exchange.manager.receive([transition, transition])
        exchange.manager.receive([transition])
        #expect(exchange.commit().count == 1)
    }

    @Test func `transitions of a gateway that has gone, or whose URI changed, are dropped`() throws {
        let exchange = try Exchange()
        let (first, second) = (try exchange.takeOut("lon1"), try exchange.takeOut("lon2"))
        try exchange.provision("lon1", nil)
        try exchange.provision("lon2", "sip:192.0.2.99")
        exchange.manager.receive([first, second])
        #expect(exchange.commit().isEmpty)
        exchange.manager.receive([try exchange.takeOut("lon2")])
        #expect(exchange.commit().map(\.uri) == ["sip:192.0.2.99"])
    }

    @Test func `a changed URI begins afresh, another field does not (API 6)`() throws {
        let exchange = try Exchange()
        exchange.manager.receive([try exchange.takeOut("lon1"), try exchange.takeOut("lon2")])
        exchange.commit()
        try exchange.provision("lon1", "sip:192.0.2.99")
        try exchange.provision("lon2", "sip:192.0.2.11")
        #expect(exchange.manager.lastChange(of: "lon1") == nil)
        #expect(exchange.manager.lastChange(of: "lon2") != nil)
        try exchange.provision("lon2", nil)
        #expect(exchange.manager.lastChange(of: "lon2") == nil)
        exchange.manager.sweep()
        try exchange.provision("lon2", "sip:192.0.2.11")
        exchange.manager.sweep()
        #expect(exchange.manager.lastChange(of: "lon2") == nil)
    }

    @Test func `a time value that is reached is recorded once, by the next sweep (API 6)`() throws {
        let exchange = try Exchange()
        exchange.manager.receive([try exchange.takeOut("lon1")])
        exchange.clock.move(by: .milliseconds(59_900))
        exchange.manager.sweep()
        #expect(exchange.commit().count == 1)
        exchange.clock.move(by: .milliseconds(500))
        for _ in 0..<5 { exchange.manager.sweep() }
        let changes = exchange.commit()
        #expect(changes.map(\.cause) == [.timeValueReached])
        #expect(changes.map(\.reporter) == ["clock"])
        #expect(changes.first?.timeValue == nil)
        #expect(try exchange.records("lon1") == [.outOfService, .inService])
    }

    @Test func `a restart knows the last changes, and ends a time value that was reached meanwhile`() throws {
        let first = try Exchange()
        first.manager.receive([try first.takeOut("lon1")])
        let change = try #require(first.commit().first)
        let second = try Exchange([:], after: first)
        try second.provision("lon1", "sip:192.0.2.10")
        #expect(second.manager.lastChange(of: "lon1") == change)
        second.table.restore(
            try second.slot("lon1"), change.to, cause: change.cause,
            timeValue: change.timeValue.map { second.clock.instant(of: $0) })
        second.manager.sweep()
        #expect(second.manager.lastChange(of: "lon1") == change)
        #expect(second.commit().isEmpty)
        second.clock.move(by: .seconds(61))
        second.manager.sweep()
        #expect(second.commit().map(\.from) == [.outOfService])
        #expect(try second.records("lon1") == [.outOfService, .inService])
    }

    @Test func `of many threads that see changes at once each change is one record, in order`() throws {
        let exchange = try Exchange()
        let (manager, table, clock) = (exchange.manager, exchange.table, exchange.clock)
        let slot = try exchange.slot("lon1")
        let madeCount = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 4) { index in
            for _ in 0..<500 {
                let transition =
                    index.isMultiple(of: 2)
                    ? table.takeOut(
                        slot, until: clock.now + .seconds(60), cause: .noResponse, now: clock.now, reporter: .call)
                    : table.putBack(slot, cause: .callAnswered, now: clock.now, reporter: .call)
                guard let transition else { continue }
                madeCount.withLock { $0 += 1 }
                manager.receive([transition])
            }
        }
        let changes = manager.takePending(limitCount: 2000)
        #expect(changes.count == madeCount.withLock { $0 })
        #expect(changes.first?.from == .inService)
        #expect(zip(changes, changes.dropFirst()).allSatisfy { $0.to == $1.from && $1.from != $1.to })
        #expect(changes.last?.to == table.status(of: slot).status)
    }
}
