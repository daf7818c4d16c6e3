import Foundation
import Glibc

private func lastError(_ what: String) -> HarnessError { HarnessError("\(what): \(String(cString: strerror(errno)))") }

private func setReceiveTimeout(_ socket: Int32, seconds: Double) {
    let whole = seconds.rounded(.down)
    var time = timeval(tv_sec: Int(whole), tv_usec: Int((seconds - whole) * 1_000_000))
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
}

/// A loopback address and a port, as the kernel takes it: 127.0.0.1 and its like, or ::1.
private func withAddress<Result>(
    _ host: String, port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
    guard host == "::1" else {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    inet_pton(AF_INET6, host, &address.sin6_addr)
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
        }
    }
}

/// True when a TCP socket may be bound to the port of 127.0.0.1.
func isFreeForTCP(_ port: UInt16) -> Bool {
    let bound = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(bound) }
    return withAddress("127.0.0.1", port: port) { bind(bound, $0, $1) } == 0
}

/// A bound UDP socket for datagrams that no decent program would send; left alone it is a silent gateway.
final class UDPPeer {
    private let socket: Int32
    private let address: String
    let port: UInt16
    /// The address as it stands in a URI.
    var host: String { address.contains(":") ? "[\(address)]" : address }

    /// Binds to a loopback address and a port; 0 is any free one.
    init(_ address: String = "127.0.0.1", port wanted: UInt16 = 0) throws {
        let family = address.contains(":") ? AF_INET6 : AF_INET
        let bound = Glibc.socket(family, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard bound >= 0, withAddress(address, port: wanted, { bind(bound, $0, $1) }) == 0 else {
            let error = lastError("bind to \(address):\(wanted)")
            close(bound)
            throw error
        }
        var name = sockaddr_in6()  // the port lies at the same place in both families
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        _ = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(bound, $0, &length) }
        }
        (socket, self.address, port) = (bound, address, UInt16(bigEndian: name.sin6_port))
    }

    deinit { close(socket) }

    /// To a port of 127.0.0.1, or of ::1 from there.
    func send(_ bytes: [UInt8], to port: UInt16) {
        let target = address.contains(":") ? address : "127.0.0.1"
        _ = withAddress(target, port: port) { sendto(socket, bytes, bytes.count, 0, $0, $1) }
    }

    func send(_ text: String, to port: UInt16) { send(Array(text.utf8), to: port) }

    /// The next datagram; nil when none comes in time.
    func receive(seconds: Double) -> String? {
        receiveBytes(seconds: seconds).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The next datagram as it came; nil when none comes in time.
    func receiveBytes(seconds: Double) -> [UInt8]? {
        setReceiveTimeout(socket, seconds: seconds)
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket, &buffer, buffer.count, 0)
        return count >= 0 ? Array(buffer[..<count]) : nil
    }

    /// Everything that has come and was not taken yet.
    func drain() -> [String] {
        var messages: [String] = []
        while let message = receive(seconds: 0.05) { messages.append(message) }
        return messages
    }

    /// The next datagram of this Call-ID that begins so; others are passed over.
    func receive(_ beginning: String, callID: String, seconds: Double) -> String? {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            guard let message = receive(seconds: min(seconds, 0.5)) else { continue }
            if message.hasPrefix(beginning), message.contains(callID) { return message }
        }
        return nil
    }
}

/// One connection for SIP over TCP.
final class StreamPeer {
    private let socket: Int32
    private var received: [UInt8] = []

    /// Connects from an address and port of this host to a port of 127.0.0.1.
    init(_ address: String, port: UInt16, to target: UInt16) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var isOn: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
        var end = linger(l_onoff: 1, l_linger: 0)  // the port is free again at once
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &end, socklen_t(MemoryLayout<linger>.size))
        guard socket >= 0, withAddress(address, port: port, { bind(socket, $0, $1) }) == 0,
            withAddress("127.0.0.1", port: target, { connect(socket, $0, $1) }) == 0
        else { throw lastError("connect from \(address):\(port)") }
    }

    deinit { close(socket) }

    func send(_ bytes: [UInt8]) { _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    /// The next message that has no body; nil when none is whole in time.
    func receive(seconds: Double) -> [UInt8]? {
        setReceiveTimeout(socket, seconds: seconds)
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket, &buffer, buffer.count, 0)
        if count > 0 { received += buffer[..<count] }
        let end: [UInt8] = [13, 10, 13, 10]
        guard let start = received.indices.first(where: { received[$0...].starts(with: end) }) else { return nil }
        defer { received.removeFirst(start + end.count) }
        return Array(received[..<(start + end.count)])
    }
}

