import Dispatch
import Routing
import Synchronization
import Testing
import Time

@Suite struct CallPlaceTests {
    let table = GatewayInformationTable()
    let now = Instant(nanoseconds: 1_000_000_000_000)

    @Test func `max_calls is never exceeded over all workers, and every end is counted once`() {
        let (table, slot, now) = (table, table.open(0), now)
        let limits = CallLimits(maxCalls: 7)
        let highest = Mutex<UInt32>(0)
        let begunCount = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for _ in 0..<2000 where table.beginCall(slot, limits: limits, now: now) {
                begunCount.wrappingAdd(1, ordering: .relaxed)
                let live = table.liveCalls(slot)
                highest.withLock { $0 = max($0, live) }
                table.endCall(slot)
            }
        }
        #expect(highest.withLock { $0 } <= 7)
        #expect(begunCount.load(ordering: .relaxed) > 0)
        #expect(table.liveCalls(slot) == 0)
        table.endCall(slot)
        #expect(table.liveCalls(slot) == 0, "never below zero")
    }

    @Test func `no limit counts all the same, and 0 lets nobody in`() {
        let slot = table.open(0)
        for _ in 0..<100 { #expect(table.beginCall(slot, limits: CallLimits(), now: now)) }
        #expect(table.counts(of: slot).liveCalls == 100)
        #expect(!table.beginCall(slot, limits: CallLimits(maxCalls: 0), now: now))
        #expect(!table.beginCall(slot, limits: CallLimits(maxCallsPerSecond: 0), now: now))
        #expect(table.liveCalls(slot) == 100)
    }

    @Test func `max_calls_per_second holds over all workers, and each second begins anew`() {
        let (table, slot) = (table, table.open(0))
        let limits = CallLimits(maxCallsPerSecond: 50)
        for second in 0..<3 {
            let instant = now + .seconds(second)
            let begunCount = Atomic(0)
            #expect(table.rateAllows(slot, limits, instant))
            DispatchQueue.concurrentPerform(iterations: 4) { worker in
                for step in 0..<40
                where table.beginCall(slot, limits: limits, now: instant + .milliseconds(step * 20 + worker)) {
                    begunCount.wrappingAdd(1, ordering: .relaxed)
                }
            }
            #expect(begunCount.load(ordering: .relaxed) == 50)
            #expect(!table.rateAllows(slot, limits, instant + .milliseconds(999)))
        }
        #expect(table.liveCalls(slot) == 150)
    }

    @Test func `a call that is refused for its second takes no place`() {
        let slot = table.open(0)
        let limits = CallLimits(maxCalls: 5, maxCallsPerSecond: 1)
        #expect(table.beginCall(slot, limits: limits, now: now))
        #expect(!table.beginCall(slot, limits: limits, now: now))
        #expect(table.liveCalls(slot) == 1)
    }

    @Test func `exactly one trial call over all workers`() {
        let (table, slot, now) = (table, table.open(0), now)
        let rules = StatusRules(recovery: .trial)
        _ = table.observe(slot, .noResponse, of: rules, begun: now, now: now)
        let due = now + .seconds(61)
        for round in 0..<200 {
            let claimCount = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: 4) { _ in
                if table.claimTrial(slot, now: due, lease: .seconds(300)) {
                    claimCount.wrappingAdd(1, ordering: .relaxed)
                }
            }
            #expect(claimCount.load(ordering: .relaxed) == 1, "round \(round)")
            table.endTrial(slot)
        }
    }

    @Test func `the share grows from the recovery, begins anew at a failure, and is full for who never was out`() {
        let slot = table.open(0)
        let rules = StatusRules(outOfServiceCauses: [.noResponse])
        #expect(table.inServiceSince(slot) == nil)
        _ = table.observe(slot, .failureResponse(status: 503), of: rules, begun: now, now: now)
        #expect(table.inServiceSince(slot) == nil, "no ramp was under way")
        _ = table.observe(slot, .noResponse, of: rules, begun: now, now: now)
        #expect(table.inServiceSince(slot) == nil)
        let back = now + .seconds(61)
        #expect(table.recoverIfDue(slot, now: back) != nil)
        #expect(table.inServiceSince(slot) == back)
        _ = table.observe(slot, .transportError, of: rules, begun: back, now: back + .seconds(5))
        #expect(table.status(of: slot).status == .inService)
        #expect(table.inServiceSince(slot) == back + .seconds(5))
        table.holdStatus(true)
        _ = table.observe(slot, .noResponse, of: rules, begun: back, now: back + .seconds(9))
        #expect(table.inServiceSince(slot) == back + .seconds(5), "a silence of our own network is no failure of its")
    }

    @Test func `response times are told to a quarter, and old ones fade`() throws {
        let slot = table.open(0)
        func answer(after duration: Duration) {
            _ = table.observe(slot, .answered, of: StatusRules(), begun: now, now: now + duration)
        }
        for milliseconds in 1...100 { answer(after: .milliseconds(milliseconds)) }
        let times = try #require(table.responseTimes(of: slot))
        #expect(times.p50 > .milliseconds(37) && times.p50 < .milliseconds(63))
        #expect(times.p95 > .milliseconds(71) && times.p95 < .milliseconds(119))
        for _ in 0..<20_000 { answer(after: .milliseconds(400)) }
        let later = try #require(table.responseTimes(of: slot))
        #expect(later.p50 > .milliseconds(300) && later.p50 < .milliseconds(500))
        answer(after: .seconds(1 << 40))
        answer(after: .seconds(-1))
        #expect(table.responseTimes(of: table.open(0)) == nil)
    }

    @Test func `a live call's answer vetoes missed probes that began before it (API 6)`() {
        let slot = table.open(0)
        func miss(begun: Int) -> UInt32 {
            table.noteProbe(
                slot, begun: now + .seconds(begun), at: now + .seconds(begun + 2), sipStatus: 0,
                roundTrip: .seconds(2), isAcknowledged: false
            ).failures
        }
        #expect(miss(begun: 0) == 1)
        #expect(miss(begun: 30) == 2)
        _ = table.observe(slot, .answered, of: StatusRules(), begun: now, now: now + .seconds(61))
        #expect(miss(begun: 60) == 0, "begun before the answer")
        #expect(miss(begun: 90) == 1)
        let good = table.noteProbe(
            slot, at: now + .seconds(120), sipStatus: 404, roundTrip: .milliseconds(3), isAcknowledged: true)
        #expect(good == .init(failures: 0, successes: 1))
        #expect(miss(begun: 150) == 1)
    }
}
