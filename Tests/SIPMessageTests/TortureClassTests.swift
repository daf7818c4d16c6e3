import Addressing
import SIPMessage
import Testing

/// The classes of RFC 4475's and RFC 5118's messages, in words of our own.
@Suite struct TortureClassTests {
    static func request(
        _ method: String = "INVITE", uri: String = "sip:a@b", replacing changes: [String: String?] = [:],
        adding more: [String] = [], body: String = ""
    ) -> String {
        BugClassTests.request(method, uri: uri, replacing: changes, adding: more, body: body)
    }

    // MARK: RFC 4475, valid

    @Test func `names of all bytes that may stand in them (3.1.1.2)`() throws {
        let parsed = try Parsed(
            Self.request(
                "!odd-Method0_*+`.%x'~", uri: "sip:1.u~(to-be!)&isn't+it$/cr?,/;;*:&p=1,w!*d_(it)@b.example",
                replacing: [
                    "Via": "SIP/2.0/TCP h.example;branch=z9hG4bK-.!%66*_+`'~",
                    "To": "\"B:\\\u{7} N:\\\0 D:\\\u{7F}\" <sip:1.u~(x)&isn't+it$/c?,/;;*@b.example>",
                    "From": "t1~` t2'+_ t3*%!.- <sip:m@b.example>;p''~+*_!.-%=\"\u{440}\u{430}\";tag=_t~1'+`*%!-.",
                    "Call-ID": "w%ZK-!.*_+'@w`~)(><:\\/\"][?}{",
                ], adding: ["h-!.%*+_`'~: \u{FEFF}\u{5927}"]))
        #expect(parsed.message.method == .other)
        #expect(parsed.text(parsed.message.topVia.branch) == "z9hG4bK-.!%66*_+`'~")
        #expect(parsed.text(parsed.message.fromTag) == "_t~1'+`*%!-.")
        #expect(parsed.text(parsed.message.callID) == "w%ZK-!.*_+'@w`~)(><:\\/\"][?}{")
        let uri = try SIPURI.parse(parsed.bytes.span, parsed.message.requestURI)
        #expect(parsed.text(uri.userinfo) == "1.u~(to-be!)&isn't+it$/cr?,/;;*:&p=1,w!*d_(it)")
        #expect(parsed.text(uri.host) == "b.example")
    }

    @Test func `percent signs where they escape nothing (3.1.1.5); escapes in a user part stay (3.1.1.3, 3.1.1.4)`()
        throws
    {
        let parsed = try Parsed(
            Self.request(
                "IN%56ITE", replacing: ["To": "\"%Z%45\" <sip:r@b>", "Via": "SIP/2.0/UDP h;branch=z9hG4bK2%fz"],
                adding: ["Contact: <sip:a@h>", "C%6Fntact: <sip:b@h>"]))
        #expect(parsed.message.method == .other)
        #expect(parsed.message.fields.filter { $0.name == .contact }.count == 1)
        let escaped = try Parsed(Self.request(uri: "sip:n-%00-n%40@b", replacing: ["To": "<sip:%75ser@b>"]))
        let uri = try SIPURI.parse(escaped.bytes.span, escaped.message.requestURI)
        #expect(escaped.text(uri.userinfo) == "n-%00-n%40")
    }

    @Test func `a semicolon in a user part is part of it (3.1.1.9)`() throws {
        let parsed = try Parsed(Self.request("OPTIONS", uri: "sip:u;par=x%40y.example@b.example;lr"))
        let uri = try SIPURI.parse(parsed.bytes.span, parsed.message.requestURI)
        #expect(parsed.text(uri.userinfo) == "u;par=x%40y.example")
        #expect(parsed.text(uri.host) == "b.example" && parsed.text(uri.parameters) == ";lr")
    }

