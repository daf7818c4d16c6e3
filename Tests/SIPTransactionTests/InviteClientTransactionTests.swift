import SIPTransaction
import Testing
import Time

@Suite struct InviteClientTransactionTests {
    static let settings = TimerSettings()

    /// A machine in each state, by name.
    static func states() -> [(name: String, machine: InviteClientTransaction)] {
        var calling = InviteClientTransaction.make()
        _ = calling.take(.start)
        var (unanswered, proceeding, accepted, completed, terminated) = (calling, calling, calling, calling, calling)
        _ = unanswered.take(.timer(.b), at: 2)
        _ = proceeding.take(.response(status: 180), at: 1)
        _ = accepted.take(.response(status: 200), at: 1)
        _ = completed.take(.response(status: 486), at: 1)
        _ = terminated.take(.transportFailure)
        var cancelled = proceeding
        _ = cancelled.take(.cancel, at: 1.5)
        return [
            ("initial", .make()), ("calling", calling), ("unanswered", unanswered), ("proceeding", proceeding),
            ("cancelled", cancelled), ("accepted", accepted), ("completed", completed), ("terminated", terminated),
        ]
    }

    @Test func `calling: Timer A doubles from T1, at most so many resendings (§17.1.1.2, the method's step 4)`() {
        var machine = InviteClientTransaction.make()
        #expect(machine.take(.start) == [.send, arm(.a, 0.5), arm(.b, 2)])
        #expect(machine.take(.timer(.a), at: 0.5) == [.noResponseYet, .send, arm(.a, 1.5)])
        #expect(machine.take(.timer(.a), at: 1.5) == [.send], "two resendings are all")
        #expect(machine.take(.timer(.a), at: 1.6) == [])
        #expect(machine.awaitsFirstResponse)
    }

    @Test func `calling: with RFC 3261's own numbers seven copies leave in 64 T1`() {
        var machine = InviteClientTransaction(
            resendLimit: 10, responseTimeout: .seconds(32), timers: Self.settings, reliable: false)
        var actions = machine.take(.start)
        var sentAt: [Double] = [0]
        var seconds = 0.5
        while actions.contains(arm(.a, seconds)) {
            actions = machine.take(.timer(.a), at: seconds)
            sentAt.append(seconds)
            seconds = seconds * 2 + 0.5
        }
        #expect(sentAt == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5])
        #expect(machine.take(.timer(.b), at: 32) == [.timeout])
        #expect(machine.isTerminated)
    }

    @Test func `calling: nothing for T1 is told once, whether or not anything is sent again then`() {
        var silent = InviteClientTransaction(
            resendLimit: 0, responseTimeout: .seconds(2), timers: Self.settings, reliable: false)
        #expect(silent.take(.start) == [.send, arm(.a, 0.5), arm(.b, 2)])
        #expect(silent.take(.timer(.a), at: 0.5) == [.noResponseYet])
        #expect(silent.take(.timer(.a), at: 1) == [])
        #expect(silent.awaitsFirstResponse)
        var answered = InviteClientTransaction.make()
        _ = answered.take(.start)
        #expect(answered.take(.response(status: 100), at: 0.4) == [.deliver])
        #expect(answered.take(.timer(.a), at: 0.5) == [])
        var brief = InviteClientTransaction(
            resendLimit: 2, responseTimeout: .milliseconds(500), timers: Self.settings, reliable: false)
        #expect(brief.take(.start) == [.send, arm(.b, 0.5)], "the predetermined time is over by then")
    }

    @Test func `calling over a reliable transport: no resending, no Timer D (§17.1.1.2)`() {
        var machine = InviteClientTransaction.make(reliable: true)
        #expect(machine.take(.start) == [.send, arm(.a, 0.5), arm(.b, 2)])
        #expect(machine.take(.timer(.a), at: 0.5) == [.noResponseYet])
        #expect(machine.take(.timer(.a), at: 1.5) == [])
        #expect(machine.take(.response(status: 486), at: 1) == [.sendACK, .deliver])
        #expect(machine.isTerminated)
    }

    @Test func `calling: the predetermined time -> timeout, then it listens until 64 T1`() {
        var machine = InviteClientTransaction.make()
        _ = machine.take(.start)
        #expect(machine.take(.timer(.b), at: 1.9) == [], "before its time it is another one")
        #expect(machine.take(.timer(.b), at: 2) == [.timeout, arm(.b, 32)])
        #expect(!machine.isTerminated)
        #expect(!machine.awaitsFirstResponse)
        #expect(machine.take(.timer(.a), at: 2.1) == [])
        #expect(machine.take(.timer(.b), at: 32) == [])
        #expect(machine.isTerminated)
    }

