import Foundation
import Glibc

/// One connection to the API of a server on this machine, request by request: as little as there can be between it and
/// the clock.
final class ServerConnection {
    private let descriptor: Int32
    private var received: [UInt8] = []

    private static let pieceBytes = 256 * 1024
    private static let timeoutSeconds = 120

    /// An answer.
    struct Answer {
        let status: Int
        /// Empty where the body went to a file.
        let body: String
        let bodyBytes: Int
    }

    init(port: UInt16) throws(BenchmarkFailure) {
        guard let connected = LoopbackSocket.connected(SOCK_STREAM, port: port, timeoutSeconds: Self.timeoutSeconds)
        else { throw BenchmarkFailure(detail: "no connection to 127.0.0.1:\(port)") }
        descriptor = connected
    }

    deinit { close(descriptor) }

    /// Sends a request, with a body that is text.
    func request(
        _ method: String, _ target: String, _ body: String = ""
    ) throws(BenchmarkFailure) -> Answer {
        try send(Array((Self.head(method, target, [], bodyBytes: body.utf8.count) + body).utf8))
        return try answer(into: nil)
    }

    /// Sends a request whose body is a file.
    func request(
        _ method: String, _ target: String, type: String, file: String
    ) throws(BenchmarkFailure) -> Answer {
        let source = open(file, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw BenchmarkFailure(detail: "\(file) can't be read") }
        defer { close(source) }
        let length = Int(lseek(source, 0, SEEK_END))
        lseek(source, 0, SEEK_SET)
        try send(Array(Self.head(method, target, ["Content-Type: \(type)"], bodyBytes: length).utf8))
        var piece = [UInt8](repeating: 0, count: Self.pieceBytes)
        while true {
            let count = read(source, &piece, piece.count)
            guard count > 0 else { break }
            try send(piece[..<count])
        }
        return try answer(into: nil)
    }

    /// Asks for something that goes to a file.
    func get(_ target: String, type: String, into file: String) throws(BenchmarkFailure) -> Answer {
        let sink = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard sink >= 0 else { throw BenchmarkFailure(detail: "\(file) can't be written") }
        defer { close(sink) }
        try send(Array(Self.head("GET", target, ["Accept: \(type)"], bodyBytes: 0).utf8))
        return try answer(into: sink)
    }

    private static func head(_ method: String, _ target: String, _ fields: [String], bodyBytes: Int) -> String {
        ([
            "\(method) \(target) HTTP/1.1", "Host: localhost", "Content-Length: \(bodyBytes)",
        ] + fields).joined(separator: "\r\n") + "\r\n\r\n"
    }

    private func send(_ bytes: some Collection<UInt8>) throws(BenchmarkFailure) {
        let bytes = ContiguousArray(bytes)
        let isSent = bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
                let count = Glibc.send(descriptor, rest.baseAddress, rest.count, CInt(MSG_NOSIGNAL))
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
        // A server that refuses answers before all has come.
        if !isSent { throw BenchmarkFailure(detail: "the server took no more: \(try answer(into: nil).body)") }
    }

    // MARK: the answer

    private func answer(into sink: Int32?) throws(BenchmarkFailure) -> Answer {
        let head = try line()
        let status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        var (length, isChunked) = (0, false)
        while true {
            let field = try line()
            if field.isEmpty { break }
            let parts = field.lowercased().split(separator: ":", maxSplits: 1).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            if parts.first == "content-length" { length = Int(parts[1]) ?? 0 }
            if parts.first == "transfer-encoding" { isChunked = parts[1] == "chunked" }
        }
        var body: [UInt8] = []
        let target = status == 200 ? sink : nil
        var byteCount = 0
        guard isChunked else {
            byteCount = try take(length, into: target, &body)
            return Answer(status: status, body: String(decoding: body, as: UTF8.self), bodyBytes: byteCount)
        }
        while let count = Int(try line(), radix: 16), count > 0 {
            byteCount += try take(count, into: target, &body)
            _ = try line()
        }
        _ = try line()
        return Answer(status: status, body: String(decoding: body, as: UTF8.self), bodyBytes: byteCount)
    }

    private func line() throws(BenchmarkFailure) -> String {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: received[..<end].filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
                received.removeSubrange(...end)
                return line
            }
            try receive()
        }
    }

    private func take(
        _ count: Int, into sink: Int32?, _ body: inout [UInt8]
    ) throws(BenchmarkFailure) -> Int {
        var left = count
        while left > 0 {
            if received.isEmpty { try receive() }
            let part = received.prefix(left)
            if let sink {
                let isWritten = part.withUnsafeBytes { write(sink, $0.baseAddress, $0.count) == $0.count }
                guard isWritten else { throw BenchmarkFailure(detail: "what comes can't be written") }
            } else {
                body += part
            }
            left -= part.count
            received.removeFirst(part.count)
        }
        return count
    }

    private func receive() throws(BenchmarkFailure) {
        var piece = [UInt8](repeating: 0, count: Self.pieceBytes)
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count > 0 else { throw BenchmarkFailure(detail: "the server has ended the connection") }
        received += piece[..<count]
    }
}
