import Addressing
import Routing
import SignallingCore
import Testing

@testable import SignallingIO

/// Calls of which one side or both came by TCP: what goes out over connections, taken or opened (RFC 3261 section 18).
@Suite struct StreamDialogTests {
    private struct Call {
        let callID: String
        let caller: StreamPeer
        let answer: String
        /// The INVITE as the gateway got it.
        let invite: (text: String, source: TransportAddress)

        var routes: [String] {
            answer.split(separator: "\r\n").filter { $0.hasPrefix("Record-Route: ") }
                .map { String($0.dropFirst("Record-Route: ".count)) }
        }

        /// The gateway's BYE along the Route set that the INVITE gave it.
        func hangUp(from gateway: TestPeer, to contactPort: UInt16) -> String {
            [
                "BYE sip:caller@127.0.0.1:\(contactPort);transport=tcp SIP/2.0",
                "Via: SIP/2.0/UDP \(gateway.address.hostPort);branch=z9hG4bK-bye-\(callID)", "Max-Forwards: 70",
                "Route: \(routes.joined(separator: ", "))", "From: <sip:44@h>;tag=gateway",
                "To: <sip:caller@h>;tag=f-\(callID)", "Call-ID: \(callID)", "CSeq: 7 BYE", "Content-Length: 0", "", "",
            ].joined(separator: "\r\n")
        }
    }

    /// A call by TCP that a UDP gateway answered, acknowledged.
    private func call(
        _ callID: String, _ fixture: DataPlaneFixture, _ gateway: TestPeer, contactPort: UInt16? = nil
    ) throws -> Call {
        let server = fixture.proxyOverTCP
        let caller = try StreamPeer(to: server)
        caller.send(caller.request("INVITE", "4420", callID: callID, to: server, contactPort: contactPort))
        let invite = try gateway.receive("INVITE")
        try gateway.answer("200 OK", to: invite)
        let answer = try caller.receive("SIP/2.0 200")
        let call = Call(callID: callID, caller: caller, answer: answer, invite: invite)
        caller.send(
            caller.request(
                "ACK", "4420", callID: callID, to: server, uri: "sip:gateway@\(gateway.address.hostPort)",
                toTag: ";tag=gateway", extra: call.routes.map { "Route: \($0)" } + ["Content-Length: 0"]))
        _ = try gateway.receive("ACK")
        return call
    }

    private func fixture(_ gateways: [TransportAddress], workerCount: Int = 2) throws -> DataPlaneFixture {
        try DataPlaneFixture(gateways: gateways, workerCount: workerCount, streams: StreamLimits())
    }

    @Test func `each side gets our Via and a Route with its own transport, and nothing is sent twice`() throws {
        let gateway = try TestPeer()
        let fixture = try fixture([gateway.address])
        let call = try call("transports", fixture, gateway)
        #expect(call.invite.text.contains("\r\nVia: SIP/2.0/UDP 127.0.0.1:\(fixture.proxy.port);"))
        #expect(call.routes.count == 2)
        #expect(call.routes.first?.hasPrefix("<sip:127.0.0.1:\(fixture.proxy.port);lr;") == true)
        #expect(call.routes.last?.hasPrefix("<sip:127.0.0.1:\(fixture.proxy.port);transport=tcp;lr;") == true)
        #expect(call.caller.received.isEmpty)
    }

    @Test func `the gateway's BYE goes over the caller's own connection, whichever worker gets it`() throws {
        let gateway = try TestPeer()
        let fixture = try fixture([gateway.address])
        for turn in 0..<8 {
            let call = try call("own-\(turn)", fixture, gateway)
            // From a port of its own each time, so that the kernel gives it to one worker or the other.
            let hanging = try TestPeer()
            try hanging.send(call.hangUp(from: hanging, to: call.caller.address.port), to: fixture.proxy)
            let bye = try call.caller.receive("BYE")
            #expect(bye.contains("\r\nVia: SIP/2.0/TCP 127.0.0.1:\(fixture.proxyOverTCP.port);"))
            call.caller.answer("200 OK", to: bye)
            _ = try hanging.receive("SIP/2.0 200")
        }
        #expect(eventually { fixture.plane.counters().io.streamMessagesReceived == 24 })
        #expect(fixture.plane.counters().io.streamsOpened == 0)
    }

