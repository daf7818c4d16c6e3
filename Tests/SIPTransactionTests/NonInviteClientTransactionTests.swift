import SIPTransaction
import Testing
import Time

@Suite struct NonInviteClientTransactionTests {
    static func states() -> [(name: String, machine: NonInviteClientTransaction)] {
        var trying = NonInviteClientTransaction.make()
        _ = trying.take(.start)
        var (proceeding, completed, terminated) = (trying, trying, trying)
        _ = proceeding.take(.response(status: 100), at: 1)
        _ = completed.take(.response(status: 200), at: 1)
        _ = terminated.take(.transportFailure)
        return [
            ("initial", .make()), ("trying", trying), ("proceeding", proceeding), ("completed", completed),
            ("terminated", terminated),
        ]
    }

    @Test func `trying: Timer E doubles up to T2, Timer F ends it (§17.1.2.2)`() {
        var machine = NonInviteClientTransaction.make(resends: 20, timeout: .seconds(32))
        #expect(machine.take(.start) == [.send, arm(.e, 0.5), arm(.f, 32)])
        var (seconds, sentAt): (Double, [Double]) = (0.5, [])
        var interval = 0.5
        while seconds < 32 {
            interval = min(interval * 2, 4)
            #expect(machine.take(.timer(.e), at: seconds) == [.send, arm(.e, seconds + interval)])
            sentAt.append(seconds)
            seconds += interval
        }
        #expect(sentAt == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5])
        #expect(machine.take(.timer(.f), at: 32) == [.timeout])
        #expect(machine.isTerminated)
    }

    @Test func `trying: the predetermined time and number of resendings (the method's steps 4 and 8)`() {
        var machine = NonInviteClientTransaction.make()
        #expect(machine.take(.start) == [.send, arm(.e, 0.5), arm(.f, 2)])
        #expect(machine.take(.timer(.e), at: 0.5) == [.send, arm(.e, 1.5)])
        #expect(machine.take(.timer(.e), at: 1.5) == [.send])
        #expect(machine.take(.timer(.e), at: 1.7) == [])
        #expect(machine.take(.timer(.f), at: 2) == [.timeout])
        #expect(machine.isTerminated)
    }

    @Test func `proceeding: Timer F moves to 64 T1 from the start, Timer E to T2 (§17.1.2.2)`() {
        var machine = NonInviteClientTransaction.make()
        _ = machine.take(.start)
        #expect(machine.take(.response(status: 100), at: 0.4) == [arm(.f, 32), .deliver])
        #expect(machine.take(.timer(.e), at: 0.5) == [.send, arm(.e, 4.5)])
        #expect(machine.take(.response(status: 183), at: 1) == [.deliver])
        #expect(machine.take(.timer(.f), at: 2) == [], "the first one is stale")
        #expect(machine.take(.timer(.f), at: 32) == [.timeout])
        #expect(machine.isTerminated)
    }

    @Test func `completed: copies of the final are absorbed until Timer K (§17.1.2.2)`() {
        var machine = NonInviteClientTransaction.make()
        _ = machine.take(.start)
        #expect(machine.take(.response(status: 404), at: 1) == [.deliver, arm(.k, 6)])
        #expect(machine.take(.response(status: 404), at: 2) == [])
        #expect(!machine.isTerminated)
        #expect(machine.take(.timer(.k), at: 6) == [])
        #expect(machine.isTerminated)
        var reliable = NonInviteClientTransaction.make(reliable: true)
        #expect(reliable.take(.start) == [.send, arm(.f, 2)])
        #expect(reliable.take(.response(status: 200)) == [.deliver])
        #expect(reliable.isTerminated)
    }

    @Test func `a transport failure ends it before the first response, and is told once`() {
        for case (let name, var machine) in Self.states() {
            let isTold = name == "initial" || name == "trying"
            #expect(machine.take(.transportFailure, at: 3) == (isTold ? [.transportFailure] : []), "\(name)")
            #expect(machine.isTerminated == (isTold || name == "terminated"), "\(name)")
        }
    }

    @Test func `every stale timer in every state changes nothing`() {
        let meant: [String: Set<TransactionTimer>] = ["trying": [.e, .f], "proceeding": [.e, .f], "completed": [.k]]
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
        for (name, machine) in Self.states() where name == "initial" || name == "terminated" {
            for status in [100, 200, 500] {
                var machine = machine
                #expect(machine.take(.response(status: status)) == [], "\(name)")
                #expect(machine.isTerminated == (name == "terminated"))
            }
        }
        for case (let name, var machine) in Self.states() where name != "initial" {
            #expect(machine.take(.start) == [], "\(name)")
        }
    }
}
