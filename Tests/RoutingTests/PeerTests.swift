import Addressing
import Fixtures
import Routing
import Synchronization
import Testing
import Time

/// Who may call, by which plan, and how much.
@Suite struct PeerTests {
    static let now = SelectionTests.now

    static func network(_ text: String) throws -> Network { try #require(Network(text), "\(text)") }

    static func peer(_ id: String, _ networks: [String], limits: CallLimits = CallLimits()) throws -> IngressPeer {
        IngressPeer(id: id, networks: try networks.map { try network($0) }, limits: limits)
    }

    static func owner(_ snapshot: RoutingSnapshot, _ address: String) throws -> String? {
        snapshot.peer(for: try #require(IPAddress(address))).map { snapshot.name(of: $0) }
    }

    @Test func `the longest network decides, to the last address of each (API 3)`() throws {
        var builder = SnapshotBuilder()
        builder.put(try Self.peer("all", ["0.0.0.0/0"]))
        builder.put(try Self.peer("ten", ["10.0.0.0/8", "255.255.255.0/24"]))
        builder.put(try Self.peer("site", ["10.1.0.0/16", "10.1.2.0/24", "2001:db8::/32"]))
        builder.put(try Self.peer("host", ["10.1.2.3", "10.255.255.255", "2001:db8::1", "255.255.255.255"]))
        builder.put(try Self.peer("ends", ["ffff::/16", "::/128"]))
        let snapshot = builder.snapshot(revision: Revision(1))
        for (address, owner) in [
            ("0.0.0.0", "all"), ("9.255.255.255", "all"), ("10.0.0.0", "ten"), ("10.0.255.255", "ten"),
            ("10.1.0.0", "site"), ("10.1.2.2", "site"), ("10.1.2.3", "host"), ("10.1.2.4", "site"),
            ("10.1.255.255", "site"), ("10.2.0.0", "ten"), ("10.255.255.254", "ten"), ("10.255.255.255", "host"),
            ("11.0.0.0", "all"), ("255.255.254.255", "all"), ("255.255.255.254", "ten"), ("255.255.255.255", "host"),
            ("::", "ends"), ("::1", nil), ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", nil), ("2001:db8::", "site"),
            ("2001:db8::1", "host"), ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "site"), ("2001:db9::", nil),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ends"), ("::ffff:10.1.2.3", "host"),
        ] as [(String, String?)] {
            #expect(try Self.owner(snapshot, address) == owner, "\(address)")
        }
        #expect(try Self.owner(SnapshotBuilder.empty, "10.0.0.1") == nil)
    }

    @Test func `a peer that a change takes out and makes again keeps its row, and nobody else gets it`() throws {
        var builder = SnapshotBuilder()
        builder.put(try Self.peer("a", ["10.0.0.0/8"]))
        let slot = try #require(builder.slot(ofPeer: "a"))
        let before = builder
        builder.removePeer("a")
        builder.put(try Self.peer("a", ["10.0.0.0/8"]))
        builder.keepRows(ofPeers: ["a", "b"], from: before)
        #expect(builder.slot(ofPeer: "a") == slot)
        let address = try #require(IPAddress("10.0.0.1"))
        #expect(builder.snapshot(revision: Revision(1)).peer(for: address)?.slot == slot)
        var indices: Set<UInt16> = [slot.index]
        for number in 1..<PeerTable.slotLimitCount {
            let isIn = builder.put(try Self.peer("p\(number)", ["192.0.2.1"]))
            try #require(isIn)
            let isAnother = indices.insert(builder.slot(ofPeer: "p\(number)")?.index ?? slot.index).inserted
            try #require(isAnother)
        }
    }

    @Test(arguments: 0..<20) func `random networks: the same as looking at each of them`(seed: Int) throws {
        var generator = BuilderNumberTests.SeededNumbers(state: UInt64(seed) + 99)
        var builder = SnapshotBuilder()
        var all: [(network: Network, peer: String)] = []
        var seen: Set<Network> = []
        func address(_ isSix: Bool) -> IPAddress {
            // Few bits differ, so that networks often lie within each other.
            let bits = UInt64(generator.next() % 64) << (generator.next() % 58)
            return isSix
                ? IPAddress(ipv6High: bits ^ 0x2001_0DB8_0000_0000, low: UInt64(generator.next() % 8) << 61)
                : IPAddress(ipv4: UInt32(truncatingIfNeeded: bits) ^ 0x0A00_0000)
        }
        for number in 0..<60 {
            var networks: [Network] = []
            for _ in 0..<1 + generator.next() % 4 {
                let base = address(generator.next() % 2 == 0)
                let length = Int(generator.next() % UInt64(base.bitCount + 1))
                guard let network = Self.block(of: base, length), seen.insert(network).inserted else { continue }
                networks.append(network)
                all.append((network, "p\(number)"))
            }
            builder.put(IngressPeer(id: "p\(number)", networks: networks))
        }
        let snapshot = builder.snapshot(revision: Revision(1))
        for round in 0..<2000 {
            let probe = round < all.count ? all[round].network.address : address(round % 2 == 0)
            let longest = all.filter { $0.network.contains(probe) }.max {
                $0.network.prefixLength < $1.network.prefixLength
            }
            let found = snapshot.peer(for: probe).map { snapshot.name(of: $0) }
            try #require(found == longest?.peer, "\(probe)")
        }
    }

    /// The block of so many bits that holds an address.
    static func block(of address: IPAddress, _ length: Int) -> Network? {
        switch address.family {
        case .ipv4:
            let mask = length == 0 ? 0 : UInt32.max << UInt32(32 - length)
            return Network("\(IPAddress(ipv4: UInt32(truncatingIfNeeded: address.low) & mask))/\(length)")
        case .ipv6:
            let high = length >= 64 ? UInt64.max : length == 0 ? 0 : UInt64.max << UInt64(64 - length)
            let low = length <= 64 ? 0 : UInt64.max << UInt64(128 - length)
            return Network("\(IPAddress(ipv6High: address.high & high, low: address.low & low))/\(length)")
        }
    }

    @Test func `a peer keeps its row while it lives; who comes after it begins at nothing`() throws {
        var builder = SnapshotBuilder()
        builder.put(try Self.peer("a", ["10.0.0.0/8"], limits: CallLimits(maxCalls: 2)))
        let slot = try #require(builder.slot(ofPeer: "a"))
        builder.put(try Self.peer("a", ["11.0.0.0/8"], limits: CallLimits(maxCalls: 3)))
        builder.put(try Self.peer("b", ["10.0.0.0/8"]))
        #expect(builder.slot(ofPeer: "a") == slot)
        #expect(builder.slot(ofPeer: "b") != slot)
        let snapshot = builder.snapshot(revision: Revision(1))
        let address = try #require(IPAddress("11.1.1.1"))
        let peer = try #require(snapshot.peer(for: address))
        #expect(peer.slot == slot && peer.limits == CallLimits(maxCalls: 3))

        let table = PeerTable()
        let successor = PeerSlot(index: slot.index, generation: slot.generation &+ 1)
        #expect((0..<2).allSatisfy { _ in table.beginCall(slot, CallLimits(), now: Self.now) })
        #expect(table.liveCalls(slot) == 2 && table.liveCalls(successor) == 0)
        let isBegun = table.beginCall(successor, CallLimits(maxCalls: 1), now: Self.now)
        #expect(isBegun)
        table.endCall(slot)
        #expect(table.liveCalls(successor) == 1, "a late end of its predecessor's call")
        let isLetThrough = table.beginCall(slot, CallLimits(maxCalls: 1), now: Self.now)
        #expect(isLetThrough && table.liveCalls(slot) == 0 && table.liveCalls(successor) == 1)
        let isOneTooMany = table.beginCall(successor, CallLimits(maxCalls: 1), now: Self.now)
        #expect(!isOneTooMany)
    }

    @Test func `calls at once and calls a second are bounded; counts never fall below zero (API 3)`() throws {
        let (table, slot) = (PeerTable(), PeerSlot(index: 9, generation: 1))
        table.endCall(slot)
        #expect(table.liveCalls(slot) == 0)
        let limits = CallLimits(maxCalls: 3, maxCallsPerSecond: 2)
        func begin(_ now: Instant) -> Bool {
            let isAllowed = table.allows(slot, limits, now: now)
            let isBegun = table.beginCall(slot, limits, now: now)
            #expect(isAllowed == isBegun)
            return isBegun
        }
        #expect((0..<4).map { _ in begin(Self.now) } == [true, true, false, false])
        #expect(table.liveCalls(slot) == 2, "what is refused counts for nothing")
        let next = Self.now + .seconds(1)
        #expect([begin(next), begin(next)] == [true, false], "three at once")
        table.endCall(slot)
        #expect([begin(next), begin(next)] == [true, false])
        for _ in 0..<9 { table.endCall(slot) }
        #expect(table.liveCalls(slot) == 0)
        #expect(!table.allows(slot, CallLimits(maxCalls: 0), now: next + .seconds(9)), "0: none")
        #expect(!table.allows(slot, CallLimits(maxCallsPerSecond: 0), now: next + .seconds(9)))
    }

    @Test func `of many threads at a limit no more get a place than there are, and all come back`() async {
        let (table, slot) = (PeerTable(), PeerSlot(index: 3, generation: 7))
        let most = Highest()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<5000 where table.beginCall(slot, CallLimits(maxCalls: 2), now: Self.now) {
                        most.value.max(table.liveCalls(slot), ordering: .relaxed)
                        table.endCall(slot)
                    }
                }
            }
        }
        #expect(table.liveCalls(slot) == 0)
        #expect(most.value.load(ordering: .relaxed) <= 2)
    }
}

private final class Highest: Sendable {
    let value = Atomic<UInt32>(0)
}

extension SnapshotBuilder {
    fileprivate static var empty: RoutingSnapshot {
        var builder = SnapshotBuilder()
        return builder.snapshot(revision: Revision(1))
    }
}