    @Test func `a CANCEL by another connection finds its INVITE, and its answer leaves by its own`() throws {
        let gateway = try TestPeer()
        let fixture = try fixture([gateway.address])
        let server = fixture.proxyOverTCP
        for turn in 0..<8 {
            let (caller, other) = (try StreamPeer(to: server), try StreamPeer(to: server))
            let invite = caller.request("INVITE", "4420", callID: "cancel-\(turn)", to: server)
            caller.send(invite)
            let ringing = try gateway.receive("INVITE")
            try gateway.answer("180 Ringing", to: ringing)
            _ = try caller.receive("SIP/2.0 180")
            other.send(invite.replacing("INVITE sip", with: "CANCEL sip").replacing("1 INVITE", with: "1 CANCEL"))
            #expect(try other.receive("SIP/2.0").hasPrefix("SIP/2.0 200"))
            try gateway.answer("200 OK", to: try gateway.receive("CANCEL"))
            try gateway.answer("487 Request Terminated", to: ringing)
            _ = try caller.receive("SIP/2.0 487")
        }
    }

    @Test func `who is in a dialog takes a quarter of all connections at most, wherever he lets us connect to`() throws
    {
        let gateway = try TestPeer()
        var limits = StreamLimits()
        limits.connectionCount = 8
        let fixture = try DataPlaneFixture(gateways: [gateway.address], workerCount: 1, streams: limits)
        var (calls, listeners, connected): ([Call], [ListenerSocket], [StreamPeer]) = ([], [], [])
        for turn in 0..<3 {
            let listener = try ListenerSocket(TransportAddress(.tcp, TestPeer.loopback, port: 0))
            listeners.append(listener)
            let call = try call("quarter-\(turn)", fixture, gateway, contactPort: listener.bound.port)
            calls.append(call)
            try gateway.send(call.hangUp(from: gateway, to: listener.bound.port), to: fixture.proxy)
            guard turn < 2 else { break }
            let incoming = try StreamPeer(acceptedBy: listener)
            incoming.answer("200 OK", to: try incoming.receive("BYE"))
            _ = try gateway.receive("SIP/2.0 200")
            connected.append(incoming)
        }
        _ = try gateway.receive("SIP/2.0 500")
        #expect(connected.count == 2 && calls.count == 3)
        #expect(eventually { fixture.plane.counters().io.streamsNotOpened == 1 })
        #expect(fixture.plane.counters().io.streamsOpened == 2)
        _ = try call("quarter-3", fixture, gateway)
    }

    @Test func `a Contact where the caller listens is connected to, and that connection is used again`() throws {
        let gateway = try TestPeer()
        let fixture = try fixture([gateway.address], workerCount: 1)
        let listener = try ListenerSocket(TransportAddress(.tcp, TestPeer.loopback, port: 0))
        var incoming: StreamPeer?
        for turn in 0..<3 {
            let call = try call("contact-\(turn)", fixture, gateway, contactPort: listener.bound.port)
            try gateway.send(call.hangUp(from: gateway, to: listener.bound.port), to: fixture.proxy)
            let connection = try incoming ?? StreamPeer(acceptedBy: listener)
            incoming = connection
            connection.answer("200 OK", to: try connection.receive("BYE"))
            _ = try gateway.receive("SIP/2.0 200")
        }
        #expect(eventually { fixture.plane.counters().io.streamsOpened == 1 })
    }

