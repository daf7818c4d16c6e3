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

    @Test func `rows that were given back and taken again are nobody else's`() throws {
        let table = GatewayInformationTable()
        var builder = SnapshotBuilder()
        for number in 0..<3 { _ = builder.put(Self.gateway(number), in: table) }
        builder.settle()
        let slots = try (0..<3).map { try #require(builder.slot(of: "g\($0)")) }
        let before = builder
        for number in [2, 0] {
            builder.removeGateway("g\(number)")
            _ = builder.put(Self.gateway(number), in: table)
            try #require(builder.slot(of: "g\(number)") != slots[number])
        }
        builder.removeGateway("g1")
        builder.keepRows(ofGateways: ["g0", "g1", "g2"], from: before)
        builder.settle()
        #expect(builder.slot(of: "g0") == slots[0] && builder.slot(of: "g1") == nil)
        #expect(builder.slot(of: "g2") == slots[2])
        var indices: Set<UInt16> = [slots[0].index, slots[2].index]
        for number in 3...GatewayInformationTable.slotLimitCount {
            let isIn = builder.put(Self.gateway(number), in: table)
            try #require(isIn, "the row of g1 and those in between are free again")
            let slot = try #require(builder.slot(of: "g\(number)"))
            let isAnother = indices.insert(slot.index).inserted
            try #require(isAnother)
        }
        let isOneTooMany = builder.put(Self.gateway(100_000), in: table)
        #expect(!isOneTooMany)
    }

    @Test func `a list that comes and goes again and again leaves the lists' numbers as they were`() throws {
        var builder = SnapshotBuilder()
        builder.put(RoutingList(id: "stays", entries: []))
        for round in 0..<100 {
            builder.put(RoutingList(id: "l\(round)", entries: []))
            let prefix = try PrefixTableTests.prefix("\(round)")
            builder.changeRoutes(in: "default", [(prefix, Route(.routingList("l\(round)")))])
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
        builder.changeRoutes(in: "default", [(try PrefixTableTests.prefix("1"), Route(.routingList("l")))])
        builder.changeRoutes(
            in: "other", try ["3", "2", "20"].map { (try PrefixTableTests.prefix($0), Route(.routingList("l"))) })
        #expect(builder.prefixes(in: "other", limit: 100).map(\.description) == ["2", "20", "3"])
        #expect(builder.prefixes(in: "other", limit: 1).map(\.description) == ["2"])
        #expect(builder.prefixes(in: "none", limit: 1).isEmpty)
    }

    /// What a call sees of the data: gateways with their timing, and each list's targets.
    static func picture(_ builder: inout SnapshotBuilder, _ table: GatewayInformationTable) throws -> [String] {
        let snapshot = builder.snapshot(revision: Revision(1))
        var lines = snapshot.gateways.map { "\($0.id) \($0.uri) \($0.address.hostPort) \($0.timing.holdSeconds)" }
            .sorted()
        lines.append("\(snapshot.gatewayCount)")
        for number in 0..<12 {
            let address = IPAddress(ipv4: UInt32(0x0A00_0000 + number))
            lines.append("\(address) \(snapshot.isGateway(address))")
        }
        let plan = try #require(snapshot.plan(named: "default"))
        for list in 0..<3 {
            var set = TargetSet()
            _ = snapshot.select(SelectionTests.query("\(list)", plan), status: table, into: &set)
            lines += set.targets.map { target in
                let id = snapshot.gateway(in: target.slot)?.id ?? "none"
                return "\(list) \(id) \(set.requestURI(of: target, user: "1")) \(target.timing.holdSeconds)"
            }
        }
        return lines
    }

    @Test func `what was changed step by step shows the same as what was built at once`() throws {
        let table = GatewayInformationTable()
        let freshTable = GatewayInformationTable()
        var builder = SnapshotBuilder()
        var generator = SeededNumbers(state: 20_260_101)
        for list in 0..<3 {
            builder.put(RoutingList(id: "l\(list)", entries: [.init(group: "p\(list)"), .init(group: "p2")]))
            builder.changeRoutes(
                in: "default", [(try PrefixTableTests.prefix("\(list)"), Route(.routingList("l\(list)")))])
        }
        for step in 0..<3000 {
            let number = Int(generator.next() % 8)
            switch generator.next() % 8 {
            case 0, 1, 2:
                // Long enough that the text is rewritten now and then.
                let address = TransportAddress(
                    .udp, IPAddress(ipv4: UInt32(0x0A00_0000 + generator.next() % 12)), port: 5060)
                let parameter = String(repeating: "x", count: Int(generator.next() % 200))
                let timing = GatewayTiming(holdSeconds: UInt32(1 + generator.next() % 9))
                let gateway = Gateway(
                    id: "g\(number)", uri: "sip:\(address.hostPort);\(parameter)", address: address,
                    requestURISuffix: "@\(address.hostPort);\(parameter)", timing: timing)
                let isIn = builder.put(gateway, in: table)
                try #require(isIn)
            case 3:
                guard let old = builder.gateways["g\(number)"] else { continue }
                let changed = Gateway(
                    id: old.id, uri: old.uri, address: old.address, requestURISuffix: old.requestURISuffix,
                    timing: GatewayTiming(holdSeconds: UInt32(step)))
                let slot = builder.slot(of: old.id)
                let isIn = builder.put(changed, in: table)
                #expect(isIn && builder.slot(of: old.id) == slot)
            case 4: builder.removeGateway("g\(number)")
            case 5, 6:
                let members = (0..<generator.next() % 5).map { _ in "g\(generator.next() % 8)" }
                builder.put(
                    GatewayGroup(id: "p\(number % 4)", members: Set(members).sorted().map { .init(gateway: $0) }))
            default: builder.removeGroup("p\(number % 4)")
            }
            if step % 7 == 0 {
                var fresh = SnapshotBuilder()
                for id in builder.gateways.keys {
                    if let gateway = builder.gateways[id] { _ = fresh.put(gateway, in: freshTable) }
                }
                for group in builder.groups.values { fresh.put(group) }
                for list in builder.lists.values { fresh.put(list) }
                for list in 0..<3 {
                    fresh.changeRoutes(
                        in: "default", [(try PrefixTableTests.prefix("\(list)"), Route(.routingList("l\(list)")))])
                }
                #expect(try Self.picture(&builder, table) == Self.picture(&fresh, freshTable), "step \(step)")
            }
            builder.settle()
        }
    }

    /// xorshift: the same numbers in every run.
    struct SeededNumbers {
        var state: UInt64

        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state >> 11
        }
    }
}
