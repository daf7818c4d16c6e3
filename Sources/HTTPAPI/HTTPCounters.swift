import Synchronization
import Time

/// What is counted of requests.
final class HTTPCounters: Sendable {
    private struct Key: Hashable {
        let method: String
        let status: UInt32
    }

    private struct Counts {
        var requests: [Key: UInt64] = [:]
        var duration = Duration.zero
        var streams = 0
    }

    private let counts = Mutex(Counts())
    private static let methods: Set<String> = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "POST", "OPTIONS"]

    /// Counts a request that has ended; status 0: its client went before it was answered.
    func count(method: String, status: UInt32, duration: Duration) {
        let name = Self.methods.contains(method) ? method : "other"  // a client must not make names of metrics
        counts.withLock { counts in
            counts.requests[Key(method: name, status: status), default: 0] &+= 1
            counts.duration += max(.zero, duration)
        }
    }

    /// Counts a new stream; false when there are as many as may be.
    func openStream(limitCount: Int) -> Bool {
        counts.withLock { counts in
            guard counts.streams < limitCount else { return false }
            counts.streams += 1
            return true
        }
    }

    /// A stream has ended.
    func closeStream() { counts.withLock { $0.streams -= 1 } }

    /// Adds the figures to a text.
    func add(to text: inout PrometheusText) {
        let counts = self.counts.withLock { $0 }
        let sorted = counts.requests.sorted { ($0.key.method, $0.key.status) < ($1.key.method, $1.key.status) }
        for (key, count) in sorted {
            text.counter(
                "tandem_http_requests_total", "Requests by method and status; status 0: not answered.",
                labels: [("method", key.method), ("status", "\(key.status)")], value: count)
        }
        text.counter(
            "tandem_http_request_duration_seconds_total", "Time from request line to last byte, summed up.",
            value: Double(counts.duration.nanoseconds) / 1e9)
        text.gauge("tandem_http_event_streams", "Open event streams.", value: Double(counts.streams))
    }
}
