import Addressing
import Probing
import Routing
import SIPTransaction
import SignallingCore
import SignallingIO
import Time

/// What a worker's thread has, without sockets: the core, its actions and its timers, at a time of our own.
struct BenchedWorker: ~Copyable {
    private var core: SignallingCore
    private var wheel: TimerWheel
    private var now = Instant(nanoseconds: 1_000_000_000_000)
    /// What the last datagram led to.
    private(set) var actions = SignallingActions()

    init(table: GatewayInformationTable) {
        var settings = SignallingSettings(
            listeners: [
                .init(role: .proxy, bound: RoutingScenery.proxy, advertised: RoutingScenery.proxy),
                .init(role: .redirect, bound: RoutingScenery.redirect, advertised: RoutingScenery.redirect),
            ], routeSecret: KeyedHash.Key(1, 2), workerSecret: KeyedHash.Key(3, 4), serverName: "Tandem/bench")
        settings.probing.isEnabled = false
        wheel = TimerWheel(now: now)
        core = SignallingCore(settings: settings, table: table, now: now, into: &actions)
        actions.removeAll()
    }

    var liveTransactionCount: Int { core.liveCount + core.clientCount }

    /// Takes in one datagram; what it led to is in `actions` until the next.
    mutating func receive(
        _ datagram: Span<UInt8>, from source: TransportAddress, on listener: ListenerNumber,
        _ snapshot: borrowing PinnedSnapshot
    ) {
        actions.removeAll()
        core.receive(datagram, from: source, on: listener, snapshot: snapshot, now: now, into: &actions)
        armTimers()
    }

    /// Lets time go by; what timers send goes nowhere.
    mutating func pass(_ duration: Duration, _ snapshot: borrowing PinnedSnapshot) {
        now = now + duration
        while let token = wheel.takeDue(at: now) {
            actions.removeAll()
            core.fire(token, snapshot: snapshot, now: now, into: &actions)
            armTimers()
        }
    }

    private mutating func armTimers() {
        for timer in actions.timers { wheel.arm(at: timer.at, timer.token) }
    }
}
