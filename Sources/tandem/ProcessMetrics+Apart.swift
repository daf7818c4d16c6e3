import ControlPlane
import HTTPAPI
import NetworkManager
import Routing

extension ProcessMetrics {
    /// What is particular to a proxy whose redirect servers are elsewhere.
    static func write(of controlPlane: ControlPlane, _ reports: SightingReports, into text: inout PrometheusText) {
        let snapshot = controlPlane.snapshots.latest
        for slot in snapshot.redirectServerSlots {
            guard let server = snapshot.redirectServer(in: slot) else { continue }
            text.gauge(
                "tandem_redirect_server_in_service", "1: the redirect server is asked; 0: it is out-of-service.",
                labels: [("redirect_server", server)],
                value: controlPlane.table.status(of: slot).status == .inService ? 1 : 0)
        }
        let counts = reports.counts
        let ended: StaticString = "Status reports for the redirect server's side, by what became of them."
        for (outcome, count) in [("sent", counts.sent), ("refused", counts.refused), ("dropped", counts.dropped)] {
            text.counter("tandem_status_reports_total", "\(ended)", labels: [("outcome", outcome)], value: count)
        }
        text.gauge(
            "tandem_status_reports_waiting", "Status reports that wait to be sent.", value: Double(counts.waiting))
    }
}
