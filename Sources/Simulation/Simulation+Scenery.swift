import Addressing
import Probing
import Routing
import SIPTransaction
import SignallingCore
import Time

// Who and what stands in the world, and what goes wrong in it.
extension Simulation {
    private static var sweepInterval: Duration { .milliseconds(250) }

    /// How each gateway is tried.
    static var timing: GatewayTiming { GatewayTiming(holdSeconds: 20) }

    /// How long a call is counted of which nothing is heard.
    static var callLease: Duration { .seconds(600) }

    static func gatewayName(_ number: Int) -> String { "g\(number)" }

    mutating func makeGateways() {
        for number in 0..<settings.gatewayCount {
            let address = Self.address(10, 2, 0, UInt32(truncatingIfNeeded: number + 1), port: 5060)
            gateways.append(SimulatedGateway(number: number, address: address))
            gatewayNumbers[address] = number
            var gateway = Gateway(
                id: Self.gatewayName(number), uri: "sip:\(address.hostPort)", address: address,
                requestURISuffix: "@\(address.hostPort)", timing: Self.timing)
            gateway.probe.intervalSeconds = 15
            _ = builder.put(gateway, in: routingTable)
            slots.append(builder.slot(of: Self.gatewayName(number)))
        }
        builder.put(RoutingList(id: "list", entries: [.init(group: "group")]))
        if let network = Network("10.1.0.0/16") { builder.put(IngressPeer(id: "callers", networks: [network])) }
        if let prefix = Prefix("44") {
            builder.changeRoutes(in: RoutingPlan.defaultID, [(prefix, Route(.routingList("list")))])
        }
        changeRouting()
    }

    /// Another order of the gateways, now and then without one of them.
    mutating func changeRouting() {
        var members = gateways.indices.map {
            GatewayGroup.Member(gateway: Self.gatewayName($0), priority: UInt16(truncatingIfNeeded: generator.below(3)))
        }
        if members.count > 2, generator.chance(perMille: 300) { members.remove(at: generator.below(members.count)) }
        builder.put(GatewayGroup(id: "group", members: members))
        showRouting()
    }

    /// The process, or the redirect servers elsewhere, follow the routing data as they are.
    mutating func showRouting() {
        report.counts.routingChanges += 1
        serverSnapshot = builder.snapshot(revision: Revision(Int64(report.counts.routingChanges)))
        if !isApart { snapshot = serverSnapshot }
        cell.swap(to: snapshot)
    }

    /// A process with empty tables and secrets of its own, but for the one that dialogs live by.
    mutating func startProcess() {
        epoch += 1
        peers = PeerTable()
        if epoch > 1 { restoreMethod() }
        workers = (0..<report.workerCount).map { number in
            var settings = SignallingSettings(
                listeners: [
                    .init(role: .proxy, bound: listeners[0], advertised: listeners[0]),
                    .init(role: .redirect, bound: listeners[1], advertised: listeners[1]),
                ], worker: UInt8(clamping: number), workerCount: UInt8(clamping: report.workerCount),
                routeSecret: routeSecret, workerSecret: KeyedHash.Key(generator.next(), generator.next()),
                serverName: "Tandem/simulated")
            settings.callLease = Self.callLease
            let worker = VirtualWorker(
                settings: settings, table: table, peers: peers, now: now, plantedBug: self.settings.plantedBug)
            if isDraining { worker.beginDraining() }
            if keeper != nil { worker.wallClockOffsetMilliseconds = clock.offsetMilliseconds }
            return worker
        }
    }

    /// All that the process knew is gone; it comes back a little later.
    mutating func crashProcess() {
        guard !workers.isEmpty else { return }
        report.counts.processCrashes += 1
        for worker in workers { failoversBefore += Int(clamping: worker.counters.failovers) }
        workers = []
        forgetCallCounts()
        callWatch.forget()
        if keeper != nil { forgetMethod() }
        events.push(.processStart, at: now + generator.milliseconds(50, 4000))
    }

    mutating func makeCallers() {
        for number in 0..<settings.callCount {
            let isRedirected = generator.chance(perMille: 150) && !isApart
            let dialled = generator.chance(perMille: 50) ? "33123456" : "44207\(100_000 + number)"
            makeCaller(number, isRedirected: isRedirected, dialled: dialled)
            events.push(.caller(number, .start), at: now + randomInstant())
        }
    }

