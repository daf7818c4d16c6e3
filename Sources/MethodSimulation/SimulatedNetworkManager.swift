import NetworkManager
package import Routing
package import Simulation
import Store
package import Time

// How this room works. `Simulation` knows the sans-I/O rooms alone; here the real network manager, which stands on the
// store, joins it: status records are made as in the process, of transitions that come late, out of order or never, on
// a disk that is not always well.

/// The network manager of a simulated process. What the store would keep, the simulation looks at.
package final class SimulatedNetworkManager: StatusKeeper {
    private let manager: NetworkManager
    /// The last record of each gateway.
    private var lastOnDisk: [String: StatusChange] = [:]

    /// A network manager that knows no record yet.
    package init(table: GatewayInformationTable, snapshots: SnapshotCell, clock: any TimeSource) {
        manager = NetworkManager(lastChanges: [], table: table, snapshots: snapshots, clock: clock)
    }

    private init(
        lastOnDisk: [String: StatusChange], table: GatewayInformationTable, snapshots: SnapshotCell,
        clock: any TimeSource
    ) {
        self.lastOnDisk = lastOnDisk
        manager = NetworkManager(
            lastChanges: Array(lastOnDisk.values), table: table, snapshots: snapshots, clock: clock)
    }

    /// As the control plane begins.
    package func restarted(
        _ builder: SnapshotBuilder, table: GatewayInformationTable, snapshots: SnapshotCell, clock: any TimeSource
    ) -> any StatusKeeper {
        for change in lastOnDisk.values { table.restore(change, of: builder, clock: clock) }
        return SimulatedNetworkManager(lastOnDisk: lastOnDisk, table: table, snapshots: snapshots, clock: clock)
    }

    /// As the observer of the data plane hands them on.
    package func receive(_ transitions: [StatusTransition]) { manager.receive(transitions) }

    /// As the sweeper has it.
    package func sweep() { manager.sweep() }

    /// As the API passes it on.
    package func order(_ slot: GatewaySlot, _ status: GatewayStatus, until: WallTime?) {
        manager.order(slot, status, until: until)
    }

    /// As the writer takes them, and gives them back when the disk is full.
    package func takeRecords(isDiskWell: Bool) -> [KeptRecord] {
        var events: [EventDraft] = []
        let changes = manager.takePending(limitCount: .max, events: &events)
        guard isDiskWell else {
            manager.giveBack(changes)
            return []
        }
        manager.noteCommitted(changes)
        for change in changes { lastOnDisk[change.gateway] = change }
        return changes.map {
            KeptRecord(gateway: $0.gateway, from: $0.from, to: $0.to, cause: $0.cause, timeValue: $0.timeValue)
        }
    }
}

extension Simulation.Settings {
    /// The world of the method: 100 gateways in 20 groups, with the real network manager.
    package static func method(callCount: Int) -> Simulation.Settings {
        Simulation.Settings(
            method: Simulation.Method {
                SimulatedNetworkManager(table: $0, snapshots: $1, clock: $2)
            }, callCount: callCount)
    }
}
