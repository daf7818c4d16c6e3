import Fixtures

/// A server whose every call goes to one gateway, which answers all with 200, and a sender beside it: messages go in as
/// they are, and what came of them is kept.
final class TortureBench {
    /// The address that the sender has.
    static let sender = "127.0.0.2"

    let tandem: TandemProcess
    /// Where messages are sent: the role's port.
    let port: UInt16
    let gateway: UDPPeer
    /// What reached the gateway, without probes and fences, in its order.
    var forwarded: [RawMessage] = []
    /// What reached the sender, without what belongs to fences, in its order.
    var arrived: [RawMessage] = []
    /// The status of the gateway's answers; nil: none at all.
    var gatewayStatus: Int? = 200
    private let peer: UDPPeer
    private let replyPort: UInt16
    private var fenceCount = 0

    /// A sender on the port that its messages' Via names.
    init(_ tandem: TandemProcess, port: UInt16, replyPort: UInt16) throws {
        (self.tandem, self.port, self.replyPort) = (tandem, port, replyPort)
        (gateway, peer) = (try UDPPeer(), try UDPPeer(Self.sender, port: replyPort))
        try tandem.provision("gateways/gateway", #"{"uri":"sip:127.0.0.1:\#(gateway.port)"}"#)
        try tandem.provision("gateway-groups/all", TandemProcess.group(["gateway"]))
        try tandem.provision("routing-lists/all", #"{"groups":[{"group":"all"}]}"#)
        try tandem.provision("routing-plans/default/routes/any", #"{"routing_list":"all"}"#)
    }

    /// True when a sender can be bound to the port.
    static func isFree(_ port: UInt16) -> Bool {
        do {
            _ = try UDPPeer(sender, port: port)
            return true
        } catch {
            return false
        }
    }

    /// Sends a message, acknowledges a refusal of an INVITE, and waits until all is back that it caused.
    func exchange(_ message: RawMessage) throws {
        let before = arrived.count
        peer.send(message.bytes, to: port)
        try fence()
        guard message.isRequest, message.method == "INVITE" else { return }
        for response in arrived[before...] where response.status >= 300 && response.callID == message.callID {
            peer.send(message.acknowledgement(of: response).bytes, to: port)
        }
    }

    /// Sends a message over a connection of its own to a stream listener, and waits for its final response.
    func exchange(_ message: RawMessage, overStreamTo streamPort: UInt16) throws {
        let stream = try StreamPeer(Self.sender, port: replyPort, to: streamPort)
        stream.send(message.bytes)
        let isAnswered = eventually(within: 10) {
            takeArrivals()
            if let bytes = stream.receive(seconds: 0.01) { arrived.append(RawMessage(bytes)) }
            return arrived.last.map { $0.status >= 200 && $0.callID == message.callID } == true
        }
        guard isAnswered else { throw HarnessError("no final response over TCP to \(message.startLine)") }
        if message.method == "INVITE", let final = arrived.last, final.status >= 300 {
            stream.send(message.acknowledgement(of: final).bytes)
        }
        try fence()
    }

    /// Sends without waiting for anything.
    func send(_ message: RawMessage) { peer.send(message.bytes, to: port) }

    /// Sends from the gateway without waiting for anything.
    func sendFromGateway(_ message: RawMessage) { gateway.send(message.bytes, to: port) }

    /// A request that goes to the gateway and back. Datagrams between two sockets keep their order, so that once its
    /// answer is there, so is everything that was caused before.
    func fence() throws {
        fenceCount += 1
        let callID = "fence-\(fenceCount)"
        let via = "SIP/2.0/UDP \(Self.sender):\(replyPort);branch=z9hG4bK-\(callID)"
        peer.send(
            [
                "OPTIONS sip:fence@127.0.0.1 SIP/2.0", "Via: \(via)", "Max-Forwards: 70",
                "From: <sip:fence@127.0.0.1>;tag=f", "To: <sip:fence@127.0.0.1>", "Call-ID: \(callID)",
                "CSeq: 1 OPTIONS", "Content-Length: 0", "", "",
            ].joined(separator: "\r\n"), to: port)
        let end = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < end {
            if takeArrivals().contains(where: { $0.callID == callID && $0.status >= 200 }) { return }
        }
        throw HarnessError("a request sent afterwards was not answered; the server says: \(tandem.process.output)")
    }

    /// Takes in what has come to either side and lets the gateway answer; returns what belongs to fences.
    @discardableResult func takeArrivals() -> [RawMessage] {
        serveGateway()
        var ofFences: [RawMessage] = []
        while let bytes = peer.receiveBytes(seconds: 0.002) {
            let message = RawMessage(bytes)
            if message.callID.hasPrefix("fence-") { ofFences.append(message) } else { arrived.append(message) }
        }
        return ofFences
    }

    private func serveGateway() {
        while let bytes = gateway.receiveBytes(seconds: 0.002) {
            let request = RawMessage(bytes)
            let isOurs = request.callID.hasPrefix("fence-") || request.callID.hasPrefix("probe-")
            if !isOurs { forwarded.append(request) }
            guard request.isRequest, request.method != "ACK", let status = isOurs ? 200 : gatewayStatus else {
                continue
            }
            gateway.send(request.response(status).bytes, to: port)
        }
    }
}
