import Testing
import Time

@Suite struct WallTimeTests {
    @Test func `what RFC 3339 can't say is written as the nearest that it can, and sums stay at the ends`() {
        let table: [(Int64, String)] = [
            (.min, "0000-01-01T00:00:00.000Z"), (-62_167_219_200_001, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"), (-62_167_219_199_999, "0000-01-01T00:00:00.001Z"),
            (253_402_300_800_000, "9999-12-31T23:59:59.999Z"), (.max, "9999-12-31T23:59:59.999Z"),
        ]
        for (milliseconds, text) in table { #expect(WallTime(milliseconds: milliseconds).rfc3339 == text) }
        #expect(WallTime(milliseconds: .max) + .seconds(1) == WallTime(milliseconds: .max))
        #expect(WallTime(milliseconds: .min) + .seconds(-1) == WallTime(milliseconds: .min))
    }

    @Test func `RFC 3339 in UTC with milliseconds, written and read, leap days and times before 1970 included`() {
        let table: [(Int64, String)] = [
            (0, "1970-01-01T00:00:00.000Z"), (1_767_261_630_000, "2026-01-01T10:00:30.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"), (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ]
        for (milliseconds, text) in table {
            #expect(WallTime(milliseconds: milliseconds).rfc3339 == text)
            #expect(WallTime(rfc3339: text)?.milliseconds == milliseconds)
        }
    }

    @Test func `days follow each other without gap or repeat over 1,200 years`() {
        var last = ""
        for day in 0..<438_000 as Range<Int64> where day % 7 == 0 {
            let text = WallTime(milliseconds: day * 86_400_000).rfc3339
            #expect(text > last)
            last = text
        }
        #expect(last.hasPrefix("3169-"))
    }

    @Test func `adding a duration counts milliseconds`() {
        #expect(WallTime(milliseconds: 5) + .seconds(1) == WallTime(milliseconds: 1005))
        #expect(WallTime(milliseconds: 5) < WallTime(milliseconds: 6))
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("2026-01-01T10:00:30.250Z", 1_767_261_630_250),
        ("2024-02-29T23:59:59.9999+01:00", 1_709_247_599_999), ("1969-12-31T23:59:59.999Z", -1),
    ])
    func `a time is read as RFC 3339 writes it`(text: String, milliseconds: Int64) {
        #expect(WallTime(rfc3339: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "2026-01-01", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00Zx",
    ])
    func `what is no time is refused`(text: String) {
        #expect(WallTime(rfc3339: text) == nil)
    }
}
