import HTTPAPI
import SignallingCore
import SignallingIO

/// What `/metrics` says of the signalling.
enum ProcessMetrics {
    static func write(of dataPlane: DataPlane, into text: inout PrometheusText) {
        let counters = dataPlane.counters()
        counters.signalling.forEach { name, label, help, value in
            text.counter("\(name)", "\(help)", labels: labels(label), value: value)
        }
        text.histogram(
            "tandem_first_response_seconds", "How long gateways took to answer calls at all.",
            bars: counters.signalling.firstResponseBars.map { ($0.boundSeconds, $0.count) },
            sum: Double(counters.signalling.firstResponseMicroseconds) / 1e6)
        counters.io.forEach { name, label, help, value in
            text.counter("\(name)", "\(help)", labels: labels(label), value: value)
        }
        text.gauge("tandem_active_calls", "Calls that look for a gateway or ring.", value: Double(dataPlane.callCount))
        text.gauge(
            "tandem_live_calls", "Calls that were answered and are not over.", value: Double(dataPlane.liveCallCount))
        text.gauge(
            "tandem_tcp_connections", "Connections that are open or being opened.",
            value: Double(dataPlane.connectionCount))
        text.gauge(
            "tandem_live_transactions", "Transactions and response contexts that are alive.",
            value: Double(dataPlane.transactionCount))
    }

    /// `method="INVITE"` as a name and a value.
    private static func labels(_ label: StaticString) -> [(name: String, value: String)] {
        let parts = "\(label)".split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { return [] }
        return [(String(parts[0]), parts[1].filter { $0 != "\"" })]
    }
}
