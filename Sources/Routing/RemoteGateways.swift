package import Addressing
import Synchronization
package import Time

/// Who has a row of the gateway information table without being provisioned here: a gateway that a remote redirect
/// server named, or such a server itself.
package struct RemoteGateway: Sendable, BitwiseCopyable {
    /// The gateway's id at the redirect server, or the server's URI; empty: nobody said how it is called.
    package let name: ShortText
    /// Where requests for it are sent.
    package let address: TransportAddress

    /// A remote gateway of its parts.
    package init(name: ShortText, address: TransportAddress) { (self.name, self.address) = (name, address) }

    fileprivate static func isSame(_ left: RemoteGateway, _ right: RemoteGateway) -> Bool {
        left.address == right.address && left.name == right.name
    }

    fileprivate var hash: UInt64 {
        var hash = IdentityHash()
        hash.update(address.address.high)
        hash.update(address.address.low)
        hash.update(UInt64(address.port) << 8 | UInt64(address.transport.rawValue))
        name.forEachByte { hash.update(UInt64($0)) }
        return hash.value
    }
}

/// Numbers of remote gateways, found by name and address. Any thread finds and makes them, and nobody waits: whoever
/// comes first with one makes its entry, which stays as long as the process lives.
final class RemoteGateways: @unchecked Sendable {
    /// So many can be told apart.
    static let limitCount = GatewayInformationTable.remoteLimitCount - 1  // the last row is for all others

    private static let placeCount = 1 << 15
    /// At half of the places taken, a run of so many is not to be expected.
    private static let stepLimitCount = 256
    private static let numberMask: UInt64 = 0xFFFF

    /// hash: 48 bits | number + 1: 16 bits; 0: free
    private let places: UnsafeMutablePointer<Atomic<UInt64>>
    /// By number; written before the number stands in a place, and never again.
    private let gateways: UnsafeMutablePointer<RemoteGateway>
    private let takenCount = Atomic(0)

    init() {
        // Zeroed in one go: a loop over the atomics would take a test's time.
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: Self.placeCount * 8, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Self.placeCount * 8)
        places = bytes.bindMemory(to: Atomic<UInt64>.self, capacity: Self.placeCount)
        gateways = .allocate(capacity: Self.limitCount)
    }

    deinit {
        UnsafeMutableRawPointer(places).deallocate()
        gateways.deallocate()
    }

    /// The number of a gateway, 0..<`limitCount`; nil when all are taken.
    func number(of gateway: RemoteGateway) -> Int? {
        let hash = gateway.hash
        let key = hash & ~Self.numberMask
        var own: Int?
        for step in 0..<Self.stepLimitCount {
            let place = places + Int(truncatingIfNeeded: (hash >> 16 &+ UInt64(step)) % UInt64(Self.placeCount))
            var word = place.pointee.load(ordering: .acquiring)
            if word == 0 {
                guard let number = own ?? take() else { return nil }
                own = number
                (gateways + number).initialize(to: gateway)
                let (isMine, other) = place.pointee.compareExchange(
                    expected: 0, desired: key | UInt64(number + 1), ordering: .acquiringAndReleasing)
                if isMine { return number }
                word = other  // where that is the same gateway, the number that was taken for it is lost
            }
            let number = Int(truncatingIfNeeded: word & Self.numberMask) - 1
            if word & ~Self.numberMask == key, RemoteGateway.isSame(gateways[number], gateway) { return number }
        }
        return nil
    }

    /// The gateway of a number that `number` gave.
    func gateway(_ number: Int) -> RemoteGateway? {
        let count = min(takenCount.load(ordering: .acquiring), Self.limitCount)
        return number >= 0 && number < count ? gateways[number] : nil
    }

    /// The numbers that are taken; of one that was lost nothing is known.
    var numbers: Range<Int> { 0..<min(takenCount.load(ordering: .acquiring), Self.limitCount) }

    private func take() -> Int? {
        guard takenCount.load(ordering: .relaxed) < Self.limitCount else { return nil }
        let number = takenCount.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue
        return number < Self.limitCount ? number : nil
    }
}

extension GatewayInformationTable {
    /// So many rows, behind those of provisioned gateways, belong to remote ones.
    package static let remoteLimitCount = 1 << 14

    /// The row of a remote gateway, the same whenever and by whomever it is asked for. Any thread, without a lock.
    ///
    /// Those that can't be told apart any more share one row, which is always in-service: nothing is to be observed of
    /// it.
    package func remoteSlot(of gateway: RemoteGateway) -> GatewaySlot {
        let number = remotes.number(of: gateway)
        let slot = number.map {
            GatewaySlot(index: UInt16(truncatingIfNeeded: Self.slotLimitCount + $0), generation: 0)
        }
        rows.makePart(of: (slot ?? .shared).index)
        return slot ?? .shared
    }

    /// Whose row it is; nil for the shared row and for those of provisioned gateways.
    package func remoteGateway(in slot: GatewaySlot) -> RemoteGateway? {
        slot.isRemote ? remotes.gateway(Int(slot.index) - Self.slotLimitCount) : nil
    }
}

extension GatewayInformationTable {
    /// The rows of all remote gateways that can be told apart.
    package var remoteSlots: some Sequence<GatewaySlot> {
        remotes.numbers.lazy.map {
            GatewaySlot(index: UInt16(truncatingIfNeeded: Self.slotLimitCount + $0), generation: 0)
        }
    }
}

extension GatewaySlot {
    /// The row of all remote gateways that can't be told apart.
    package static let shared = GatewaySlot(index: .max, generation: 0)

    /// True for the row of a remote gateway or redirect server: it is not provisioned here.
    package var isRemote: Bool { Int(index) >= GatewayInformationTable.slotLimitCount }
}

/// What one attempt showed of a gateway that is provisioned elsewhere, for whoever keeps its status.
package struct GatewaySighting: Sendable, BitwiseCopyable {
    /// Its row here.
    package let slot: GatewaySlot
    /// What the attempt showed.
    package let outcome: AttemptOutcome
    /// The Retry-After of a failure response, s; nil: none.
    package let retryAfterSeconds: Int64?
    /// When.
    package let at: Instant
    /// In which call.
    package let callID: ShortText

    /// A sighting of its parts.
    package init(
        slot: GatewaySlot, outcome: AttemptOutcome, retryAfterSeconds: Int64?, at: Instant, callID: ShortText
    ) {
        (self.slot, self.outcome, self.retryAfterSeconds) = (slot, outcome, retryAfterSeconds)
        (self.at, self.callID) = (at, callID)
    }
}
