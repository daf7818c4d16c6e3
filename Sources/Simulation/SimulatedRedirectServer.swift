import Addressing
import Routing
import SIPTransaction
import SignallingCore
import Time

/// A redirect server elsewhere: the real redirect role, in a process that dies and comes back. What it knows of the
/// gateways outlives it.
struct SimulatedRedirectServer {
    /// Where it is asked, and where it asks gateways from.
    let listeners: [TransportAddress]
    /// Nil while it is down.
    var worker: VirtualWorker?

    init(number: Int) {
        let last = UInt32(truncatingIfNeeded: number + 1)
        listeners = [5070, 5060].map { Simulation.address(10, 3, 0, last, port: $0) }
    }
}

// Redirect servers elsewhere: what they are given, what they send, what they are told.
extension Simulation {
    /// True when the process asks redirect servers elsewhere.
    var isApart: Bool { settings.redirectServerCount > 0 }

    mutating func makeRedirectServers() {
        guard isApart else { return }
        var proxy = SnapshotBuilder()
        for peer in builder.peers.values { proxy.put(peer) }
        var routing = RoutingSettings()
        routing.remoteDefaults.timing = Self.timing
        for number in 0..<settings.redirectServerCount {
            let server = SimulatedRedirectServer(number: number)
            let address = server.listeners[0]
            routing.redirectServers.append(
                RedirectServer(
                    uri: "sip:\(address.hostPort)", address: address, requestURISuffix: "@\(address.hostPort)"))
            redirectServers.append(server)
            for address in server.listeners { serverNumbers[address] = number }
            callWatch.servers.insert(address)
            startServer(number)
        }
        proxy.put(routing, in: table)
        snapshot = proxy.snapshot(revision: Revision(1))
        // The proxy is a peer of theirs.
        if let network = Network("10.0.0.1/32") { builder.put(IngressPeer(id: "proxy", networks: [network])) }
        changeRouting()
    }

    mutating func startServer(_ number: Int) {
        let server = redirectServers[number]
        let settings = SignallingSettings(
            listeners: [
                .init(role: .redirect, bound: server.listeners[0], advertised: server.listeners[0]),
                .init(role: .proxy, bound: server.listeners[1], advertised: server.listeners[1]),
            ], routeSecret: routeSecret, workerSecret: KeyedHash.Key(generator.next(), generator.next()),
            serverName: "Tandem/simulated")
        let worker = VirtualWorker(settings: settings, table: routingTable, now: now)
        if isDraining { worker.beginDraining() }
        redirectServers[number].worker = worker
    }

    mutating func crashServer(_ number: Int) {
        guard redirectServers[number].worker != nil else { return }
        report.counts.serverCrashes += 1
        redirectServers[number].worker = nil
        events.push(.serverStart(number), at: now + generator.milliseconds(50, 30_000))
    }

    /// Each dies now and then; all are there in the end.
    mutating func planServerTroubles(_ stretches: Int) {
        let span = Int(clamping: settings.span.milliseconds)
        for number in redirectServers.indices {
            for _ in 0..<generator.below(3 * stretches + 1) {
                events.push(.serverCrash(number), at: now + generator.milliseconds(0, span))
            }
        }
    }

    mutating func deliver(
        _ parcel: Parcel, _ source: TransportAddress, _ destination: TransportAddress, toServer number: Int
    ) {
        guard let worker = redirectServers[number].worker else {
            report.counts.lost += 1
            // Half of the dead say so by ICMP: the host is there, the process is not.
            if generator.chance(perMille: 500) { events.push(.unreachable(destination), at: now + .milliseconds(1)) }
            return
        }
        let listener = ListenerNumber(destination == redirectServers[number].listeners[0] ? 0 : 1)
        take(worker.receive(parcel.bytes, from: source, on: listener, snapshot: serverSnapshot, now: now), number)
    }

    mutating func fireTimers(ofServer number: Int) {
        guard let worker = redirectServers[number].worker, let next = worker.nextTimer, next <= now else { return }
        take(worker.fireDue(snapshot: serverSnapshot, now: now), number)
    }

    private mutating func take(_ output: VirtualWorker.Output, _ number: Int) {
        note(output.transitions)
        for datagram in output.datagrams {
            let source = redirectServers[number].listeners[Int(datagram.listener.index)]
            send(datagram.bytes, from: source, to: datagram.destination, epoch: epoch)
        }
    }

    /// What the process saw of a gateway comes to the redirect server's side, by the same rules as there; while nobody
    /// is there it is sent again.
    mutating func deliver(_ sighting: GatewaySighting) {
        guard redirectServers.contains(where: { $0.worker != nil }) else {
            events.push(.report(sighting), at: now + .seconds(1))
            return
        }
        guard let remote = table.remoteGateway(in: sighting.slot), let number = gatewayNumbers[remote.address],
            let slot = slots[number]
        else { return }
        let isOutdated = routingTable.lastChange(of: slot).map { sighting.at < $0 } ?? false
        if !isOutdated, let gateway = serverSnapshot.gateway(in: slot) {
            let transition = routingTable.observe(
                slot, sighting.outcome, retryAfter: sighting.retryAfterSeconds.map { .seconds($0) },
                of: gateway.gateway.statusRules, begun: sighting.at, now: now, reporter: .reported,
                callID: sighting.callID)
            if let transition { note([transition]) }
        }
        if sighting.outcome != .answered {
            _ = table.putBack(sighting.slot, cause: .reported, now: now, reporter: .networkManager)
        }
    }
}
