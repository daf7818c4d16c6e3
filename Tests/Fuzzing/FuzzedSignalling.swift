import Addressing
import Probing
import Routing
import SIPMessage
import SIPTransaction
import SignallingCore
import Simulation
import Time

/// A worker between one caller, a stranger and two gateways under virtual time. An input is a script of steps, each a
/// 0xFF, a byte that says what to do, and the bytes up to the next 0xFF.
final class FuzzedSignalling {
    private static let caller = TransportAddress(.udp, IPAddress(ipv4: 0x0A01_0001), port: 5080)
    private static let stranger = TransportAddress(.udp, IPAddress(ipv4: 0xC633_6401), port: 5060)
    private static let gateways = [1, 2].map { TransportAddress(.udp, IPAddress(ipv4: 0x0A02_0000 + $0), port: 5060) }
    private static let proxy = ListenerNumber(0)
    private static let redirect = ListenerNumber(1)

    private let worker: VirtualWorker
    private let snapshot: RoutingSnapshot
    private let mainListener: ListenerNumber
    /// Redirect servers send calls where they like.
    private let isApart: Bool
    private var now = Instant(nanoseconds: 1_000_000_000_000)
    private var takenCount = 0
    /// What was last sent to a gateway and to the caller.
    private var lastRequest: [UInt8] = []
    private var lastResponse: [UInt8] = []
    /// Requests within a dialog go where their Request-URI says.
    private var hasDialog = false

    /// True after so many inputs that a fresh one should take over.
    var isWornOut: Bool { takenCount >= 2000 }

    init(_ target: FuzzTarget) {
        mainListener = target == .redirect ? Self.redirect : Self.proxy
        isApart = target == .apart
        let table = GatewayInformationTable()
        var builder = SnapshotBuilder()
        for (index, address) in Self.gateways.enumerated() {
            let isPut = builder.put(
                Gateway(
                    id: "g\(index)", uri: "sip:\(address.hostPort)", address: address,
                    requestURISuffix: "@\(address.hostPort)", timing: GatewayTiming(holdSeconds: 1)), in: table)
            require(isPut, "no room for a gateway")
        }
        builder.put(GatewayGroup(id: "g", members: [.init(gateway: "g0"), .init(gateway: "g1")]))
        builder.put(RoutingList(id: "l", entries: [.init(group: "g")]))
        if let prefix = Prefix("44"), let network = Network("10.1.0.0/16") {
            builder.changeRoutes(in: RoutingPlan.defaultID, [(prefix, Route(.routingList("l")))])
            builder.put(IngressPeer(id: "p", networks: [network]))
        }
        if isApart {
            var routing = RoutingSettings()
            routing.redirectServers = Self.gateways.map {
                RedirectServer(uri: "sip:\($0.hostPort)", address: $0, requestURISuffix: "@\($0.hostPort)")
            }
            builder.put(routing, in: table)
        }
        snapshot = builder.snapshot(revision: Revision(1))
        let own = IPAddress(ipv4: 0x0A00_0001)
        let addresses = [5060, 5070].map { TransportAddress(.udp, own, port: $0) }
        var settings = SignallingSettings(
            listeners: [
                .init(role: .proxy, bound: addresses[0], advertised: addresses[0]),
                .init(role: .redirect, bound: addresses[1], advertised: addresses[1]),
            ], routeSecret: KeyedHash.Key(1, 2), workerSecret: KeyedHash.Key(3, 4), serverName: "T")
        settings.probing.isEnabled = false
        settings.callLease = .seconds(60)  // a live call is looked at once a second
        worker = VirtualWorker(settings: settings, table: table, now: now)
    }

    /// Plays one script to its end, and waits until nothing is left of it.
    func take(_ script: [UInt8]) {
        takenCount += 1
        (lastRequest, lastResponse, hasDialog) = ([], [], isApart)
        for step in script.split(separator: 0xFF).prefix(32) { play(step) }
        var firedCount = 0
        while let next = worker.nextTimer {
            now = max(now, next)
            look(at: worker.fireDue(snapshot: snapshot, now: now))
            firedCount += 1
            require(firedCount < 20_000, "timers without end")
        }
        require(worker.liveCount == 0, "\(worker.liveCount) transactions or contexts are left")
        require(worker.clientCount == 0, "\(worker.clientCount) client transactions are left")
        require(worker.callCount == 0, "\(worker.callCount) searches are left")
        now = now + .seconds(10)  // each gateway is back in service
    }

