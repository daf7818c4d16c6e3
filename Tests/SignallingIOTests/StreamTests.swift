import Addressing
import Glibc
import SignallingCore
import Testing

@testable import SignallingIO

/// Connections over real sockets: RFC 3261 sections 18.2 and 18.3, RFC 5626 section 4.4.1.
@Suite struct StreamTests {
    private func fixture(
        _ gateways: [TransportAddress] = [TestPeer.nowhere], workerCount: Int = 2,
        _ change: (inout StreamLimits) -> Void = { _ in }
    ) throws -> DataPlaneFixture {
        var limits = StreamLimits()
        change(&limits)
        return try DataPlaneFixture(gateways: gateways, workerCount: workerCount, streams: limits)
    }

    private func expect(
        _ fixture: DataPlaneFixture, _ count: KeyPath<SignallingIOCounters, UInt64>, reaches wanted: UInt64,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(eventually { fixture.plane.counters().io[keyPath: count] >= wanted }, sourceLocation: sourceLocation)
    }

    @Test func `UDP and TCP have one port, and each is a listener of its own`() throws {
        let fixture = try fixture()
        #expect(fixture.plane.listeners.map(\.bound.transport) == [.udp, .tcp, .udp, .tcp])
        #expect(fixture.redirect.port == fixture.redirectOverTCP.port)
        #expect(fixture.proxy.port == fixture.proxyOverTCP.port)
    }

