import SIPTransaction
import Testing
import Time

@Suite struct InviteServerTransactionTests {
    static func make(reliable: Bool = false) -> InviteServerTransaction {
        InviteServerTransaction(timers: TimerSettings(), reliable: reliable)
    }

    static func states() -> [(name: String, machine: InviteServerTransaction)] {
        var proceeding = make()
        _ = proceeding.take(.respond(status: 100))
        var (accepted, completed) = (proceeding, proceeding)
        _ = accepted.take(.respond(status: 200))
        _ = completed.take(.respond(status: 404))
        var confirmed = completed
        _ = confirmed.take(.ack)
        var terminated = confirmed
        _ = terminated.take(.timer(.i), at: 5)
        return [
            ("new", make()), ("proceeding", proceeding), ("accepted", accepted), ("completed", completed),
            ("confirmed", confirmed), ("terminated", terminated),
        ]
    }

    @Test func `proceeding: each copy gets the last provisional, once there is one (§17.2.1)`() {
        var machine = Self.make()
        #expect(machine.take(.request) == [])
        #expect(machine.take(.respond(status: 100)) == [.send])
        #expect(machine.take(.request) == [.send])
        #expect(machine.take(.respond(status: 180)) == [.send])
        #expect(machine.take(.ack) == [])
        #expect(machine.accepts(status: 500))
    }

    @Test func `accepted: copies absorbed, 2xx sent, ACK for the user, until Timer L (RFC 6026 section 7.1)`() {
        var machine = Self.make()
        #expect(machine.take(.respond(status: 200)) == [.send, arm(.l, 32)])
        #expect(machine.isAccepted)
        #expect(machine.take(.request) == [])
        #expect(machine.take(.respond(status: 200)) == [.send])
        #expect(machine.take(.respond(status: 486)) == [])
        #expect(machine.accepts(status: 200) && !machine.accepts(status: 486) && !machine.accepts(status: 180))
        #expect(machine.take(.ack) == [.ackReceived])
        #expect(machine.take(.timer(.l), at: 32) == [])
        #expect(machine.isTerminated)
    }

    @Test func `completed: Timer G doubles up to T2, Timer H gives up (§17.2.1)`() {
        var machine = Self.make()
        #expect(machine.take(.respond(status: 486)) == [.send, arm(.g, 0.5), arm(.h, 32)])
        #expect(machine.take(.timer(.g), at: 0.5) == [.send, arm(.g, 1.5)])
        #expect(machine.take(.timer(.g), at: 1.5) == [.send, arm(.g, 3.5)])
        #expect(machine.take(.timer(.g), at: 3.5) == [.send, arm(.g, 7.5)])
        #expect(machine.take(.timer(.g), at: 7.5) == [.send, arm(.g, 11.5)])
        #expect(machine.take(.request, at: 8) == [.send])
        #expect(machine.take(.respond(status: 200), at: 8) == [])
        #expect(!machine.accepts(status: 200))
        #expect(machine.take(.timer(.h), at: 32) == [.timeout])
        #expect(machine.isTerminated)
    }

    @Test func `confirmed: further ACKs and copies are absorbed until Timer I (§17.2.1)`() {
        var machine = Self.make()
        _ = machine.take(.respond(status: 486))
        #expect(machine.take(.ack, at: 1) == [.ackReceived, arm(.i, 6)])
        #expect(machine.take(.timer(.g), at: 1.5) == [])
        #expect(machine.take(.ack, at: 2) == [])
        #expect(machine.take(.request, at: 2) == [])
        #expect(machine.take(.timer(.i), at: 6) == [])
        #expect(machine.isTerminated)
        var reliable = Self.make(reliable: true)
        #expect(reliable.take(.respond(status: 486)) == [.send, arm(.h, 32)])
        #expect(reliable.take(.ack) == [.ackReceived])
        #expect(reliable.isTerminated)
    }

    @Test func `a transport failure is told where a final waits for its ACK, and ends that alone`() {
        for case (let name, var machine) in Self.states() {
            let isTold = name == "completed"
            #expect(machine.take(.transportFailure) == (isTold ? [.transportFailure] : []), "\(name)")
            #expect(machine.isTerminated == (isTold || name == "terminated"), "\(name)")
        }
    }

