import Addressing
import Fixtures
import SIPMessage
import Testing

/// Seeded damage to good messages: nothing traps, and what is still read can be answered by another message.
@Suite struct MutationTests {
    static let bytesThatMatter = Array("\r\n\t ;,<>\"\\:@=%[]/?\0z9\u{7F}".utf8) + [0xFF]

    static func damaged(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            guard !bytes.isEmpty else { break }
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<7, using: &generator) {
            case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[index] = bytesThatMatter[Int.random(in: 0..<bytesThatMatter.count, using: &generator)]
            case 2:
                bytes.insert(bytesThatMatter[Int.random(in: 0..<bytesThatMatter.count, using: &generator)], at: index)
            case 3: bytes.remove(at: index)
            case 4: bytes.removeLast(bytes.count - index)
            case 5:
                let end = min(bytes.count, index + Int.random(in: 1...40, using: &generator))
                bytes.insert(
                    contentsOf: Array(bytes[index..<end]), at: Int.random(in: 0...bytes.count, using: &generator))
            default:
                let end = min(bytes.count, index + Int.random(in: 1...40, using: &generator))
                bytes.removeSubrange(index..<end)
            }
        }
        return bytes
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `damage never traps; what is read is answered by what can be read`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let source = TransportAddress(.udp, try #require(IPAddress("192.0.2.9")), port: 5060)
        let originals = [
            MessageTests.request,
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: c <sip:d@e>;tag=2\r\n"
                + "Call-ID: x\r\nCSeq: 1 INVITE\r\nRecord-Route: <sip:p;lr>, <sip:q;lr>\r\nContent-Length: 0\r\n\r\n",
            "OPTIONS tel:+1-2 SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKx;ttl=1\r\n"
                + "f: \"q\\\"\" <sip:a@[::1]>\r\nt: sips:d@e?x=y\r\ni: x\r\nCSeq: 1 OPTIONS\r\n"
                + "m: <sip:a>;q=0.1, *\r\n\r\n",
        ].map { Array($0.utf8) }
        var (message, readCount, answeredCount) = (Message(), 0, 0)
        for round in 0..<3000 {
            let bytes = Self.damaged(originals[round % originals.count], &generator)
            do {
                try message.parse(bytes.span)
                readCount += 1
            } catch {
                #expect(error.offset <= bytes.count)
            }
            for field in message.fields {
                var values = ValueIterator(field.value)
                while let value = values.next(in: bytes.span) {
                    do {
                        let address = try NameAddress.parse(bytes.span, value)
                        _ = try SIPURI.parse(bytes.span, address.uri)
                    } catch is NameAddress.Malformed {
                        continue
                    } catch is SIPURI.Malformed {
                        continue
                    }
                }
            }
            guard message.isAnswerable else { continue }
            var output = OutputBuffer(capacity: 2048)
            writeResponse(
                400, "Bad", to: message, in: bytes.span, from: source, toTag: 1, server: "T", into: &output)
            answeredCount += 1
            #expect(!output.bytes.isEmpty)
            _ = responseDestination(of: message, in: bytes.span, source: source)
        }
        #expect(readCount > 100, "seed \(seed): damage must leave something to read")
        #expect(answeredCount > 500, "seed \(seed)")
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `the answer to a well-formed request is well-formed`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed &+ 1000)
        let source = TransportAddress(.udp, try #require(IPAddress("2001:db8::9")), port: 5060)
        var (message, answer, count) = (Message(), Message(), 0)
        for _ in 0..<3000 {
            let bytes = Self.damaged(Array(MessageTests.request.utf8), &generator)
            do {
                try message.parse(bytes.span)
            } catch {
                continue
            }
            guard message.isAnswerable else { continue }
            var output = OutputBuffer(capacity: 2048)
            writeResponse(404, "No", to: message, in: bytes.span, from: source, toTag: 1, server: "T", into: &output)
            try answer.parse(output.bytes.span)
            #expect(answer.status == 404)
            #expect(answer.cSeqNumber == message.cSeqNumber)
            #expect(answer.toTag != nil)
            count += 1
        }
        #expect(count > 100)
    }
}