    @Test func `transports that nobody knows (3.1.1.10)`() throws {
        for transport in ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP", "TLS-SCTP"] {
            let via = "SIP / 2.0 / \(transport) t.example : 5061 ;branch=z9hG4bK1"
            let parsed = try Parsed(
                Self.request(replacing: ["Via": via], adding: ["Via: SIP/2.0/X-\(transport) u;branch=z9hG4bK0"]))
            #expect(parsed.text(parsed.message.topVia.transport) == transport)
            #expect(parsed.message.topVia.sentByPort == 5061)
        }
    }

    @Test func `a reason phrase of any text, or none (3.1.1.12, 3.1.1.13)`() throws {
        let rest = Self.request("INVITE").split(separator: "\r\n", maxSplits: 1)[1]
        for phrase in ["", " ", " \u{3D}\u{442}\u{43E}", " = 2**3 * 9**2 \u{44E}"] {
            #expect(try Parsed("SIP/2.0 183\(phrase)\r\n\(rest)").message.status == 183)
        }
    }

    // MARK: RFC 4475, invalid

    @Test func `stray separators (3.1.2.1)`() {
        for via in [
            "SIP/2.0/UDP 192.0.2.15;;,;,,", "SIP/2.0/UDP h;branch=z9hG4bK1;", "SIP/2.0/UDP h;=x", ",SIP/2.0/UDP h",
            "SIP/2.0/UDP h;branch=z9hG4bK1,", "SIP/2.0/UDP h;branch=z9hG4bK1, ,SIP/2.0/UDP i",
            "SIP / 2.0 / UDP h , SIP/2.0/UDP i,\r\n ,SIP/2.0/UDP j", "SIP / 2.0 / UDP h ,",
        ] {
            #expect(brokenRule(Self.request(replacing: ["Via": via])) == .malformed(.via), "\(via)")
        }
        for via in [
            "SIP/2.0/UDP h;branch=z9hG4bK1,SIP/2.0/UDP i", "SIP / 2.0 / UDP h\r\n , SIP/2.0/UDP i;x=\",,\"",
            "SIP/2.0/UDP h;x=\",\"", "SIP/2.0/UDP h,i",
        ] {
            #expect(brokenRule(Self.request(replacing: ["Via": via])) == nil, "\(via)")
        }
    }

    @Test func `numbers past every limit in a response: refused, and nothing wraps (3.1.2.5, 3.1.2.19)`() {
        let rest = Self.request("OPTIONS").split(separator: "\r\n", maxSplits: 1)[1]
        let large = rest.replacing("CSeq: 1", with: "CSeq: 9292394834772304023312")
        #expect(brokenRule("SIP/2.0 503 Away\r\n" + large) == .malformed(.cSeq))
        for status in ["4294967301", "99", "700", "-100", "1000", "20", "2OO", "", "0200"] {
            #expect(brokenRule("SIP/2.0 \(status) Better\r\n" + rest) == .startLine, "\(status)")
        }
    }

    @Test func `quotes that do not end, and brackets and blanks about a Request-URI (3.1.2.6...3.1.2.10)`() {
        for to in ["\"Mr. J. User <sip:j@b>", "\"a\\\" <sip:j@b>", "a\" <sip:j@b>", "<sip:j@b", "sip:j@b>", "<>"] {
            let rule = brokenRule(Self.request(replacing: ["To": to]))
            #expect(rule == .malformed(.to), "\(to)")
        }
        for line in [
            "INVITE <sip:a@b> SIP/2.0", "INVITE sip:a@b; lr SIP/2.0", "INVITE  sip:a@b  SIP/2.0",
            "INVITE sip:a@b SIP/2.0 ",
            "INVITE sip:a@b\tSIP/2.0", " INVITE sip:a@b SIP/2.0", "INVITE SIP/2.0", "INVITE  SIP/2.0", "INVITE sip:a@b",
            "IN(VITE sip:a@b SIP/2.0",
        ] {
            let text = Self.request().replacing("INVITE sip:a@b SIP/2.0", with: line)
            let rule = brokenRule(text)
            #expect(rule == .startLine || rule == .requestURI, "\(line): \(String(describing: rule))")
        }
    }

    @Test func `what is no address (3.1.2.14, 3.1.2.15)`() {
        for from in [
            "Bell, Alexander <sip:a@b>;tag=1", "\"W, T\" < sip:t@ b >x;tag=1", "sip:t @b;tag=1", "name sip:t@b;tag=1",
            "\"q\" sip:t@b;tag=1", "t;tag=1", "a: <sip:a@b>;tag=1",
        ] {
            #expect(brokenRule(Self.request(replacing: ["From": from])) == .malformed(.from), "\(from)")
        }
    }

    @Test func `versions (3.1.2.16)`() {
        for (version, rule) in [
            ("SIP/7.0", .version), ("SIP/2.01", .version), ("SIP/2", .version), ("SIP/", .startLine),
            ("HTTP/1.1", .startLine),
            ("sip/2.0", nil),
        ] as [(String, MalformedMessage.Rule?)] {
            #expect(brokenRule(Self.request().replacing("@b SIP/2.0", with: "@b \(version)")) == rule, "\(version)")
        }
    }

    @Test func `the method in CSeq is another one, known or not (3.1.2.17, 3.1.2.18)`() {
        for (method, other) in [("OPTIONS", "INVITE"), ("NEWMETHOD", "INVITE"), ("INVITE", "invite"), ("NEWA", "NEWB")]
        {
            #expect(brokenRule(Self.request(method, replacing: ["CSeq": "8 \(other)"])) == .methodMismatch)
        }
    }

    @Test func `what others must judge is passed (3.1.2.11, 3.1.2.12, 3.1.2.13, 3.3.14)`() {
        #expect(brokenRule(Self.request(uri: "sip:a@b?Route=%3Csip:c%3E")) == nil)
        for field in [
            "Date: Fri, 01 Jan 2010 16:00:00 EST", "Contact: sip:a@b?Route=%3Csip:c%3E",
            "Contact: <sip:a@b?Route=%3Csip:c%3E>",
            "Expires: 10000000000000000", "Require: no", "Contact: name:opaque", "Accept: ,",
        ] {
            #expect(brokenRule(Self.request(adding: [field])) == nil, "\(field)")
        }
    }

    // MARK: RFC 5118

    @Test func `IPv6 with and without port, with and without brackets (4.1...4.4)`() throws {
        for (text, host, port) in [
            ("[2001:db8::10]", "[2001:db8::10]", nil), ("[2001:db8::10:5070]", "[2001:db8::10:5070]", nil),
            ("[2001:db8::10]:5070", "[2001:db8::10]", 5070),
        ] as [(String, String, UInt16?)] {
            let parsed = try Parsed(Self.request("REGISTER", uri: "sip:\(text)"))
            let uri = try SIPURI.parse(parsed.bytes.span, parsed.message.requestURI)
            #expect(parsed.text(uri.host) == host && uri.port == port && uri.address?.family == .ipv6)
            let via = try Parsed(Self.request(replacing: ["Via": "SIP/2.0/UDP \(text);branch=z9hG4bK1"]))
            #expect(via.text(via.message.topVia.sentByHost) == host && via.message.topVia.sentByPort == port)
        }
        for bad in [
            "2001:db8::10", "[2001:db8::10", "[]", "[::1::]", "[192.0.2.100]", "[h.example]", "[::1%25eth0]", "[::g]",
        ] {
            #expect(brokenRule(Self.request(uri: "sip:\(bad)")) == .requestURI, "\(bad)")
        }
    }

    @Test func `received with and without brackets (4.5), and addresses of both families (4.7, 4.9)`() throws {
        for received in ["[2001:db8::9:255]", "2001:db8::9:255", "192.0.2.200"] {
            let via = "SIP/2.0/UDP [2001:db8::9:1];received=\(received);branch=z9hG4bK1"
            #expect(try Parsed(Self.request(replacing: ["Via": via])).message.topVia.hasCookie)
        }
        let mapped = try Parsed(
            Self.request(
                replacing: ["Via": "SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKb"],
                adding: ["Via: SIP/2.0/TCP 192.0.2.2", "Contact: \"T. d\" <sip:t@[::ffff:192.0.2.2]>"]))
        #expect(mapped.message.topVia.sentByPort == 19_823)
    }

    @Test func `one colon too many before an IPv4 address at the end names the same host (4.10)`() throws {
        func address(_ host: String) throws -> SIPURI {
            let parsed = try Parsed(Self.request("OPTIONS", uri: "sip:u@\(host)", replacing: ["To": "sip:u@\(host)"]))
            return try SIPURI.parse(parsed.bytes.span, parsed.message.requestURI)
        }
        #expect(try address("[2001:db8:::192.0.2.1]").address == address("[2001:db8::192.0.2.1]").address)
        #expect(try address("[:::192.0.2.1]:5070").port == 5070)
        for bad in [
            "[2001:db8:::1]", "[2001:db8::::192.0.2.1]", "[2001:::db8::192.0.2.1]", "[2001:db8::1:::192.0.2.1]",
            "[:::]", "[2001:db8:::192.0.2]", "[2001:db8:::.]",
        ] {
            #expect(brokenRule(Self.request(uri: "sip:u@\(bad)")) == .requestURI, "\(bad)")
        }
    }
}
