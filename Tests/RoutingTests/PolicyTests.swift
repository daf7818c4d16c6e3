import Addressing
import Routing
import Testing
import Time

/// Who is first, how often, and who comes behind.
@Suite struct PolicyTests {
    /// One list with one group of gateways g1..., with weights, under a policy.
    struct Scene {
        var fixture: RoutingFixture
        var memory = SelectionMemory()
        private(set) var snapshot: RoutingSnapshot
        private var group: GatewayGroup

        init(_ policy: GatewayGroup.Policy, weights: [UInt16], priorities: [UInt16] = []) throws {
            fixture = try RoutingFixture(gateways: weights.count)
            group = GatewayGroup(
                id: "g",
                members: weights.enumerated().map {
                    .init(
                        gateway: "g\($0 + 1)", priority: priorities.isEmpty ? 0 : priorities[$0], weight: $1)
                }, policy: policy)
            fixture.builder.put(group)
            fixture.builder.put(RoutingList(id: "l", entries: [.init(group: "g")], attemptLimit: 20))
            fixture.builder.changeRoutes(in: "default", [(.catchAll, Route(.routingList("l")))])
            snapshot = fixture.snapshot()
        }

        mutating func refresh() { snapshot = fixture.snapshot() }

        /// The gateways of a call, in their order.
        mutating func call(_ draw: some BinaryInteger, caller: UInt64 = 0, number: String = "1") throws -> [String] {
            let plan = try #require(snapshot.plan(named: "default"))
            var query = SelectionTests.query(number, plan, draw: UInt64(truncatingIfNeeded: draw))
            query.caller = caller
            var (set, shown) = (TargetSet(), TargetSet())
            let explained = snapshot.explain(query, status: fixture.table, memory: memory, into: &shown)
            let outcome = snapshot.select(query, status: fixture.table, memory: &memory, into: &set)
            let names = set.targets.compactMap { snapshot.gateway(in: $0.slot)?.id }
            #expect(outcome == explained.outcome && names == explained.reasons.targetGateways, "routed = explained")
            return names
        }

        func takeOut(_ gateway: String) throws {
            let until = SelectionTests.now + .seconds(3600)
            _ = fixture.table.takeOut(
                try fixture.slot(gateway), until: until, cause: .noResponse, now: SelectionTests.now, reporter: .call)
        }

        func putBack(_ gateway: String) throws {
            _ = fixture.table.putBack(
                try fixture.slot(gateway), cause: .callAnswered, now: SelectionTests.now, reporter: .call)
        }
    }

    @Test func `weighted 1:2:7 over 10,000 calls is 1,000:2,000:7,000, and within one at every moment`() throws {
        var scene = try Scene(.weighted, weights: [1, 2, 7])
        var counts = [0, 0, 0]
        for call in 1...10_000 {
            let names = try scene.call(UInt64(call))
            #expect(Set(names).count == 3)
            let first = try #require(names.first.flatMap { ["g1", "g2", "g3"].firstIndex(of: $0) })
            counts[first] += 1
            for (count, weight) in zip(counts, [1, 2, 7]) {
                try #require(abs(count * 10 - call * weight) < 10, "\(counts) after \(call)")
            }
        }
        #expect(counts == [1000, 2000, 7000])
    }

