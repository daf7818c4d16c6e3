import Fixtures
import Testing

@testable import SIPMessage

/// Messages out of a stream, RFC 3261 section 18.3.
@Suite struct StreamFramingTests {
    /// What a stream held: each outcome with its bytes, in order, and what was left.
    private struct Reading: Equatable {
        var parts: [String] = []
        var rest = ""
    }

    /// Reads a stream that comes in pieces, as an owner does.
    private func read(_ pieces: [[UInt8]]) -> Reading {
        var (framing, reading, bytes) = (StreamFraming(), Reading(), [UInt8]())
        for piece in pieces {
            bytes += piece
            loop: while true {
                let outcome = framing.next(in: bytes.span)
                let count: Int
                switch outcome {
                case .incomplete: break loop
                case .blank(let taken): count = taken
                case .ping(let taken):
                    reading.parts.append("ping")
                    count = taken
                case .message(let taken):
                    reading.parts.append("message " + String(decoding: bytes[..<taken], as: UTF8.self))
                    count = taken
                case .unframed(let taken):
                    reading.parts.append("unframed " + String(decoding: bytes[..<taken], as: UTF8.self))
                    return reading
                }
                #expect(count > 0 && count <= bytes.count)
                bytes.removeFirst(count)
            }
        }
        reading.rest = String(decoding: bytes, as: UTF8.self)
        return reading
    }

    private func read(_ text: String) -> Reading { read([[UInt8](text.utf8)]) }

    private func message(_ field: String = "Content-Length: 0", body: String = "") -> String {
        "INVITE sip:44@h SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nSubject: a\r\n b\r\n\(field)\r\nTo: <sip:h>\r\n\r\n\(body)"
    }

    @Test func `several messages in one segment, with line ends and pings between them`() {
        let (first, second) = (message(), message("l : 4", body: "body"))
        let reading = read("\r\n" + first + second + "\r\n\r\n" + first + "\r\n\r\n\r\n\r\n" + second.prefix(30))
        #expect(
            reading.parts == [
                "message " + first, "message " + second, "ping", "message " + first, "ping", "ping",
            ])
        #expect(reading.rest == second.prefix(30))
    }

    @Test func `a stream that is split at any byte, or at every byte, reads the same`() {
        let stream = [UInt8](
            (message("Content-Length:\r\n\t 4\r\n ", body: "b\r\n\r") + "\r\n\r\n" + message()
                + message("CONTENT-LENGTH:12", body: "INVITE sip:x") + message("c: text/plain\r\nl:0")).utf8)
        let whole = read([stream])
        #expect(whole.parts.count == 5 && whole.rest.isEmpty)
        for cut in 0...stream.count {
            #expect(read([Array(stream[..<cut]), Array(stream[cut...])]) == whole, "cut at \(cut)")
        }
        #expect(read(stream.map { [$0] }) == whole)
    }

    @Test func `without a Content-Length, or with a wrong one, the header is all that can be told apart`() {
        let lines = [
            "Subject: x", "Content-Length: -1", "Content-Length: 1 2", "Content-Length:", "Content-Length: 4\r\nl: 4",
            "Content-Length: 2147483648", "Content-Length: 4294967298", "Content-Length: 9223372036854775808",
            "Content-Length: " + String(repeating: "9", count: 40), "Content-Length: +4", "Content-Length: 0x4",
            "Content-Length: 65536", "Content Length: 4",
        ]
        for line in lines {
            #expect(read(message(line, body: "body")).parts == ["unframed " + message(line)], "\(line)")
        }
    }

    @Test func `a message fills the limit to the last byte, and one byte more is refused with the header`() {
        let room = StreamFraming.limitBytes - message("Content-Length: 65000").utf8.count
        let body = String(repeating: "x", count: room)
        #expect(read(message("Content-Length: \(room)", body: body)).parts.first?.hasPrefix("message ") == true)
        #expect(
            read(message("Content-Length: \(room + 1)", body: body)).parts
                == ["unframed " + message("Content-Length: \(room + 1)")])
    }

    @Test func `a header that does not end within the limit is given up there, however it comes`() {
        for filler in ["x", "x\r\n", "x\r\n ", "\r\n "] {
            let stream = [UInt8](
                ("INVITE sip:44@h SIP/2.0\r\nSubject: "
                    + String(repeating: filler, count: StreamFraming.limitBytes)).utf8)
            let part = "unframed " + String(decoding: stream[..<StreamFraming.limitBytes], as: UTF8.self)
            #expect(read([stream]).parts == [part])
            let pieces = stride(from: 0, to: stream.count, by: 1000).map {
                Array(stream[$0..<min($0 + 1000, stream.count)])
            }
            #expect(read(pieces).parts == [part])
        }
    }

    @Test func `what begins with no letter of SIP is not waited for: NUL, TLS, spaces, high bytes`() {
        for first: UInt8 in [0, 0x16, 0x20, 0x80, 0xFF] {
            #expect(read([[first, 3, 1]]).parts.first?.hasPrefix("unframed") == true)
        }
        let nul = "OPTIONS \0\0 SIP/2.0\r\nl: 0\r\n\r\n"
        #expect(read(nul).parts == ["message " + nul], "what stands inside is judged by the reader of messages")
        #expect(read("\r").rest == "\r")
        #expect(read("\r\rX").rest == "X")
    }

    @Test func `any garbage reads the same whole and byte by byte, and never takes more than there is`() {
        var random = SeededGenerator(seed: 18)
        let alphabet = [UInt8]("\r\n\r\n :lLcC0419 \tx\0".utf8)
        for _ in 0..<2000 {
            let stream =
                [UInt8]("A b SIP/2.0\r\n".utf8)
                + (0..<Int.random(in: 1...200, using: &random)).compactMap { _ in
                    alphabet.randomElement(using: &random)
                }
            #expect(read([stream]) == read(stream.map { [$0] }))
        }
    }
}
