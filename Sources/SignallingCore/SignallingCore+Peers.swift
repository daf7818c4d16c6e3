import Addressing
import Routing
import SIPMessage
import Time

// Ingress peers: how many calls each may have (API section 3). A call counts from its INVITE to its end, however many
// gateways it tries.
extension SignallingCore {
    /// Whether a peer may have one more call.
    enum Admission {
        /// It may, and has it from now on; nil: it is no call that is counted.
        case admitted(PeerSlot?)
        /// It has as many as it may have, at once or in this second.
        case full
    }

    /// Counts a call of the peer that a request comes from; whoever is given a slot ends it once.
    mutating func admit(_ request: Message, _ arrival: Arrival) -> Admission {
        guard request.method == .invite, request.toTag == nil, let pinned,
            let peer = pinned._withUnsafeGuaranteedRef({ $0.peer(for: arrival.source.address) })
        else { return .admitted(nil) }
        guard peers.beginCall(peer.slot, peer.limits, now: arrival.now) else {
            counters.peerFull &+= 1
            return .full
        }
        heldPeerCallCount += 1
        return .admitted(peer.slot)
    }

    /// A peer's call is over.
    mutating func endCall(of peer: PeerSlot?) {
        guard let peer else { return }
        heldPeerCallCount -= 1
        peers.endCall(peer)
    }

    /// The call of a response context is over for its peer, unless a dialog has it now.
    mutating func endPeerCall(of handle: ContextRecord.Handle) {
        endCall(of: contexts[handle].peer)
        contexts[handle].peer = nil
    }
}
