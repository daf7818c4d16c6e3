import SIPMessage
import Testing

@Suite struct ValueTests {
    /// What a reader makes of a text: its value, or the rule that the text breaks and where.
    enum Reading<Value: Equatable>: Equatable {
        case value(Value)
        case broken(MalformedValue.Rule, at: Int)
    }

    static func reading<Value: Equatable>(
        _ text: String, _ read: (Span<UInt8>, ByteRange) throws(MalformedValue) -> Value
    ) -> Reading<Value> {
        let bytes = Array(text.utf8)
        do {
            return .value(try read(bytes.span, ByteRange(0, bytes.count)))
        } catch {
            return .broken(error.rule, at: error.offset)
        }
    }

    @Test(
        arguments: [
            ("0", 0), ("1", 1000), ("0.", 0), ("1.", 1000), ("0.5", 500), ("0.25", 250), ("0.125", 125), ("0.001", 1),
            ("1.0", 1000), ("1.000", 1000),
        ] as [(String, UInt16)])
    func `q values (§25.1)`(text: String, thousandths: UInt16) {
        #expect(
            Self.reading(text) { datagram, range throws(MalformedValue) in try QValue.parse(datagram, range) }
                == .value(QValue(thousandths: thousandths)))
    }

    @Test(
        arguments: [
            ("", .missing, 0), ("1.0001", .unexpected, 5), ("1.001", .outOfRange, 4), ("1.1", .outOfRange, 2),
            ("2", .outOfRange, 0), ("0,5", .unexpected, 1), (".5", .unexpected, 0), ("-0.5", .unexpected, 0),
            ("0.5 ", .unexpected, 3), ("0.1234", .unexpected, 5), ("00.5", .unexpected, 1), ("0.5e1", .unexpected, 3),
        ] as [(String, MalformedValue.Rule, Int)])
    func `what is no q value, and where (q of 1.0001)`(text: String, rule: MalformedValue.Rule, offset: Int) {
        #expect(
            Self.reading(text) { datagram, range throws(MalformedValue) in try QValue.parse(datagram, range) }
                == .broken(rule, at: offset))
    }

    @Test func `every q value is written so that it reads as itself`() {
        for thousandths in 0...1000 as ClosedRange<UInt16> {
            var output = OutputBuffer(capacity: 8)
            QValue(thousandths: thousandths).write(into: &output)
            let text = String(decoding: output.bytes, as: UTF8.self)
            #expect(
                Self.reading(text) { datagram, range throws(MalformedValue) in try QValue.parse(datagram, range) }
                    == .value(QValue(thousandths: thousandths)))
        }
        #expect(QValue(thousandths: 333) < QValue(thousandths: 334))
        #expect(QValue(thousandths: 2000) == .most)
    }

    @Test func `the q of a Contact: 1 without one (§20.10)`() throws {
        for (text, thousandths) in [("<sip:a@b>", 1000), ("<sip:a@b;q=0.1>;Q=0.7", 700), ("sip:a@b;q=0", 0)]
            as [(String, UInt16)]
        {
            let bytes = Array(text.utf8)
            let address = try NameAddress.parse(bytes.span, ByteRange(0, bytes.count))
            #expect(try address.preference(in: bytes.span) == QValue(thousandths: thousandths))
        }
        let bytes = Array("<sip:a@b>;q".utf8)
        let address = try NameAddress.parse(bytes.span, ByteRange(0, bytes.count))
        let reading = Self.reading("<sip:a@b>;q") { datagram, _ throws(MalformedValue) in
            try address.preference(in: datagram)
        }
        #expect(reading == .broken(.missing, at: 11))
    }

    @Test func `Retry-After: seconds, a comment, a duration (§20.33)`() throws {
        for (text, seconds, comment, duration) in [
            ("18000;duration=3600", 18000, "", 3600), ("120 (I'm in a meeting)", 120, "I'm in a meeting", nil),
            ("0", 0, "", nil), (" 5 ( a (b \\) c) d ) ; x=y;Duration = 9 ", 5, " a (b \\) c) d ", 9),
            ("949302838503028349304023988", .max, "", nil), ("4294967296;duration=99999999999", .max, "", .max),
        ] as [(String, UInt32, String, UInt32?)] {
            let bytes = Array(text.utf8)
            let value = try RetryAfter.parse(bytes.span, ByteRange(0, bytes.count))
            #expect(value.seconds == seconds, "\(text)")
            #expect(String(decoding: OutputBuffer.copy(of: bytes.span, value.comment), as: UTF8.self) == comment)
            #expect(value.durationSeconds == duration, "\(text)")
        }
    }

    @Test(
        arguments: [
            ("", .missing, 0), ("soon", .unexpected, 0), ("-1", .unexpected, 0), ("5 (never ends", .unterminated, 2),
            ("5 (\\)", .unterminated, 2), ("5 6", .parameter, 2), ("5;", .parameter, 1), ("5;duration", .missing, 10),
            ("5;duration=x", .unexpected, 11), ("5;duration=1x", .unexpected, 12), ("1.5", .parameter, 1),
        ] as [(String, MalformedValue.Rule, Int)])
    func `what is no Retry-After, and where`(text: String, rule: MalformedValue.Rule, offset: Int) {
        #expect(
            Self.reading(text) { datagram, range throws(MalformedValue) in try RetryAfter.parse(datagram, range) }
                == .broken(rule, at: offset))
    }

    @Test func `Reason: protocol, cause, text; several a field (RFC 3326)`() throws {
        let bytes = Array("SIP ;cause=200 ;text=\"Call, completed; elsewhere\", q.850;Cause=16, preemption".utf8)
        var values = ValueIterator(ByteRange(0, bytes.count))
        var found: [String] = []
        while let value = values.next(in: bytes.span) {
            let reason = try Reason.parse(bytes.span, value)
            func text(_ range: ByteRange?) -> String {
                range.map { String(decoding: OutputBuffer.copy(of: bytes.span, $0), as: UTF8.self) } ?? "-"
            }
            let cause = reason.cause.map { "\($0)" } ?? "-"
            found.append("\(text(reason.protocolName)) \(cause) \(text(reason.text)) \(reason.isSIP(in: bytes.span))")
        }
        #expect(
            found == [
                "SIP 200 \"Call, completed; elsewhere\" true", "q.850 16 - false", "preemption - - false",
            ])
    }

    @Test(
        arguments: [
            ("", .missing, 0), (";cause=1", .unexpected, 0), ("SIP;cause=x", .outOfRange, 10),
            ("SIP;cause", .outOfRange, 9), ("SIP;cause=4294967496", .outOfRange, 10), ("SIP cause=1", .parameter, 3),
            ("SIP;text=\"x", .parameter, 3),
        ] as [(String, MalformedValue.Rule, Int)])
    func `what is no Reason, and where`(text: String, rule: MalformedValue.Rule, offset: Int) {
        let found = Self.reading(text) { datagram, range throws(MalformedValue) in
            try Reason.parse(datagram, range).cause
        }
        #expect(found == .broken(rule, at: offset))
    }

    @Test(
        arguments: [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sat, 13 Nov 2010 23:29:00 GMT", 1_289_690_940),
            ("Sun, 29 Feb 2032 23:59:59 GMT", 1_961_711_999), ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800), ("Fri, 31 Dec 9999 23:59:60 GMT", 253_402_300_800),
            ("Sat, 01 Jan 0000 00:00:00 GMT", -62_167_219_200),
        ] as [(String, Int64)])
    func `Date: RFC 1123's form (§20.17)`(text: String, seconds: Int64) {
        let found = Self.reading(text) { datagram, range throws(MalformedValue) in
            try SIPDate.parse(datagram, range).secondsSince1970
        }
        #expect(found == .value(seconds))
    }

    @Test(
        arguments: [
            ("Fri, 01 Jan 2010 16:00:00 EST", .unexpected, 25), ("Sat, 13 Nov 2010 23:29:00", .missing, 0),
            ("Sun, 13 Nov 2010 23:29:00 GMT", .unexpected, 0), ("Sat, 31 Nov 2010 23:29:00 GMT", .outOfRange, 5),
            ("Mon, 29 Feb 2010 23:29:00 GMT", .outOfRange, 5), ("Sat, 13 nov 2010 23:29:00 GMT", .unexpected, 8),
            ("Sat, 13 Nov 2010 24:00:00 GMT", .outOfRange, 17), ("Sat, 13 Nov 2010 23:60:00 GMT", .outOfRange, 20),
            ("Sat, 13-Nov-2010 23:29:00 GMT", .unexpected, 7), ("Sat, -3 Nov 2010 23:29:00 GMT", .outOfRange, 5),
        ] as [(String, MalformedValue.Rule, Int)])
    func `what is no Date, and where (RFC 4475 3.1.2.12)`(text: String, rule: MalformedValue.Rule, offset: Int) {
        #expect(
            Self.reading(text) { datagram, range throws(MalformedValue) in try SIPDate.parse(datagram, range) }
                == .broken(rule, at: offset))
    }
}
