import Testing
import Time

@testable import SIPTransaction

@Suite struct IntervalTests {
    @Test func `it is a duration in whole nanoseconds, and stays at the ends of its range`() {
        #expect(Interval(.milliseconds(500)).duration == .milliseconds(500))
        #expect(Interval(.milliseconds(500)) * 64 == Interval(.seconds(32)))
        #expect(Interval(.milliseconds(499)) < Interval(.milliseconds(500)))
        #expect(Interval(.seconds(1 << 40)).nanoseconds == .max)
        #expect((Interval(nanoseconds: .max / 2) * 64).nanoseconds == .max)
        #expect((Interval(nanoseconds: .min / 2) * 64).nanoseconds == .min)
    }

    @Test func `added to an instant it does what the duration does`() {
        for nanoseconds in [Int64.min, -1, 0, 1, 500_000_000, .max] {
            for origin in [Int64.min, -7, 0, 5_000_000_000, .max] {
                let (interval, instant) = (Interval(nanoseconds: nanoseconds), Instant(nanoseconds: origin))
                #expect(instant + interval == instant + interval.duration)
            }
        }
    }

    @Test func `a machine is at most a cache line, but for the INVITE client's and its like`() {
        #expect(MemoryLayout<InviteServerTransaction>.size <= 64)
        #expect(MemoryLayout<NonInviteServerTransaction>.size <= 64)
        #expect(MemoryLayout<InviteClientTransaction>.size <= 96)
        #expect(MemoryLayout<NonInviteClientTransaction>.size <= 96)
    }
}
