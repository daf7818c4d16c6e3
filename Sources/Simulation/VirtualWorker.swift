package import Addressing
package import Routing
import SIPMessage
package import SignallingCore
package import Time

/// One worker without a kernel: the real `SignallingCore`, its timers, and what it wants to send.
package final class VirtualWorker {
    /// One datagram on its way out of the worker.
    package struct Outgoing {
        /// Its bytes.
        package let bytes: [UInt8]
        /// Where it goes.
        package let destination: TransportAddress
        /// Through which listener's socket it leaves.
        package let listener: ListenerNumber
    }

    /// What was given to a worker's owner since it last asked.
    package struct Output {
        /// In the order in which they leave.
        package var datagrams: [Outgoing] = []
        /// Status changes, each in the table already.
        package var transitions: [StatusTransition] = []
        /// What attempts showed of gateways that are provisioned elsewhere.
        package var sightings: [GatewaySighting] = []
        /// What came of probes that were asked for.
        package var probeAnswers: [ProbeAnswer] = []
        /// The worker that the datagram just received belongs to.
        package var handOver: UInt8?
        /// What other workers are to be told of their calls.
        package var notices: [CallNotice] = []
        /// Calls that have got their answer, and answered ones that are over.
        package var calls = CallNews()
    }

    private var core: SignallingCore
    private var actions = SignallingActions()
    private var timers = EventQueue<TimerToken>()
    private let plantedBug: PlantedBug?
    private var life = LifeWatch()
    /// Whose message it is given, for `overdue` to name; -1: nobody's.
    package var currentCall = -1

    /// A worker that begins at `now`; a planted bug may swallow some of its timers.
    package init(
        settings: SignallingSettings, table: GatewayInformationTable, peers: PeerTable = PeerTable(), now: Instant,
        plantedBug: PlantedBug? = nil
    ) {
        self.plantedBug = plantedBug
        core = SignallingCore(settings: settings, table: table, peers: peers, now: now, into: &actions)
        _ = drainActions()
    }

    /// When its next timer is due.
    package var nextTimer: Instant? { timers.next }
    /// What it has counted.
    package var counters: SignallingCounters { core.counters }
    /// Server transactions and response contexts that are alive.
    package var liveCount: Int { core.liveCount }
    /// Client transactions that are alive.
    package var clientCount: Int { core.clientCount }
    /// Searches that go on.
    package var callCount: Int { core.callCount }

    /// What the wall clock shows less what the monotonic one does, ms.
    package var wallClockOffsetMilliseconds: Int64 {
        get { core.wallClockOffsetMilliseconds }
        set { core.wallClockOffsetMilliseconds = newValue }
    }

    /// What its core holds.
    package var inspection: SignallingInspection { core.inspection }
    /// Timers that will fire.
    package var timerCount: Int { timers.count }

    /// The records that live on though all timers that could end them are past; each is told once. Costs a look at
    /// every place of the core.
    package func overdue(now: Instant) -> [LifeWatch.Overdue] { life.overdue(in: core, now: now) }

    /// Tells it that more comes than it can work off, or no more than it can.
    package func setOverloaded(_ isOverloaded: Bool) { core.isOverloaded = isOverloaded }

    /// From now on new requests are answered 503.
    package func beginDraining() { core.beginDraining() }

    /// Gives it a datagram.
    ///
    /// - Parameter origin: the worker that it came to first; nil where no other is asked.
    package func receive(
        _ bytes: [UInt8], from source: TransportAddress, on listener: ListenerNumber, origin: UInt8? = nil,
        snapshot: RoutingSnapshot, now: Instant
    ) -> Output {
        PinnedSnapshot.lending(snapshot) {
            core.receive(
                bytes.span, from: source, on: listener, origin: origin, snapshot: $0, now: now, into: &actions)
        }
        return drainActions()
    }

    /// Gives it datagrams that came together: each is read before the one ahead of it is acted on.
    package func receive(
        batch: [[UInt8]], from source: TransportAddress, on listener: ListenerNumber, snapshot: RoutingSnapshot,
        now: Instant
    ) -> Output {
        for (index, bytes) in batch.enumerated() {
            let next = index + 1 < batch.count ? batch[index + 1] : []
            let isUpcoming = index > 0 && !bytes.isEmpty
            PinnedSnapshot.lending(snapshot) {
                core.receive(
                    bytes.span, from: source, on: listener, isUpcoming: isUpcoming, followedBy: next.span,
                    snapshot: $0, now: now, into: &actions)
            }
        }
        return drainActions()
    }

    /// Fires the timers that are due.
    package func fireDue(snapshot: RoutingSnapshot, now: Instant) -> Output {
        var output = Output()
        while let next = timers.next, next <= now, let (_, token) = timers.pop() {
            PinnedSnapshot.lending(snapshot) { core.fire(token, snapshot: $0, now: now, into: &actions) }
            let more = drainActions()
            output.datagrams += more.datagrams
            output.transitions += more.transitions
            output.sightings += more.sightings
            output.probeAnswers += more.probeAnswers
            output.notices += more.notices
            output.calls.add(more.calls)
        }
        return output
    }

    /// Has it ask a gateway out of turn.
    package func probeNow(_ slot: GatewaySlot, ticket: UInt64, snapshot: RoutingSnapshot, now: Instant) -> Output {
        PinnedSnapshot.lending(snapshot) {
            core.probeNow(slot, ticket: ticket, snapshot: $0, now: now, into: &actions)
        }
        return drainActions()
    }

    /// Tells it that nothing can be sent there.
    package func transportFailed(
        to destination: TransportAddress, snapshot: RoutingSnapshot, now: Instant
    ) -> Output {
        PinnedSnapshot.lending(snapshot) {
            core.transportFailed(to: destination, on: ListenerNumber(0), snapshot: $0, now: now, into: &actions)
        }
        return drainActions()
    }

    /// Tells it what another worker saw of a call.
    package func receive(_ notice: CallNotice, now: Instant) -> Output {
        core.receive(notice, now: now, into: &actions)
        return drainActions()
    }

    /// Adds the places among the live calls of gateways that it holds, by their rows.
    package func addHeldCalls(to counts: inout [UInt16: Int]) { core.addHeldCalls(to: &counts) }

    /// Lets it look at what other workers found of gateways.
    package func lookAround(snapshot: RoutingSnapshot, now: Instant) -> Output {
        PinnedSnapshot.lending(snapshot) { core.moveWaitingCallsOn(snapshot: $0, now: now, into: &actions) }
        return drainActions()
    }

    private func drainActions() -> Output {
        var output = Output()
        output.datagrams.reserveCapacity(actions.datagrams.count)
        let bytes = actions.bytes.bytes
        for datagram in actions.datagrams {
            output.datagrams.append(
                Outgoing(
                    bytes: Array(bytes[datagram.start..<datagram.start + datagram.count]),
                    destination: datagram.destination, listener: datagram.listener))
        }
        for timer in actions.timers {
            life.noteTimer(timer.token, at: timer.at, call: currentCall)
            if let plantedBug, plantedBug.swallows(timer.token) { continue }
            timers.push(timer.token, at: timer.at)
        }
        output.transitions = actions.transitions
        output.sightings = actions.sightings
        output.probeAnswers = actions.probeAnswers
        output.handOver = actions.handOver
        output.notices = actions.notices
        output.calls = actions.calls
        actions.removeAll()
        return output
    }
}
