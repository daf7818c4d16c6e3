import Addressing
import Routing
import SIPMessage
import SIPTransaction
import SignallingCore
import Time

// How this room works. `Simulation` is a world around the real `SignallingCore`: a clock that jumps from event to
// event, a network that loses, repeats and reorders (`Simulation+Network`), callers and gateways that keep to RFC 3261
// and to each other's dialogs, gateways' bad hours and the process's own deaths (`Simulation+Scenery`). The world of
// the method (`Simulation+Method`) has a hundred gateways, an operator and a keeper of status records. Everything that
// is left to chance comes from one seed, so that a run that broke an invariant happens again.
//
// The invariants stand in `Violation`. `CallWatch` sees all that passes the door of the process and judges each step;
// `LifeWatch` hears of every timer and finds what outlives its last one; `StatusWatch` follows the gateways' status;
// callers and gateways report what no peer may see; `Simulation+Judgement` looks at what is left in the end. A
// `PlantedBug` between core and world shows that they see something. `VirtualWorker` is the core without a kernel, also
// for tests that drive it by hand.

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
        /// Redirect servers elsewhere, which the proxy asks; 0: the co-located one.
        package var redirectServerCount = 0
        /// Times that the process dies and comes back; nil: drawn.
        package var processCrashCount: Int?
        /// Datagrams of noise in all.
        package var noiseCount = 30
        /// A bug between the core and its world.
        package var plantedBug: PlantedBug?
        /// The world of the method in place of one group; nil: that.
        package var method: Method?
        /// The call whose messages the report is to list.
        package var followedCall: Int?

        /// A run that takes a test a fraction of a second.
        package init() {}

        /// A run of so many calls, as thick as the default one.
        package init(callCount: Int) {
            self.callCount = callCount
            span = .seconds(max(120, callCount * 2))
        }

        /// A run of so many calls in the world of the method: 100 gateways.
        package init(method: Method, callCount: Int) {
            (self.method, self.callCount) = (method, callCount)
            (gatewayCount, lossPerMille, span) = (100, 0, .seconds(240))
        }
    }

    enum Event {
        case arrive(Parcel, from: TransportAddress, to: TransportAddress)
        case caller(Int, SimulatedCaller.Wake)
        case gateway(Int, SimulatedGateway.Wake)
        case mode(Int, SimulatedGateway.Mode)
        case gatewayCrash(Int)
        case unreachable(TransportAddress)
        case processCrash
        case processStart
        case serverCrash(Int)
        case serverStart(Int)
        case report(GatewaySighting)
        case ringsOn(gateway: Int, branch: UInt64, cancelledAt: Instant, epoch: Int)
        case changeRouting
        case sweep
        case noise(Int)
        case drain
        case setWallClock(Duration)
        case handOn([StatusTransition], epoch: Int)
        case operatorWord
        case judgeSearch(Int, epoch: Int)
        case heal
        case judgeHealed
    }

    static let origin = Instant(nanoseconds: 1_000_000_000_000)
    /// The run goes no further once so many invariants were broken.
    private static let violationLimitCount = 5

    let settings: Settings
    var generator: SeededGenerator
    var report: SimulationReport
    var now = Simulation.origin
    var events = EventQueue<Event>()

    /// In the world of the method it begins anew with each process, from the status records.
    var table = GatewayInformationTable()
    /// Where the gateways are provisioned: here, or at the redirect servers.
    var routingTable: GatewayInformationTable
    /// Begins anew with each process.
    var peers = PeerTable()
    var builder = SnapshotBuilder()
    /// What the process follows.
    var snapshot: RoutingSnapshot
    /// What the redirect servers elsewhere follow.
    var serverSnapshot: RoutingSnapshot
    var redirectServers: [SimulatedRedirectServer] = []
    /// Shows the same snapshot to the keeper of records.
    var cell: SnapshotCell
    let routeSecret: KeyedHash.Key
    /// None while the process is down.
    var workers: [VirtualWorker] = []
    /// Which life of the process it is, from 1.
    var epoch = 0
    var isDraining = false
    var callers: [SimulatedCaller] = []
    var gateways: [SimulatedGateway] = []
    var callerEffects = EndpointEffects<SimulatedCaller.Wake>()
    var gatewayEffects = EndpointEffects<SimulatedGateway.Wake>()
    var callWatch: CallWatch
    var statusWatch = StatusWatch()
    var saboteur: Saboteur?
    // Of the world of the method:
    var fleet = Fleet()
    var keeper: (any StatusKeeper)?
    let clock: SimulatedClock
    var recordWatch = RecordWatch()
    var liveCallWatch = LiveCallWatch()
    /// Some status changes never come to the keeper.
    var losesTransitions = false
    /// The record that came last.
    var lastRecord: KeptRecord?
    /// When the next status changes of each worker come to the keeper at the earliest.
    var handOnNotBefore: [Instant] = []
    /// Whose calls are counted.
    var peerSlots: [PeerSlot] = []
    /// Where each gateway stands in the table.
    var slots: [GatewaySlot?] = []
    /// Counted by workers that are no more.
    var failoversBefore = 0
    private var nextLook = Simulation.origin

    let listeners: [TransportAddress]
    /// Who sits at an address; never walked through.
    var callerNumbers: [TransportAddress: Int] = [:]
    var gatewayNumbers: [TransportAddress: Int] = [:]
    var serverNumbers: [TransportAddress: Int] = [:]

    /// A world that has not begun.
    package init(seed: UInt64, settings: Settings = Settings()) {
        var generator = SeededGenerator(seed: seed)
        routeSecret = KeyedHash.Key(generator.next(), generator.next())
        (self.settings, self.generator, report) = (settings, generator, SimulationReport(seed: seed))
        listeners = [Self.address(10, 0, 0, 1, port: 5060), Self.address(10, 0, 0, 1, port: 5070)]
        snapshot = builder.snapshot(revision: Revision(0))
        cell = SnapshotCell(snapshot)
        clock = SimulatedClock(now: Self.origin, isOneClock: settings.plantedBug == .oneClock)
        serverSnapshot = snapshot
        routingTable = settings.redirectServerCount > 0 ? GatewayInformationTable() : table
        let timing = Self.timing
        callWatch = CallWatch(responseTimeout: timing.responseTimeout, resendLimit: Int(timing.resendLimit))
        saboteur = settings.plantedBug.map { Saboteur($0) }
        report.lossPerMille = settings.lossPerMille ?? [0, 0, 10, 50, 100][self.generator.below(5)]
        report.workerCount = max(1, settings.workerCount ?? 1 + self.generator.below(3))
        if let method = settings.method {
            losesTransitions = self.generator.chance(perMille: 333)
            makeFleet(method)
            startProcess()
            makeMethodCallers()
            planMethodTroubles(method)
        } else {
            makeGateways()
            makeRedirectServers()
            startProcess()
            makeCallers()
            planTroubles()
        }
        notePeers()
    }

    static func address(_ first: UInt32, _ second: UInt32, _ third: UInt32, _ last: UInt32, port: UInt16)
        -> TransportAddress
    {
        TransportAddress(.udp, IPAddress(ipv4: first << 24 | second << 16 | third << 8 | last), port: port)
    }

    /// Runs it to its end: all calls over, drained, nothing left alive; or to a broken invariant.
    package mutating func run() -> SimulationReport {
        let end = Self.origin + settings.span + .seconds(4000)
        while now < end, report.violations.count < Self.violationLimitCount, let next = nextInstant() {
            now = max(now, next)
            clock.move(to: now)
            fireTimers()
            while let instant = events.next, instant <= now, let (_, event) = events.pop() { happen(event) }
            if now >= nextLook { lookForOverdue() }
        }
        report.simulated = now - Self.origin
        judge()
        return report
    }

    /// The messages of one call of that run, a line each, in their order.
    package static func trail(ofCall call: Int, seed: UInt64, settings: Settings = Settings()) -> [String] {
        var settings = settings
        settings.followedCall = call
        var simulation = Simulation(seed: seed, settings: settings)
        return simulation.run().trail
    }

    private func nextInstant() -> Instant? {
        var next = events.next
        for worker in workers {
            guard let timer = worker.nextTimer else { continue }
            next = next.map { min($0, timer) } ?? timer
        }
        for case let timer? in redirectServers.map({ $0.worker?.nextTimer }) {
            next = next.map { min($0, timer) } ?? timer
        }
        return next
    }

    private mutating func fireTimers() {
        for number in workers.indices {
            guard let next = workers[number].nextTimer, next <= now else { continue }
            callWatch.beginTimers(now)
            take(workers[number].fireDue(snapshot: snapshot, now: now), of: number)
        }
        for number in redirectServers.indices { fireTimers(ofServer: number) }
    }

    private mutating func happen(_ event: Event) {
        // Whatever the wall clock shows, the same happens.
        if case .setWallClock = event {} else { report.digest(UInt64(bitPattern: now.nanoseconds)) }
        switch event {
        case .arrive(let parcel, let source, let destination): arrive(parcel, source, destination)
        case .caller(let number, let wake):
            callers[number].wake(wake, &generator, &callerEffects)
            applyCallerEffects(number)
        case .gateway(let number, let wake):
            gateways[number].wake(wake, &generator, &gatewayEffects)
            applyGatewayEffects(number)
        case .mode(let number, let mode): gateways[number].turn(mode, now)
        case .gatewayCrash(let number):
            report.counts.gatewayCrashes += 1
            gateways[number].crash(now)
        case .unreachable(let address):
            for (number, worker) in workers.enumerated() {
                callWatch.failed(address, at: number, now)
                take(worker.transportFailed(to: address, snapshot: snapshot, now: now), of: number)
            }
        case .processCrash: crashProcess()
        case .processStart: startProcess()
        case .serverCrash(let number): crashServer(number)
        case .serverStart(let number): startServer(number)
        case .report(let sighting): deliver(sighting)
        case .ringsOn(let gateway, let branch, let cancelledAt, let epoch):
            lookWhetherRings(gateway, branch, cancelledAt, epoch)
        case .changeRouting: if settings.method == nil { changeRouting() } else { changeMethodRouting() }
        case .sweep: sweep()
        case .noise(let number): sendNoise(number)
        case .drain:
            isDraining = true
            for worker in workers { worker.beginDraining() }
        case .setWallClock(let step): setWallClock(step)
        case .handOn(let transitions, let epoch): if epoch == self.epoch { keeper?.receive(transitions) }
        case .operatorWord: sayWord()
        case .judgeSearch(let request, let epoch): judgeSearch(request, epoch)
        case .heal: heal()
        case .judgeHealed: judgeHealed()
        }
    }

    /// Once a second: does anything outlive its last timer?
    private mutating func lookForOverdue() {
        nextLook = now + .seconds(1)
        compareCallCounts()
        compareWithWorld()
        for number in workers.indices {
            report.counts.checks += 1
            for overdue in workers[number].overdue(now: now) {
                let detail = "a \(overdue.record.kind) record of worker \(number), at place \(overdue.record.slot)"
                let call = overdue.call < 0 ? nil : overdue.call
                report.violations.append(Violation(.lastTimer, call: call, now, detail))
            }
        }
    }
}