    @Test func `a TCP port in use is refused in one line, although others of our own could share it`() throws {
        let other = try ListenerSocket(TransportAddress(.tcp, TestPeer.loopback, port: 0))
        #expect(throws: SocketError(other.bound, reason: "address already in use")) {
            _ = try DataPlaneFixture(gateways: [], address: other.bound)
        }
    }

    @Test func `a call is redirected over the connection that it came by, whatever its Via says`() throws {
        let fixture = try fixture()
        let server = fixture.redirectOverTCP
        for turn in 0..<8 {  // the kernel spreads connections over the workers
            let caller = try StreamPeer(to: server)
            let invite = caller.request("INVITE", "4420", callID: "redirect-\(turn)", to: server)
            caller.send(invite.replacing(":\(caller.address.port);branch", with: ":9;branch"))
            let response = try caller.receive("SIP/2.0 302")
            #expect(response.contains("Contact: <sip:4420@"))
            caller.send(caller.request("ACK", "4420", callID: "redirect-\(turn)", to: server))
        }
        #expect(eventually { fixture.plane.counters().signalling.acknowledgementsReceived == 8 })
    }

    @Test func `split at any byte, several at once: each is answered once, in order`() throws {
        let fixture = try fixture()
        let server = fixture.redirectOverTCP
        let caller = try StreamPeer(to: server)
        let requests = (0..<3).map { caller.request("OPTIONS", "4420", callID: "split-\($0)", to: server) }
        let stream = [UInt8](requests.joined(separator: "\r\n").utf8)
        var cuts = Array(stride(from: 0, through: stream.count, by: 7))
        cuts.append(stream.count)
        for (start, end) in zip(cuts, cuts.dropFirst()) { caller.send(stream[start..<end]) }
        for turn in 0..<3 { #expect(try caller.receive("SIP/2.0 302").contains("split-\(turn)\r\n")) }
        caller.send(requests.map { $0.replacing("split", with: "again") }.joined())
        for turn in 0..<3 { #expect(try caller.receive("SIP/2.0 302").contains("again-\(turn)\r\n")) }
    }

    @Test func `two CRLF are answered by one`() throws {
        let fixture = try fixture()
        let caller = try StreamPeer(to: fixture.redirectOverTCP)
        caller.send("\r\n\r\n")
        #expect(caller.read())
        #expect(caller.received == [13, 10])
        expect(fixture, \.streamPings, reaches: 1)
    }

    @Test(arguments: [
        "Subject: none", "Content-Length: -999", "Content-Length: 1 2", "Content-Length: 0\r\nl: 0",
        "Content-Length: 18446744073709551616", "Content-Length: 70000",
    ])
    func `a request whose end can't be told is answered 400, and the connection ends`(line: String) throws {
        let fixture = try fixture()
        let server = fixture.proxyOverTCP
        let caller = try StreamPeer(to: server)
        // What follows means nothing; closed with it unread, the answer would get lost.
        let request = caller.request("INVITE", "4420", callID: "unframed", to: server, extra: [line])
        caller.send(request + String(repeating: "x", count: 20_000))
        _ = try caller.receive("SIP/2.0 400")
        #expect(caller.waitForEnd())
        expect(fixture, \.streamsClosedUnframed, reaches: 1)
    }

    @Test func `what is no SIP at all ends the connection without a word`() throws {
        let fixture = try fixture()
        for noise in [
            "\u{16}\u{3}\u{1}\u{0}", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", String(repeating: "y", count: 70_000),
        ] {
            let caller = try StreamPeer(to: fixture.proxyOverTCP)
            caller.send(noise)
            #expect(caller.waitForEnd())
            #expect(caller.received.isEmpty)
        }
        expect(fixture, \.streamsClosedUnframed, reaches: 3)
    }

    @Test func `who sends no more still gets the answer to what he asked, and then the end`() throws {
        let gateway = try TestPeer()
        let fixture = try fixture([gateway.address])
        let caller = try StreamPeer(to: fixture.proxyOverTCP)
        caller.send(caller.request("INVITE", "4420", callID: "half", to: fixture.proxyOverTCP))
        let invite = try gateway.receive("INVITE")
        caller.endSending()
        try gateway.answer("486 Busy Here", to: invite)
        _ = try caller.receive("SIP/2.0 486")
        #expect(caller.waitForEnd())
        expect(fixture, \.streamsClosedByPeer, reaches: 1)
    }

    @Test func `a message that does not come whole in time, and a silent peer, are let go`() throws {
        let fixture = try fixture { ($0.messageTime, $0.idleTime) = (.milliseconds(100), .milliseconds(1500)) }
        let (slow, idle) = (try StreamPeer(to: fixture.proxyOverTCP), try StreamPeer(to: fixture.proxyOverTCP))
        slow.send("INVITE sip:4420@h SIP/2.0\r\nVia: ")
        #expect(slow.waitForEnd())
        expect(fixture, \.streamsClosedSlowSender, reaches: 1)
        #expect(idle.waitForEnd())
        expect(fixture, \.streamsClosedIdle, reaches: 1)
        #expect(eventually { fixture.plane.connectionCount == 0 })
    }

    @Test func `a peer that reads nothing is let go, and the worker serves others meanwhile`() throws {
        let fixture = try fixture(workerCount: 1) { $0.backlogBytes = 20_000 }
        let server = fixture.redirectOverTCP
        let deaf = try StreamPeer(to: server)
        let requests = (0..<100).map { deaf.request("OPTIONS", "4420", callID: "deaf-\($0)", to: server) }.joined()
        let bytes = [UInt8](requests.utf8)
        // More than both kernels' buffers hold, over and over until the connection goes.
        let isGone = eventually {
            for _ in 0..<20 { deaf.send(bytes[...]) }
            return fixture.plane.counters().io.streamsClosedSlowReader > 0
        }
        #expect(isGone)
        let other = try StreamPeer(to: server)
        other.send(other.request("OPTIONS", "4420", callID: "other", to: server))
        _ = try other.receive("SIP/2.0 302")
    }

    @Test func `more connections than may be, in all or from one address, are refused and counted`() throws {
        let fixture = try fixture(workerCount: 1) { ($0.connectionCount, $0.connectionPerSourceCount) = (3, 2) }
        let server = fixture.redirectOverTCP
        let kept = try (0..<2).map { _ in try StreamPeer(to: server) }
        #expect(try StreamPeer(to: server).waitForEnd())
        expect(fixture, \.streamsRefusedSource, reaches: 1)
        let other = try StreamPeer(to: server, from: IPAddress(ipv4: 0x7F00_0002))
        #expect(try StreamPeer(to: server, from: IPAddress(ipv4: 0x7F00_0003)).waitForEnd())
        expect(fixture, \.streamsRefusedFull, reaches: 1)
        for peer in kept + [other] {
            peer.send("\r\n\r\n")
            #expect(peer.read())
        }
    }

    @Test func `a thousand idle connections cost no call its answer, and all places come back`() throws {
        let fixture = try fixture()
        let server = fixture.redirectOverTCP
        try withExtendedLifetime(try (0..<1000).map { _ in try StreamPeer(to: server) }) { peers in
            #expect(eventually { fixture.plane.connectionCount == 1000 })
            for peer in [peers[0], peers[499], peers[999]] {
                peer.send(peer.request("OPTIONS", "4420", callID: "of-\(peer.address.port)", to: server))
                _ = try peer.receive("SIP/2.0 302")
            }
        }
        #expect(eventually { fixture.plane.connectionCount == 0 })
    }
}