    @Test func `a caller who is gone fails the BYE at once`() throws {
        let gateway = try TestPeer()
        let fixture = try fixture([gateway.address])
        var call: Call? = try call("gone", fixture, gateway)
        let bye = try #require(call).hangUp(from: gateway, to: try #require(call).caller.address.port)
        call = nil
        #expect(eventually { fixture.plane.connectionCount == 0 })
        try gateway.send(bye, to: fixture.proxy)
        #expect(try gateway.receive("SIP/2.0").text.hasPrefix("SIP/2.0 500"))
    }

    @Test func `a call through a gateway by TCP, from UDP and from TCP`() throws {
        let listener = try ListenerSocket(TransportAddress(.tcp, TestPeer.loopback, port: 0))
        let fixture = try fixture([listener.bound], workerCount: 1)
        let caller = try TestPeer()
        try caller.send(caller.invite("4420", callID: "out", to: fixture.proxy), to: fixture.proxy)
        let gateway = try StreamPeer(acceptedBy: listener)
        let invite = try gateway.receive("INVITE")
        #expect(invite.hasPrefix("INVITE sip:4420@\(listener.bound.hostPort);transport=tcp SIP/2.0\r\n"))
        #expect(invite.contains("\r\nVia: SIP/2.0/TCP 127.0.0.1:\(fixture.proxyOverTCP.port);"))
        gateway.answer("486 Busy Here", to: invite)
        _ = try caller.receive("SIP/2.0 486")
        #expect(try gateway.receive("ACK").contains("\r\nVia: SIP/2.0/TCP "))
        let second = try StreamPeer(to: fixture.proxyOverTCP)
        second.send(second.request("INVITE", "4420", callID: "both", to: fixture.proxyOverTCP))
        gateway.answer("200 OK", to: try gateway.receive("INVITE"))
        _ = try second.receive("SIP/2.0 200")
        // Both INVITEs, the ACK of the 486, and to the second caller 100 and 200.
        #expect(eventually { fixture.plane.counters().io.streamMessagesSent == 5 })
        #expect(fixture.plane.counters().io.streamsOpened == 1)
    }

    @Test func `a gateway whose port is closed, or whose connection breaks, sends the call to the next at once`() throws
    {
        let listener = try ListenerSocket(TransportAddress(.tcp, TestPeer.loopback, port: 0))
        let closed = TransportAddress(.tcp, TestPeer.loopback, port: try TestPeer().address.port)
        let last = try TestPeer()
        let fixture = try fixture([closed, listener.bound, last.address])
        let caller = try TestPeer()
        try caller.send(caller.invite("4420", callID: "next", to: fixture.proxy), to: fixture.proxy)
        do {
            let breaking = try StreamPeer(acceptedBy: listener)
            _ = try breaking.receive("INVITE")
        }
        try last.answer("486 Busy Here", to: try last.receive("INVITE"))
        _ = try caller.receive("SIP/2.0 486")
        #expect(eventually { fixture.transitions.all.count == 2 })
        #expect(fixture.transitions.all.map(\.after.cause) == [.transportError, .transportError])
    }

    @Test func `answers of one gateway connection reach the calls of both workers`() throws {
        let listener = try ListenerSocket(TransportAddress(.tcp, TestPeer.loopback, port: 0))
        let fixture = try fixture([listener.bound])
        let first = try TestPeer()
        try first.send(first.invite("4420", callID: "first", to: fixture.proxy), to: fixture.proxy)
        let gateway = try StreamPeer(acceptedBy: listener)
        gateway.answer("486 Busy Here", to: try gateway.receive("INVITE"))
        _ = try first.receive("SIP/2.0 486")
        for turn in 0..<8 {
            let caller = try TestPeer()
            try caller.send(caller.invite("4420", callID: "both-\(turn)", to: fixture.proxy), to: fixture.proxy)
            gateway.answer("486 Busy Here", to: try gateway.receive("INVITE"))
            _ = try caller.receive("SIP/2.0 486")
        }
        #expect(eventually { fixture.plane.counters().signalling.handedOver > 0 })
        #expect(eventually { fixture.plane.counters().io.streamsOpened == 1 })
    }
}
