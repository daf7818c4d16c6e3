import Addressing
import Fixtures
import SIPMessage
import Testing

/// The classes of mistakes that have felled SIP stacks, one test each. Every message is read in a bounded number of
/// steps, and nothing in it traps.
@Suite struct BugClassTests {
    /// A request with these fields in place of the good ones of the same name; nil leaves one out.
    static func request(
        _ method: String = "INVITE", uri: String = "sip:a@b", replacing changes: [String: String?] = [:],
        adding more: [String] = [], body: String = ""
    ) -> String {
        let good = [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"), ("From", "<sip:a@b>;tag=1"), ("To", "<sip:c@d>"),
            ("Call-ID", "1@x"), ("CSeq", "1 \(method)"), ("Max-Forwards", "70"),
        ]
        var lines = ["\(method) \(uri) SIP/2.0"]
        for (name, value) in good {
            guard let change = changes[name] else {
                lines.append("\(name): \(value)")
                continue
            }
            if let change { lines.append("\(name): \(change)") }
        }
        return (lines + more + ["", body]).joined(separator: "\r\n")
    }

    static let mandatory: [HeaderName: String] = [
        .via: "Via", .from: "From", .to: "To", .callID: "Call-ID", .cSeq: "CSeq",
    ]

    @Test(arguments: [
        "-1", "-999", "+3", "2147483648", "4294967295", "4294967296", "4294967328", "9223372036854775808",
        "18446744073709551616", String(repeating: "9", count: 40), "1 2", "1,2", "0x3", "3;x", "", "3 ",
    ])
    func `Content-Length: negative, 2^31, 2^32+32, 2^63, 40 digits, "1 2"`(value: String) {
        let text = Self.request(adding: ["Content-Length: \(value)"], body: "abc")
        let isNumber = !value.isEmpty && value.allSatisfy(\.isNumber)
        let expected: MalformedMessage.Rule? =
            value == "3 "
            ? nil
            : isNumber && value.count <= 10 && value <= "4294967295"
                ? .truncatedBody
                : .malformed(.contentLength)
        #expect(brokenRule(text) == expected)
    }

    @Test func `Content-Length: twice, the same or not; at, below and above the body (§18.3)`() throws {
        for values in [["3", "3"], ["3", "2"]] {
            let text = Self.request(adding: values.map { "l: \($0)" }, body: "abc")
            #expect(brokenRule(text) == .repeated(.contentLength))
        }
        #expect(brokenRule(Self.request(adding: ["l: 4"], body: "abc")) == .truncatedBody)
        for (length, body) in [("3", "abc"), ("2", "ab"), ("0", ""), ("0000000003", "abc")] {
            let parsed = try Parsed(Self.request(adding: ["l: \(length)"], body: "abc"))
            #expect(parsed.text(parsed.message.body) == body)
        }
        let parsed = try Parsed(Self.request(body: "abc"))
        #expect(parsed.text(parsed.message.body) == "abc", "without the field it is all of the datagram")
    }

    @Test func `a mandatory header field that is missing, empty or doubled is named`() {
        for (name, text) in Self.mandatory {
            #expect(brokenRule(Self.request(replacing: [text: String?.none])) == .missing(name))
            let empty = brokenRule(Self.request(replacing: [text: ""]))
            #expect(empty == .malformed(name), "\(text)")
            guard name != .via else { continue }  // which may stand many times
            let again = Self.request(adding: ["\(text): \(name == .cSeq ? "1 INVITE" : "<sip:x@y>")"])
            #expect(brokenRule(again) == .repeated(name))
        }
        #expect(brokenRule(Self.request(adding: ["Max-Forwards: 70"])) == .repeated(.maxForwards))
        #expect(brokenRule(Self.request(replacing: ["Max-Forwards": ""])) == .malformed(.maxForwards))
        #expect(brokenRule(Self.request(replacing: ["Max-Forwards": String?.none])) == nil, "RFC 2543 had none")
    }

    @Test func `tags of 0, 1, 255 and 64,000 bytes; a tag without a value; two tags`() throws {
        for count in [1, 255, 64_000] {
            let tag = String(repeating: "t", count: count)
            let parsed = try Parsed(
                Self.request(replacing: ["From": "<sip:a@b>;tag=\(tag)", "To": "sip:c@d;tag=\(tag)"]))
            #expect(parsed.text(parsed.message.fromTag) == tag && parsed.text(parsed.message.toTag) == tag)
        }
        for broken in [";tag=", ";tag", ";tag;x=y", ";tag=1;tag=2", ";tag=1;TAG", ";tag==1"] {
            #expect(brokenRule(Self.request(replacing: ["From": "<sip:a@b>\(broken)"])) == .malformed(.from))
            #expect(brokenRule(Self.request(replacing: ["To": "sip:c@d\(broken)"])) == .malformed(.to))
        }
    }

