import Addressing
import SIPMessage
import Testing

/// A message read from text, with its bytes.
struct Parsed {
    let bytes: [UInt8]
    let message: Message

    init(_ text: String) throws(MalformedMessage) { try self.init(Array(text.utf8)) }

    init(_ bytes: [UInt8]) throws(MalformedMessage) {
        var message = Message()
        try message.parse(bytes.span)
        (self.bytes, self.message) = (bytes, message)
    }

    func text(_ range: ByteRange?) -> String? {
        range.map { String(decoding: OutputBuffer.copy(of: bytes.span, $0), as: UTF8.self) }
    }
}

/// The rule that a text breaks; nil when none.
func brokenRule(_ text: String) -> MalformedMessage.Rule? {
    var message = Message()
    let bytes = Array(text.utf8)
    do {
        try message.parse(bytes.span)
        return nil
    } catch {
        return error.rule
    }
}

@Suite struct MessageTests {
    static let request = [
        "INVITE sip:+44207@h.example;x=y SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5061;rport;branch=z9hG4bKa,SIP/2.0/TCP b",
        "v: SIP/2.0/UDP c;branch=z9hG4bKc", "Max-Forwards: 70", "f: \"A; B\" <sip:a@b;tag=no>;tag=from",
        "To: sip:c@d", "i: 1@x", "CSeq: 7 INVITE", "Subject: a\r\n folded\r\n\tline", "l: 3", "", "abcdef",
    ].joined(separator: "\r\n")

    @Test func `a request is read in one pass: all its parts (§7.1)`() throws {
        let parsed = try Parsed(Self.request)
        let message = parsed.message
        #expect(message.isRequest && message.method == .invite)
        #expect(parsed.text(message.methodRange) == "INVITE")
        #expect(parsed.text(message.requestURI) == "sip:+44207@h.example;x=y")
        #expect(parsed.text(message.topVia.value) == "SIP/2.0/UDP 192.0.2.1:5061;rport;branch=z9hG4bKa")
        #expect(parsed.text(message.topVia.branch) == "z9hG4bKa")
        #expect(message.topVia.hasCookie && message.topVia.sentByPort == 5061)
        #expect(message.topVia.responsePort == .requested)
        #expect(message.maxForwards == 70)
        #expect(parsed.text(message.fromTag) == "from")
        #expect(message.toTag == nil)
        #expect(parsed.text(message.to) == "sip:c@d")
        #expect(parsed.text(message.callID) == "1@x")
        #expect(message.cSeqNumber == 7 && message.cSeqMethod == .invite)
        #expect(message.fields.count == 9)
        #expect(parsed.text(message.fields.first { $0.name == .other }?.value) == "a\r\n folded\r\n\tline")
        #expect(parsed.text(message.first(.cSeq)?.line) == "CSeq: 7 INVITE\r\n")
        #expect(message.first(.contact) == nil)
        #expect(parsed.text(message.body) == "abc", "cut at Content-Length (§18.3)")
        #expect(message.isAnswerable)
    }

    @Test func `a response is read: status and reason phrase (§7.2)`() throws {
        let rest = "Via: SIP/2.0/UDP a\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>;tag=t\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\r\n"
        for (line, status, reason) in [
            ("SIP/2.0 200 OK", 200, "OK"), ("SIP/2.0 183 Session  Progress ", 183, "Session  Progress "),
            ("SIP/2.0 404 ", 404, ""), ("SIP/2.0 699", 699, ""), ("sip/2.0 100 \u{E4}", 100, "\u{E4}"),
        ] {
            let parsed = try Parsed(line + "\r\n" + rest)
            #expect(!parsed.message.isRequest && !parsed.message.isAnswerable)
            #expect(parsed.message.status == status)
            #expect(parsed.text(parsed.message.reasonPhrase) == reason)
            #expect(parsed.message.cSeqMethod == .bye)
            #expect(parsed.text(parsed.message.toTag) == "t")
        }
    }

