import Store
import Testing
import Time

@testable import NetworkManager

/// Deliveries under virtual time.
struct DeliveryScheduleTests {
    /// A schedule, the clock it runs by and the events there are.
    private final class Run {
        var schedule: DeliverySchedule
        var now = Instant(nanoseconds: 0)
        var newest: Int64
        var sent: [Int64] = []
        /// Types that are wanted; empty: all.
        var types: Set<String> = []
        private let began = WallTime(milliseconds: 1_767_261_600_000)
        /// How many events had happened at the start; later ones happen as they are read.
        private let oldCount: Int64

        init(newest: Int64, cursor: Int64 = 0) {
            schedule = DeliverySchedule(WebhookProgress(cursor: cursor), failingFrom: nil)
            (self.newest, oldCount) = (newest, newest)
        }

        var wallTime: WallTime { began + (now - Instant(nanoseconds: 0)) }

        func event(_ sequence: Int64) -> StoredEvent {
            let type = sequence % 2 == 0 ? "routing.changed" : "gateway.status.changed"
            return StoredEvent(
                sequence: sequence, type: type, source: "tandem/n1", subject: nil,
                time: sequence <= oldCount ? began : wallTime, data: "{}")
        }

        /// Reads what is to be read, up to the next thing to do.
        func next() -> DeliverySchedule.Step {
            while true {
                let step = schedule.next(at: now, newest: newest, wallTime: wallTime)
                guard case .read(let after) = step else { return step }
                let last = min(newest, after + Int64(DeliverySchedule.pageLimitCount))
                let events = (after + 1...max(last, after + 1)).map { event($0) }
                let (zero, began) = (Instant(nanoseconds: 0), began)
                schedule.take(
                    events.filter { types.isEmpty || types.contains($0.type) }, readUpTo: last
                ) { zero + .milliseconds($0.milliseconds - began.milliseconds) }
            }
        }

        /// Sends the next event; false: it has to wait.
        func send(_ error: String? = nil, status: Int64? = nil, retryAfter: Duration? = nil) -> Bool {
            guard case .send(let event) = next() else { return false }
            sent.append(event.sequence)
            schedule.finish(
                event, .init(status: status, error: error, retryAfter: retryAfter, duration: .milliseconds(5)), at: now,
                wallTime: wallTime, chance: .max)
            return true
        }

        /// Moves the clock to where the schedule waits for.
        func sleep() -> Duration? {
            guard case .wait(let until?) = next() else { return nil }
            defer { now = until }
            return until - now
        }
    }

    @Test func `all events in order, once each; then it waits for more`() {
        let run = Run(newest: 50)
        while run.send() {}
        #expect(run.sent == Array(1...50) && run.next() == .wait(until: nil))
        #expect(run.schedule.progress.cursor == 50)
        run.newest = 51
        #expect(run.send() && run.sent.last == 51 && !run.send())
        #expect(run.schedule.takeReport().attempts.count == 51 && !run.schedule.isChanged)
    }

    @Test func `what is not wanted is passed over, and that is worth a write only now and then`() {
        let run = Run(newest: 100)
        run.types = ["none"]
        #expect(run.next() == .wait(until: nil))
        #expect(run.schedule.progress.cursor == 100 && !run.schedule.isChanged)
        run.newest = 400
        #expect(run.next() == .wait(until: nil) && run.schedule.isChanged && !run.schedule.isUrgent)
        #expect(run.schedule.takeReport().progress.cursor == 400)
    }

    @Test func `a failure holds the line: the same event again, after 1, 2, 4 s and so on up to an hour`() {
        let run = Run(newest: 3)
        var pauses: [Int64] = []
        for _ in 0..<15 {
            #expect(run.send("status 500", status: 500) && !run.send())
            pauses.append((run.sleep()?.milliseconds ?? -1) / 1000)
        }
        #expect(run.sent.allSatisfy { $0 == 1 })
        // The longest that chance allows, which is less than the doubled time by a nanosecond.
        #expect(pauses == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 3599, 3599, 3599])
        #expect(run.schedule.progress.failureCount == 15)
        #expect(run.send() && run.send() && run.send() && run.sent.suffix(3) == [1, 2, 3])
        #expect(run.schedule.progress.failureCount == 0 && run.schedule.progress.failingSince == nil)
    }

    @Test func `the wait lies in the upper half of the doubled time`() {
        let backOff = BackOff(first: .seconds(1), limit: .seconds(3600))
        for failures in [1, 2, 5, 12, 13, 64, Int64.max] {
            let longest = failures > 12 ? 3600 : 1 << (failures - 1)
            let (low, high) = (
                backOff.delay(behind: failures, chance: 0), backOff.delay(behind: failures, chance: .max)
            )
            #expect(low == .milliseconds(longest * 500) && high > low && high <= .seconds(longest))
        }
        #expect(backOff.delay(behind: 0, chance: 0) == .milliseconds(500))
    }

    @Test func `Retry-After is kept to, within the limit`() {
        let run = Run(newest: 1)
        _ = run.send("status 429", status: 429, retryAfter: .seconds(90))
        #expect(run.sleep() == .seconds(90))
        _ = run.send("status 429", status: 429, retryAfter: .seconds(86_400))
        #expect(run.sleep() == .seconds(3600))
    }

