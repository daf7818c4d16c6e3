package import Routing
package import Time

/// Who keeps the status records of the simulated process. `MethodSimulation` has the real network manager do it; it is
/// no sans-I/O target, so this room knows it by what it does.
package protocol StatusKeeper: AnyObject {
    /// Takes in status changes that one worker made, in their order.
    func receive(_ transitions: [StatusTransition])
    /// Four times a second: time values that are reached, changes that nobody reported, our own network.
    func sweep()
    /// The operator's word on a gateway: out-of-service until then (nil: until he says otherwise), or in-service.
    func order(_ slot: GatewaySlot, _ status: GatewayStatus, until: WallTime?)
    /// The process has died: the keeper of the one that begins anew, which knows no more than what is on disk. It has
    /// put each gateway's status back into the table.
    ///
    /// - Parameter builder: knows the gateways.
    func restarted(
        _ builder: SnapshotBuilder, table: GatewayInformationTable, snapshots: SnapshotCell, clock: any TimeSource
    ) -> any StatusKeeper
    /// The records made since it was last asked, in their order. They are on disk then, unless that is not well.
    func takeRecords(isDiskWell: Bool) -> [KeptRecord]
}

/// One status record as its keeper wrote it.
package struct KeptRecord: Sendable {
    /// The gateway's id.
    package let gateway: String
    /// The status before.
    package let from: GatewayStatus
    /// The status after.
    package let to: GatewayStatus
    /// Why.
    package let cause: StatusCause
    /// Until when the gateway is left out.
    package let timeValue: WallTime?

    /// A record of its parts.
    package init(gateway: String, from: GatewayStatus, to: GatewayStatus, cause: StatusCause, timeValue: WallTime?) {
        (self.gateway, self.from, self.to) = (gateway, from, to)
        (self.cause, self.timeValue) = (cause, timeValue)
    }
}
