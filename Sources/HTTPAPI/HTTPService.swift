import ControlPlane
import JSON
import Synchronization
import Time

/// What all requests share: the control plane behind them, the limits, what is counted, who waits.
final class HTTPService: Sendable {
    /// Where the room is in its life.
    private enum Phase: Int { case running, stopping, forced }

    let settings: HTTPSettings
    let surroundings: HTTPSurroundings
    let controlPlane: ControlPlane
    let clock: any TimeSource
    let timekeeper: Timekeeper
    let hostGuard: HostGuard
    let counters = HTTPCounters()
    let readAnswers = ReadAnswers()
    let connections: ConnectionWatches
    /// What clients are shown; nil: no TLS.
    let shownIdentity: Mutex<TLSIdentity?>
    let refusedTokensLogged = LogBound(every: .seconds(1))
    let turnedAwayLogged = LogBound(every: .seconds(1))
    private let phase = Atomic(Phase.running.rawValue)
    private let lastRequest = Atomic<UInt64>(0)
    /// Tells the requests of one run from those of another.
    private let runName = String(UInt32.random(in: .min ... .max), radix: 36)
    private let waiting = Mutex<[ObjectIdentifier: Parking]>([:])
    /// Bodies of bulks that have not come whole: nobody waits for them when the server stops.
    private let uploads = Mutex<[ObjectIdentifier: Parking]>([:])

    init(
        _ settings: HTTPSettings, _ surroundings: HTTPSurroundings, _ controlPlane: ControlPlane,
        _ clock: any TimeSource
    ) {
        (self.settings, self.surroundings, self.controlPlane) = (settings, surroundings, controlPlane)
        shownIdentity = Mutex(settings.tlsIdentity)
        connections = ConnectionWatches(
            limits: ConnectionWatches.Limits(
                total: Int(settings.connectionLimitCount), perAddress: Int(settings.connectionsPerAddressLimitCount)))
        (self.clock, timekeeper, hostGuard) = (clock, Timekeeper(clock: clock), HostGuard(settings))
    }

    /// True from the begin of `stop` on: whatever waits for events is answered.
    var isStopping: Bool { phase.load(ordering: .acquiring) != Phase.running.rawValue }
    /// True when changes that are under way are waited for no longer.
    var isForced: Bool { phase.load(ordering: .acquiring) == Phase.forced.rawValue }

    /// Ends streams and long polls.
    func beginStopping() { enter(.stopping) }

    /// Answers changes that are under way although their outcome is not known.
    func force() { enter(.forced) }

    private func enter(_ next: Phase) {
        phase.store(next.rawValue, ordering: .releasing)
        wakeAll()
    }

    /// Has every request that waits look again whether it may go on.
    func wakeAll() {
        for parking in waiting.withLock({ Array($0.values) }) + uploads.withLock({ Array($0.values) }) {
            parking.wake()
        }
    }

    /// A request begins to wait.
    func register(_ parking: Parking) { waiting.withLock { $0[ObjectIdentifier(parking)] = parking } }

    /// It waits no longer.
    func unregister(_ parking: Parking) { waiting.withLock { $0[ObjectIdentifier(parking)] = nil } }

    /// The body of a bulk begins to come.
    func registerUpload(_ parking: Parking) { uploads.withLock { $0[ObjectIdentifier(parking)] = parking } }

    /// It has come, or comes no longer.
    func unregisterUpload(_ parking: Parking) { uploads.withLock { $0[ObjectIdentifier(parking)] = nil } }

    /// How many requests wait or are streams.
    var waitingCount: Int { waiting.withLock { $0.count } }

    /// True while a connection is suspended.
    var hasParked: Bool {
        waiting.withLock { $0.values.contains { $0.isParked } }
            || uploads.withLock { $0.values.contains { $0.isParked } }
    }

    /// The next request's id.
    func nextRequestID() -> String {
        "\(runName)-\(lastRequest.wrappingAdd(1, ordering: .relaxed).newValue)"
    }

    /// Writes a line of the log.
    func log(_ level: HTTPLogLevel, _ message: String, _ fields: [(name: String, value: String)]) {
        surroundings.log(level, message, fields)
    }

    /// The gateway that a row of the gateway information table speaks of.
    static func gatewayName(_ row: JSONValue) -> String { row["gateway"]?.text ?? row["id"]?.text ?? "" }
}
