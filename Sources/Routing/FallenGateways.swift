import Synchronization

/// The gateways that were found dead last, for whoever has calls that wait for a first response from one of them: each
/// worker looks at `count` once per message, and reads what it has not seen when that has moved.
///
/// Any thread notes and any thread reads, and nobody waits. Who lags behind by more than the ring holds is told so and
/// looks at the table itself.
package final class FallenGateways: Sendable {
    /// What stands at one position.
    package enum Entry: Equatable, Sendable {
        /// A gateway that was found dead.
        case gateway(GatewaySlot)
        /// Whoever noted it has not finished: look again later.
        case unwritten
        /// It has been written over since.
        case lost
    }

    private static let capacity: UInt64 = 64

    /// number + 1: 40 bits | slot: 16 bits | generation: 8 bits
    private let places: Places
    private let written = Atomic<UInt64>(0)

    /// An empty ring.
    package init() { places = Places(count: Int(Self.capacity)) }

    /// How many were noted so far.
    package var count: UInt64 { written.load(ordering: .acquiring) }

    /// Notes a gateway that was found dead.
    package func note(_ slot: GatewaySlot) {
        let number = written.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue
        let word = (number &+ 1) << 24 | UInt64(slot.index) << 8 | UInt64(slot.generation)
        places[Int(number % Self.capacity)].pointee.store(word, ordering: .releasing)
    }

    /// What was noted as the `number`-th, counted from 0 and below `count`.
    package func entry(_ number: UInt64) -> Entry {
        let word = places[Int(number % Self.capacity)].pointee.load(ordering: .acquiring)
        // Compared on the circle of 40 bits.
        let ahead = ((word >> 24) &- (number &+ 1)) & 0xFF_FFFF_FFFF
        if ahead == 0 {
            return .gateway(
                GatewaySlot(
                    index: UInt16(truncatingIfNeeded: word >> 8), generation: UInt8(truncatingIfNeeded: word)))
        }
        return ahead < 1 << 39 ? .lost : .unwritten
    }
}

/// The ring's places at an address that stays.
private struct Places: ~Copyable, @unchecked Sendable {
    private let base: UnsafeMutablePointer<Atomic<UInt64>>
    private let count: Int

    init(count: Int) {
        self.count = count
        base = .allocate(capacity: count)
        for index in 0..<count { (base + index).initialize(to: Atomic(0)) }
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    subscript(index: Int) -> UnsafePointer<Atomic<UInt64>> { UnsafePointer(base + index) }
}
