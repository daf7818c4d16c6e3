import Addressing
import CSignalling
import Glibc
import Testing

@testable import SignallingIO

/// A user agent or gateway of a test that speaks over one connection, read in one thread.
final class StreamPeer {
    /// Its own address; that of the socket.
    let address: TransportAddress
    private let descriptor: Int32
    private(set) var received: [UInt8] = []
    /// True when the other side sends no more, or has reset the connection.
    private(set) var isEnded = false

    /// Connects, from a local address if one is given.
    init(to destination: TransportAddress, from source: IPAddress = TestPeer.loopback) throws {
        var (from, to) = (csig_address(TransportAddress(.tcp, source, port: 0)), csig_address(destination))
        let result = csig_connect(&from, &to)
        try #require(result >= 0)
        var wanted = pollfd(fd: result, events: Int16(POLLOUT), revents: 0)
        try #require(poll(&wanted, 1, 10_000) == 1)
        try #require(csig_take_error(result) == 0, "nobody listens at \(destination)")
        descriptor = result
        address = TransportAddress(.tcp, source, port: UInt16(truncatingIfNeeded: csig_bound_port(result)))
    }

    /// Takes a connection that waits at a listening socket.
    init(acceptedBy listener: ListenerSocket) throws {
        var wanted = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
        try #require(poll(&wanted, 1, 10_000) == 1, "nobody connects")
        var peer = csig_address()
        let result = csig_accept(listener.descriptor, &peer)
        try #require(result >= 0)
        descriptor = result
        address = listener.bound
    }

    deinit { csig_close(descriptor) }

    func send(_ text: String) { send([UInt8](text.utf8)[...]) }

    /// Sends as much as the kernel takes without waiting; false when that is not all.
    @discardableResult
    func send(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.withUnsafeBufferPointer {
            csig_stream_send(descriptor, $0.baseAddress, $0.count) == Int32($0.count)
        }
    }

    /// Sends no more, and still reads.
    func endSending() { csig_end_sending(descriptor) }

    /// Waits for more; false when the time is over or nothing can come.
    @discardableResult
    func read(withinMilliseconds limit: Int32 = 10_000) -> Bool {
        var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard !isEnded, poll(&wanted, 1, limit) == 1 else { return false }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = buffer.withUnsafeMutableBufferPointer {
            csig_stream_receive(descriptor, $0.baseAddress, $0.count)
        }
        if count > 0 { received += buffer[..<Int(count)] } else { isEnded = true }
        return count > 0
    }

    /// The next message without a body that begins so; what comes before it is passed over.
    func receive(_ start: String) throws -> String {
        while true {
            let text = String(decoding: received, as: UTF8.self)
            if let range = text.firstRange(of: "\r\n\r\n") {
                let message = String(text[..<range.upperBound])
                received.removeFirst(message.utf8.count)
                if message.hasPrefix(start) { return message }
            } else {
                try #require(read(), "nothing that begins with \(start) came: \(text)")
            }
        }
    }

    /// Waits until the other side has ended the connection.
    func waitForEnd() -> Bool {
        while read() {}
        return isEnded
    }

    /// A request of this user agent.
    func request(
        _ method: String, _ number: String, callID: String, to destination: TransportAddress, cSeq: Int = 1,
        uri: String? = nil, toTag: String = "", contactPort: UInt16? = nil, extra: [String] = ["Content-Length: 0"]
    ) -> String {
        ([
            "\(method) \(uri ?? "sip:\(number)@\(destination.hostPort)") SIP/2.0",
            "Via: SIP/2.0/TCP \(address.hostPort);branch=z9hG4bK-\(callID)-\(cSeq)\(method == "ACK" ? "a" : "")",
            "Max-Forwards: 70", "From: <sip:caller@\(address.hostPort)>;tag=f-\(callID)",
            "To: <sip:\(number)@\(destination.hostPort)>\(toTag)", "Call-ID: \(callID)", "CSeq: \(cSeq) \(method)",
            "Contact: <sip:caller@127.0.0.1:\(contactPort ?? address.port);transport=tcp>",
        ] + extra + ["", ""]).joined(separator: "\r\n")
    }

    /// Answers a request as a gateway does.
    func answer(_ status: String, to request: String) {
        send(TestPeer.response(status, to: request, contact: "sip:gateway@\(address.hostPort);transport=tcp"))
    }
}