    @Test func `given up while it waits: no copy any more, but whatever comes late is heard`() {
        var machine = InviteClientTransaction.make()
        _ = machine.take(.start)
        #expect(machine.take(.giveUp, at: 1) == [arm(.b, 32)])
        #expect(!machine.awaitsFirstResponse)
        #expect(machine.take(.timer(.a), at: 1.5) == [])
        #expect(machine.take(.timer(.b), at: 2) == [], "stale: that of the predetermined time")
        #expect(machine.take(.giveUp, at: 3) == [])
        var answered = machine
        #expect(machine.take(.timer(.b), at: 32) == [])
        #expect(machine.isTerminated)
        #expect(answered.take(.response(status: 200), at: 3) == [.deliver, arm(.m, 35)])
        #expect(answered.take(.giveUp, at: 4) == [])
    }

    @Test func `unanswered: a late provisional, 2xx and refusal are all heard (§16.7 step 5)`() {
        var machine = InviteClientTransaction.make()
        _ = machine.take(.start)
        _ = machine.take(.timer(.b), at: 2)
        var (late2xx, lateRefusal) = (machine, machine)
        #expect(machine.take(.response(status: 180), at: 3) == [arm(.b, 35), .deliver])
        #expect(machine.take(.timer(.b), at: 32) == [])
        #expect(machine.take(.timer(.b), at: 35) == [.timeout])
        #expect(machine.isTerminated)
        #expect(late2xx.take(.response(status: 200), at: 3) == [.deliver, arm(.m, 35)])
        #expect(lateRefusal.take(.response(status: 500), at: 3) == [.sendACK, .deliver, arm(.d, 35)])
    }

    @Test func `proceeding: no time of its own, until it is cancelled (§9.1)`() {
        var machine = InviteClientTransaction.make()
        _ = machine.take(.start)
        #expect(machine.take(.response(status: 100), at: 1) == [.deliver])
        #expect(machine.take(.timer(.a), at: 1.5) == [])
        #expect(machine.take(.timer(.b), at: 2) == [])
        #expect(machine.take(.response(status: 180), at: 100) == [.deliver])
        #expect(machine.take(.cancel, at: 101) == [arm(.b, 133)])
        #expect(machine.take(.cancel, at: 102) == [])
        #expect(machine.take(.timer(.b), at: 110) == [])
        #expect(machine.take(.timer(.b), at: 133) == [.timeout])
        #expect(machine.isTerminated)
    }

    @Test func `accepted: each 2xx is delivered, nothing else, until Timer M (RFC 6026 section 7.2)`() {
        var machine = InviteClientTransaction.make()
        _ = machine.take(.start)
        #expect(machine.take(.response(status: 200), at: 1) == [.deliver, arm(.m, 33)])
        #expect(machine.take(.response(status: 200), at: 2) == [.deliver])
        #expect(machine.take(.response(status: 180), at: 2) == [])
        #expect(machine.take(.response(status: 486), at: 2) == [])
        #expect(machine.take(.transportFailure, at: 2) == [])
        #expect(machine.take(.timer(.m), at: 33) == [])
        #expect(machine.isTerminated)
    }

    @Test func `completed: each final is acknowledged, none delivered again, until Timer D (§17.1.1.2)`() {
        var machine = InviteClientTransaction.make()
        _ = machine.take(.start)
        #expect(machine.take(.response(status: 486), at: 1) == [.sendACK, .deliver, arm(.d, 33)])
        #expect(machine.take(.response(status: 486), at: 2) == [.sendACK])
        #expect(machine.take(.response(status: 180), at: 2) == [])
        #expect(machine.take(.response(status: 200), at: 2) == [])
        #expect(machine.take(.timer(.d), at: 33) == [])
        #expect(machine.isTerminated)
    }

    @Test func `a transport failure ends it before the first response, and is told once`() {
        for case (let name, var machine) in Self.states() {
            let actions = machine.take(.transportFailure, at: 3)
            let isTold = name == "initial" || name == "calling"
            #expect(actions == (isTold ? [.transportFailure] : []), "\(name)")
            let lives = ["proceeding", "cancelled", "accepted"].contains(name)
            #expect(machine.isTerminated == !lives, "\(name)")
        }
    }

    @Test func `every stale timer in every state changes nothing`() {
        let meant: [String: Set<TransactionTimer>] = [
            "calling": [.a, .b], "unanswered": [.b], "cancelled": [.b], "accepted": [.m], "completed": [.d],
        ]
        for (name, machine) in Self.states() {
            for timer in TransactionTimer.allCases where !(meant[name] ?? []).contains(timer) {
                var machine = machine
                let wasTerminated = machine.isTerminated
                #expect(machine.take(.timer(timer), at: 1000) == [], "\(name) \(timer)")
                #expect(machine.isTerminated == wasTerminated, "\(name) \(timer)")
            }
        }
    }

    @Test func `both ends of life: nothing before start, nothing after the end`() {
        var initial = InviteClientTransaction.make()
        #expect(initial.take(.response(status: 200)) == [])
        #expect(initial.take(.cancel) == [])
        #expect(!initial.isTerminated)
        for (name, machine) in Self.states() where name == "terminated" {
            for event in [.start, .response(status: 100), .response(status: 200), .response(status: 500), .cancel]
                as [InviteClientTransaction.Event]
            {
                var machine = machine
                #expect(machine.take(event) == [])
                #expect(machine.isTerminated)
            }
        }
    }
}
