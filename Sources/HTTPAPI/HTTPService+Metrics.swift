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
            "tandem_build_info", "Always 1; the labels tell what runs.", labels: [("version", settings.version)],
            value: 1)
        text.gauge(
            "tandem_routing_revision", "The revision of the routing data that calls follow.",
            value: Double(controlPlane.revision))
        text.gauge(
            "tandem_changes_pending", "Changes that wait for the writer.",
            value: Double(controlPlane.pendingChangeCount))
        text.gauge(
            "tandem_confirmations_pending", "Changes that go back by themselves unless they are confirmed.",
            value: Double(controlPlane.pendingConfirmationCount))
        text.gauge(
            "tandem_read_only", "1 while no change is taken.", value: controlPlane.readOnlyReason == nil ? 0 : 1)
        do {
            text.gauge(
                "tandem_event_sequence", "The number of the newest event.",
                value: Double(try controlPlane.newestEvent()))
        } catch {
            log(.error, "figures of the control plane can't be read", [("reason", error.detail)])
        }
        addWriterFigures(to: &text)
        addStatusFigures(to: &text)
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

    private func addWriterFigures(to text: inout PrometheusText) {
        let figures = controlPlane.writerFigures
        text.gauge(
            "tandem_snapshot_timestamp_seconds", "Since when calls follow the present snapshot.",
            value: Double(figures.snapshotAt.milliseconds) / 1000)
        text.histogram(
            "tandem_change_duration_seconds", "From when a change came until it was on disk and in force.",
            bars: figures.changes.bars, sum: figures.changes.sumSeconds)
        text.histogram(
            "tandem_commit_duration_seconds", "How long the disk took for a batch of changes and status records.",
            bars: figures.commits.bars, sum: figures.commits.sumSeconds)
        text.gauge(
            "tandem_status_changes_pending", "Status changes and events that wait for the writer.",
            value: Double(controlPlane.pendingStatusCount))
        for (kind, count) in controlPlane.objectCounts {
            text.gauge(
                "tandem_routing_objects", "Objects of the routing data, by kind.", labels: [("kind", kind)],
                value: Double(count))
        }
    }

    private func addStatusFigures(to text: inout PrometheusText) {
        text.gauge(
            "tandem_network_suspected", "1 while the fault is held to be our own network's.",
            value: controlPlane.isNetworkSuspected ? 1 : 0)
        for gateway in controlPlane.gatewayFigures {
            let name = [("gateway", gateway.id)]
            text.gauge(
                "tandem_gateway_in_service", "1 while the gateway is in-service.", labels: name,
                value: gateway.isInService ? 1 : 0)
            text.gauge(
                "tandem_gateway_unlocked", "1 while the operator lets calls to the gateway.", labels: name,
                value: gateway.isUnlocked ? 1 : 0)
            text.gauge(
                "tandem_gateway_active_calls", "Calls that the gateway has.", labels: name,
                value: Double(gateway.activeCalls))
            for (outcome, count) in [("answered", gateway.answeredCount), ("failed", gateway.failedCount)] {
                text.counter(
                    "tandem_gateway_attempts_total",
                    "Attempts that the gateway answered, and those that speak against it, since it has its URI.",
                    labels: name + [("outcome", outcome)], value: count)
            }
        }
        for group in controlPlane.groupsInService {
            text.gauge(
                "tandem_group_in_service", "1 while one usable gateway of the group is in-service.",
                labels: [("group", group.id)], value: group.isInService ? 1 : 0)
        }
    }
}