    // MARK: steps

    private func play(_ step: ArraySlice<UInt8>) {
        guard let order = step.first else { return }
        let text = Array(step.dropFirst())
        let gateway = Self.gateways[Int(order >> 4 & 1)]
        switch order & 15 {
        case 0, 8: receive(text, from: Self.caller, on: mainListener)
        case 1: receive(text, from: Self.caller, on: Self.redirect)
        case 2: receive(text, from: Self.stranger, on: mainListener)
        case 3: receive(text, from: gateway, on: mainListener)
        case 4, 5, 6: receive(answered(text), from: gateway, on: Self.proxy)
        case 7: receive(withinDialog(text), from: Self.caller, on: mainListener)
        case 9: receive(withinDialog(text), from: gateway, on: mainListener)
        case 10: look(at: worker.transportFailed(to: gateway, snapshot: snapshot, now: now))
        case 11: receive(lastRequest, from: Self.caller, on: mainListener)  // a loop
        default: pass(.milliseconds(Int64(order >> 4) * Int64(order >> 4) * 200))
        }
    }

    private func receive(_ bytes: [UInt8], from source: TransportAddress, on listener: ListenerNumber) {
        let output = worker.receive(bytes, from: source, on: listener, snapshot: snapshot, now: now)
        require(output.datagrams.count <= 4, "\(output.datagrams.count) datagrams for one")
        look(at: output)
    }

    private func pass(_ duration: Duration) {
        let end = now + duration
        while let next = worker.nextTimer, next <= end {
            now = max(now, next)
            look(at: worker.fireDue(snapshot: snapshot, now: now))
        }
        now = end
    }

    /// A response to what a gateway got last: its start line and further fields are the script's.
    private func answered(_ text: [UInt8]) -> [UInt8] {
        let parts = text.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        var bytes = Array(parts[0]) + Array("\n".utf8)
        for field in fields(of: lastRequest, [.via, .recordRoute, .from, .to, .callID, .cSeq]) { bytes += field }
        if parts.count > 1 { bytes += parts[1] }
        return bytes
    }

    /// A request by the route set of the last response to the caller.
    private func withinDialog(_ text: [UInt8]) -> [UInt8] {
        hasDialog = true
        let parts = text.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        var bytes = Array(parts[0]) + Array("\n".utf8)
        for field in fields(of: lastResponse, [.recordRoute]).reversed() {
            bytes += Array("Route".utf8) + field.dropFirst("Record-Route".utf8.count)
        }
        for field in fields(of: lastResponse, [.from, .to, .callID]) { bytes += field }
        if parts.count > 1 { bytes += parts[1] }
        return bytes
    }

    private func fields(of bytes: [UInt8], _ names: [HeaderName]) -> [[UInt8]] {
        var message = Message()
        do {
            try message.parse(bytes.span)
        } catch {
            return []
        }
        return message.fields.filter { names.contains($0.name) }.map { OutputBuffer.copy(of: bytes.span, $0.line) }
    }

    // MARK: what came out

    private func look(at output: VirtualWorker.Output) {
        for datagram in output.datagrams {
            let isKnown =
                [Self.caller.address, Self.stranger.address].contains(datagram.destination.address)
                || Self.gateways.contains(datagram.destination)
                || Self.gateways.map(\.address).contains(datagram.destination.address)
            require(isKnown || hasDialog, "sent to \(datagram.destination)")
            require(!datagram.destination.address.isMulticast, "sent to many")
            let isRefusal =
                datagram.bytes.starts(with: "SIP/2.0 400".utf8) || datagram.bytes.starts(with: "SIP/2.0 505".utf8)
            check(datagram.bytes, isRefusal: isRefusal)
            if datagram.destination == Self.caller {
                lastResponse = datagram.bytes
            } else {
                lastRequest = datagram.bytes
            }
        }
    }

    /// All that leaves can be read, but the answer to something that could not.
    private func check(_ bytes: [UInt8], isRefusal: Bool) {
        var message = Message()
        do {
            try message.parse(bytes.span)
        } catch {
            let isForeign = error.rule == .malformed(.via) && !message.isRequest
            let isFull = error.rule == .tooManyFields(limitCount: Message.fieldLimitCount)
            require(
                isRefusal || isForeign || isFull,
                "sent what can't be read: \(error)\n\(String(decoding: bytes, as: UTF8.self))")
        }
    }
}
