import Addressing

/// Which ingress peer an address belongs to: the one of the longest network that holds it.
///
/// Networks either lie within each other or apart, so that together they cut the addresses into ranges, each of which
/// belongs to one peer or to nobody: at most two ranges a network. A look-up is a binary search among their first
/// addresses, 15 steps with 10,000 networks.
struct AddressRanges: Sendable {
    private let ipv4: RangeTable<UInt32>
    private let ipv6: RangeTable<UInt128>

    /// - Parameter networks: each with the number of its peer.
    init(_ networks: [(network: Network, peer: UInt32)] = []) {
        var (four, six): ([RangeTable<UInt32>.Block], [RangeTable<UInt128>.Block]) = ([], [])
        for (network, peer) in networks {
            let length = network.prefixLength
            switch network.address.family {
            case .ipv4:
                let first = UInt32(truncatingIfNeeded: network.address.low)
                four.append(.init(first: first, last: first | Self.tail(length), owner: peer))
            case .ipv6:
                let first = Self.key(network.address)
                six.append(.init(first: first, last: first | Self.tail(length), owner: peer))
            }
        }
        (ipv4, ipv6) = (RangeTable(four), RangeTable(six))
    }

    /// The number of the peer; nil: nobody's.
    func peer(of address: IPAddress) -> UInt32? {
        switch address.family {
        case .ipv4: ipv4.owner(of: UInt32(truncatingIfNeeded: address.low))
        case .ipv6: ipv6.owner(of: Self.key(address))
        }
    }

    private static func key(_ address: IPAddress) -> UInt128 { UInt128(address.high) << 64 | UInt128(address.low) }

    /// The bits behind a prefix; `>>` past the width yields 0.
    private static func tail<Key: FixedWidthInteger & UnsignedInteger>(_ prefixLength: Int) -> Key {
        Key.max >> Key(truncatingIfNeeded: prefixLength)
    }
}

/// Ranges of numbers that have an owner or none.
private struct RangeTable<Key: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
    struct Block: Sendable {
        let first: Key
        let last: Key
        let owner: UInt32
    }

    private static var nobody: UInt32 { .max }

    /// Where ranges begin, ascending, and whose they are. Behind the last one nothing changes any more.
    private var firsts: [Key] = []
    private var owners: [UInt32] = []

    /// Blocks lie within each other or apart.
    init(_ blocks: [Block]) {
        var open: [Block] = []  // from the widest to the narrowest that holds the present place
        for block in blocks.sorted(by: { ($0.first, $1.last) < ($1.first, $0.last) }) {
            close(&open, before: block.first)
            begin(block.first, block.owner)
            open.append(block)
        }
        close(&open, before: nil)
    }

    /// Whose the number is.
    func owner(of key: Key) -> UInt32? {
        var (low, high) = (0, firsts.count)  // the range is the last one that begins at or before the key
        while low < high {
            let middle = (low + high) / 2
            if firsts[middle] <= key { low = middle + 1 } else { high = middle }
        }
        guard low > 0, owners[low - 1] != Self.nobody else { return nil }
        return owners[low - 1]
    }

    /// Ends the blocks that end before a place: what is behind them belongs to who holds them.
    private mutating func close(_ open: inout [Block], before place: Key?) {
        while let block = open.last, place.map({ block.last < $0 }) ?? true {
            open.removeLast()
            guard block.last < Key.max else { continue }
            begin(block.last + 1, open.last?.owner ?? Self.nobody)
        }
    }

    /// From this number on it is someone's. Of two that begin at the same number the later one counts.
    private mutating func begin(_ first: Key, _ owner: UInt32) {
        if firsts.last == first {
            owners[owners.count - 1] = owner
        } else {
            firsts.append(first)
            owners.append(owner)
        }
    }
}
