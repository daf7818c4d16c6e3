import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// What becomes of one odd message in either role: the classes of RFC 4475 and RFC 5118 and the corners of RFC 3261
/// section 16, in words of our own. What each means to the parser stands in `TortureClassTests`.
@Suite struct OutcomeTests {
    /// `process`: well-formed, so it is forwarded, or redirected.
    private static let process = "process"

    struct Row: CustomTestStringConvertible {
        let what: String
        let text: String
        let proxy: String
        let redirect: String

        var testDescription: String { what }
    }

    /// A request with these fields in place of the good ones of the same name; nil leaves one out.
    private static func row(
        _ what: String, _ startLine: String = "INVITE sip:+4420@192.0.2.9 SIP/2.0",
        replacing changes: [String: String?] = [:], adding more: [String] = [], body: String = "",
        proxy: String, redirect: String? = nil
    ) -> Row {
        let method = startLine.prefix { $0 != " " }
        let good = [
            ("Via", "SIP/2.0/UDP 10.1.0.1:5080;branch=z9hG4bKrow"), ("Max-Forwards", "70"),
            ("From", "<sip:a@h.example>;tag=1"), ("To", "<sip:b@h.example>"), ("Call-ID", "row@h"),
            ("CSeq", "1 \(method)"), ("Content-Length", "\(body.utf8.count)"),
        ]
        var lines = [startLine]
        for (name, value) in good {
            guard let change = changes[name] else {
                lines.append("\(name): \(value)")
                continue
            }
            if let change { lines.append("\(name): \(change)") }
        }
        let text = (lines + more + ["", body]).joined(separator: "\r\n")
        return Row(what: what, text: text, proxy: proxy, redirect: redirect ?? proxy)
    }

    private static func uri(_ uri: String, proxy: String = process, redirect: String? = nil) -> Row {
        row("Request-URI \(uri.prefix(40))", "INVITE \(uri) SIP/2.0", proxy: proxy, redirect: redirect)
    }

    private static let requestURIs: [Row] = [
        uri("tel:+1-201-555-0123;isub=1411"), uri("tel:7042;phone-context=h.example"),
        uri("tel:863-1234;phone-context=+1-914-555"), uri("tel:", proxy: "400"), uri("tel:+1@h.example", proxy: "400"),
        uri("sip:+1-201-555-0123;npdi;cic=+1-6789@h.example;user=phone"), uri("SIP:1@H.EXAMPLE;Transport=UDP"),
        uri("sips:1@h.example", proxy: "480", redirect: process), uri("urn:service:sos", proxy: "416"),
        uri("http://h.example/", proxy: "416"), uri("soap.beep://192.0.2.103:3002", proxy: "416"),
        uri("*", proxy: "400"), uri("a@h.example", proxy: "400"), uri("sip:", proxy: "400"),
        uri("sip:a@", proxy: "400"), uri("sip:@h.example", proxy: "400"), uri("sip:a@b@h.example", proxy: "400"),
        uri("sip:a%4@h.example", proxy: "400"), uri("sip:a%zz@h.example", proxy: "400"),
        uri("sip:sips%3Aa%40b.example@h.example"), uri("sip:a;par=u%40x.example@h.example"),
        uri("sip:n-%00-n@h.example"),
        uri("sip:a:p%20w@h.example"), uri("sip:a@h.example:0", proxy: "400"), uri("sip:a@h.example:", proxy: "400"),
        uri("sip:a@h.example;lr=true"), uri("sip:a@h.example;maddr=239.255.255.1;ttl=15"),
        uri("sip:a@h.example?Route=%3Csip:c%3E"), uri("sip:\(String(repeating: "9", count: 200))@h.example"),
        uri("sip:\(String(repeating: "9", count: 5000))@h.example", proxy: "414"), uri("sip:\u{E9}@h.example"),
        uri("sip:a\"b@h.example", proxy: "400"), uri("<sip:a@h.example>", proxy: "400"),
        uri("sip:a@h.example; lr", proxy: "400"), uri("sip:a@[2001:db8::10]:5070"), uri("sip:a@[2001:db8::10:5070]"),
        uri("sip:a@2001:db8::10", proxy: "400"), uri("sip:a@[fe80::1%25eth0]", proxy: "400"),
        uri("sip:a@[2001:db8::1]:65536", proxy: "400"), uri("sip:a@[2001:db8:0:0:0:0:0:0:1]", proxy: "400"),
        uri("sip:a@[2001:db8:::192.0.2.1]"),
    ]

