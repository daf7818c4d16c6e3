import Foundation
import Synchronization

/// An HTTP receiver on a free loopback port that does to each request what a test wants.
package final class WebReceiver: Sendable {
    /// A request as it came.
    package struct Request: Sendable {
        package let line: String
        /// By name in lower case.
        package let headers: [String: String]
        package let body: String
    }

    /// What is done with a request.
    package enum Reaction: Sendable {
        /// Status code and further header lines.
        case answer(Int, headers: [String] = [], body: String = "")
        /// These bytes, and the end of the connection.
        case raw(String)
        /// Nothing, until the other side gives up.
        case hang
        /// The connection is reset.
        case reset
    }

    package let port: UInt16
    private let descriptor: Int32
    private let react: @Sendable (Request) -> Reaction
    private let seen = Mutex<[Request]>([])
    private let connections = Mutex(0)
    private let isOver = Mutex(false)

    package struct CannotListen: Error {}

    /// Listens at once; `port` 0 is any.
    package init(port wanted: UInt16 = 0, _ react: @escaping @Sendable (Request) -> Reaction) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.react = react
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = wanted.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isBound = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw CannotListen() }
        port = UInt16(bigEndian: name.sin_port)
        Thread { [self] in accept() }.start()
    }

    /// What has come so far, in order.
    package var requests: [Request] { seen.withLock { $0 } }
    /// How many connections have come.
    package var connectionCount: Int { connections.withLock { $0 } }

    /// Listens no more.
    package func stop() {
        let isFirst = isOver.withLock { isOver in
            defer { isOver = true }
            return !isOver
        }
        if isFirst { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    private func accept() {
        while true {
            let connection = Foundation.accept(descriptor, nil, nil)
            guard connection >= 0 else { break }
            connections.withLock { $0 += 1 }
            Thread { [self] in
                serve(connection)
                close(connection)
            }.start()
        }
        close(descriptor)
    }

    private func serve(_ connection: Int32) {
        var received: [UInt8] = []
        while let request = Self.read(connection, &received) {
            seen.withLock { $0.append(request) }
            switch react(request) {
            case .answer(let status, let headers, let body):
                let lines = ["HTTP/1.1 \(status) X", "Content-Length: \(body.utf8.count)"] + headers
                let bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
                guard send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { return }
            case .raw(let text):
                let bytes = Array(text.utf8)
                _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                return
            case .hang:
                var byte: UInt8 = 0
                while recv(connection, &byte, 1, 0) > 0 {}
                return
            case .reset:
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Foundation.linger>.size))
                return
            }
        }
    }

    private static func read(_ connection: Int32, _ received: inout [UInt8]) -> Request? {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let text = String(decoding: received, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") {
                let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
                var headers: [String: String] = [:]
                for line in lines.dropFirst() {
                    let parts = line.split(separator: ":", maxSplits: 1)
                    guard parts.count == 2 else { continue }
                    headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
                }
                let head = text[..<end.upperBound].utf8.count
                let length = headers["content-length"].flatMap { Int($0) } ?? 0
                if received.count >= head + length {
                    let body = String(decoding: received[head..<head + length], as: UTF8.self)
                    received.removeFirst(head + length)
                    return Request(line: lines.first ?? "", headers: headers, body: body)
                }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            received += buffer.prefix(count)
        }
    }
}