    @Test func `every stale timer in every state changes nothing`() {
        let meant: [String: Set<TransactionTimer>] = ["accepted": [.l], "completed": [.g, .h], "confirmed": [.i]]
        for (name, machine) in Self.states() {
            for timer in TransactionTimer.allCases where !(meant[name] ?? []).contains(timer) {
                var machine = machine
                let wasTerminated = machine.isTerminated
                #expect(machine.take(.timer(timer), at: 1000) == [], "\(name) \(timer)")
                #expect(machine.isTerminated == wasTerminated, "\(name) \(timer)")
            }
        }
    }

    @Test func `both ends of life: born in proceeding, deaf once terminated`() {
        #expect(!Self.make().isTerminated)
        for (name, machine) in Self.states() where name == "terminated" {
            for event in [.request, .respond(status: 180), .respond(status: 200), .respond(status: 500), .ack]
                as [InviteServerTransaction.Event]
            {
                var machine = machine
                #expect(machine.take(event) == [])
                #expect(machine.isTerminated)
            }
        }
    }
}

@Suite struct NonInviteServerTransactionTests {
    static func make(reliable: Bool = false) -> NonInviteServerTransaction {
        NonInviteServerTransaction(timers: TimerSettings(), reliable: reliable)
    }

    static func states() -> [(name: String, machine: NonInviteServerTransaction)] {
        var (proceeding, completed, abandoned) = (make(), make(), make())
        _ = proceeding.take(.respond(status: 100))
        _ = completed.take(.respond(status: 200))
        _ = abandoned.take(.abandon)
        var terminated = completed
        _ = terminated.take(.timer(.j), at: 32)
        return [
            ("trying", make()), ("proceeding", proceeding), ("completed", completed), ("abandoned", abandoned),
            ("terminated", terminated),
        ]
    }

    @Test func `trying, proceeding, completed: copies get the last response, until Timer J (§17.2.2)`() {
        var machine = Self.make()
        #expect(machine.take(.request) == [])
        #expect(machine.take(.respond(status: 100)) == [.send])
        #expect(machine.take(.request) == [.send])
        #expect(machine.acceptsResponse)
        #expect(machine.take(.respond(status: 200)) == [.send, arm(.j, 32)])
        #expect(!machine.acceptsResponse)
        #expect(machine.take(.respond(status: 500)) == [])
        #expect(machine.take(.request) == [.send])
        #expect(machine.take(.timer(.j), at: 32) == [])
        #expect(machine.isTerminated)
        var reliable = Self.make(reliable: true)
        #expect(reliable.take(.respond(status: 200)) == [.send])
        #expect(reliable.isTerminated)
    }

    @Test func `abandoned: copies are absorbed without an answer (RFC 4320 section 4.2)`() {
        var machine = Self.make()
        #expect(machine.take(.abandon) == [arm(.j, 32)])
        #expect(machine.take(.request) == [])
        #expect(machine.take(.respond(status: 200)) == [])
        #expect(machine.take(.timer(.j), at: 32) == [])
        #expect(machine.isTerminated)
    }

    @Test func `a transport failure is told where a response was sent`() {
        for case (let name, var machine) in Self.states() {
            let isTold = name == "proceeding" || name == "completed"
            #expect(machine.take(.transportFailure) == (isTold ? [.transportFailure] : []), "\(name)")
            #expect(machine.isTerminated == (isTold || name == "terminated"), "\(name)")
        }
    }

    @Test func `every stale timer in every state changes nothing`() {
        let meant: [String: Set<TransactionTimer>] = ["completed": [.j], "abandoned": [.j]]
        for (name, machine) in Self.states() {
            for timer in TransactionTimer.allCases where !(meant[name] ?? []).contains(timer) {
                var machine = machine
                let wasTerminated = machine.isTerminated
                #expect(machine.take(.timer(timer), at: 1000) == [], "\(name) \(timer)")
                #expect(machine.isTerminated == wasTerminated, "\(name) \(timer)")
            }
        }
    }

    @Test func `both ends of life: born in trying, deaf once terminated`() {
        #expect(!Self.make().isTerminated)
        for (name, machine) in Self.states() where name == "terminated" {
            for event in [.request, .respond(status: 100), .respond(status: 200), .abandon]
                as [NonInviteServerTransaction.Event]
            {
                var machine = machine
                #expect(machine.take(event) == [])
                #expect(machine.isTerminated)
            }
        }
    }
}
