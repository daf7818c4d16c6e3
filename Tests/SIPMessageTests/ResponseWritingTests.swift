import Addressing
import SIPMessage
import Testing

@Suite struct ResponseWritingTests {
    static func address(_ text: String, port: UInt16) throws -> TransportAddress {
        TransportAddress(.udp, try #require(IPAddress(text)), port: port)
    }

    static func written(_ status: Int, to parsed: Parsed, from source: TransportAddress, toTag: UInt64?) -> String {
        var output = OutputBuffer(capacity: 1024)
        writeResponse(
            status, ReasonPhrase.of(status), to: parsed.message, in: parsed.bytes.span, from: source, toTag: toTag,
            server: "T/1", into: &output
        ) { $0.append("X-Extra: 1\r\n") }
        return String(decoding: output.bytes, as: UTF8.self)
    }

    @Test func `Via values in order, the top one completed, From, To with a tag, Call-ID, CSeq (§8.2.6.2, RFC 3581)`()
        throws
    {
        let parsed = try Parsed(MessageTests.request)
        let text = Self.written(404, to: parsed, from: try Self.address("198.51.100.7", port: 1234), toTag: 0xAB)
        #expect(
            text == """
                SIP/2.0 404 Not Found\r
                Via: SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bKa;rport=1234;received=198.51.100.7,SIP/2.0/TCP b\r
                Via: SIP/2.0/UDP c;branch=z9hG4bKc\r
                From: "A; B" <sip:a@b;tag=no>;tag=from\r
                To: sip:c@d;tag=00000000000000ab\r
                Call-ID: 1@x\r
                CSeq: 7 INVITE\r
                X-Extra: 1\r
                Server: T/1\r
                Content-Length: 0\r
                \r

                """)
        let answer = try Parsed(text)
        #expect(answer.message.status == 404)
        #expect(answer.text(answer.message.callID) == "1@x")
    }

    @Test func `a tag that is there stays, and without one of ours To stays as it came (§8.2.6.2)`() throws {
        let source = try Self.address("192.0.2.1", port: 5061)
        let tagged = try Parsed(MessageTests.request.replacing("To: sip:c@d", with: "To: sip:c@d;tag=t"))
        #expect(Self.written(481, to: tagged, from: source, toTag: 1).contains("To: sip:c@d;tag=t\r\n"))
        let untagged = try Parsed(MessageTests.request)
        #expect(Self.written(100, to: untagged, from: source, toTag: nil).contains("To: sip:c@d\r\n"))
    }

    @Test func `received only where the source differs from sent-by; what the sender wrote there goes (§18.2.1)`()
        throws
    {
        let source = try Self.address("192.0.2.1", port: 5061)
        let plain = MessageTests.request.replacing(";rport;", with: ";")
        #expect(!Self.written(200, to: try Parsed(plain), from: source, toTag: 1).contains("received"))
        let lied = plain.replacing("5061;", with: "5061;received=10.0.0.1;rport=9;")
        let text = Self.written(200, to: try Parsed(lied), from: source, toTag: 1)
        #expect(!text.contains("10.0.0.1"))
        #expect(text.contains("branch=z9hG4bKa;rport=5061;received=192.0.2.1,"))
        let other = try Self.address("2001:db8::1", port: 5061)
        #expect(Self.written(200, to: try Parsed(plain), from: other, toTag: 1).contains(";received=2001:db8::1,"))
    }

    @Test func `every status code that we send has its phrase of RFC 3261`() {
        for (status, phrase) in [
            (100, "Trying"), (200, "OK"), (300, "Multiple Choices"), (302, "Moved Temporarily"), (400, "Bad Request"),
            (403, "Forbidden"), (404, "Not Found"), (408, "Request Timeout"), (416, "Unsupported URI Scheme"),
            (420, "Bad Extension"), (481, "Call/Transaction Does Not Exist"), (483, "Too Many Hops"),
            (484, "Address Incomplete"), (487, "Request Terminated"), (500, "Server Internal Error"),
            (503, "Service Unavailable"), (505, "Version Not Supported"), (299, "Accepted"), (699, "Global Failure"),
        ] {
            #expect("\(ReasonPhrase.of(status))" == phrase)
        }
    }
}