    @Test(
        arguments: [
            [1, 1], [3, 5], [65_535, 1], [10, 20, 30, 40], [7, 11, 13, 17, 19], [100, 1, 1, 1, 1, 1], [333, 667, 1000],
        ] as [[UInt16]])
    func `whatever the weights, each has at every moment its share, rounded up or down`(weights: [UInt16]) throws {
        var scene = try Scene(.weighted, weights: weights)
        let total = weights.reduce(0) { $0 + Int($1) }
        var counts = weights.map { _ in 0 }
        for call in 1...3000 {
            let first = try #require(try scene.call(UInt64(call)).first?.dropFirst())
            counts[try #require(Int(first)) - 1] += 1
            for (count, weight) in zip(counts, weights) {
                // A thousandth for what rounding does where sums are large.
                try #require(abs(count * total - call * Int(weight)) <= total + total / 1000, "\(counts) after \(call)")
            }
        }
    }

    @Test func `who is out waits for nothing: the others keep their shares, and nobody who comes back is owed`() throws
    {
        var scene = try Scene(.weighted, weights: [1, 1, 2])
        for call in 0..<8 { _ = try scene.call(call) }
        try scene.takeOut("g3")
        var counts: [String: Int] = [:]
        for call in 0..<1000 { counts[try #require(try scene.call(UInt64(call)).first), default: 0] += 1 }
        #expect(counts == ["g1": 500, "g2": 500])
        try scene.putBack("g3")
        var first: [String] = []
        for call in 0..<8 { first.append(try #require(try scene.call(UInt64(call)).first)) }
        #expect(first.filter { $0 == "g3" }.count == 4, "\(first)")
    }

    @Test func `shares outlive routing changes, and a new member starts with its share and not with all`() throws {
        var scene = try Scene(.weighted, weights: [1, 1, 8])
        for call in 0..<5 { _ = try scene.call(call) }
        scene.fixture.builder.put(GatewayGroup(id: "another", members: [.init(gateway: "g1")]))
        scene.fixture.builder.putPlan("p")
        scene.refresh()
        var firsts: [String] = []
        for call in 0..<5 { firsts.append(try #require(try scene.call(UInt64(call)).first)) }
        // 10 calls in all; those 5 hold what the first 5 did not.
        var all = try Scene(.weighted, weights: [1, 1, 8])
        var undisturbed: [String] = []
        for call in 0..<10 { undisturbed.append(try #require(try all.call(UInt64(call)).first)) }
        #expect(firsts == Array(undisturbed.dropFirst(5)))
        let members = [("g1", 1), ("g2", 1)].map { GatewayGroup.Member(gateway: $0, weight: $1) }
        scene.fixture.builder.put(GatewayGroup(id: "g", members: members, policy: .weighted))
        scene.refresh()
        var counts: [String: Int] = [:]
        for call in 0..<100 { counts[try #require(try scene.call(UInt64(call)).first), default: 0] += 1 }
        #expect(abs(counts["g1", default: 0] - 50) <= 1, "\(counts)")
    }

    @Test func `without a weight nobody is first while another can be`() throws {
        var scene = try Scene(.weighted, weights: [0, 3, 0])
        for call in 0..<50 {
            let names = try scene.call(call)
            #expect(names.first == "g2" && names.count == 3)
        }
        try scene.takeOut("g2")
        var counts: [String: Int] = [:]
        for call in 0..<10 { counts[try #require(try scene.call(UInt64(call)).first), default: 0] += 1 }
        #expect(counts == ["g1": 5, "g3": 5])
    }

    @Test func `round-robin is each in turn, whatever the weights`() throws {
        var scene = try Scene(.roundRobin, weights: [1, 9, 0])
        var firsts: [String] = []
        for call in 0..<9 { firsts.append(try #require(try scene.call(UInt64(call)).first)) }
        #expect(firsts == ["g1", "g2", "g3", "g1", "g2", "g3", "g1", "g2", "g3"])
    }

    @Test func `least-calls takes turns among equals`() throws {
        var scene = try Scene(.leastCalls, weights: [1, 1, 1])
        var counts: [String: Int] = [:]
        for call in 0..<30 { counts[try #require(try scene.call(UInt64(call)).first), default: 0] += 1 }
        #expect(counts == ["g1": 10, "g2": 10, "g3": 10])
    }

    @Test func `ordered is the order of priority, then position, for every call`() throws {
        var scene = try Scene(.ordered, weights: [1, 1, 9], priorities: [1, 0, 1])
        for call in 0..<20 { #expect(try scene.call(call) == ["g2", "g1", "g3"]) }
    }

    @Test func `a policy shares among the same priority alone`() throws {
        var scene = try Scene(.weighted, weights: [1, 3, 5, 5], priorities: [0, 0, 1, 1])
        var counts: [String: Int] = [:]
        for call in 0..<400 {
            let names = try scene.call(call)
            counts[names[0], default: 0] += 1
            #expect(Set(names[..<2]) == ["g1", "g2"])
        }
        #expect(counts == ["g1": 100, "g2": 300])
        try scene.takeOut("g1")
        try scene.takeOut("g2")
        counts = [:]
        for call in 0..<100 { counts[try #require(try scene.call(UInt64(call)).first), default: 0] += 1 }
        #expect(counts == ["g3": 50, "g4": 50])
    }

    @Test(arguments: [GatewayGroup.Policy.weighted, .roundRobin, .hash(.callID)])
    func `the calls of a gateway that falls are shared by all others (not all by one neighbour)`(
        policy: GatewayGroup.Policy
    ) throws {
        var scene = try Scene(policy, weights: [1, 1, 1, 1, 1])
        var seconds: [String: Int] = [:]
        for call in 0..<5000 {
            let names = try scene.call(CallTests.hash("call-\(call)"))
            if names[0] == "g1" { seconds[names[1], default: 0] += 1 }
        }
        #expect(seconds.count == 4)
        let total = seconds.values.reduce(0, +)
        for (gateway, count) in seconds { #expect(count * 4 > total / 2, "\(gateway): \(seconds)") }
    }

    // MARK: hash

    @Test func `hash: the same key goes the same way, and one gateway's fall moves only its own share`() throws {
        var scene = try Scene(.hash(.callID), weights: [1, 2, 1, 4])
        var before: [[String]] = []
        for call in 0..<4000 { before.append(try scene.call(CallTests.hash("call-\(call)"))) }
        for fallen in ["g1", "g4"] {
            try scene.takeOut(fallen)
            for (call, names) in before.enumerated() {
                let after = try scene.call(CallTests.hash("call-\(call)"))
                try #require(after == names.filter { $0 != fallen }, "call \(call)")
            }
            try scene.putBack(fallen)
        }
        var counts: [String: Int] = [:]
        for names in before { counts[names[0], default: 0] += 1 }
        for (gateway, weight) in [("g1", 1), ("g2", 2), ("g3", 1), ("g4", 4)] {
            #expect(abs(counts[gateway, default: 0] - 500 * weight) < 120, "\(counts)")
        }
    }

    @Test func `hash goes by what it is told to: the Call-ID, the caller, the dialled number`() throws {
        var byCaller = try Scene(.hash(.caller), weights: [1, 1, 1, 1])
        var byNumber = try Scene(.hash(.dialledNumber), weights: [1, 1, 1, 1])
        var (callerWays, numberWays): (Set<String>, Set<String>) = ([], [])
        for key in 0..<50 as Range<UInt64> {
            let hash = CallTests.hash("\(key)")
            let caller = try byCaller.call(1, caller: hash)
            #expect(try byCaller.call(key, caller: hash, number: "\(key)") == caller)
            callerWays.insert(caller[0])
            let number = try byNumber.call(1, number: "4420\(key)")
            #expect(try byNumber.call(key, caller: hash, number: "+44-20\(key)") == number)
            numberWays.insert(number[0])
        }
        #expect(callerWays.count == 4 && numberWays.count == 4)
        #expect(byCaller.snapshot.isCallerHashed && !byNumber.snapshot.isCallerHashed)
    }

    @Test func `hash is the same in every process, whatever rows the gateways have`() throws {
        var scene = try Scene(.hash(.callID), weights: [1, 1, 1])
        let before = try (0..<100).map { try scene.call(CallTests.hash("\($0)")) }
        for number in [2, 3, 1] {
            let old = try #require(scene.fixture.builder.gateways["g\(number)"])
            scene.fixture.builder.removeGateway(old.id)
            let isIn = scene.fixture.builder.put(old, in: scene.fixture.table)
            #expect(isIn)
        }
        scene.refresh()
        #expect(try (0..<100).map { try scene.call(CallTests.hash("\($0)")) } == before)
        #expect(before.map { $0[0] }.prefix(12).joined(separator: " ") == PolicyTests.pinned)
    }

    /// What the first dozen Call-IDs lead to: a change of it moves calls of live systems between gateways.
    static let pinned = "g3 g1 g1 g2 g3 g3 g2 g1 g1 g3 g1 g1"
}

enum CallTests {
    static func hash(_ text: String) -> UInt64 {
        var bytes = Array(text.utf8)
        return bytes.withUnsafeMutableBufferPointer { CallDraw.number(for: $0.span) }
    }
}
