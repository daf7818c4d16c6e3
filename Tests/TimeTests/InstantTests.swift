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
