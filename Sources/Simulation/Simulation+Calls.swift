import Addressing
import Routing
import SignallingCore
import Time

// The live calls of gateways: what the table counts, and what the workers hold.
extension Simulation {
    /// The rows whose calls the process counts.
    private var countedSlots: [GatewaySlot] { isApart ? Array(table.remoteSlots) : slots.compactMap { $0 } }

    /// After each step: together they are the same number.
    mutating func checkCallCounts() {
        report.counts.checks += 1
        var counted = 0
        for slot in countedSlots { counted += Int(table.liveCalls(slot)) }
        let peer = peerCallCounts()
        if peer.counted != peer.held {
            let text = "the peer table counts \(peer.counted), the workers hold \(peer.held)"
            report.violations.append(Violation(.callsAreCounted, call: nil, now, text))
        }
        let held = workers.reduce(0) { $0 + $1.inspection.heldCalls }
        guard counted != held else { return }
        let text = "the table counts \(counted), the workers hold \(held)"
        report.violations.append(Violation(.callsAreCounted, call: nil, now, text))
    }

    /// Once a second: they are the same for each gateway.
    mutating func compareCallCounts() {
        var held: [UInt16: Int] = [:]
        for worker in workers { worker.addHeldCalls(to: &held) }
        for slot in countedSlots {
            report.counts.checks += 1
            let counted = Int(table.liveCalls(slot))
            guard counted != held[slot.index] ?? 0 else { continue }
            let own = held[slot.index] ?? 0
            let text = "the table counts \(counted) for gateway \(slot.index), the workers hold \(own)"
            report.violations.append(Violation(.callsAreCounted, call: nil, now, text))
        }
    }

    /// How many calls the ingress peers of all callers have, by the peer table and by the workers.
    func peerCallCounts() -> (counted: Int, held: Int) {
        let counted = peerSlots.reduce(0) { $0 + Int(peers.liveCalls($1)) }
        return (counted, workers.reduce(0) { $0 + $1.inspection.heldPeerCalls })
    }

    /// Who the callers are.
    mutating func notePeers() {
        peerSlots = Array(Set(callers.compactMap { snapshot.peer(for: $0.address.address)?.slot }))
    }

    /// The process has died, and with it the counts that are in its memory alone.
    func forgetCallCounts() {
        for slot in countedSlots {
            for _ in 0..<table.liveCalls(slot) { table.endCall(slot) }
            table.endTrial(slot)
        }
    }
}
