import SIPMessage
import Testing

@Suite struct URIEquivalenceTests {
    static func areEquivalent(_ left: String, _ right: String) -> Bool {
        let (one, other) = (Array(left.utf8), Array(right.utf8))
        return SIPURI.areEquivalent(
            ByteRange(0, one.count), in: one.span, ByteRange(0, other.count), in: other.span)
    }

    @Test(arguments: [
        ("sip:%61lice@h.example;transport=TCP", "sip:alice@H.ExAmple;Transport=tcp"),
        ("sip:c@h.example", "sip:c@h.example;newparam=5"),
        ("sip:c@h.example;newparam=5", "sip:c@h.example;security=on"),
        ("sip:h.example;transport=tcp;method=BYE?to=sip:b%40x", "sip:h.example;method=BYE;transport=tcp?to=sip:b%40x"),
        ("sip:a@h?subject=a%20b&priority=urgent", "sip:a@h?Priority=urgent&Subject=a%20b"),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0:0:0:0:1]"), ("sip:a@[::ffff:192.0.2.1]", "sip:a@192.0.2.1"),
        ("sip:a%3Bb@h", "sip:a%3bb@h"), ("SIPS:a:pw@h:5061", "sips:a:pw@h:5061"), ("sip:a@h;x=%41", "sip:a@h;x=a"),
        ("tel:+44-20-7123", "tel:+44(20)7123"), ("tel:+1.2;ext=3-4;x=y", "TEL:+12;X=Y;EXT=34"),
        ("tel:7042;phone-context=example.COM", "tel:70-42;phone-context=example.com"),
        ("tel:1;phone-context=+1-2", "tel:1;phone-context=+12"), ("tel:*a#", "tel:*A#"),
        ("urn:service:sos", "urn:service:sos"),
    ])
    func `equivalent, and so the other way round (§19.1.4, RFC 3966 section 4)`(left: String, right: String) {
        #expect(Self.areEquivalent(left, right))
        #expect(Self.areEquivalent(right, left))
    }

    @Test(arguments: [
        ("sip:ALICE@h;transport=udp", "sip:alice@h;transport=UDP"), ("sip:b@h", "sip:b@h:5060"),
        ("sip:b@h", "sip:b@h;transport=udp"), ("sip:b@h", "sip:b@h:6000;transport=tcp"),
        ("sip:c@h", "sip:c@h?Subject=x"), ("sip:c@h?a=b", "sip:c@h?a=c"), ("sip:c@h?a=b&a=b", "sip:c@h?a=b&c=d"),
        ("sip:b@name.example", "sip:b@192.0.2.4"), ("sip:c@h;security=on", "sip:c@h;security=off"),
        ("sip:a@h", "sips:a@h"), ("sip:h", "sip:a@h"), ("sip:a@h", "sip:a:pw@h"), ("sip:a%3Bb@h", "sip:a;b@h"),
        ("sip:a@h", "sip:a@h;user=phone"), ("sip:a@h", "sip:a@h;ttl=1"), ("sip:a@h", "sip:a@h;maddr=192.0.2.1"),
        ("sip:a@h", "sip:a@h;method=INVITE"), ("sip:a@h;lr", "sip:a@h;lr=on"), ("sip:+44-1@h", "sip:+441@h"),
        ("tel:+44", "tel:44"), ("tel:+44", "tel:+44;ext=1"), ("tel:+44;ext=1", "tel:+44;ext=2"),
        ("tel:+44", "sip:+44@h"),
        ("tel:1;phone-context=a.b", "tel:1;phone-context=a.c"), ("urn:service:sos", "urn:service:Sos"),
        ("sip:a@h", "nothing"), ("tel:x", "tel:x"),
    ])
    func `different, and so the other way round`(left: String, right: String) {
        #expect(!Self.areEquivalent(left, right))
        #expect(!Self.areEquivalent(right, left))
    }

    @Test func `so many parameters that comparing them would cost too much are different`() {
        let few = (0..<32).map { ";p\($0)=x" }.joined()
        #expect(Self.areEquivalent("sip:a@h" + few, "sip:a@h" + few))
        let many = (0..<33).map { ";p\($0)=x" }.joined()
        #expect(!Self.areEquivalent("sip:a@h" + many, "sip:a@h" + many))
        let headers = (0..<33).map { "&p\($0)=x" }.joined()
        #expect(!Self.areEquivalent("sip:a@h?a=b" + headers, "sip:a@h?a=b" + headers))
        #expect(!Self.areEquivalent("tel:1" + many, "tel:1" + many))
    }

    @Test func `a telephone number is one by tel or by user=phone (§19.1.1)`() throws {
        for (text, isTelephone) in [
            ("tel:+44", true), ("sip:+44@h;user=phone", true), ("sip:44@h;x;User=PHONE", true), ("sip:+44@h", false),
            ("sip:+44;user=phone@h", false), ("sip:44@h;user=ip", false), ("sip:44@h;user", false),
        ] {
            let bytes = Array(text.utf8)
            let uri = try SIPURI.parse(bytes.span, ByteRange(0, bytes.count))
            #expect(uri.isTelephone(in: bytes.span) == isTelephone, "\(text)")
        }
    }

    @Test(
        arguments: [
            ("", .missing, 0), ("+", .missing, 0), ("-.", .missing, 0), ("+44a", .unexpected, 3),
            ("+*1", .unexpected, 1),
            ("12 3", .unexpected, 2), ("44x", .unexpected, 2), ("44;", .parameter, 2), ("44;=x", .parameter, 2),
        ] as [(String, MalformedValue.Rule, Int)])
    func `what is no telephone subscriber, and where (RFC 3966 section 3)`(
        text: String, rule: MalformedValue.Rule, offset: Int
    ) {
        let found = ValueTests.reading(text) { datagram, range throws(MalformedValue) in
            try TelephoneSubscriber.parse(datagram, range).isGlobal
        }
        #expect(found == .broken(rule, at: offset))
    }
}