    @Test func `CSeq below, at and past 2^31 and 2^32 (§8.1.1.5)`() {
        for number in ["0", "2147483647", "000000000000000000001"] {
            #expect(brokenRule(Self.request(replacing: ["CSeq": "\(number) INVITE"])) == nil)
        }
        for number in [
            "2147483648", "4294967295", "4294967296", "36893488147419103232", "-1", "1.0", "", "x",
            String(repeating: "9", count: 1000),
        ] {
            #expect(brokenRule(Self.request(replacing: ["CSeq": "\(number) INVITE"])) == .malformed(.cSeq))
        }
        #expect(brokenRule(Self.request(replacing: ["CSeq": "1INVITE"])) == .malformed(.cSeq))
        #expect(brokenRule(Self.request(replacing: ["CSeq": "1"])) == .malformed(.cSeq))
        #expect(brokenRule(Self.request(replacing: ["CSeq": "1 \r\n\t INVITE"])) == nil)
    }

    @Test func `space and tab before the colon are read, a fold there is not (§25.1, HCOLON)`() {
        for blank in ["", " ", "\t", " \t \t"] {
            #expect(brokenRule(Self.request(adding: ["Subject\(blank): x", "Content-Length\(blank):0"])) == nil)
        }
        for fold in ["\r\n ", "\r\n\t", " \r\n ", "\n "] {
            #expect(brokenRule(Self.request(adding: ["Subject\(fold): x"])) == .fieldLine)
        }
        for line in [": x", " ", "Subject", "Sub ject: x", "Subject\0: x", "Subject\u{A0}: x", "(x): y"] {
            // A line that begins with white space goes on with the one before it.
            let expected: MalformedMessage.Rule? = line == " " ? nil : .fieldLine
            #expect(brokenRule(Self.request(adding: [line])) == expected, "\(line)")
        }
    }

    @Test func `CR alone is refused wherever it stands; LF alone ends a line; NUL and escaped CRLF are bytes`() throws {
        for text in [
            Self.request(adding: ["Subject: a\rEvil: b"]),
            Self.request(replacing: ["From": "\"a\rb\" <sip:a@b>;tag=1"]),
            Self.request(adding: ["Subject: a\r\r\n b"]),
        ] {
            #expect(brokenRule(text) == .fieldLine)
        }
        #expect(brokenRule(Self.request(replacing: ["Call-ID": "a\0b"])) == .malformed(.callID))
        #expect(brokenRule(Self.request(uri: "sip:a\0@b")) == .requestURI)
        let lines = try Parsed(Self.request(adding: ["Subject: a\nRoute: <sip:b>"]))
        #expect(lines.text(lines.message.first(.route)?.value) == "<sip:b>", "seen, not smuggled")
        let bytes = try Parsed(Self.request(adding: ["Subject: a\0b%0D%0A"]))
        #expect(bytes.text(bytes.message.fields.last?.value) == "a\0b%0D%0A")
        let quoted = try Parsed(Self.request(replacing: ["From": "\"\\\0\\\u{7F} \\\\\" <sip:a@b>;tag=1"]))
        #expect(quoted.text(quoted.message.fromTag) == "1")
        #expect(brokenRule(Self.request(replacing: ["From": "\"a\\\" <sip:a@b>;tag=1"])) == .malformed(.from))
    }

    @Test func `ports 0, 65536 and -1, in URIs and in Via`() {
        for port in ["0", "65536", "-1", "99999999999999999999", "", "5o60", "00"] {
            #expect(brokenRule(Self.request(uri: "sip:a@b:\(port)")) == .requestURI)
            #expect(brokenRule(Self.request(uri: "sip:a@[::1]:\(port)")) == .requestURI)
            let via = "SIP/2.0/UDP 192.0.2.1:\(port);branch=z9hG4bK1"
            #expect(brokenRule(Self.request(replacing: ["Via": via])) == .malformed(.via))
        }
        for port in ["1", "65535", "05060"] {
            #expect(brokenRule(Self.request(uri: "sip:a@b:\(port)")) == nil)
        }
    }

    @Test func `a user part of 64 KB is read in one go`() throws {
        let user = String(repeating: "9", count: 64_000)
        let parsed = try Parsed(Self.request(uri: "sip:\(user)@b"))
        let uri = try SIPURI.parse(parsed.bytes.span, parsed.message.requestURI)
        #expect(uri.userinfo?.count == 64_000)
        #expect(brokenRule(Self.request(uri: "sip:" + String(repeating: "%4", count: 30_000) + "@b")) == .requestURI)
    }

