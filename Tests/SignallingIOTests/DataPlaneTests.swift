import Addressing
import Routing
import SIPTransaction
import SignallingCore
import Synchronization
import Testing

@testable import SignallingIO

@Suite(.timeLimit(.minutes(2))) struct DataPlaneTests {
    @Test func `an INVITE to the redirect address is answered 302 with the gateway`() throws {
        let gateway = try TestPeer()
        let fixture = try DataPlaneFixture(gateways: [gateway.address])
        let caller = try TestPeer()
        try caller.send(caller.invite("4420", callID: "redirect", to: fixture.redirect), to: fixture.redirect)
        let response = try caller.receive("SIP/2.0 302")
        #expect(response.text.contains("sip:4420@\(gateway.address.hostPort)"))
        #expect(response.source == fixture.redirect)
        fixture.plane.stop()
        let counters = fixture.plane.counters()
        #expect(counters.signalling.redirected == 1)
        #expect(counters.io.datagramsReceived == 1)
        #expect(counters.io.datagramsSent == 1)
    }

    @Test func `calls through the proxy are answered, also where the response reaches the other worker`() throws {
        let gateway = try TestPeer()
        let fixture = try DataPlaneFixture(gateways: [gateway.address])
        let callers = try (0..<32).map { _ in try TestPeer() }
        for (number, caller) in callers.enumerated() {
            try caller.send(caller.invite("4420", callID: "call-\(number)", to: fixture.proxy), to: fixture.proxy)
        }
        for _ in callers {
            let request = try gateway.receive("INVITE sip:4420@\(gateway.address.hostPort) SIP/2.0")
            #expect(request.source == fixture.proxy)
            try gateway.answer("200 OK", to: request)
        }
        for (number, caller) in callers.enumerated() {
            let response = try caller.receive("SIP/2.0 200")
            #expect(response.text.contains("Call-ID: call-\(number)\r\n"))
        }
        fixture.plane.stop()
        let (signalling, io) = fixture.plane.counters()
        #expect(signalling.invitesReceived == 32)
        #expect(signalling.responsesReceived == 32)
        // All responses come from one address, so to one worker; that no call of 32 is the other's happens once in
        // 2**32.
        #expect(signalling.handedOver > 0)
        #expect(signalling.handedOver < 32)
        #expect(io.mailboxFullDropped == 0)
    }

    @Test func `a CANCEL from whatever port finds its INVITE, whichever worker has it`() throws {
        let gateway = try TestPeer()
        let fixture = try DataPlaneFixture(gateways: [gateway.address])
        let caller = try TestPeer()
        let invite = caller.invite("4420", callID: "cancelled", to: fixture.proxy)
        try caller.send(invite, to: fixture.proxy)
        _ = try gateway.receive("INVITE")
        let cancel = invite.replacing("INVITE", with: "CANCEL")
        let others = try (0..<16).map { _ in try TestPeer() }
        for other in others {
            try other.send(cancel, to: fixture.proxy)
            _ = try other.receive("SIP/2.0 200")
        }
        fixture.plane.stop()
        let signalling = fixture.plane.counters().signalling
        #expect(signalling.cancelsReceived == 16)
        #expect(signalling.handedOver > 0, "once in 2**16 all come to the one that has it")
        #expect(signalling.handedOver < 17)
    }

    @Test func `a port that nobody listens on sends the call to the next gateway at once, whichever worker is told`()
        throws
    {
        let gateway = try TestPeer()
        let deaf = try TestPeer().address  // closed again
        let fixture = try DataPlaneFixture(gateways: [deaf, gateway.address])
        let rounds = 12
        for round in 0..<rounds {
            let caller = try TestPeer()
            try caller.send(caller.invite("4420", callID: "round-\(round)", to: fixture.proxy), to: fixture.proxy)
            let request = try gateway.receive("INVITE")
            try gateway.answer("200 OK", to: request)
            _ = try caller.receive("SIP/2.0 200")
            #expect(fixture.table.status(of: fixture.slots[0]).status == .outOfService)
            _ = fixture.table.putBack(
                fixture.slots[0], cause: .operatorWord, now: SystemClock().now, reporter: .operatorWord)
        }
        fixture.plane.stop()
        let seen = fixture.transitions.all
        #expect(seen.count == rounds)
        #expect(seen.allSatisfy { $0.after.cause == .transportError && $0.slot == fixture.slots[0] })
        let (signalling, io) = fixture.plane.counters()
        #expect(signalling.attemptsUnreachable == UInt64(rounds))
        #expect(signalling.failovers == UInt64(rounds))
        #expect(io.deliveryErrors >= UInt64(rounds))
    }

    @Test func `a response to a port that is closed is counted, and is nobody's transport failure`() throws {
        let closed = try TestPeer().address
        let fixture = try DataPlaneFixture(gateways: [closed], workerCount: 1)
        let caller = try TestPeer()
        // Without rport the answer goes where the Via says (RFC 3261 section 18.2.2).
        let invite = caller.invite("4420", callID: "gone", to: fixture.redirect)
            .replacing("UDP \(caller.address.hostPort)", with: "UDP \(closed.hostPort)").replacing(";rport", with: "")
        try caller.send(invite, to: fixture.redirect)
        #expect(eventually { fixture.plane.counters().io.deliveryErrors == 1 })
        try caller.send(caller.invite("4420", callID: "here", to: fixture.redirect), to: fixture.redirect)
        _ = try caller.receive("SIP/2.0 302")
        fixture.plane.stop()
        #expect(fixture.transitions.all.isEmpty)
        #expect(fixture.plane.counters().io.sendErrors == 0, "the error of one datagram is not another's")
    }

    @Test func `noise, an empty datagram and a huge one are dropped and counted; the next call is answered`() throws {
        let fixture = try DataPlaneFixture(gateways: [try TestPeer().address])
        let caller = try TestPeer()
        try caller.send("", to: fixture.redirect)
        try caller.send("\u{0}\u{1}\u{2}noise", to: fixture.redirect)
        try caller.send(String(repeating: "x", count: 65_507), to: fixture.redirect)
        try caller.send(caller.invite("4420", callID: "after", to: fixture.redirect), to: fixture.redirect)
        _ = try caller.receive("SIP/2.0 302")
        fixture.plane.stop()
        let (signalling, io) = fixture.plane.counters()
        #expect(io.datagramsReceived == 4)
        #expect(signalling.malformedDropped == 3)
    }

    @Test func `draining: new calls are answered 503, and nothing is left alive`() throws {
        let fixture = try DataPlaneFixture(gateways: [try TestPeer().address])
        #expect(!fixture.plane.isDrained, "nobody has been told")
        fixture.plane.beginDraining()
        #expect(eventually { fixture.plane.isDrained })
        let caller = try TestPeer()
        try caller.send(caller.invite("4420", callID: "late", to: fixture.proxy), to: fixture.proxy)
        _ = try caller.receive("SIP/2.0 503")
        #expect(fixture.plane.callCount == 0)
    }

    @Test func `a port in use is refused in one line, although others of our own could share it`() throws {
        let other = try TestPeer()
        #expect(throws: SocketError(other.address, reason: "address already in use")) {
            _ = try DataPlaneFixture(gateways: [], address: other.address)
        }
        let everywhere = TransportAddress(.udp, IPAddress(ipv4: 0), port: other.address.port)
        var settings = DataPlaneSettings(
            listeners: [.init(role: .proxy, address: everywhere, advertised: TestPeer.loopback)],
            routeSecret: KeyedHash.Key(1, 2), serverName: "tandem")
        settings.workerCount = 2
        let description = #expect(throws: SocketError.self) { try Self.bind(settings) }?.description
        #expect(description == "udp:0.0.0.0:\(other.address.port): address already in use")
    }

    @Test func `every interface needs the address to advertise; what is bound and advertised is told`() throws {
        let everywhere = TransportAddress(.udp, IPAddress(ipv4: 0), port: 0)
        var settings = DataPlaneSettings(
            listeners: [.init(role: .proxy, address: everywhere)], routeSecret: KeyedHash.Key(1, 2),
            serverName: "tandem")
        let description = #expect(throws: SocketError.self) { try Self.bind(settings) }?.description
        #expect(description?.contains("--advertise") == true)
        let advertised = try #require(IPAddress("192.0.2.7"))
        settings.listeners = [.init(role: .proxy, address: everywhere, advertised: advertised)]
        settings.workerCount = 3
        let plane = try Self.bind(settings)
        #expect(plane.workerCount == 3)
        let listener = try #require(plane.listeners.first)
        #expect(listener.bound.port > 0)
        #expect(listener.advertised == TransportAddress(.udp, advertised, port: listener.bound.port))
        plane.stop()  // never started
        #expect(throws: Never.self) { try plane.start() }
    }

    @Test(.enabled(if: Self.hasIPv6)) func `over IPv6 a call is redirected the same`() throws {
        let gateway = try TestPeer(Self.anyPortIPv6)
        let fixture = try DataPlaneFixture(gateways: [gateway.address], address: Self.anyPortIPv6)
        let caller = try TestPeer(Self.anyPortIPv6)
        try caller.send(caller.invite("4420", callID: "six", to: fixture.redirect), to: fixture.redirect)
        let response = try caller.receive("SIP/2.0 302")
        #expect(response.text.contains(gateway.address.hostPort))
        #expect(response.source == fixture.redirect)
    }

    static let anyPortIPv6 = TransportAddress(.udp, IPAddress(ipv6High: 0, low: 1), port: 0)

    static var hasIPv6: Bool {
        do {
            _ = try ListenerSocket(anyPortIPv6)
            return true
        } catch {
            return false
        }
    }

    @discardableResult
    static func bind(_ settings: DataPlaneSettings) throws(SocketError) -> DataPlane {
        var builder = SnapshotBuilder()
        return try DataPlane(
            settings: settings, cell: SnapshotCell(builder.snapshot(revision: Revision(1))),
            table: GatewayInformationTable(), onTransitions: { _ in }, onFault: { Issue.record("\($0)") })
    }
}
