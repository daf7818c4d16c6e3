import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Synchronization
import Testing
import Time

@Suite struct OperatorTests {
    @Test func `the operator's out-of-service on a gateway that is out is a record from out to out, and survives`()
        throws
    {
        let first = try Exchange()
        first.manager.receive([try first.takeOut("lon1")])
        let until = first.clock.wallTime + .seconds(3600)
        #expect(first.manager.order(try first.slot("lon1"), .outOfService, until: until))
        #expect(!first.manager.order(try first.slot("lon1"), .outOfService, until: until), "said already")
        let changes = first.commit()
        #expect(changes.map(\.from) == [.inService, .outOfService])
        #expect(changes.map(\.to) == [.outOfService, .outOfService])
        #expect(changes.map(\.cause) == [.noResponse, .operatorWord])
        let kept = try #require(changes.last?.timeValue)
        #expect(abs(kept.milliseconds - until.milliseconds) <= 1)
        let last = try #require(try first.store.lastStatusRecords().first)
        #expect(last.change == changes.last)
        let second = try Exchange([:], after: first)
        try second.provision("lon1", "sip:192.0.2.10")
        #expect(second.manager.lastChange(of: "lon1") == changes.last)
    }

    @Test func `in-service by the operator ends any out-of-service, and is no record when it is so already`() throws {
        let exchange = try Exchange()
        let slot = try exchange.slot("lon1")
        #expect(!exchange.manager.order(slot, .inService))
        exchange.manager.receive([try exchange.takeOut("lon1")])
        #expect(exchange.manager.order(slot, .inService))
        let changes = exchange.commit()
        #expect(changes.map(\.reporter) == ["call", "operator"])
        #expect(try exchange.records("lon1") == [.outOfService, .inService])
        #expect(exchange.commit().isEmpty)
    }

    @Test func `an operator's word whose transition was lost is made up from the table, also from out to out`() throws {
        let exchange = try Exchange()
        exchange.manager.receive([try exchange.takeOut("lon1")])
        let slot = try exchange.slot("lon1")
        _ = exchange.table.order(
            slot, .outOfService, until: exchange.clock.now + .seconds(900), now: exchange.clock.now)
        for _ in 0..<2 { exchange.manager.sweep() }
        let changes = exchange.commit()
        #expect(changes.map(\.cause) == [.noResponse, .operatorWord])
        #expect(changes.map(\.reporter) == ["call", "operator"])
        for _ in 0..<3 { exchange.manager.sweep() }
        #expect(exchange.commit().isEmpty)
    }

    @Test func `whoever waits for a record is told when it is on disk, and at once when nothing waits`() throws {
        let exchange = try Exchange()
        let bell = Bell()
        exchange.manager.whenRecorded { bell.ring() }
        #expect(bell.count == 1)
        exchange.manager.order(try exchange.slot("lon1"), .outOfService)
        exchange.manager.whenRecorded { bell.ring() }
        exchange.manager.order(try exchange.slot("lon2"), .outOfService)
        #expect(bell.count == 1)
        exchange.manager.giveBack(exchange.manager.takePending(limitCount: 5))
        let taken = exchange.manager.takePending(limitCount: 1)
        exchange.manager.noteCommitted(taken)
        #expect(bell.count == 2, "the second change is not what it waited for")
    }

    @Test func `a wall clock that is set by an hour moves no recovery`() throws {
        for step in [Duration.seconds(3600), .seconds(-3600)] {
            let exchange = try Exchange()
            exchange.manager.receive([try exchange.takeOut("lon1")])
            exchange.clock.move(by: .seconds(30))
            exchange.clock.setWallClock(by: step)
            exchange.manager.sweep()
            #expect(try exchange.table.status(of: exchange.slot("lon1")).status == .outOfService)
            exchange.clock.move(by: .seconds(29))
            exchange.manager.sweep()
            #expect(exchange.commit().count == 1)
            exchange.clock.move(by: .milliseconds(1200))
            exchange.manager.sweep()
            #expect(exchange.commit().map(\.cause) == [.timeValueReached])
        }
    }

    @Test func `only timed gateways come back with the clock: others wait for their trial or probe`() throws {
        let exchange = try Exchange()
        try exchange.change("lon1") { $0.recovery = .trial }
        try exchange.change("lon2") { $0.recovery = .probe }
        exchange.manager.receive([try exchange.takeOut("lon1"), try exchange.takeOut("lon2")])
        exchange.commit()
        exchange.clock.move(by: .seconds(3600))
        exchange.manager.sweep()
        #expect(exchange.commit().isEmpty)
    }
}

@Suite struct ReportTests {
    private func report(_ gateway: String, _ outcome: AttemptOutcome, at: WallTime? = nil) -> StatusReport {
        StatusReport(gateway: gateway, outcome: outcome, at: at, callID: "a@b")
    }

    @Test func `reports enter the table by the same rules, under their reporter's name (API 6)`() throws {
        let exchange = try Exchange()
        let receptions = exchange.manager.report(
            [
                report("lon1", .noResponse), report("lon1", .noResponse), report("lon2", .failureResponse(status: 486)),
                report("paris", .noResponse),
            ], from: "proxy-2")
        #expect(
            receptions == [.taken(isChange: true), .taken(isChange: false), .taken(isChange: false), .noSuchGateway])
        let changes = exchange.commit()
        #expect(changes.map(\.gateway) == ["lon1"])
        #expect(changes.map(\.cause.name) == ["reported"])
        #expect(changes.map(\.reporter) == ["proxy-2"])
        #expect(changes.map(\.callID) == ["a@b"])
        exchange.clock.move(by: .seconds(1))
        #expect(exchange.manager.report([report("lon1", .answered)], from: "proxy-3") == [.taken(isChange: true)])
        #expect(exchange.commit().map(\.reporter) == ["proxy-3"])
        #expect(try exchange.records("lon1") == [.outOfService, .inService])
        let stored = try exchange.store.statusRecords(StatusRecordQuery()).map(\.change)
        #expect(stored == changes + [try #require(exchange.manager.lastChange(of: "lon1"))], "silence stays silence")
    }

    @Test func `a report of a time before the gateway's last change, or of long ago, changes nothing`() throws {
        let exchange = try Exchange()
        let before = exchange.clock.wallTime
        exchange.clock.move(by: .seconds(10))
        exchange.manager.receive([try exchange.takeOut("lon1")])
        #expect(exchange.manager.report([report("lon1", .answered, at: before)], from: "p") == [.outdated])
        exchange.clock.move(by: .seconds(301))
        #expect(exchange.manager.report([report("lon2", .noResponse, at: before)], from: "p") == [.outdated])
        let ahead = exchange.clock.wallTime + .seconds(50)
        #expect(
            exchange.manager.report([report("lon2", .noResponse, at: ahead)], from: "p") == [.taken(isChange: true)])
    }
}