    @Test func `a Via chain of 200 in fields, or of 5000 in one, is answered in order and whole`() throws {
        let source = try ResponseWritingTests.address("192.0.2.1", port: 5060)
        let vias = (0..<200).map { "Via: SIP/2.0/UDP h\($0);branch=z9hG4bK\($0)" }
        let many = try Parsed(Self.request(adding: vias))
        let answer = try Parsed(ResponseWritingTests.written(404, to: many, from: source, toTag: 1))
        let written = answer.message.fields.filter { $0.name == .via }.map { answer.text($0.line) ?? "" }
        #expect(written.count == 201)
        #expect(Array(written.dropFirst()) == vias.map { $0 + "\r\n" })

        let list = (0..<5000).map { "SIP/2.0/UDP h\($0)" }.joined(separator: ",")
        let one = try Parsed(Self.request(replacing: ["Via": list]))
        #expect(one.text(one.message.topVia.value) == "SIP/2.0/UDP h0")
        let whole = ResponseWritingTests.written(404, to: one, from: source, toTag: 1)
        #expect(whole.contains("h0;received=192.0.2.1,SIP/2.0/UDP h1,"))
        #expect(whole.contains(",SIP/2.0/UDP h4999\r\n"))
    }

    @Test func `multipart: boundaries are bytes, whatever they pretend`() throws {
        let bodies = [
            "--x\r\n\r\nINVITE sip:a@b SIP/2.0\r\n\r\n--x--", "--x", "--x--\r\n--x--", "\r\n\r\n\r\n",
            "--x\r\nContent-Length: 9\r\n",
            String(repeating: "--x\r\n", count: 10_000),
        ]
        for body in bodies {
            for type in [
                "multipart/mixed;boundary=x", "multipart/mixed", "multipart/mixed;boundary=\"\"", "m/\r\n x;boundary",
            ] {
                let parsed = try Parsed(
                    Self.request(adding: ["Content-Type: \(type)", "l: \(body.utf8.count)"], body: body + "INVITE"))
                #expect(parsed.text(parsed.message.body) == body)
            }
        }
    }

    @Test(.enabled(if: TortureFolder.path != nil, "the folder sip-torture is not there"))
    func `every torture message cut at every byte: nothing traps, and what is left is refused or whole`() throws {
        var (message, count) = (Message(), 0)
        let source = try ResponseWritingTests.address("192.0.2.1", port: 5060)
        for row in TortureFolder.rows(of: "expected.tsv") {
            let whole = try #require(TortureFolder.bytes(of: row[0]))
            for length in 0..<whole.count {
                count += 1
                let bytes = Array(whole[..<length])
                let offset: Int
                do {
                    try message.parse(bytes.span)
                    offset = message.body.upperBound
                } catch {
                    offset = error.offset
                }
                if offset > length { Issue.record("\(row[0]) cut at \(length): \(offset)") }
                guard message.isAnswerable, length % 16 == 0 else { continue }
                var output = OutputBuffer(capacity: 4096)
                writeResponse(
                    400, "Bad", to: message, in: bytes.span, from: source, toTag: 1, server: "T", into: &output)
                #expect(output.count < length + 512)
            }
        }
        #expect(count > 15_000)
    }

    /// 10,000,000 with TANDEM_BAD_MESSAGES=10000000 in the environment.
    @Test func `bad messages by the ten thousand leave memory as it was`() throws {
        let goal = EnvironmentCount.value(of: "TANDEM_BAD_MESSAGES") ?? 50_000
        var generator = SeededGenerator(seed: 7)
        let originals = [MessageTests.request, Self.request(body: "abc"), Self.request("OPTIONS", uri: "tel:+44")]
            .map { Array($0.utf8) }
        var damaged: [[UInt8]] = []
        for round in 0..<2000 {
            damaged.append(MutationTests.damaged(originals[round % originals.count], &generator))
        }
        var (message, refusedCount) = (Message(), 0)
        var before = 0
        for round in 0..<goal {
            if round == damaged.count { before = ResidentMemory.bytes }
            let bytes = damaged[round % damaged.count]
            do {
                try message.parse(bytes.span)
            } catch {
                refusedCount += 1
            }
        }
        #expect(refusedCount > goal / 4)
        // Other tests run beside this one, so that only growth by the message would show.
        #expect(ResidentMemory.bytes - before < 256 << 20)
    }
}
