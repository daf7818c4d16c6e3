import Fixtures
import SignallingCore
import Testing
import Time

@testable import SignallingIO

@Suite struct TimerWheelTests {
    /// Starts at an arbitrary time, so that the higher wheels turn soon.
    static let origin = Instant(nanoseconds: 255 * 256 * 1_000_000 + 123_456)

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `fires what a sorted list fires: never early, at most a tick late, each once`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var now = Self.origin
        var wheel = TimerWheel(now: now)
        var waiting: [UInt64: Instant] = [:]
        var next: UInt64 = 0
        for _ in 0..<3000 {
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let spans: [Int64] = [0, 2, 300, 40_000, 200_000, 20_000_000]
                let span = spans[Int.random(in: 0..<spans.count, using: &random)] * 1_000_000
                let at = now + .nanoseconds(Int64.random(in: -1_000_000...span, using: &random))
                wheel.arm(at: at, TimerToken(bits: next))
                waiting[next] = at
                next += 1
            }
            let steps: [Int64] = [0, 300_000, 1_000_000, 17_000_000, 900_000_000, 70_000_000_000]
            let step = steps[Int.random(in: 0..<steps.count, using: &random)]
            now = now + .nanoseconds(Int64.random(in: 0...step, using: &random))
            while let token = wheel.takeDue(at: now) {
                let at = waiting.removeValue(forKey: token.bits)
                #expect(at != nil, "seed \(seed): fired twice")
                if let at { #expect(at <= now, "seed \(seed): early") }
            }
            // A timer of the past is armed for the next tick, so up to 2 ms behind its instant.
            let overdue = waiting.values.filter { $0 + .milliseconds(2) <= now }
            #expect(overdue.isEmpty, "seed \(seed): late")
            #expect(wheel.count == waiting.count)
            if let first = waiting.values.min() {
                #expect(wheel.nextDue.map { $0 <= first + .milliseconds(2) } == true)
            } else {
                #expect(wheel.nextDue == nil)
            }
        }
        #expect(next > 1000)
    }

    @Test func `due timers come in the order of their milliseconds, and waking when told to makes progress`() {
        var wheel = TimerWheel(now: Self.origin)
        let delays: [Int64] = [70_000, 3, 500, 255, 256, 257, 32_000, 200_000, 1, 65_536]
        for delay in delays { wheel.arm(at: Self.origin + .milliseconds(delay), TimerToken(bits: UInt64(delay))) }
        var fired: [Int64] = []
        var wakeUps = 0
        while let due = wheel.nextDue {
            wakeUps += 1
            while let token = wheel.takeDue(at: due) { fired.append(Int64(token.bits)) }
        }
        #expect(fired == delays.sorted())
        #expect(wakeUps <= 3 * delays.count, "\(wakeUps) wake-ups for \(delays.count) timers")
    }

    @Test(arguments: [1, 7, 100])
    func `so many steps at once: no call does more, and all of them together fire what is due`(limit: Int) {
        var random = SeededGenerator(seed: 3)
        var wheel = TimerWheel(now: Self.origin)
        let timerCount = 5000
        for number in 0..<timerCount {
            // All in one slot of a higher wheel, or in a few; some due in the same millisecond.
            let delay = Int64.random(in: 300_000...(number.isMultiple(of: 3) ? 300_002 : 400_000), using: &random)
            wheel.arm(at: Self.origin + .milliseconds(delay), TimerToken(bits: UInt64(number)))
        }
        let now = Self.origin + .milliseconds(400_000)
        var fired: Set<UInt64> = []
        var (callCount, stepCount) = (0, 0)
        while let due = wheel.nextDue, due <= now {
            var steps = limit
            while let token = wheel.takeDue(at: now, steps: &steps) {
                let isFirst = fired.insert(token.bits).inserted
                #expect(isFirst)
            }
            stepCount += limit - steps
            callCount += 1
            if wheel.count > 0 { #expect(steps == 0, "nil with steps left says that nothing is due") }
        }
        #expect(fired.count == timerCount)
        #expect(callCount >= stepCount / limit)
        #expect((timerCount...timerCount * TimerWheelTests.wheelCount).contains(stepCount))
    }

    /// A timer moves down once a wheel at most.
    static let wheelCount = 5

    @Test func `what is armed while a slot is half moved fires in its time`() {
        var wheel = TimerWheel(now: Self.origin)
        for number in 0..<UInt64(100) { wheel.arm(at: Self.origin + .seconds(30), TimerToken(bits: number)) }
        let begun = wheel.nextDue ?? Self.origin
        var steps = 10
        #expect(wheel.takeDue(at: begun, steps: &steps) == nil)
        #expect(steps == 0)
        #expect(wheel.nextDue.map { $0 <= begun } == true, "the rest comes next")
        wheel.arm(at: begun + .milliseconds(1), TimerToken(bits: 200))
        wheel.arm(at: Self.origin, TimerToken(bits: 201))
        var first: Set<UInt64> = []
        while let token = wheel.takeDue(at: begun + .milliseconds(2)) { first.insert(token.bits) }
        #expect(first == [200, 201])
        var rest: Set<UInt64> = []
        while let token = wheel.takeDue(at: Self.origin + .seconds(31)) { rest.insert(token.bits) }
        #expect(rest == Set(0..<100))
        #expect(wheel.nextDue == nil)
    }

    @Test func `what is due in a while moves down little by little, never much of it at once`() {
        var wheel = TimerWheel(now: Self.origin)
        // Twenty timers a millisecond, each for 32 s, as Timer B has it.
        var (now, most) = (Self.origin, 0)
        var firedCount = 0
        for millisecond in 0..<40_000 {
            now = Self.origin + .milliseconds(Int64(millisecond))
            for number in 0..<20 { wheel.arm(at: now + .seconds(32), TimerToken(bits: UInt64(number))) }
            var steps = 100_000
            while wheel.takeDue(at: now, steps: &steps) != nil { firedCount += 1 }
            most = max(most, 100_000 - steps)
        }
        #expect(firedCount == 7999 * 20, "rounded up to the next millisecond")
        #expect(
            most <= 2 * 20 + 21, "\(most) in one millisecond: as many as fire, as many moved, and those of one more")
    }

    @Test func `a timer at the end of time and one of the distant past do no harm`() {
        var wheel = TimerWheel(now: Self.origin)
        wheel.arm(at: Instant(nanoseconds: .max), TimerToken(bits: 1))
        wheel.arm(at: Instant(nanoseconds: .min), TimerToken(bits: 2))
        #expect(wheel.takeDue(at: Self.origin) == nil, "a timer of the past fires at the next tick")
        #expect(wheel.takeDue(at: Self.origin + .milliseconds(1)) == TimerToken(bits: 2))
        #expect(wheel.takeDue(at: Self.origin + .seconds(1_000_000)) == nil)
        #expect(wheel.count == 1)
    }
}
