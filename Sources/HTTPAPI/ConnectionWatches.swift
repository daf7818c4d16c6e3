import Addressing
import Synchronization
import Time

/// The watches of all open connections, and who may have one.
///
/// Where a limit is reached, a newcomer takes the place of the connection that has kept us waiting for longest, when it
/// has done so for a while: those who open connections and then dawdle shut out each other, and not those who come,
/// ask and go. Where nobody dawdles, the newcomer is refused.
final class ConnectionWatches: Sendable {
    /// Which limit is reached.
    enum Limit: String, Sendable, CaseIterable { case address, total }

    /// How many connections there may be.
    struct Limits: Sendable {
        let total: Int
        let perAddress: Int
    }

    /// What becomes of a new connection.
    enum Admission {
        case admitted
        /// It has the place of another, which is to be shut down.
        case displacing(ConnectionWatch, Limit)
        /// It is to be shut down.
        case refused(Limit)
    }

    private struct State {
        /// All that libmicrohttpd has.
        var open: [ObjectIdentifier: ConnectionWatch] = [:]
        /// Those of them that count: not those that we have turned away.
        var counted: [IPAddress?: Set<ObjectIdentifier>] = [:]
        var countedTotal = 0
        var refused: [Limit: UInt64] = [:]
        var displaced: [Limit: UInt64] = [:]
        var late: UInt64 = 0

        mutating func discount(_ watch: ConnectionWatch) {
            guard counted[watch.address]?.remove(ObjectIdentifier(watch)) != nil else { return }
            if counted[watch.address]?.isEmpty == true { counted[watch.address] = nil }
            countedTotal -= 1
        }
    }

    /// A client that is just about to send its next request is not in anybody's way.
    private static let leastWait = Duration.milliseconds(200)

    private let state = Mutex(State())
    private let limits: Limits

    init(limits: Limits) { self.limits = limits }

    /// A connection has come.
    func insert(_ watch: ConnectionWatch, at now: Instant) -> Admission {
        state.withLock { state in
            state.open[ObjectIdentifier(watch)] = watch
            var (admission, limit) = (Admission.admitted, Limit?.none)
            if (state.counted[watch.address]?.count ?? 0) >= limits.perAddress {
                limit = .address
            } else if state.countedTotal >= limits.total {
                limit = .total
            }
            if let limit {
                guard let victim = victim(state, limit, for: watch, at: now) else {
                    state.refused[limit, default: 0] &+= 1
                    return .refused(limit)
                }
                state.displaced[limit, default: 0] &+= 1
                state.discount(victim)
                admission = .displacing(victim, limit)
            }
            state.counted[watch.address, default: []].insert(ObjectIdentifier(watch))
            state.countedTotal += 1
            return admission
        }
    }

    /// It has gone.
    func remove(_ watch: ConnectionWatch) {
        watch.end()
        state.withLock { state in
            state.open[ObjectIdentifier(watch)] = nil
            state.discount(watch)
        }
    }

    /// Ends those that are too slow.
    func check(_ now: Instant) {
        let late = state.withLock({ Array($0.open.values) }).count { $0.check(now) }
        state.withLock { $0.late &+= UInt64(late) }
    }

    /// Who has to go: of the newcomer's own address, or else of the address that has the most, whoever has kept us
    /// waiting for longest.
    private func victim(
        _ state: borrowing State, _ limit: Limit, for newcomer: ConnectionWatch, at now: Instant
    ) -> ConnectionWatch? {
        let most = state.counted.values.map(\.count).max() ?? 0
        let candidates = state.counted.filter { address, connections in
            limit == .address ? address == newcomer.address : connections.count == most
        }
        let waiting = candidates.values.joined().compactMap { id -> (ConnectionWatch, Instant)? in
            guard let watch = state.open[id], let since = watch.waitingSince else { return nil }
            return now - since >= Self.leastWait ? (watch, since) : nil
        }
        return waiting.min { $0.1 < $1.1 }?.0
    }

    /// Adds the figures to a text.
    func add(to text: inout PrometheusText) {
        let state = self.state.withLock { $0 }
        text.gauge("tandem_http_connections", "Open connections.", value: Double(state.countedTotal))
        for limit in Limit.allCases {
            text.counter(
                "tandem_http_connections_refused_total", "Connections that were refused, by the limit.",
                labels: [("limit", limit.rawValue)], value: state.refused[limit] ?? 0)
        }
        for limit in Limit.allCases {
            text.counter(
                "tandem_http_connections_displaced_total",
                "Connections that kept us waiting and had to make room for others, by the limit.",
                labels: [("limit", limit.rawValue)], value: state.displaced[limit] ?? 0)
        }
        text.counter(
            "tandem_http_connections_late_total", "Connections that were ended because the client was too slow.",
            value: state.late)
    }
}
