import Testing
import Time

@Suite struct InstantTests {
    @Test func `instants add and subtract durations, and stay at the ends of the time line`() {
        let start = Instant(nanoseconds: 1_500_000)
        #expect((start + .seconds(2)).nanoseconds == 2_001_500_000)
        #expect((start + .milliseconds(-1)).nanoseconds == 500_000)
        #expect(start + .seconds(2) - start == .seconds(2))
        #expect(start - (start + .seconds(2)) == .seconds(-2))
        #expect(Instant(nanoseconds: .max) + .seconds(1) == Instant(nanoseconds: .max))
        #expect(Instant(nanoseconds: .min) + .seconds(-1) == Instant(nanoseconds: .min))
        #expect(start + .seconds(Int64.max) == Instant(nanoseconds: .max))
        #expect(start < start + .nanoseconds(1))
        #expect(start.milliseconds == 1)
    }

    @Test func `durations count in whole nanoseconds and milliseconds, bounded`() {
        #expect(Duration.milliseconds(1500).nanoseconds == 1_500_000_000)
        #expect(Duration.microseconds(1999).milliseconds == 1)
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        #expect(Duration.seconds(Int64.min).nanoseconds == .min)
        #expect((Duration.seconds(9_223_372_036) + .milliseconds(900)).nanoseconds == .max)
        #expect(Instant(nanoseconds: .max) - Instant(nanoseconds: -1) == .nanoseconds(Int64.max))
        #expect(Instant(nanoseconds: .min) - Instant(nanoseconds: 1) == .nanoseconds(Int64.min))
    }
}

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

    @Test func `RFC 3339 in UTC with milliseconds, leap days and times before 1970 included`() {
        let table: [(Int64, String)] = [
            (0, "1970-01-01T00:00:00.000Z"), (1_767_261_630_000, "2026-01-01T10:00:30.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"), (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ]
        for (milliseconds, text) in table { #expect(WallTime(milliseconds: milliseconds).rfc3339 == text) }
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
}
