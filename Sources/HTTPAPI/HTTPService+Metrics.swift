import ControlPlane
import JSON
import Synchronization
import Time

extension HTTPService {
    /// All figures of the process in Prometheus' text form.
    func metricsText() -> String {
        var text = PrometheusText()
        surroundings.metrics(&text)
        text.gauge(
            "tandem_routing_revision", "The revision of the routing data that calls follow.",
            value: Double(controlPlane.revision))
        text.gauge(
            "tandem_changes_pending", "Changes that wait for the writer.",
            value: Double(controlPlane.pendingChangeCount))
        text.gauge(
            "tandem_read_only", "1 while no change is taken.", value: controlPlane.readOnlyReason == nil ? 0 : 1)
        do {
            text.gauge(
                "tandem_event_sequence", "The number of the newest event.",
                value: Double(try controlPlane.newestEvent()))
        } catch {
            log(.error, "figures of the control plane can't be read", [("reason", error.detail)])
        }
        for gateway in controlPlane.gatewaysInService {
            text.gauge(
                "tandem_gateway_in_service", "1 while the gateway is in-service.", labels: [("gateway", gateway.id)],
                value: gateway.isInService ? 1 : 0)
        }
        addWebhookFigures(to: &text)
        if let identity = shownIdentity.withLock({ $0 }) {
            text.gauge(
                "tandem_http_certificate_expiry_timestamp_seconds",
                "From when on clients refuse the API's certificate.",
                value: Double(identity.expiresAt.milliseconds) / 1000)
        }
        counters.add(to: &text)
        connections.add(to: &text)
        text.gauge(
            "tandem_http_waiting_requests", "Requests that wait for the writer or for events, streams among them.",
            value: Double(waitingCount))
        return text.text
    }
}
