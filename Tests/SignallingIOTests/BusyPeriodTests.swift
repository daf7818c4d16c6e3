import Testing
import Time

@testable import SignallingIO

@Suite struct BusyPeriodTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test func `a burst that is worked off in time is no overload`() {
        var period = BusyPeriod()
        for milliseconds in 0..<50 {
            period.note(hasMore: true, now: start + .milliseconds(Int64(milliseconds)))
            #expect(!period.isOverload)
        }
        period.note(hasMore: false, now: start + .milliseconds(49))
        period.note(hasMore: true, now: start + .milliseconds(90))
        #expect(!period.isOverload)
    }

    @Test func `full batches with pauses between them are no overload`() {
        var period = BusyPeriod()
        for milliseconds in stride(from: Int64(0), to: 1000, by: 20) {
            period.pause()
            period.note(hasMore: true, now: start + .milliseconds(milliseconds))
            #expect(!period.isOverload)
        }
    }

    @Test func `work without a pause for 50 ms is overload, until the first pause`() {
        var period = BusyPeriod()
        period.note(hasMore: true, now: start)
        period.note(hasMore: true, now: start + .milliseconds(50))
        #expect(period.isOverload)
        period.note(hasMore: true, now: start + .milliseconds(500))
        #expect(period.isOverload)
        period.note(hasMore: false, now: start + .milliseconds(501))
        #expect(!period.isOverload)
        period.note(hasMore: true, now: start + .milliseconds(502))
        #expect(!period.isOverload)
    }
}
