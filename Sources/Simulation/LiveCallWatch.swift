import Addressing
import SIPMessage
import Time

/// Knows by what goes in and out which calls are alive: those that were answered and have not been hung up. What the
/// process counts for a gateway or a peer is never less, and never more than these and the calls that still look for a
/// gateway.
struct LiveCallWatch {
    private struct Alive {
        let gateway: TransportAddress
        let begun: Instant
        /// The first dialog of its call has the peer's place.
        let isFirst: Bool
    }

    /// A place that is held for a call without an answer is given back after this: Timer C, and 64 T1 for the CANCEL.
    private static let searchLimit = Duration.seconds(300)
    /// One that nobody hangs up must be counted for so long.
    private static let lease = Simulation.callLease + .seconds(-2)

    // No order of these is ever seen.
    private var dialogs: [UInt64: Alive] = [:]
    private var seen: Set<UInt64> = []
    private var answered: Set<Int> = []

    /// A 2xx to an INVITE outside a dialog leaves for its caller.
    mutating func answerLeft(_ parcel: Parcel, from gateway: TransportAddress, _ now: Instant) {
        let key = Self.key(parcel.call, parcel.fingerprint(of: parcel.message.toTag))
        guard seen.insert(key).inserted else { return }
        dialogs[key] = Alive(gateway: gateway, begun: now, isFirst: answered.insert(parcel.call).inserted)
    }

    /// A BYE comes in, from either side.
    mutating func byeArrived(_ parcel: Parcel) {
        for tag in [parcel.message.toTag, parcel.message.fromTag] {
            dialogs[Self.key(parcel.call, parcel.fingerprint(of: tag))] = nil
        }
    }

    /// How many calls each gateway must be counted to have, and how many more it may: those that still look for one,
    /// and those that were never hung up. None of a gateway that is not named.
    func bounds(_ watch: CallWatch, _ now: Instant) -> [TransportAddress: (alive: Int, searching: Int)] {
        var bounds: [TransportAddress: (alive: Int, searching: Int)] = [:]
        for dialog in dialogs.values {
            let isLeased = now - dialog.begun < Self.lease
            bounds[dialog.gateway, default: (0, 0)].alive += isLeased ? 1 : 0
            bounds[dialog.gateway, default: (0, 0)].searching += isLeased ? 0 : 1
        }
        for branch in watch.branches where branch.finalStatus == 0 && now - branch.firstAt < Self.searchLimit {
            let request = watch.requests[branch.request]
            guard request.method == .invite, !request.isWithinDialog else { continue }
            bounds[branch.destination, default: (0, 0)].searching += 1
        }
        return bounds
    }

    /// The same of all peers together.
    func boundsOfPeers(_ watch: CallWatch, _ now: Instant) -> ClosedRange<Int> {
        let alive = dialogs.values.count { $0.isFirst && now - $0.begun < Self.lease }
        let forgotten = dialogs.values.count { $0.isFirst } - alive
        let searching = watch.requests.count { request in
            request.method == .invite && !request.isWithinDialog && !request.isRedirect
                && !answered.contains(request.call) && now - request.firstAt < Self.searchLimit
        }
        return alive...alive + forgotten + searching
    }

    private static func key(_ call: Int, _ tag: UInt64) -> UInt64 { Fingerprint.mixed(UInt64(call), tag) }
}