    private static let fields: [Row] = [
        row("CSeq of 2^31", replacing: ["CSeq": "2147483648 INVITE"], proxy: "400"),
        row("CSeq below 2^31", replacing: ["CSeq": "2147483647 INVITE"], proxy: process),
        row("CSeq of another method", replacing: ["CSeq": "1 invite"], proxy: "400"),
        row("Max-Forwards 256", replacing: ["Max-Forwards": "256"], proxy: process),
        row("Max-Forwards -1", replacing: ["Max-Forwards": "-1"], proxy: "400"),
        row("no Max-Forwards", replacing: ["Max-Forwards": String?.none], proxy: process),
        row("Max-Forwards 0", replacing: ["Max-Forwards": "0"], proxy: "483", redirect: process),
        row(
            "Max-Forwards 0 of BYE", "BYE sip:4420@h SIP/2.0", replacing: ["Max-Forwards": "0"], proxy: "483",
            redirect: process),
        row(
            "Max-Forwards 0 and a scheme that nobody knows (§16.3: the scheme first)", "INVITE x:y SIP/2.0",
            replacing: ["Max-Forwards": "0"], proxy: "416"),
        row("Content-Length of a longer body", replacing: ["Content-Length": "9999"], body: "v=0", proxy: "400"),
        row("two Content-Length", adding: ["l: 0"], proxy: "400"),
        row("no Content-Length", replacing: ["Content-Length": String?.none], body: "v=0", proxy: process),
        row("Proxy-Require", adding: ["Proxy-Require: x, y"], proxy: "420", redirect: process),
        row("Require", adding: ["Require: x"], proxy: process),
        row("Max-Breadth 0", adding: ["Max-Breadth: 0"], proxy: "440", redirect: process),
        row("Expires past every limit", adding: ["Expires: 99999999999999999999"], proxy: process),
        row("a Date that is none", adding: ["Date: Fri, 01 Jan 2010 16:00:00 EST"], proxy: process),
        row("a Contact of nothing but separators", adding: ["Contact: \"J\" <sip:j@h>;;;;"], proxy: process),
        row("a Route of somebody else", adding: ["Route: <sip:h.example;lr;unknown>"], proxy: process),
        row("a Route that is none", adding: ["Route: nonsense;;,,<"], proxy: process),
        row("two Call-ID", adding: ["i: 2"], proxy: "400"), row("two From", adding: ["f: <sip:x@y>"], proxy: "400"),
        row("two Max-Forwards", adding: ["max-forwards: 3"], proxy: "400"),
        row("no To", replacing: ["To": String?.none], proxy: "drop"),
        row("no Via", replacing: ["Via": String?.none], proxy: "drop"),
        row("two addresses in To", replacing: ["To": "<sip:a@b>, <sip:c@d>"], proxy: "400"),
        row("a scheme in To that nobody knows", replacing: ["To": "isbn:2983792873"], proxy: process),
        row("an unquoted comma in a name", replacing: ["From": "Bell, A <sip:a@b>;tag=1"], proxy: "400"),
        row("a quote that does not end", replacing: ["To": "\"J. User <sip:j@b>"], proxy: "400"),
        row("a name without a blank behind it", replacing: ["From": "caller<sip:c@b>;tag=3"], proxy: process),
        row("no tag", replacing: ["From": "<sip:c@b>"], proxy: process),
        row("a CR alone", adding: ["Subject: a\rb: c"], proxy: "400"),
        row("a line that is no field", adding: ["Subject nothing"], proxy: "400"),
        row("blanks before the colon", adding: ["Subject \t : x"], proxy: process),
        row("300 fields", adding: (0..<300).map { "X-\($0): y" }, proxy: "400"),
    ]

