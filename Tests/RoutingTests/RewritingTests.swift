import Addressing
import Routing
import Testing
import Time

/// The user part as a gateway wants it.
@Suite struct RewritingTests {
    static func rewritten(_ user: String, _ rewriting: NumberRewriting) throws -> String {
        var fixture = try LeftOutTests.fixture(gateways: 2) { number, gateway in
            if number == 1 { gateway.rewriting = rewriting }
        }
        let snapshot = fixture.snapshot()
        var set = TargetSet()
        let plan = try #require(snapshot.plan(named: "default"))
        _ = snapshot.select(SelectionTests.query(user, plan), status: fixture.table, into: &set)
        try #require(set.targets.count == 2)
        #expect(
            set.requestURI(of: set.targets[1], user: user) == "sip:\(user)@192.0.2.2",
            "no rewriting leaks into the next target")
        let uri = set.requestURI(of: set.targets[0], user: user)
        #expect(uri.hasPrefix("sip:") && uri.hasSuffix("@192.0.2.1"))
        return String(uri.dropFirst(4).dropLast("@192.0.2.1".count))
    }

    @Test(
        arguments: [
            // strip, prepend, plus
            ("+442071234567", 0, "", .keep, "+442071234567"),
            ("+442071234567", 2, "0", .remove, "02071234567"),
            ("+442071234567", 2, "0", .keep, "+02071234567"),
            ("02071234567", 1, "44", .add, "+442071234567"),
            ("02071234567", 1, "44", .keep, "442071234567"),
            ("442071234567", 0, "", .add, "+442071234567"),
            ("+442071234567", 0, "", .remove, "442071234567"),
            ("%2B442071234567", 0, "", .remove, "442071234567"),
            ("%2B442071234567", 2, "", .keep, "+2071234567"),
            // prefixes of service codes; a `#` stands in no user part as it is
            ("442071234567", 0, "*31#", .keep, "*31%23442071234567"),
            ("%23442071234567", 1, "9", .keep, "9442071234567"),
            ("*%2344", 1, "", .keep, "%2344"),
            // visual separators are for the eye, and are gone where the number is another
            ("+44-(20)-7123.4567", 2, "0", .remove, "02071234567"),
            ("(020)7123-4567", 1, "44", .add, "+442071234567"),
            ("(020)7123-4567", 0, "", .keep, "(020)7123-4567"),
            // nothing is left: better the number as it came than an empty user part
            ("44", 2, "", .keep, "44"), ("44", 9, "", .add, "44"), ("44", 9, "1", .keep, "1"),
            // parameters stay; a global number has no context
            ("2071;phone-context=+44", 0, "44", .add, "+442071"),
            ("2071;isub=12;phone-context=example.com;ext=9", 0, "44", .add, "+442071;isub=12;ext=9"),
            ("2071;PHONE-context=+44;isub=1", 1, "9", .keep, "9071;PHONE-context=+44;isub=1"),
            ("2071;phone-contexts=1", 0, "", .add, "+2071;phone-contexts=1"),
            ("2071;phone-context:secret;phone-context=1", 0, "", .add, "+2071:secret;phone-context=1"),
            ("2071:secret", 1, "", .add, "+071:secret"),
            // no numbers
            ("alice", 1, "9", .add, "alice"), ("a1;phone-context=+44", 1, "", .add, "a1;phone-context=+44"),
            ("44x", 1, "9", .add, "44x"), ("+", 1, "9", .add, "+"), ("44%4", 1, "9", .add, "44%4"),
        ] as [(String, UInt8, String, NumberRewriting.Plus, String)])
    func `digits dropped, digits put in front, and then the plus (API 3)`(
        user: String, strip: UInt8, prepend: String, plus: NumberRewriting.Plus, wanted: String
    ) throws {
        let rewriting = NumberRewriting(stripDigits: strip, prepend: prepend, plus: plus)
        #expect(try Self.rewritten(user, rewriting) == wanted)
    }

    @Test func `a number of any length is rewritten whole`() throws {
        let digits = String(repeating: "1234567890", count: 20)
        let rewriting = NumberRewriting(stripDigits: 32, prepend: String(repeating: "#", count: 32), plus: .add)
        #expect(
            try Self.rewritten(digits, rewriting)
                == "+" + String(repeating: "%23", count: 32) + digits.dropFirst(32))
    }
}
