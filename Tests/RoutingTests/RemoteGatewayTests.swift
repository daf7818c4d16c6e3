import Addressing
import Dispatch
import Synchronization
import Testing
import Time

@testable import Routing

/// Rows of what is not provisioned here.
@Suite struct RemoteGatewayTests {
    private static let now = SelectionTests.now

    private func gateway(_ name: String, _ number: Int = 1, port: UInt16 = 5060) -> RemoteGateway {
        let address = IPAddress(ipv4: 0x0A00_0000 + UInt32(truncatingIfNeeded: number))
        return RemoteGateway(name: ShortText(name), address: TransportAddress(.udp, address, port: port))
    }

    @Test func `the same name and address have one row, another name or address another`() {
        let table = GatewayInformationTable()
        let slot = table.remoteSlot(of: gateway("lon1"))
        #expect(table.remoteSlot(of: gateway("lon1")) == slot)
        let others = [gateway("lon2"), gateway("lon1", 2), gateway("lon1", port: 5061), gateway("")]
        let slots = Set([slot] + others.map { table.remoteSlot(of: $0) })
        #expect(slots.count == 5 && slots.allSatisfy(\.isRemote))
        #expect(table.remoteGateway(in: slot)?.name.string == "lon1")
        #expect(table.remoteGateway(in: slot)?.address == gateway("lon1").address)
        #expect(Set(table.remoteSlots) == slots)
        #expect(table.rowLimit == 0, "nobody sweeps them")
    }

    @Test func `a remote row has a status and calls of its own, as any`() throws {
        let table = GatewayInformationTable()
        let own = table.open(0)
        let slot = table.remoteSlot(of: gateway("lon1"))
        #expect(table.status(of: slot).status == .inService)
        let fall = table.observe(slot, .noResponse, of: StatusRules(), begun: Self.now, now: Self.now)
        #expect(try #require(fall).isFallForTests)
        #expect(table.status(of: slot).timeValue != nil && table.status(of: own).status == .inService)
        let isBegun = table.beginCall(slot, limits: CallLimits(), now: Self.now)
        #expect(isBegun && table.liveCalls(slot) == 1 && table.liveCalls(own) == 0)
        table.endCall(slot)
        #expect(table.putBack(slot, cause: .reported, now: Self.now, reporter: .reported) != nil)
    }

    @Test func `when no more can be told apart, the rest share a row`() {
        let table = GatewayInformationTable()
        var seen: Set<GatewaySlot> = []
        for number in 0..<RemoteGateways.limitCount { seen.insert(table.remoteSlot(of: gateway("g", number))) }
        #expect(seen.count == RemoteGateways.limitCount && !seen.contains(.shared))
        #expect(table.remoteSlot(of: gateway("one-more")) == .shared)
        #expect(table.remoteSlot(of: gateway("another")) == .shared)
        #expect(table.remoteGateway(in: .shared) == nil)
        #expect(seen.contains(table.remoteSlot(of: gateway("g", 7))))
        #expect(table.status(of: .shared).status == .inService)
    }

    @Test func `threads that name the same gateways at once get the same rows`() {
        let table = GatewayInformationTable()
        let found = Mutex<[Int: Set<GatewaySlot>]>([:])
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for number in 0..<200 {
                let slot = table.remoteSlot(of: gateway("g", number))
                found.withLock { _ = $0[number, default: []].insert(slot) }
            }
        }
        let slots = found.withLock { $0 }
        #expect(slots.count == 200 && slots.values.allSatisfy { $0.count == 1 })
        #expect(Set(slots.values.flatMap(Array.init)).count == 200)
    }

    // MARK: redirect servers

    private func snapshot(_ table: GatewayInformationTable, servers: Int) throws -> RoutingSnapshot {
        var builder = SnapshotBuilder()
        var settings = RoutingSettings()
        settings.redirectServers = (1...servers).map {
            let address = gateway("", $0, port: 5070).address
            return RedirectServer(
                uri: "sip:\(address.hostPort)", address: address, requestURISuffix: "@\(address.hostPort)")
        }
        builder.put(settings, in: table)
        return builder.snapshot(revision: Revision(1))
    }

    private func asked(_ snapshot: RoutingSnapshot, _ table: GatewayInformationTable, _ now: Instant) -> [Int] {
        var set = TargetSet()
        let slots = snapshot.redirectServerSlots
        _ = snapshot.selectRedirectServers(status: table, now: now, into: &set)
        return set.targets.compactMap { target in slots.firstIndex(of: target.slot).map { $0 + 1 } }
    }

    /// Calls in a row to which a server says nothing.
    private func silence(
        _ server: Int, _ snapshot: RoutingSnapshot, _ table: GatewayInformationTable, times: Int = 1,
        at now: Instant = RemoteGatewayTests.now
    ) {
        let target = snapshot.redirectServers.targets[server - 1]
        for _ in 0..<times {
            _ = table.observe(target.slot, .noResponse, of: target.statusRules, begun: now, now: now)
        }
    }

    @Test func `a redirect server that is out is asked last; when its time value is reached, by one call`() throws {
        let table = GatewayInformationTable()
        let snapshot = try snapshot(table, servers: 3)
        #expect(snapshot.isApart && asked(snapshot, table, Self.now) == [1, 2, 3])
        silence(1, snapshot, table)
        #expect(asked(snapshot, table, Self.now) == [2, 3, 1])
        let later = Self.now + .milliseconds(2010)
        #expect(asked(snapshot, table, later) == [1, 2, 3])
        let isClaimed = table.claimTrial(snapshot.redirectServerSlots[0], now: later, lease: .seconds(40))
        #expect(isClaimed)
        #expect(asked(snapshot, table, later) == [2, 3, 1], "another call tries it")
        silence(1, snapshot, table, at: later)
        #expect(asked(snapshot, table, later + .milliseconds(3900)) == [2, 3, 1], "twice as long")
        #expect(asked(snapshot, table, later + .milliseconds(4010)) == [1, 2, 3])
    }

    @Test func `three silences in a row, and nobody asks before the time value; refusal says when`() throws {
        let table = GatewayInformationTable()
        let snapshot = try snapshot(table, servers: 2)
        silence(1, snapshot, table, times: 3)
        #expect(asked(snapshot, table, Self.now) == [2])
        silence(2, snapshot, table, times: 2)
        #expect(asked(snapshot, table, Self.now) == [2], "it may be the network's fault")
        silence(2, snapshot, table)
        var set = TargetSet()
        let outcome = snapshot.selectRedirectServers(status: table, now: Self.now, into: &set)
        guard case .failure(.everyRedirectServerOut(let until?)) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(until > Self.now && until <= Self.now + .milliseconds(2001))
        #expect(RoutingFailure.everyRedirectServerOut(until: until).status == 503)
        #expect(RoutingFailure.everyRedirectServerOut(until: until).retryAfterSeconds(at: Self.now) == 3)
    }

    @Test func `other settings keep the row of a server that stays`() throws {
        let table = GatewayInformationTable()
        silence(1, try snapshot(table, servers: 1), table)
        let snapshot = try snapshot(table, servers: 2)
        #expect(asked(snapshot, table, Self.now) == [2, 1])
    }
}

extension StatusTransition {
    fileprivate var isFallForTests: Bool { after.status == .outOfService && before.status == .inService }
}
