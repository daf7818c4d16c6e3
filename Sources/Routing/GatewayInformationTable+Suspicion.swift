import Synchronization
package import Time

// Who is perhaps dead. It takes an attempt the whole predetermined time (2 s) to find a gateway out-of-service, and
// calls that come meanwhile would wait for the rest of it. A gateway that said nothing for T1 (500 ms) is suspect:
// calls try those first that are not, and it behind them. A suspicion is no status: nobody is left out by it, nobody
// is told of it, and it is gone with the first response or soon by itself.
extension GatewayInformationTable {
    /// Whether the gateway is suspect: of the candidates of a call it comes last. One look at a word beside the status.
    package func isSuspect(_ slot: GatewaySlot, at now: Instant) -> Bool {
        rows[slot.index].pointee.suspectUntil.load(ordering: .relaxed) > now.nanoseconds
    }

    /// Makes the gateway suspect since an attempt got no response of any kind in T1, by when even a slow one has sent
    /// its 100 (RFC 3261 section 17.2.1: within 200 ms).
    ///
    /// Not when it has answered anybody since the attempt began: then a datagram was lost. Not when it is
    /// out-of-service already, nor while our own network is suspected: then silence says nothing about a gateway.
    ///
    /// - Parameters:
    ///   - begun: when the attempt began.
    ///   - duration: how long, unless it answers or goes out-of-service before.
    /// - Returns: True when it has become suspect by this.
    package func suspect(_ slot: GatewaySlot, begun: Instant, now: Instant, for duration: Duration) -> Bool {
        let word = status(of: slot)
        guard word.generation == slot.generation, word.status == .inService, !isNetworkSuspected,
            lastLife(of: slot).map({ $0 < begun }) ?? true
        else { return false }
        let until = (now + duration).nanoseconds
        let before = rows[slot.index].pointee.suspectUntil.exchange(until, ordering: .relaxed)
        return before <= now.nanoseconds
    }

    /// A response of any kind has come from the gateway. Costs a look at a word where it is not suspect.
    package func clearSuspicion(_ slot: GatewaySlot) { TableRow.clear(rows[slot.index].pointee.suspectUntil) }
}