    @Test func `network managers are told once that it fails for long, and once that it goes again`() {
        let run = Run(newest: 2)
        var notices: [DeliverySchedule.Notice] = []
        for _ in 0..<12 {
            _ = run.send("timed-out")
            notices += run.schedule.takeReport().notices
            _ = run.sleep()
        }
        #expect(notices.count == 1)
        guard case .failing(_, let attemptCount, "timed-out")? = notices.first else {
            Issue.record("\(notices)")
            return
        }
        #expect(attemptCount == 10)  // the first attempt behind 300 s: at 511 s
        #expect(run.send())
        guard case .recovered? = run.schedule.takeReport().notices.first else {
            Issue.record("no word of recovery")
            return
        }
        // A short failure is nobody's business.
        _ = run.send("reset")
        _ = run.sleep()
        #expect(run.send() && run.schedule.takeReport().notices.isEmpty)
    }

    @Test func `after three days an event is given up, and said so; the next is tried at the same pace`() {
        let run = Run(newest: 2)
        var days = 0
        while run.sent.allSatisfy({ $0 == 1 }), days < 100 {
            _ = run.send("status 500", status: 500)
            guard run.sleep() != nil else { break }
            days = Int((run.now - Instant(nanoseconds: 0)).milliseconds / 86_400_000)
            if run.next() == .wait(until: nil) { break }
        }
        // Both happened at once, so both are given up at once, three days after.
        #expect((run.now - Instant(nanoseconds: 0)) >= .seconds(3 * 86_400) && days == 3)
        let report = run.schedule.takeReport()
        #expect(report.progress.cursor == 2 && report.progress.deadLetterCount == 2)
        #expect(report.attempts.suffix(2).map(\.outcome) == [.deadLettered, .deadLettered])
        #expect(report.notices.last == .deadLettered(first: 1, last: 2, count: 2, error: "status 500"))
        // What comes later has three days of its own, and the pace stays.
        run.newest = 3
        #expect(run.schedule.progress.failureCount > 80)
        #expect(!run.send() && run.sleep() != nil && run.send() && run.sent.last == 3)
    }

    @Test func `the days in which nobody tried lose nothing: one attempt has to fail before an event is given up`() {
        // It failed once, and the process was not there for four days; or the webhook was disabled.
        for isWell in [true, false] {
            let run = Run(newest: 2)
            let since = run.wallTime
            var progress = WebhookProgress(cursor: 0)
            (progress.failureCount, progress.failingSince) = (1, since)
            run.schedule = DeliverySchedule(progress, failingFrom: run.now)
            run.now = run.now + .seconds(4 * 86_400)
            #expect(run.send(isWell ? nil : "status 500") && run.sent == [1])
            if isWell {
                #expect(run.send() && run.schedule.takeReport().progress.deadLetterCount == 0)
            } else {
                #expect(run.next() == .wait(until: nil))
                let report = run.schedule.takeReport()
                #expect(report.progress.deadLetterCount == 2)
                #expect(report.notices.last == .deadLettered(first: 1, last: 2, count: 2, error: "status 500"))
            }
        }
    }

    @Test func `a webhook that was changed begins to count anew, and says so when it is well`() {
        let run = Run(newest: 2)
        while run.now < Instant(nanoseconds: 0) + .seconds(3600) {
            _ = run.send("status 500", status: 500)
            _ = run.sleep()
        }
        run.schedule.retryNow()
        #expect(run.schedule.progress.failureCount == 0)
        #expect(run.send("status 500", status: 500))
        guard case .wait(let until?) = run.next() else {
            Issue.record("nothing to wait for")
            return
        }
        #expect(until - run.now <= .seconds(1))
        run.now = until
        #expect(run.send())
        let notices = run.schedule.takeReport().notices
        #expect(notices.contains { if case .recovered = $0 { true } else { false } })
    }

    @Test func `what is kept no longer is skipped, and said so`() {
        let run = Run(newest: 50)
        _ = run.send("status 500", status: 500)
        run.schedule.skip(to: 30)
        let report = run.schedule.takeReport()
        #expect(report.progress.cursor == 30)
        #expect(
            report.notices == [.deadLettered(first: 1, last: 30, count: nil, error: "events are kept no longer")])
        run.schedule.retryNow()
        #expect(run.send() && run.sent.last == 31)
    }

    @Test func `other types: what was read ahead is forgotten, nothing is sent twice or left out`() {
        let run = Run(newest: 10)
        #expect(run.send() && run.send())
        run.types = ["routing.changed"]
        run.schedule.rewind()
        while run.send() {}
        #expect(run.sent == [1, 2, 4, 6, 8, 10])
    }

    @Test func `an event that ends after the types have changed counts, and is not sent again`() {
        let run = Run(newest: 3)
        guard case .send(let event) = run.next() else {
            Issue.record("nothing to send")
            return
        }
        run.schedule.rewind()
        run.schedule.finish(event, .init(), at: run.now, wallTime: run.wallTime, chance: 0)
        while run.send() {}
        #expect(run.sent == [2, 3])
    }
}
