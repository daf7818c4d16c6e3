import Routing
import SignallingCore
import Time

// The death of the process in the world of the method, and what the next one knows.
extension Simulation {
    /// All that stood in memory is gone: calls, live counts, status changes on their way to the disk.
    mutating func forgetMethod() {
        recordWatch.lookForMissing(now)
        takeRecordViolations()
        liveCallWatch = LiveCallWatch()
        handOnNotBefore.removeAll()
    }

    /// A process begins with the routing data and the status records that are on disk.
    mutating func restoreMethod() {
        guard let dead = keeper else { return }
        table = GatewayInformationTable()
        routingTable = table
        builder = SnapshotBuilder()
        provisionFleet()
        slots = fleet.sites.map { builder.slot(of: $0.gateway.id) }
        snapshot = builder.snapshot(revision: Revision(Int64(report.counts.routingChanges)))
        cell = SnapshotCell(snapshot)
        keeper = dead.restarted(builder, table: table, snapshots: cell, clock: clock)
        if settings.plantedBug == .forgottenStatus {
            for case let slot? in slots { table.restore(slot, .inService, cause: nil, timeValue: nil) }
        }
        recordWatch.restart(table, clock, now)
        if settings.plantedBug == .repeatedRecord, let lastRecord { recordWatch.note(lastRecord, clock, now) }
        takeRecordViolations()
        for case (let number, let slot?) in slots.enumerated() {
            let word = table.status(of: slot)
            statusWatch.restart(slot, word, now)
            fleet.restart(number, word, now)
        }
        notePeers()
    }
}