    @Test func `what is met in practice is read all the same`() throws {
        let good = Self.request
        let variants = [
            good, "\r\n\r\n" + good, good.replacing("\r\n", with: "\n"), good.replacing("l: 3\r\n", with: ""),
            good.replacing("Max-Forwards: 70", with: "MAX-FORWARDS : 0068"), good.replacing("l: 3", with: "L: 6"),
            good.replacing("CSeq: 7", with: "cseq:\r\n 0007\r\n "), good.replacing("Max-Forwards: 70\r\n", with: ""),
            good.replacing("To: sip:c@d", with: "t:\"quoted \\\" <x>\" <sip:c@d> ; tag = z"),
            good.replacing("Via: SIP/2.0/UDP 192.0.2.1:5061", with: "Via: SIP / 2.0 / UDP [2001:db8::1] : 5061"),
            good.replacing("SIP/2.0\r\nVia", with: "sip/2.0\r\nVia"), good.replacing("Max-Forwards: 70", with: "X:"),
        ]
        for variant in variants { #expect(brokenRule(variant) == nil, "\(variant)") }
    }

    @Test func `each broken rule is named`() {
        let good = Self.request
        let table: [(String, MalformedMessage.Rule)] = [
            ("", .empty), ("\r\n", .empty), ("\r\n\r\n\r\n", .empty), ("\0\0\0\0", .startLine), ("INVITE", .startLine),
            (good.replacing("INVITE sip:+44207@h.example;x=y SIP/2.0", with: "INVITE sip:a@b"), .startLine),
            (good.replacing("INVITE sip", with: "INV(TE sip"), .startLine),
            (good.replacing("SIP/2.0\r\nVia", with: "HTTP/1.1\r\nVia"), .startLine),
            (good.replacing("SIP/2.0\r\nVia", with: "SIP/7.0\r\nVia"), .version),
            ("SIP/2.0 4294967301 x\r\n\r\n", .startLine), ("SIP/2.0 99 x\r\n\r\n", .startLine),
            ("SIP/2.0 700 x\r\n\r\n", .startLine), ("SIP/2.0 \r\n\r\n", .startLine), ("SIP/2.0\r\n\r\n", .startLine),
            (good.replacing("INVITE sip:", with: "INVITE  sip:"), .requestURI),
            (good.replacing("sip:+44207@h.example;x=y", with: "<sip:a@b>"), .requestURI),
            (good.replacing("sip:+44207@h.example;x=y", with: "sip:a@b:99999"), .requestURI),
            (good.replacing("Max-Forwards: 70", with: "Max Forwards 70"), .fieldLine),
            (good.replacing("Max-Forwards: 70", with: ": x"), .fieldLine),
            (good.replacing("Subject: a\r\n", with: "Subject: a\rX"), .fieldLine),
            (String(good.prefix(200)), .fieldLine), (good.replacing("To: sip:c@d\r\n", with: ""), .missing(.to)),
            (good.replacing("f: ", with: "x: "), .missing(.from)),
            (good.replacing("i: 1@x\r\n", with: ""), .missing(.callID)),
            (good.replacing("CSeq: 7 INVITE\r\n", with: ""), .missing(.cSeq)),
            (good.replacing("Via: ", with: "X: ").replacing("v: ", with: "x: "), .missing(.via)),
            (good.replacing("Subject", with: "to"), .repeated(.to)),
            (good.replacing("Subject: a", with: "i: a"), .repeated(.callID)),
            (good.replacing("l: 3", with: "l: 3\r\nl: 3"), .repeated(.contentLength)),
            (good.replacing("Max-Forwards: 70", with: "Max-Forwards: -1"), .malformed(.maxForwards)),
            (good.replacing("UDP 192.0.2.1:5061", with: "UDP"), .malformed(.via)),
            (good.replacing(";rport;", with: ";;rport;"), .malformed(.via)),
            (good.replacing("sip:c@d", with: "\"x <sip:c@d>"), .malformed(.to)),
            (good.replacing(";tag=from", with: ";tag="), .malformed(.from)),
            (good.replacing("i: 1@x", with: "i: 1 x"), .malformed(.callID)),
            (good.replacing("i: 1@x", with: "i:"), .malformed(.callID)),
            (good.replacing("CSeq: 7 ", with: "CSeq: 2147483648 "), .malformed(.cSeq)),
            (good.replacing("CSeq: 7 ", with: "CSeq: 7"), .malformed(.cSeq)),
            (good.replacing("CSeq: 7 INVITE", with: "CSeq: 7 BYE"), .methodMismatch),
            (good.replacing("CSeq: 7 INVITE", with: "CSeq: 7 invite"), .methodMismatch),
            (good.replacing("l: 3", with: "l: -3"), .malformed(.contentLength)),
            (good.replacing("l: 3", with: "l: 99999999999"), .malformed(.contentLength)),
            (good.replacing("l: 3", with: "l: 7"), .truncatedBody),
        ]
        for (text, rule) in table { #expect(brokenRule(text) == rule, "\(text)") }
    }

    @Test func `more than 256 header fields are refused, and what came before is still answerable`() {
        let head = Self.request.components(before: "l: 3")
        let fields = { (count: Int) in head + String(repeating: "X: y\r\n", count: count) + "\r\n" }
        #expect(brokenRule(fields(248)) == nil)
        #expect(brokenRule(fields(249)) == .tooManyFields(limitCount: 256))
        var message = Message()
        let bytes = Array(fields(2000).utf8)
        #expect(throws: MalformedMessage.self) { try message.parse(bytes.span) }
        #expect(message.isAnswerable)
        #expect(message.fields.count == 256)
    }

    @Test func `one message's memory is the next one's: nothing of the old is left`() throws {
        var message = Message()
        let first = Array(Self.request.utf8)
        try message.parse(first.span)
        let second = Array(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\nFrom: x:y\r\nTo: x:y\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\r\n".utf8)
        try message.parse(second.span)
        #expect(!message.isRequest && message.method == .other && message.requestURI.isEmpty)
        #expect(message.fromTag == nil && message.maxForwards == nil && message.fields.count == 5)
        #expect(message.topVia.branch == nil && message.body.isEmpty)
    }

    @Test
    func `whether a bad request can be answered: Via, From, To, Call-ID and CSeq were there, and no ACK (§8.2.6)`() {
        func isAnswerable(_ text: String) -> Bool {
            var message = Message()
            let bytes = Array(text.utf8)
            #expect(throws: MalformedMessage.self) { try message.parse(bytes.span) }
            return message.isAnswerable
        }
        let good = Self.request
        #expect(isAnswerable(good.replacing("CSeq: 7 ", with: "CSeq: 99999999999 ")))
        #expect(isAnswerable(good.replacing("SIP/2.0\r\nVia", with: "SIP/7.0\r\nVia")))
        #expect(isAnswerable(good.replacing("l: 3", with: "l: 7")))
        #expect(isAnswerable(good.replacing("Max-Forwards: 70", with: "rubbish")))
        #expect(!isAnswerable(good.replacing("To: sip:c@d\r\n", with: "")))
        #expect(!isAnswerable(good.replacing("Via: ", with: "X: ").replacing("v: ", with: "x: ")))
        #expect(!isAnswerable(good.replacing("INVITE", with: "ACK").replacing("l: 3", with: "l: 7")))
        #expect(!isAnswerable("SIP/2.0 20 OK" + good.dropFirst("INVITE sip:+44207@h.example;x=y SIP/2.0".count)))
    }
}

extension String {
    /// What stands before the first occurrence of a text.
    func components(before text: String) -> String {
        ranges(of: text).first.map { String(self[..<$0.lowerBound]) } ?? self
    }
}
