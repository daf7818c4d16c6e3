import Addressing
import Routing
import SIPMessage
import SIPTransaction
import SignallingCore
import Time

// How this room works. `Simulation` is a world around the real `SignallingCore`: a clock that jumps from event to
// event, a network that loses, repeats and reorders, callers and gateways that keep to RFC 3261, and gateways' bad
// hours. Everything that is left to chance comes from one seed, so that a run that broke a rule happens again.
// `VirtualWorker` is the core without a kernel, also for tests that drive it by hand.

/// A deterministic run of calls through redirect and proxy role.
package struct Simulation {
    /// How much happens.
    package struct Settings: Sendable {
        /// Calls in all.
        package var callCount = 60
        /// Gateways in one group.
        package var gatewayCount = 4
        /// The calls begin within this time.
        package var span: Duration = .seconds(120)
        /// Datagrams lost of a thousand; nil: drawn.
        package var lossPerMille: Int?
        /// 1 or more; nil: drawn.
        package var workerCount: Int?
        /// Datagrams of noise in all.
        package var noiseCount = 30

        /// A run that takes a test a fraction of a second.
        package init() {}
    }

    enum Event {
        case arrive(bytes: [UInt8], from: TransportAddress, to: TransportAddress)
        case caller(Int, SimulatedCaller.Wake)
        case gateway(Int, SimulatedGateway.Wake)
        case mode(Int, SimulatedGateway.Mode)
        case unreachable(TransportAddress)
        case changeRouting
        case sweep
        case noise(Int)
        case drain
    }

    static let origin = Instant(nanoseconds: 1_000_000_000_000)

    let settings: Settings
    var generator: SeededGenerator
    var report: SimulationReport
    var now = Simulation.origin
    var events = EventQueue<Event>()

    let table = GatewayInformationTable()
    var builder = SnapshotBuilder()
    var snapshot: RoutingSnapshot
    var workers: [VirtualWorker] = []
    var callers: [SimulatedCaller] = []
    var gateways: [SimulatedGateway] = []
    var watch = StatusWatch()

    let listeners: [TransportAddress]
    /// Who sits at an address; never walked through.
    var callerNumbers: [TransportAddress: Int] = [:]
    var gatewayNumbers: [TransportAddress: Int] = [:]

    /// A world that has not begun.
    package init(seed: UInt64, settings: Settings = Settings()) {
        (self.settings, generator, report) = (settings, SeededGenerator(seed: seed), SimulationReport(seed: seed))
        listeners = [Self.address(10, 0, 0, 1, port: 5060), Self.address(10, 0, 0, 1, port: 5070)]
        snapshot = builder.snapshot(revision: Revision(0))
        report.lossPerMille = settings.lossPerMille ?? [0, 0, 10, 50, 100][generator.below(5)]
        report.workerCount = max(1, settings.workerCount ?? 1 + generator.below(3))
        makeGateways()
        makeWorkers()
        makeCallers()
        planTroubles()
    }

    static func address(_ first: UInt32, _ second: UInt32, _ third: UInt32, _ last: UInt32, port: UInt16)
        -> TransportAddress
    {
        TransportAddress(.udp, IPAddress(ipv4: first << 24 | second << 16 | third << 8 | last), port: port)
    }

    /// Runs it to its end: all calls over, drained, nothing left alive.
    package mutating func run() -> SimulationReport {
        let end = Self.origin + settings.span + .seconds(4000)
        while now < end, let next = nextInstant() {
            now = max(now, next)
            fireTimers()
            while let instant = events.next, instant <= now, let (_, event) = events.pop() { happen(event) }
        }
        judge()
        return report
    }

    private func nextInstant() -> Instant? {
        (workers.map(\.nextTimer) + [events.next]).compactMap { $0 }.min()
    }

    private mutating func fireTimers() {
        for number in workers.indices {
            guard let next = workers[number].nextTimer, next <= now else { continue }
            take(workers[number].fireDue(snapshot: snapshot, now: now))
        }
    }

    private mutating func happen(_ event: Event) {
        report.digest(now.nanoseconds)
        switch event {
        case .arrive(let bytes, let source, let destination): arrive(bytes, source, destination)
        case .caller(let number, let wake):
            let effects = callers[number].wake(wake, &generator)
            apply(effects, from: callers[number].address) { .caller(number, $0) }
        case .gateway(let number, let wake):
            let effects = gateways[number].wake(wake)
            apply(effects, from: gateways[number].address) { .gateway(number, $0) }
        case .mode(let number, let mode): gateways[number].mode = mode
        case .unreachable(let address):
            for worker in workers { take(worker.transportFailed(to: address, snapshot: snapshot, now: now)) }
        case .changeRouting: changeRouting()
        case .sweep: sweep()
        case .noise(let number): sendNoise(number)
        case .drain: for worker in workers { worker.beginDraining() }
        }
    }

    // MARK: the network

    /// Puts a datagram on its way: lost, twice, late, as chance has it.
    mutating func send(_ bytes: [UInt8], from source: TransportAddress, to destination: TransportAddress) {
        let copies = generator.chance(perMille: report.lossPerMille / 5) ? 2 : 1
        for _ in 0..<copies where !generator.chance(perMille: report.lossPerMille) {
            let isLate = report.lossPerMille > 0 && generator.chance(perMille: 50)
            let delay = isLate ? generator.milliseconds(30, 700) : generator.milliseconds(1, 30)
            events.push(.arrive(bytes: bytes, from: source, to: destination), at: now + delay)
        }
    }

    private mutating func arrive(_ bytes: [UInt8], _ source: TransportAddress, _ destination: TransportAddress) {
        report.datagrams += 1
        report.digest(bytes)
        if let listener = listeners.firstIndex(of: destination) {
            deliver(bytes, source, ListenerNumber(UInt8(truncatingIfNeeded: listener)))
        } else if let number = callerNumbers[destination] {
            let effects = callers[number].receive(bytes, &generator)
            apply(effects, from: destination) { .caller(number, $0) }
        } else if let number = gatewayNumbers[destination] {
            guard gateways[number].mode != .unreachable else {
                events.push(.unreachable(destination), at: now + .milliseconds(1))
                return
            }
            let effects = gateways[number].receive(bytes, from: source, &generator)
            apply(effects, from: destination) { .gateway(number, $0) }
        }
    }

    private mutating func apply<Wake>(
        _ effects: EndpointEffects<Wake>, from address: TransportAddress, _ event: (Wake) -> Event
    ) {
        for datagram in effects.datagrams { send(datagram.bytes, from: address, to: datagram.to) }
        for wake in effects.wakes { events.push(event(wake.wake), at: now + wake.after) }
    }

    /// The kernel's part: a source always lands at the same worker, which may pass the datagram on.
    private mutating func deliver(_ bytes: [UInt8], _ source: TransportAddress, _ listener: ListenerNumber) {
        watch.noteArrival(bytes, now)
        var number = Int(source.address.low &* 31 &+ UInt64(source.port)) % workers.count
        var output = workers[number].receive(bytes, from: source, on: listener, snapshot: snapshot, now: now)
        if let owner = output.handOver {
            report.handedOver += 1
            number = Int(owner) % workers.count
            output = workers[number].receive(bytes, from: source, on: listener, snapshot: snapshot, now: now)
            if output.handOver != nil { report.violations.append("a datagram was handed over twice") }
        }
        take(output)
    }

    mutating func take(_ output: VirtualWorker.Output) {
        for transition in output.transitions {
            report.transitions += 1
            report.digest(Int64(transition.after.cause?.rawValue ?? 0))
            watch.note(transition, &report.violations)
        }
        for datagram in output.datagrams {
            if let number = gatewayNumbers[datagram.destination], let slot = builder.slot(of: Self.gatewayName(number))
            {
                watch.noteDeparture(datagram.bytes, to: slot, table.status(of: slot), now, &report.violations)
            }
            send(datagram.bytes, from: listeners[Int(datagram.listener.index)], to: datagram.destination)
        }
    }

    // MARK: the end

    private mutating func judge() {
        report.calls = callers.count
        for caller in callers {
            report.violations += caller.violations
            switch caller.end {
            case .answered: report.answered += 1
            case .refused: report.refused += 1
            case .gaveUp:
                report.gaveUp += 1
                if report.lossPerMille == 0 { report.violations.append("caller \(caller.number) waited in vain") }
            case nil: report.violations.append("caller \(caller.number)'s call never ended")
            }
        }
        for gateway in gateways { report.violations += gateway.violations }
        for (number, worker) in workers.enumerated() {
            report.failovers += Int(clamping: worker.counters.failovers)
            if worker.liveCount + worker.clientCount + worker.callCount > 0 {
                report.violations.append(
                    "worker \(number) holds \(worker.liveCount) transactions and contexts, "
                        + "\(worker.clientCount) client transactions, \(worker.callCount) searches after all is over")
            }
        }
    }
}