/// One HTTP connection that is kept, for tests that count in thousands.
final class HTTPConnection {
    private let socket: Int32
    private let host: String
    private var received: [UInt8] = []

    init(port: UInt16) throws {
        let connected = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard connected >= 0, withAddress("127.0.0.1", port: port, { connect(connected, $0, $1) }) == 0 else {
            throw lastError("connect")
        }
        (socket, host) = (connected, "127.0.0.1:\(port)")
        setReceiveTimeout(socket, seconds: 10)
        var isOn: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(socket) }

    /// One exchange. Throws when the other side went away: whether it did what was asked is then unknown.
    func ask(
        _ method: String, _ path: String, _ body: String = "", headers: [String] = []
    ) throws -> CurlAnswer {
        let lines = ["\(method) \(path) HTTP/1.1", "Host: \(host)", "Content-Length: \(body.utf8.count)"] + headers
        let request = lines.joined(separator: "\r\n") + "\r\n\r\n" + body
        var rest = Array(request.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw lastError("send") }
            rest = rest.dropFirst(count)
        }
        return try answer()
    }

    /// The next answer, asked for or not.
    func answer() throws -> CurlAnswer {
        let head = String(decoding: try take(through: Array("\r\n\r\n".utf8)), as: UTF8.self)
        let answer = try CurlAnswer(printed: head)
        guard answer.headers["transfer-encoding"] == nil else { throw HarnessError("an answer in chunks: \(head)") }
        let length = answer.headers["content-length"].flatMap { Int($0) } ?? 0
        return try CurlAnswer(printed: head + String(decoding: try take(count: length), as: UTF8.self))
    }

    private func take(through end: [UInt8]) throws -> ArraySlice<UInt8> {
        var searched = 0
        while true {
            while searched + end.count <= received.count {
                if received[searched..<searched + end.count].elementsEqual(end) {
                    return try take(count: searched + end.count)
                }
                searched += 1
            }
            try receiveMore()
        }
    }

    private func take(count: Int) throws -> ArraySlice<UInt8> {
        while received.count < count { try receiveMore() }
        defer { received.removeFirst(count) }
        return received[..<count]
    }

    private func receiveMore() throws {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket, &buffer, buffer.count, 0)
        guard count > 0 else { throw lastError("receive") }
        received += buffer[..<count]
    }
}

/// One SIP connection from a loopback address.
final class SIPConnection {
    private let socket: Int32
    private var received: [UInt8] = []
    /// True when the other side sends no more.
    private(set) var isEnded = false

    init(to port: UInt16, from source: String = "127.0.0.1") throws {
        let connected = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard connected >= 0, withAddress(source, port: 0, { bind(connected, $0, $1) }) == 0,
            withAddress("127.0.0.1", port: port, { connect(connected, $0, $1) }) == 0
        else { throw lastError("connect") }
        socket = connected
        setReceiveTimeout(socket, seconds: 5)
    }

    deinit { close(socket) }

    func send(_ bytes: [UInt8]) throws {
        guard Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw lastError("send")
        }
    }

    /// The next message without its body that begins so; nil when none comes in five seconds, or the end does.
    func receive(_ beginning: String) -> String? {
        while true {
            let text = String(decoding: received, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") {
                let message = String(text[..<end.upperBound])
                received.removeFirst(message.utf8.count)
                if message.hasPrefix(beginning) { return message }
                continue
            }
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = recv(socket, &buffer, buffer.count, 0)
            isEnded = count == 0
            guard count > 0 else { return nil }
            received += buffer[..<count]
        }
    }
}
