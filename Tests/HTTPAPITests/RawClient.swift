import Foundation

/// A client that says exactly what a test wants to say, over a socket of its own. A read that gets nothing for 10 s
/// fails.
final class RawClient {
    /// What came back.
    struct Response {
        let status: Int
        let headers: [(name: String, value: String)]
        let body: String

        subscript(name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
    }

    struct Failure: Error {
        let reason: String
    }

    private let descriptor: Int32
    private var received: [UInt8] = []

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var time = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { throw Failure(reason: "can't connect") }
    }

    deinit { close(descriptor) }

    func send(_ text: String) { sendBytes(Array(text.utf8)) }

    func sendBytes(_ bytes: [UInt8]) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            offset += count
        }
    }

    /// True when the other side has closed; waits so long for it.
    func isClosed(afterMilliseconds milliseconds: Int32) -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard Foundation.poll(&poll, 1, milliseconds) > 0 else { return false }
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_PEEK)) <= 0
    }

    /// True when something can be read; waits so long for it.
    func hasAnswer(afterMilliseconds milliseconds: Int32) -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return Foundation.poll(&poll, 1, milliseconds) > 0
    }

    /// One request and its answer on this connection.
    func request(
        _ method: String, _ target: String, headers: [String: String] = [:], body: String? = nil
    ) throws -> Response {
        var fields = ["Host": "localhost"].merging(headers) { $1 }
        if let body { fields["Content-Length"] = fields["Content-Length"] ?? "\(body.utf8.count)" }
        send(
            "\(method) \(target) HTTP/1.1\r\n" + fields.map { "\($0.key): \($0.value)\r\n" }.joined() + "\r\n"
                + (body ?? ""))
        return try response(hasBody: method != "HEAD")
    }

    /// Reads an answer.
    func response(hasBody: Bool = true) throws -> Response {
        let head = try headers()
        var body: [UInt8] = []
        if hasBody, head.status != 204, head.status != 304 {
            if head["Transfer-Encoding"] == "chunked" {
                while let chunk = try chunk() { body += chunk }
            } else {
                body = try take(Int(head["Content-Length"] ?? "0") ?? 0)
            }
        }
        return Response(status: head.status, headers: head.headers, body: String(decoding: body, as: UTF8.self))
    }

    /// Reads status line and header fields only.
    func headers() throws -> Response {
        var lines: [String] = []
        while let line = try lines.last == "" ? nil : line() { lines.append(line) }
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let headers = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return (String(line[..<colon]), String(value))
        }
        return Response(status: status, headers: headers, body: "")
    }

    /// Reads one chunk; nil: the last one.
    func chunk() throws -> [UInt8]? {
        guard let count = Int(try line(), radix: 16) else { throw Failure(reason: "no chunk") }
        let bytes = try take(count)
        _ = try line()
        return count == 0 ? nil : bytes
    }

    /// Reads a stream's chunks until its text holds `part`, and returns all of it.
    func stream(until part: String) throws -> String {
        var text = ""
        while !text.contains(part) {
            guard let chunk = try chunk() else { throw Failure(reason: "the stream ended: \(text)") }
            text += String(decoding: chunk, as: UTF8.self)
        }
        return text
    }

    private func line() throws -> String {
        while true {
            if let end = received.firstIndex(of: 10) {
                let line = received[..<end].filter { $0 != 13 }
                received.removeFirst(end + 1)
                return String(decoding: line, as: UTF8.self)
            }
            try receive()
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while received.count < count { try receive() }
        defer { received.removeFirst(count) }
        return Array(received.prefix(count))
    }

    private func receive() throws {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { throw Failure(reason: "closed or silent, errno \(errno)") }
        received += buffer.prefix(count)
    }
}
