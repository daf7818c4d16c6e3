import Testing
import Time

@testable import SignallingIO

@Suite struct BusyPeriodTests {
    private let start = Instant(nanoseconds: 1_000_000_000)
    private let limit: UInt32 = 32 << 20

    /// A turn of 64 datagrams with so many left at the socket, which is asked for.
    private func turn(_ period: inout BusyPeriod, at milliseconds: Int64, leaving count: UInt32, isLate: Bool = false) {
        period.note(
            hasMore: count > 0, isLate: isLate, receivedCount: 64, now: start + .milliseconds(milliseconds)
        ) { BusyPeriod.Queue(taken: count * 1280, limit: limit) }
    }

    @Test func `a burst that is worked off in time is no overload`() {
        var period = BusyPeriod()
        for milliseconds in Int64(0)..<50 {
            turn(&period, at: milliseconds, leaving: 6000)
            #expect(!period.isOverload)
        }
        turn(&period, at: 49, leaving: 0)
        turn(&period, at: 90, leaving: 6000)
        #expect(!period.isOverload)
    }

    @Test func `full batches with pauses between them are no overload`() {
        var period = BusyPeriod()
        for milliseconds in stride(from: Int64(0), to: 1000, by: 20) {
            period.pause()
            turn(&period, at: milliseconds, leaving: 6000)
            #expect(!period.isOverload)
        }
    }

    @Test func `who is busy for ever and never late is not overloaded`() {
        var period = BusyPeriod()
        for milliseconds in Int64(0)..<5000 {  // 64,000 a second: 6,399 wait for less than 100 ms
            turn(&period, at: milliseconds, leaving: 6200)
            #expect(!period.isOverload)
        }
    }

    @Test func `what would wait for 100 ms is overload, until less would`() {
        var period = BusyPeriod()
        for milliseconds in Int64(0)..<50 { turn(&period, at: milliseconds, leaving: 6600) }
        #expect(!period.isOverload)
        for milliseconds in Int64(50)..<500 {
            turn(&period, at: milliseconds, leaving: 6600)
            #expect(period.isOverload)
        }
        turn(&period, at: 500, leaving: 4000)
        #expect(!period.isOverload)
        turn(&period, at: 501, leaving: 6600)
        #expect(period.isOverload)
        turn(&period, at: 502, leaving: 0)
        turn(&period, at: 503, leaving: 6600)
        #expect(!period.isOverload)
    }

    @Test func `what came while the worker stood still for 90 ms is no overload`() {
        var period = BusyPeriod()
        var waiting: UInt32 = 90 * 45
        for milliseconds in Int64(0)..<500 where waiting > 0 {  // 64 a ms are worked off, 45 come
            turn(&period, at: milliseconds, leaving: waiting)
            #expect(!period.isOverload)
            waiting -= min(waiting, 64 - 45)
        }
        #expect(waiting == 0)
    }

    @Test func `who slows down is judged by how fast he is now`() {
        var period = BusyPeriod()
        for milliseconds in Int64(0)..<2000 { turn(&period, at: milliseconds, leaving: 1000) }
        #expect(!period.isOverload)
        for milliseconds in stride(from: Int64(2000), to: 3000, by: 10) {
            turn(&period, at: milliseconds, leaving: 1000)
        }
        #expect(period.isOverload)
    }

    @Test func `a socket that is half full is overload however fast the worker is`() {
        var period = BusyPeriod()
        for microseconds in stride(from: Int64(0), to: 60_000, by: 100) {
            period.note(hasMore: true, isLate: false, receivedCount: 64, now: start + .microseconds(microseconds)) {
                BusyPeriod.Queue(taken: limit / 2 + 1, limit: limit)
            }
        }
        #expect(period.isOverload)
    }

    @Test func `timers that are late for 50 ms are overload, whatever waits at the sockets`() {
        var period = BusyPeriod()
        for milliseconds in Int64(0)..<50 { turn(&period, at: milliseconds, leaving: 1, isLate: true) }
        #expect(!period.isOverload)
        turn(&period, at: 50, leaving: 1, isLate: true)
        #expect(period.isOverload)
        turn(&period, at: 51, leaving: 1)
        #expect(!period.isOverload)
    }

    @Test func `a worker that stood still for years is judged all the same`() {
        var period = BusyPeriod()
        turn(&period, at: 0, leaving: 6600)
        turn(&period, at: 1 << 42, leaving: 6600)
        #expect(period.isOverload)
    }
}
