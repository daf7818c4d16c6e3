import Addressing
import Routing
import Time

/// The routing data of a benchmark: prefixes as in a wholesale rate table, 16 groups of the same three gateways, and
/// numbers to dial.
struct RoutingScenery {
    static let proxy = address(10, 0, 1, port: 5060)
    static let redirect = address(10, 0, 1, port: 5070)
    static let caller = address(10, 1, 1, port: 5060)
    static let gateway = address(10, 2, 1, port: 5060)

    /// Digits of a number that is dialled, without its plus.
    static let numberLength = 12
    private static let numberCount = 16_384
    private static let groupCount = 16
    /// Of how many digits prefixes are, and how often among 100.
    private static let lengths: [(digits: Int, share: UInt64)] = [
        (2, 1), (3, 4), (4, 10), (5, 20), (6, 25), (7, 25), (8, 10), (9, 5),
    ]

    let table = GatewayInformationTable()
    let snapshot: RoutingSnapshot
    /// The digits of all numbers, one behind the other.
    let numbers: [UInt8]

    init(routeCount: Int) {
        var builder = SnapshotBuilder()
        for number in 1...UInt32(3) {
            let address = Self.address(10 << 24 | 2 << 16 | number, port: 5060)
            _ = builder.put(
                Gateway(
                    id: "gateway-\(number)", uri: "sip:\(address.hostPort)", address: address,
                    requestURISuffix: "@\(address.hostPort)", timing: GatewayTiming()), in: table)
        }
        for number in 1...Self.groupCount {
            let members = (1...3).map { GatewayGroup.Member(gateway: "gateway-\($0)", priority: UInt16($0)) }
            builder.put(GatewayGroup(id: "group-\(number)", members: members))
            builder.put(RoutingList(id: "list-\(number)", entries: [.init(group: "group-\(number)")]))
        }
        if let network = Network("10.1.0.0/16") { builder.put(IngressPeer(id: "callers", networks: [network])) }
        var chance: UInt64 = 4
        let prefixes = Self.prefixes(routeCount, &chance)
        builder.changeRoutes(
            in: RoutingPlan.defaultID,
            prefixes.compactMap { text in
                let list = 1 + SplitMix64.next(after: &chance) % UInt64(Self.groupCount)
                return Prefix(text).map { ($0, Route(.routingList("list-\(list)"))) }
            })
        snapshot = builder.snapshot(revision: Revision(1))
        var numbers: [UInt8] = []
        for _ in 0..<Self.numberCount {
            var number = Array(prefixes[Int(SplitMix64.next(after: &chance) % UInt64(prefixes.count))].utf8)
            while number.count < Self.numberLength {
                number.append(UInt8(ascii: "0") + UInt8(SplitMix64.next(after: &chance) % 10))
            }
            numbers += number
        }
        self.numbers = numbers
    }

    /// 1...9, so that every number has a route, and distinct ones by chance.
    private static func prefixes(_ count: Int, _ chance: inout UInt64) -> [String] {
        var prefixes = (1...9).map { "\($0)" }
        var seen = Set(prefixes)
        while prefixes.count < count {
            var left = SplitMix64.next(after: &chance) % 100
            var digits = 9
            for (length, share) in lengths {
                guard left >= share else {
                    digits = length
                    break
                }
                left -= share
            }
            var lowest: UInt64 = 1
            for _ in 1..<digits { lowest *= 10 }
            let prefix = "\(lowest + SplitMix64.next(after: &chance) % (lowest * 9))"
            if seen.insert(prefix).inserted { prefixes.append(prefix) }
        }
        return prefixes
    }

    private static func address(_ first: UInt32, _ second: UInt32, _ last: UInt32, port: UInt16) -> TransportAddress {
        address(first << 24 | second << 16 | last, port: port)
    }

    private static func address(_ bits: UInt32, port: UInt16) -> TransportAddress {
        TransportAddress(.udp, IPAddress(ipv4: bits), port: port)
    }
}
