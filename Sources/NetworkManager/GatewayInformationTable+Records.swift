package import Routing
package import Store
package import Time

// What a start knows of gateways: their last status records.
extension GatewayInformationTable {
    /// Puts a gateway's status back as its last record says. A time value that went by meanwhile is restored too: it is
    /// reached, and the sweep records that.
    ///
    /// The record's times are those of the wall clock, which somebody may have set back since: what calls and probes
    /// began is held no longer than it was meant to be. The operator's word is of that clock, whatever it shows.
    ///
    /// - Parameter builder: knows the gateways as they are provisioned; a record of one that is gone, or was another
    ///   one then, changes nothing.
    package func restore(_ change: StatusChange, of builder: SnapshotBuilder, clock: any TimeSource) {
        guard builder.gateways[change.gateway]?.uri == change.uri, let slot = builder.slot(of: change.gateway) else {
            return
        }
        restore(slot, change.to, cause: change.cause, timeValue: Self.timeValue(of: change, clock))
    }

    private static func timeValue(of change: StatusChange, _ clock: any TimeSource) -> Instant? {
        guard change.to == .outOfService else { return nil }
        guard let shown = change.timeValue else {
            // The operator's word may have no end; any other out-of-service without a time value would never end.
            return change.cause == .operatorWord ? nil : clock.now
        }
        var timeValue = clock.instant(of: shown)
        if change.cause != .operatorWord {
            let (held, overflow) = shown.milliseconds.subtractingReportingOverflow(change.at.milliseconds)
            if !overflow { timeValue = min(timeValue, clock.now + .milliseconds(max(0, held))) }
        }
        return max(timeValue, Instant(nanoseconds: 0))  // the table knows no time before its origin
    }
}