    /// Somebody who will call.
    mutating func makeCaller(_ number: Int, isRedirected: Bool, dialled: String) {
        let address = Self.address(
            10, 1, UInt32(truncatingIfNeeded: number / 200), UInt32(truncatingIfNeeded: number % 200 + 1), port: 5060)
        callers.append(
            SimulatedCaller(
                number: number, address: address, server: listeners[isRedirected ? 1 : 0], isRedirected: isRedirected,
                dialled: dialled, isImpatient: generator.chance(perMille: 200)))
        callerNumbers[address] = number
    }

    /// Within the time in which things happen.
    mutating func randomInstant() -> Duration {
        generator.milliseconds(0, Int(clamping: settings.span.milliseconds))
    }

    /// Bad hours and deaths of gateways and of the process, changes of the routing data, noise, and the end.
    mutating func planTroubles() {
        // As much of it in each two minutes, however long the run is.
        let stretches = max(1, Int(clamping: settings.span.milliseconds / 120_000))
        for number in gateways.indices {
            for _ in 0..<generator.below(3 * stretches + 1) {
                let begin = now + randomInstant()
                let mode = SimulatedGateway.Mode(rawValue: 1 + generator.below(3)) ?? .silent
                events.push(.mode(number, mode), at: begin)
                if generator.chance(perMille: 300) { events.push(.gatewayCrash(number), at: begin) }
                events.push(.mode(number, .answering), at: begin + generator.milliseconds(500, 40_000))
            }
        }
        for _ in 0..<stretches { flap(generator.below(gateways.count)) }
        let crashCount = settings.processCrashCount ?? [0, 0, 0, 1, 2][generator.below(5)]
        for _ in 0..<crashCount { events.push(.processCrash, at: now + randomInstant()) }
        for _ in 0..<4 * stretches { events.push(.changeRouting, at: now + randomInstant()) }
        for number in 0..<settings.noiseCount { events.push(.noise(number), at: now + randomInstant()) }
        for number in gateways.indices {
            events.push(.mode(number, .answering), at: now + settings.span + .seconds(60))
        }
        planServerTroubles(stretches)
        events.push(.drain, at: now + settings.span + .seconds(700))
        events.push(.sweep, at: now + Self.sweepInterval)
    }

    /// A gateway that comes and goes.
    mutating func flap(_ number: Int) {
        var instant = now + randomInstant()
        for _ in 0..<generator.below(10) {
            let mode = SimulatedGateway.Mode(rawValue: 1 + generator.below(3)) ?? .silent
            events.push(.mode(number, mode), at: instant)
            events.push(.mode(number, .answering), at: instant + generator.milliseconds(50, 2000))
            instant = instant + .milliseconds(2500)
        }
    }

    /// The network manager's part: time values that are reached while no call comes (API section 6).
    mutating func sweep() {
        if let keeper {
            sweepByKeeper(keeper)
        } else {
            for case let slot? in slots {
                if let transition = routingTable.recoverIfDue(slot, now: now) { note([transition]) }
            }
        }
        guard now < Self.origin + settings.span + .seconds(700) else { return }
        events.push(.sweep, at: now + Self.sweepInterval)
    }

    /// Random bytes, or a damaged INVITE, from a peer or from a stranger.
    mutating func sendNoise(_ number: Int) {
        let last = UInt32(truncatingIfNeeded: number + 1)
        let isPeer = generator.chance(perMille: 500)
        let source = isPeer ? Self.address(10, 1, 255, last, port: 5060) : Self.address(198, 51, 100, last, port: 5060)
        var bytes: [UInt8]
        if generator.chance(perMille: 300) {
            bytes = (0..<generator.below(600)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        } else {
            bytes = Array(
                """
                INVITE sip:44207@\(listeners[0].hostPort) SIP/2.0\r
                Via: SIP/2.0/UDP \(source.hostPort);branch=z9hG4bKnoise\(number)\r
                Max-Forwards: 70\r
                From: <sip:n@x>;tag=n\r
                To: <sip:44207@x>\r
                Call-ID: noise-\(number)\r
                CSeq: 1 INVITE\r
                Content-Length: 0\r
                \r

                """.utf8)
            for _ in 0..<generator.below(4) {
                bytes[generator.below(bytes.count)] = UInt8(truncatingIfNeeded: generator.next())
            }
        }
        send(bytes, from: source, to: listeners[generator.below(2)])
    }
}
