import ControlPlane
import Logging
import NetworkManager
import Routing
import Time

/// What a proxy whose redirect servers are elsewhere writes into the log.
enum ApartLog {
    /// Whether what was seen of gateways reaches the other side.
    static func writeReports(isWell: Bool, _ detail: String, to log: Logger) {
        if isWell {
            log.notice("status reports are taken again", metadata: ["answer": "\(detail)"])
        } else {
            log.warning("status reports are not taken; they are sent again", metadata: ["reason": "\(detail)"])
        }
    }

    /// Status changes of redirect servers: no network manager keeps them.
    static func writeRedirectServers(
        _ transitions: [StatusTransition], of snapshots: SnapshotCell, clock: any TimeSource, to log: Logger
    ) {
        for transition in transitions where transition.slot.isRemote {
            guard let server = snapshots.latest.redirectServer(in: transition.slot) else { continue }
            var metadata: Logger.Metadata = [
                "redirect_server": "\(server)", "status": "\(transition.after.status.rawValue)",
                "cause": "\(transition.after.cause?.name ?? "")",
            ]
            if let until = transition.after.timeValue {
                metadata["time_value"] = "\(clock.wallTime(of: until).rfc3339)"
            }
            let isOut = transition.after.status == .outOfService
            log.log(level: isOut ? .warning : .notice, "redirect server status changed", metadata: metadata)
        }
    }
}

extension Settings {
    /// Where what was seen of gateways that are provisioned elsewhere goes; nil: nowhere.
    var reportDirection: SightingReports.Direction? {
        reportTo.map { SightingReports.Direction(api: $0, token: reportToken) }
    }
}
