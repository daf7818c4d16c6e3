import JSON
import Testing

@Suite struct JSONParserTests {
    static func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    static func detail(_ bytes: [UInt8]) -> String? {
        do throws(MalformedJSON) {
            _ = try JSONValue(parsing: bytes)
            return nil
        } catch {
            return error.detail
        }
    }

    @Test func `every kind of value is read, with blanks wherever they may stand`() throws {
        let text = " {\"a\" : [ 1 , -2.5,true,false , null,\"x\" ,[ ], { } ] ,\r\n\t\"b\":{\"c\":\"\"}} \n"
        let value: JSONValue = .object([
            "a": .array([
                .integer(1), .number(-2.5), .bool(true), .bool(false), .null, .string("x"), .array([]), .object([:]),
            ]), "b": .object(["c": .string("")]),
        ])
        #expect(try Self.parse(text) == value)
        #expect(try Self.parse(value.canonicalText) == value)
        #expect(try Self.parse("7") == .integer(7))
    }

    @Test func `values are equal that hold the same bytes, and not those of another Unicode normalisation`() throws {
        let (composed, decomposed) = ("{\"a\":[\"caf\u{E9}\"]}", "{\"a\":[\"cafe\u{301}\"]}")
        #expect(try Self.parse(composed) != Self.parse(decomposed))
        #expect(try Self.parse(composed) == Self.parse(composed))
        let (one, other) = ("q\u{307}\u{323}", "q\u{323}\u{307}")
        #expect(one.utf8.count == other.utf8.count && JSONValue.string(one) != .string(other))
        #expect(JSONValue.null == .null && JSONValue.null != .bool(false) && JSONValue.integer(1) != .number(1))
    }

    @Test(arguments: [
        ("0", JSONValue.integer(0)), ("-0", .integer(0)), ("2.0", .integer(2)), ("2e3", .integer(2000)),
        ("1E-2", .number(0.01)), ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("1e300", .number(1e300)),
    ])
    func `numbers: whole ones that fit are integers (section 6)`(_ text: String, _ value: JSONValue) throws {
        #expect(try Self.parse(text) == value)
    }

    @Test(arguments: [
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{08}\u{0C}\n\r\t"), (#""\u0041\u00e9\u0000""#, "A\u{E9}\u{0}"),
        (#""\ud83d\uDE00x""#, "\u{1F600}x"), ("\"\u{1F600}\u{7F}\"", "\u{1F600}\u{7F}"),
    ])
    func `strings: escapes, pairs of them, UTF-8 as it is (section 7)`(_ text: String, _ value: String) throws {
        #expect(try Self.parse(text) == .string(value))
        #expect(try Self.parse(JSONValue.string(value).canonicalText) == .string(value))
    }

    @Test(arguments: [
        ("", "line 1, column 1: a value is missing"), ("{\"uri\":", "line 1, column 8: a value is missing"),
        ("{\n \"a\":1,\n}", "line 3, column 1: the name of a member in double quotes is missing"),
        ("{\"a\" 1}", "line 1, column 6: a colon is missing"),
        ("{\"a\":1 \"b\":2}", "column 8: a comma or } is missing"),
        ("[1 2]", "column 4: a comma or ] is missing"), ("[1,]", "column 4: no value begins so"),
        ("[1}", "column 3: a comma or ] is missing"), ("{} {}", "column 4: something follows the value"),
        ("{\"a\":1,\"b\":2,\"a\":3}", "column 14: the name \"a\" stands twice in one object"),
        ("{\"a\":1,\"\\u0061\":3}", "column 8: the name \"a\" stands twice in one object"),
        ("01", "column 2: something follows the value"), ("-", "column 2: a digit is missing"),
        ("1.", "column 3: a digit is missing"), ("1e+", "column 4: a digit is missing"), (".5", "no value begins so"),
        ("+1", "no value begins so"), ("1e400", "column 1: a number out of range"), ("NaN", "no value begins so"),
        ("tru", "column 4: no value begins so"), ("nul0", "column 4: no value begins so"),
        ("\"abc", "column 1: a string does not end"), ("\"ab\\", "a string does not end"),
        ("\"a\nb\"", "column 3: a control character"), ("'a'", "no value begins so"),
        ("\"\\x\"", "column 2: an escape in a string"), ("\"\\u12g4\"", "column 2: an escape in a string"),
        ("\"\\ud800\"", "column 2: an escape in a string"), ("\"\\udc00\\ud800\"", "column 2: an escape in a string"),
        ("\"\\ud800\\u0041\"", "column 2: an escape in a string"), ("\u{FEFF}{}", "column 1: no value begins so"),
        ("// x\n{}", "no value begins so"),
    ])
    func `what is not JSON is refused with its line and column`(_ text: String, _ expected: String) {
        #expect(
            Self.detail(Array(text.utf8))?.contains(expected) == true, "\(Self.detail(Array(text.utf8)) ?? "taken")")
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(Self.detail([0x22, 0xFF, 0x22])?.contains("column 2: a string is not UTF-8") == true)
        #expect(Self.detail([0x22, 0xED, 0xA0, 0x80, 0x22])?.contains("not UTF-8") == true)
        #expect(Self.detail([0x22, 0x5C, 0x6E, 0xC3, 0x22])?.contains("not UTF-8") == true)
        #expect(Self.detail([0xFF])?.contains("no value begins so") == true)
    }

    @Test func `nesting is bounded`() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array(String(repeating: "[", count: depth).utf8) + Array(String(repeating: "]", count: depth).utf8)
        }
        #expect(Self.detail(nested(128)) == nil)
        #expect(Self.detail(nested(129))?.contains("column 129: nested more than 128 deep") == true)
        #expect(Self.detail(Array(String(repeating: "{\"a\":", count: 500_000).utf8))?.contains("128 deep") == true)
    }

    @Test func `a text that is cut or has a byte changed is read or refused, and never traps`() {
        let text = Array(#"{"a":[1,-2.5e3,"\ud83d\ude00\n",{"b":null}],"c":true,"dé":"x"}"#.utf8)
        var refusedCount = 0
        for position in text.indices {
            if Self.detail(Array(text[..<position])) != nil { refusedCount += 1 }
            for byte: UInt8 in [0, 0x22, 0x5C, 0x7B, 0x5D, 0x2C, 0x30, 0x75, 0x80, 0xFF] {
                var changed = text
                changed[position] = byte
                if Self.detail(changed) != nil { refusedCount += 1 }
            }
        }
        #expect(refusedCount > text.count * 5)
    }
}