    private static let vias: [Row] = [
        row("no branch", replacing: ["Via": "SIP/2.0/UDP 10.1.0.1:5080"], proxy: process),
        row(
            "a cookie and nothing behind it", replacing: ["Via": "SIP/2.0/UDP 10.1.0.1:5080;branch=z9hG4bK"],
            proxy: process),
        row("another version in Via", replacing: ["Via": "SIP/3.0/UDP 10.1.0.1:5080;branch=z9hG4bK1"], proxy: "400"),
        row("separators in Via", replacing: ["Via": "SIP/2.0/UDP 10.1.0.1:5080;;,;,,"], proxy: "400"),
        row(
            "a comma too many in Via", replacing: ["Via": "SIP/2.0/UDP 10.1.0.1:5080;branch=z9hG4bK1,,"],
            proxy: "400"),
        row(
            "folds in Via", replacing: ["Via": "SIP / 2.0\r\n / UDP\r\n\t10.1.0.1 : 5080 ; branch = z9hG4bK1"],
            proxy: process),
        row(
            "an IPv6 sent-by, and received without brackets",
            replacing: ["Via": "SIP/2.0/UDP [2001:db8::9:1]:5080;received=2001:db8::9:255;branch=z9hG4bK1"],
            proxy: process),
        row(
            "an IPv6 sent-by without brackets", replacing: ["Via": "SIP/2.0/UDP 2001:db8::9:1;branch=z9hG4bK1"],
            proxy: "400"),
        row(
            "a v4-mapped sent-by",
            replacing: ["Via": "SIP/2.0/UDP [::ffff:10.1.0.1]:5080;branch=z9hG4bK1"], proxy: process),
        row(
            "transports that nobody knows",
            replacing: ["Via": "SIP/2.0/UDP 10.1.0.1:5080;branch=z9hG4bK1, SIP/2.0/UNKNOWN h;branch=z9hG4bK2"],
            adding: ["v: SIP/2.0/TLS-SCTP h"], proxy: process),
    ]

    private static let startLines: [Row] = [
        row("blanks at the end", "OPTIONS sip:4420@h SIP/2.0  ", proxy: "400"),
        row("blanks between", "OPTIONS  sip:4420@h  SIP/2.0", proxy: "400"),
        row("version 7.0", "OPTIONS sip:4420@h SIP/7.0", proxy: "505"),
        row("another protocol", "OPTIONS sip:4420@h HTTP/1.1", proxy: "400"),
        row("no version", "OPTIONS sip:4420@h", proxy: "400"),
        row("a method of odd bytes", "!x-M0_*+`.%i'~ sip:4420@h SIP/2.0", proxy: process),
        row("a method with escapes", "RE%47IST%45R sip:4420@h SIP/2.0", proxy: process),
        row("a method in small letters", "invite sip:4420@h SIP/2.0", proxy: process),
        row("an ACK for nothing", "ACK sip:4420@h SIP/2.0", proxy: "drop"),
        row("a CANCEL of nothing", "CANCEL sip:4420@h SIP/2.0", proxy: "481"),
        row(
            "OPTIONS for us without a hop left (§11)", "OPTIONS sip:10.0.0.1 SIP/2.0",
            replacing: ["Max-Forwards": "0"], proxy: "200"),
    ]

    /// `process`, a status code or `drop`.
    private static func outcome(of row: Row, on listener: ListenerNumber) throws -> String {
        var bench = try Bench()
        try bench.route("any", Route(.routingList("l")))
        bench.receive(row.text, from: bench.caller, on: listener)
        let sent = bench.look()
        if sent.contains(where: { $0.to != bench.caller && !$0.kind.allSatisfy(\.isNumber) }) { return process }
        let finals = sent.filter { $0.kind != "100" }
        #expect(finals.count <= 1)
        return ["300", "302"].contains(finals.first?.kind) ? process : finals.first?.kind ?? "drop"
    }

    @Test(arguments: requestURIs + fields + vias + startLines)
    func `an odd message has one outcome in each role`(row: Row) throws {
        #expect(try Self.outcome(of: row, on: Bench.proxy) == row.proxy, "as proxy")
        #expect(try Self.outcome(of: row, on: Bench.redirect) == row.redirect, "as redirect server")
    }

    @Test func `a sips URI goes nowhere that is not safe, and its sender is told why (RFC 5630 section 5.3)`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE", uri: "sips:+442071234567@10.0.0.1"), from: bench.caller)
        #expect(try bench.last("480", to: bench.caller).first("Warning") == "380 tandem \"SIPS Not Allowed\"")
        #expect(bench.trace() == ["480>caller"])
        bench.receive(
            bench.request("INVITE", uri: "sips:33@x", callID: "c2"), from: bench.caller, on: Bench.redirect)
        #expect(try bench.last("404", to: bench.caller).all("Warning").isEmpty)
    }

    @Test func `a 100 brings Timestamp back, no other answer does (§8.2.6.1)`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE", extra: ["TimeStamp:  54.2 "]), from: bench.caller)
        #expect(try bench.last("100", to: bench.caller).all("Timestamp") == ["54.2"])
        #expect(try bench.last("INVITE", to: try bench.gateway(1)).first("TimeStamp") == " 54.2 ")
        bench.receive(
            bench.request("INVITE", uri: "sip:33@x", callID: "c2", extra: ["Timestamp: 1"]), from: bench.caller,
            on: Bench.redirect)
        #expect(try bench.last("404", to: bench.caller).all("Timestamp").isEmpty)
    }
}
