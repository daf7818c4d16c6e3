import Addressing
import CSignalling
import Glibc
import Probing
import Routing
import SIPTransaction
import SignallingCore
import Synchronization
import Testing

@testable import SignallingIO

/// A user agent or gateway of a test: one socket on the loopback, read in one thread.
final class TestPeer {
    let socket: ListenerSocket
    private let batch: OpaquePointer
    private var waiting: [(text: String, source: TransportAddress)] = []

    init(_ address: TransportAddress = TestPeer.anyPort) throws {
        socket = try ListenerSocket(address)
        batch = try #require(csig_receive_batch_create())
    }

    deinit { csig_receive_batch_destroy(batch) }

    static let loopback = IPAddress(ipv4: 0x7F00_0001)
    static let anyPort = TransportAddress(.udp, loopback, port: 0)
    /// Where a gateway stands that is never called.
    static let nowhere = TransportAddress(.udp, loopback, port: 9)

    var address: TransportAddress { socket.bound }

    /// The next datagram; nil when none comes in time.
    func receive(withinMilliseconds limit: Int32 = 10_000) throws -> (text: String, source: TransportAddress)? {
        if waiting.isEmpty {
            var wanted = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&wanted, 1, limit) == 1 else { return nil }
            for index in 0..<csig_receive(socket.descriptor, batch) {
                var received = csig_received()
                csig_received_at(batch, index, &received)
                let bytes = UnsafeBufferPointer(start: received.bytes, count: Int(received.length_bytes))
                waiting.append((String(decoding: bytes, as: UTF8.self), received.source.udp))
            }
        }
        return waiting.isEmpty ? nil : waiting.removeFirst()
    }

    /// The next datagram that begins so; what comes before it is passed over.
    func receive(_ start: String) throws -> (text: String, source: TransportAddress) {
        while true {
            let datagram = try #require(try receive(), "nothing that begins with \(start) came")
            if datagram.text.hasPrefix(start) { return datagram }
        }
    }

    func send(_ text: String, to destination: TransportAddress) throws {
        let sender = try #require(csig_send_batch_create())
        defer { csig_send_batch_destroy(sender) }
        let bytes = [UInt8](text.utf8)
        bytes.withUnsafeBufferPointer {
            var address = csig_address(destination)
            csig_send_put(sender, 0, $0.baseAddress, $0.count, &address)
            #expect(csig_send(socket.descriptor, sender, 0, 1) == 1)
        }
    }

    /// An INVITE of this user agent.
    func invite(_ number: String, callID: String, to destination: TransportAddress) -> String {
        """
        INVITE sip:\(number)@\(destination.hostPort) SIP/2.0\r
        Via: SIP/2.0/UDP \(address.hostPort);branch=z9hG4bK-\(callID);rport\r
        Max-Forwards: 70\r
        From: <sip:caller@\(address.hostPort)>;tag=f-\(callID)\r
        To: <sip:\(number)@\(destination.hostPort)>\r
        Call-ID: \(callID)\r
        CSeq: 1 INVITE\r
        Contact: <sip:caller@\(address.hostPort)>\r
        Content-Length: 0\r
        \r

        """
    }

    /// Answers a request as a gateway does: the fields that a response copies, and a tag.
    func answer(_ status: String, to request: (text: String, source: TransportAddress)) throws {
        let response = Self.response(status, to: request.text, contact: "sip:gateway@\(address.hostPort)")
        try send(response, to: request.source)
    }

    /// A response of a gateway to a request.
    static func response(_ status: String, to request: String, contact: String) -> String {
        var lines = ["SIP/2.0 \(status)"]
        for line in request.split(separator: "\r\n") {
            let name = line.prefix { $0 != ":" }
            guard ["Via", "From", "To", "Call-ID", "CSeq", "Record-Route"].contains(name) else { continue }
            lines.append(name == "To" && !line.contains(";tag=") ? line + ";tag=gateway" : String(line))
        }
        return (lines + ["Contact: <\(contact)>", "Content-Length: 0", "", ""]).joined(separator: "\r\n")
    }
}

/// A data plane whose plan sends every number beginning with 44 to the given gateways in order, and which probes none.
final class DataPlaneFixture {
    let table = GatewayInformationTable()
    let plane: DataPlane
    let transitions: TransitionLog
    private(set) var slots: [GatewaySlot] = []

    var redirect: TransportAddress { plane.listeners[0].bound }
    var proxy: TransportAddress { plane.listeners[isAlsoOverTCP ? 2 : 1].bound }
    var redirectOverTCP: TransportAddress { plane.listeners[1].bound }
    var proxyOverTCP: TransportAddress { plane.listeners[3].bound }
    private let isAlsoOverTCP: Bool

    /// - Parameter streams: Bounds on connections; nil: no TCP.
    init(
        gateways: [TransportAddress], workerCount: Int = 2, address: TransportAddress = TestPeer.anyPort,
        streams: StreamLimits? = nil
    ) throws {
        isAlsoOverTCP = streams != nil
        var builder = SnapshotBuilder()
        let timing = GatewayTiming(responseTimeoutMilliseconds: 32_000, resendLimit: 0, holdSeconds: 60)
        for (index, gateway) in gateways.enumerated() {
            let isPut = builder.put(
                Gateway(
                    id: "g\(index)", uri: "sip:\(gateway.hostPort)", address: gateway,
                    requestURISuffix: "@\(gateway.hostPort)\(gateway.isReliable ? ";transport=tcp" : "")",
                    timing: timing), in: table)
            #expect(isPut)
            slots.append(try #require(builder.slot(of: "g\(index)")))
        }
        builder.put(GatewayGroup(id: "group", members: gateways.indices.map { .init(gateway: "g\($0)") }))
        builder.put(RoutingList(id: "list", entries: [.init(group: "group")]))
        builder.changeRoutes(in: "default", [(try #require(Prefix("44")), Route(.routingList("list")))])
        let networks = [try #require(Network("127.0.0.0/8")), try #require(Network("::1"))]
        builder.put(IngressPeer(id: "loopback", networks: networks))
        var settings = DataPlaneSettings(
            listeners: [
                .init(role: .redirect, address: address, isAlsoOverTCP: isAlsoOverTCP),
                .init(role: .proxy, address: address, isAlsoOverTCP: isAlsoOverTCP),
            ], routeSecret: KeyedHash.Key(1, 2), serverName: "tandem")
        settings.workerCount = workerCount
        if let streams { settings.streams = streams }
        settings.probing.isEnabled = false
        let log = TransitionLog()
        transitions = log
        plane = try DataPlane(
            settings: settings, cell: SnapshotCell(builder.snapshot(revision: Revision(1))), table: table,
            onTransitions: { log.append($0) }, onFault: { Issue.record("\($0)") })
        try plane.start()
    }

    deinit { plane.stop() }
}

/// What the observer was given.
final class TransitionLog: Sendable {
    private let list = Mutex<[StatusTransition]>([])

    var all: [StatusTransition] { list.withLock { $0 } }

    func append(_ more: [StatusTransition]) { list.withLock { $0 += more } }
}

/// Asks again until the condition holds; gives up after ten seconds.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<2000 {
        if condition() { return true }
        poll(nil, 0, 5)
    }
    return condition()
}
