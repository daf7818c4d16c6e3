import Foundation
import Glibc
import Synchronization
import Time

/// Calls and single changes that go on while something else is done, each of them timed, from two threads of their own.
final class BenchedTraffic: Sendable {
    /// What was timed.
    struct Times: Sendable {
        /// From INVITE to its final response.
        var calls = DurationHistogram()
        /// From the request to its answer.
        var changes = DurationHistogram()
        /// Calls without an answer, and changes that were refused.
        var failedCount = 0
    }

    private let times = Mutex(Times())
    private let isEnded = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)

    private static let pauseMicroseconds: UInt32 = 2000

    /// Begins to call `numbers` at the redirect server in turn, and to change one gateway group.
    init(_ server: ServedProcess, numbers: [String], clock: some TimeSource) throws(BenchmarkFailure) {
        let connection = try ServerConnection(port: server.apiPort)
        guard let caller = Caller(port: server.redirectPort) else {
            throw BenchmarkFailure(detail: "no socket for calls")
        }
        // Both are handed over: nobody else has them.
        nonisolated(unsafe) let handedConnection = connection
        repeated { [self] index in
            let begin = clock.now
            let body = "{\"description\":\"\(index)\"}"
            let status = Result { () throws(BenchmarkFailure) in
                try handedConnection.request("PUT", "/v1/gateway-groups/changing", body).status
            }
            let taken = (clock.now - begin).nanoseconds
            let isGood = if case .success(200...201) = status { true } else { false }
            times.withLock {
                $0.changes.add(nanoseconds: taken)
                if !isGood { $0.failedCount += 1 }
            }
            if case .failure = status { usleep(100_000) }
        }
        repeated { [self] index in
            let begin = clock.now
            let isAnswered = caller.call(numbers[index % max(1, numbers.count)], index)
            let taken = (clock.now - begin).nanoseconds
            times.withLock {
                $0.calls.add(nanoseconds: taken)
                if !isAnswered { $0.failedCount += 1 }
            }
        }
    }

    private func repeated(_ body: @escaping @Sendable (Int) -> Void) {
        let thread = Thread { [self] in
            var index = 0
            while !isEnded.load(ordering: .relaxed) {
                body(index)
                index += 1
                usleep(Self.pauseMicroseconds)
            }
            ended.signal()
        }
        thread.start()
    }

    /// What was timed since it was asked last.
    func take() -> Times {
        times.withLock { times in
            defer { times = Times() }
            return times
        }
    }

    /// Ends both.
    func end() {
        isEnded.store(true, ordering: .relaxed)
        ended.wait()
        ended.wait()
    }
}

/// Makes calls to a redirect server over UDP.
private final class Caller: Sendable {
    private let descriptor: Int32
    private let port: UInt16

    private static let timeoutSeconds = 4

    init?(port: UInt16) {
        guard let connected = LoopbackSocket.connected(SOCK_DGRAM, port: port, timeoutSeconds: Self.timeoutSeconds)
        else { return nil }
        (descriptor, self.port) = (connected, port)
    }

    deinit { close(descriptor) }

    /// INVITE, final response, ACK. False: there was no response.
    func call(_ number: String, _ index: Int) -> Bool {
        send("INVITE", number, index, to: "<sip:\(number)@127.0.0.1>")
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return false }
            let response = String(decoding: buffer[..<count], as: UTF8.self)
            guard response.contains("branch=z9hG4bKb\(index);"), response.hasPrefix("SIP/2.0 "),
                !response.hasPrefix("SIP/2.0 1")
            else { continue }
            let to = response.split(separator: "\r\n").first { $0.lowercased().hasPrefix("to:") }
            send("ACK", number, index, to: to.map { String($0.dropFirst(3)) } ?? "")
            return true
        }
    }

    private func send(_ method: String, _ number: String, _ index: Int, to: String) {
        let message =
            "\(method) sip:\(number)@127.0.0.1:\(port) SIP/2.0\r\n"
            + "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb\(index);rport\r\nMax-Forwards: 70\r\n"
            + "From: <sip:bench@127.0.0.1>;tag=b\(index)\r\nTo: \(to)\r\nCall-ID: b\(index)@bench\r\n"
            + "CSeq: 1 \(method)\r\nContact: <sip:bench@127.0.0.1>\r\nContent-Length: 0\r\n\r\n"
        let bytes = Array(message.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, 0)
    }
}
