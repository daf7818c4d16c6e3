import Routing
import Time

/// Whether the fault is more likely our own network's: when many gateways fall silent at once, it is not they.
///
/// Suspected: at least half of the observed gateways, and three or more, fell by silence within ten seconds. Cleared:
/// ten seconds later at the earliest, as soon as at least as many gateways showed life as were silent in the last ten.
/// Those whose silence outlasts that are dead by themselves: their fall does not count again before they lived.
struct NetworkWatch {
    static let window = Duration.seconds(10)
    static let fallenLimitCount = 3
    /// A gateway that is not probed is observed while calls told of it so lately.
    static let observedWindow = Duration.seconds(300)

    private struct Fall {
        let slot: GatewaySlot
        let at: Instant
    }

    /// In the order in which they came, of the last ten seconds.
    private var falls: [Fall] = []
    /// Since when the network is suspected; nil: it is not.
    private(set) var suspectedSince: Instant?
    /// Who had fallen when it was last suspected, and when that was.
    private var suspects: Set<GatewaySlot> = []
    private var lastSuspected: Instant?

    /// More falls than this within the window are too many anyway.
    private static let fallLimitCount = 1 << 16

    mutating func noteFall(of slot: GatewaySlot, at now: Instant) {
        if falls.count < Self.fallLimitCount { falls.append(Fall(slot: slot, at: now)) }
    }

    /// What one look at the table says.
    struct Finding: Equatable {
        enum Change: Equatable { case suspected, cleared }
        let change: Change
        /// Those that had fallen.
        let fallen: [GatewaySlot]
        let observedCount: Int
    }

    /// Judges, with one look at the table when there is reason for it.
    mutating func judge(
        _ snapshot: RoutingSnapshot, _ table: GatewayInformationTable, now: Instant
    ) -> Finding? {
        falls.removeAll { now - $0.at > Self.window }
        if let suspectedSince {
            guard now - suspectedSince >= Self.window, hasCleared(snapshot, table, now) else { return nil }
            self.suspectedSince = nil
            falls = []
            return Finding(change: .cleared, fallen: Array(suspects), observedCount: 0)
        }
        guard falls.count >= Self.fallenLimitCount else { return nil }
        var fallen: [GatewaySlot] = []
        var seen: Set<GatewaySlot> = []
        for fall in falls where seen.insert(fall.slot).inserted {
            guard snapshot.gateway(in: fall.slot) != nil, !isStillSuspect(fall.slot, table) else { continue }
            fallen.append(fall.slot)
        }
        guard fallen.count >= Self.fallenLimitCount else { return nil }
        let counted = Set(fallen)
        let observedCount = snapshot.gateways.count { gateway in
            counted.contains(gateway.slot) || isObserved(gateway, table, now)
        }
        guard fallen.count * 2 >= observedCount else { return nil }
        (suspectedSince, lastSuspected, suspects) = (now, now, counted)
        return Finding(change: .suspected, fallen: fallen, observedCount: observedCount)
    }

    /// It was silent when the network was last suspected, and has been ever since.
    private func isStillSuspect(_ slot: GatewaySlot, _ table: GatewayInformationTable) -> Bool {
        guard let lastSuspected, suspects.contains(slot) else { return false }
        return table.lastLife(of: slot).map { $0 <= lastSuspected } ?? true
    }

    /// One that has been out for longer says nothing about the network at present, nor does one that nobody looks at.
    private func isObserved(_ gateway: SnapshotGateway, _ table: GatewayInformationTable, _ now: Instant) -> Bool {
        guard gateway.gateway.administrativeState != .locked, table.status(of: gateway.slot).status == .inService else {
            return false
        }
        if gateway.gateway.probe.intervalSeconds > 0 { return true }
        let last = [table.lastLife(of: gateway.slot), table.lastSilence(of: gateway.slot)].compactMap { $0 }.max()
        return last.map { now - $0 <= Self.observedWindow } ?? false
    }

    private func hasCleared(_ snapshot: RoutingSnapshot, _ table: GatewayInformationTable, _ now: Instant) -> Bool {
        var (aliveCount, silentCount) = (0, 0)
        for gateway in snapshot.gateways {
            let life = table.lastLife(of: gateway.slot)
            let silence = table.lastSilence(of: gateway.slot)
            if let life, now - life <= Self.window, life >= silence ?? life {
                aliveCount += 1
            } else if let silence, now - silence <= Self.window {
                silentCount += 1
            }
        }
        return aliveCount > 0 && aliveCount >= silentCount
    }
}
