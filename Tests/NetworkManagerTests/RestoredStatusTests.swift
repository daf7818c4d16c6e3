import Fixtures
import NetworkManager
import Routing
import Store
import Testing
import Time

/// What a start makes of the last status records (API section 6: status survives restart, time values too).
@Suite struct RestoredStatusTests {
    /// The word of a gateway in the table of a process that begins now.
    private func restored(_ change: StatusChange, _ exchange: Exchange) throws -> StatusWord {
        let table = GatewayInformationTable()
        var builder = SnapshotBuilder()
        let isPut = builder.put(try #require(exchange.builder.gateways[change.gateway]), in: table)
        #expect(isPut)
        table.restore(change, of: builder, clock: exchange.clock)
        return table.status(of: try #require(builder.slot(of: change.gateway)))
    }

    private func isNear(_ word: StatusWord, _ instant: Instant) -> Bool {
        guard let timeValue = word.timeValue else { return false }
        return timeValue - instant < .milliseconds(3) && instant - timeValue < .milliseconds(3)
    }

    @Test func `status, cause and time value are as before; one that was reached meanwhile is reached`() throws {
        let exchange = try Exchange()
        let due = exchange.clock.now + .seconds(60)
        exchange.manager.receive([try exchange.takeOut("lon1")])
        let change = try #require(exchange.commit().first)
        exchange.clock.move(by: .seconds(20))
        let word = try restored(change, exchange)
        #expect(word.status == .outOfService && word.cause == .noResponse && isNear(word, due))
        exchange.clock.move(by: .seconds(100))
        let late = try restored(change, exchange)
        #expect(late.status == .outOfService && late.isUsable(at: exchange.clock.now))
    }

    @Test func `where the wall clock was set back, nobody is held longer than the hold was; set on, it is over`() throws
    {
        let exchange = try Exchange()
        exchange.manager.receive([try exchange.takeOut("lon1")])
        let change = try #require(exchange.commit().first)
        exchange.clock.setWallClock(by: .seconds(-3600))
        #expect(isNear(try restored(change, exchange), exchange.clock.now + .seconds(60)))
        exchange.clock.setWallClock(by: .seconds(7200))
        #expect(try restored(change, exchange).isUsable(at: exchange.clock.now))
    }

    @Test func `the operator's word is of the wall clock, and without an end it has none after a restart`() throws {
        let exchange = try Exchange()
        let until = exchange.clock.wallTime + .seconds(60)
        exchange.manager.order(try exchange.slot("lon1"), .outOfService, until: until)
        let timed = try #require(exchange.commit().first)
        exchange.clock.setWallClock(by: .seconds(-3600))
        #expect(isNear(try restored(timed, exchange), exchange.clock.now + .seconds(3660)))
        exchange.manager.order(try exchange.slot("lon1"), .outOfService)
        let endless = try #require(exchange.commit().first)
        let word = try restored(endless, exchange)
        #expect(word.status == .outOfService && word.cause == .operatorWord && word.timeValue == nil)
    }

    @Test func `a record of another URI, or of a gateway that is gone, changes nothing`() throws {
        let exchange = try Exchange()
        exchange.manager.receive([try exchange.takeOut("lon1")])
        let change = try #require(exchange.commit().first)
        try exchange.provision("lon1", "sip:192.0.2.99")
        #expect(try restored(change, exchange).status == .inService)
        let table = GatewayInformationTable()
        table.restore(change, of: SnapshotBuilder(), clock: exchange.clock)
        #expect(table.rowLimit == 0 || table.word(at: 0).status == .inService)
    }
}
