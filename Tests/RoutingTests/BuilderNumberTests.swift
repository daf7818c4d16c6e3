import Addressing
import Routing
import Testing
import Time

@Suite struct BuilderNumberTests {
    static func gateway(_ number: Int) -> Gateway {
        let address = TransportAddress(.udp, IPAddress(ipv4: UInt32(0x0A00_0000 + number)), port: 5060)
        return Gateway(
            id: "g\(number)", uri: "sip:\(address.hostPort)", address: address,
            requestURISuffix: "@\(address.hostPort)")
    }

    @Test func `a row is another's only after the data without its gateway are settled`() throws {
        let table = GatewayInformationTable()
        var builder = SnapshotBuilder()
        for number in 0..<GatewayInformationTable.slotLimitCount {
            let isIn = builder.put(Self.gateway(number), in: table)
            try #require(isIn)
        }
        let slot = try #require(builder.slot(of: "g7"))
        let now = Instant(nanoseconds: 1_000_000_000)
        let out = table.takeOut(slot, until: now + .seconds(60), cause: .noResponse, now: now, reporter: .call)
        #expect(out != nil)

        // A candidate that is refused in the end: the live gateway's row must stay as it is.
        var candidate = builder
        candidate.removeGateway("g7")
        let isInTooEarly = candidate.put(Self.gateway(100_000), in: table)
        #expect(!isInTooEarly)
        #expect(table.status(of: slot).status == .outOfService)
        #expect(table.status(of: slot).generation == slot.generation)

        builder.removeGateway("g7")
        builder.settle()
        let isIn = builder.put(Self.gateway(100_000), in: table)
        #expect(isIn)
        let successor = try #require(builder.slot(of: "g100000"))
        #expect(successor.index == slot.index)
        #expect(successor.generation != slot.generation)
        #expect(table.status(of: successor).status == .inService)
    }

    @Test func `a list that comes and goes again and again leaves the lists' numbers as they were`() throws {
        var builder = SnapshotBuilder()
        builder.put(RoutingList(id: "stays", entries: []))
        for round in 0..<100 {
            builder.put(RoutingList(id: "l\(round)", entries: []))
            let prefix = try PrefixTableTests.prefix("\(round)")
            builder.changeRoutes(in: "default", [(prefix, "l\(round)")])
            #expect(builder.list(at: prefix, in: "default") == "l\(round)")
            builder.changeRoutes(in: "default", [(prefix, nil)])
            builder.removeList("l\(round)")
        }
        #expect(builder.snapshot(revision: Revision(1)).listNumberCount <= 2)
    }

    @Test func `a plan names its own routes, whatever else leads to the same lists`() throws {
        var builder = SnapshotBuilder()
        builder.put(RoutingList(id: "l", entries: []))
        builder.putPlan("other")
        builder.changeRoutes(in: "default", [(try PrefixTableTests.prefix("1"), "l")])
        builder.changeRoutes(
            in: "other", try ["3", "2", "20"].map { (try PrefixTableTests.prefix($0), "l") })
        #expect(builder.prefixes(in: "other", limit: 100).map(\.description) == ["2", "20", "3"])
        #expect(builder.prefixes(in: "other", limit: 1).map(\.description) == ["2"])
        #expect(builder.prefixes(in: "none", limit: 1).isEmpty)
    }
}
