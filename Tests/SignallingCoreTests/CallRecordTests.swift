import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// Call records (API section 8): one for each INVITE, when its search has ended.
@Suite struct CallRecordTests {
    @Test func `an answered call: its attempts with their times, its copies, its end`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.advance(.milliseconds(500))
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.advance(.milliseconds(1500))
        let second = try bench.gateway(2)
        let invite = try bench.last("INVITE", to: second)
        bench.advance(.milliseconds(40))
        bench.receive(bench.response(180, to: invite), from: second)
        #expect(bench.records.isEmpty)
        bench.advance(.seconds(3))
        bench.receive(bench.response(200, to: invite), from: second)
        let record = try #require(bench.records.first)
        #expect(bench.records.count == 1)
        #expect(record.callID.string == "call-1@10.1.0.1")
        #expect(record.caller.string == "a")
        #expect(record.dialled.string == "+442071234567")
        #expect(record.source == bench.caller)
        #expect(record.revision == Revision(1))
        #expect(record.result == .answered && record.status == 200 && record.isForwarded)
        #expect(record.endedAt == 5040)
        #expect(record.copyCount == 1 && record.copyTimes == [500])
        let attempts = try #require(bench.searches.first).keptAttempts
        #expect(record.attemptCount == 2 && attempts.count == 2)
        #expect(attempts.map(\.sentAt) == [0, 2000])
        #expect(attempts.map(\.resendCount) == [2, 0])
        #expect(attempts.map(\.firstResponseAt) == [nil, 2040])
        #expect(attempts.map(\.finalStatus) == [0, 200])
        #expect(attempts.map(\.end) == [.noResponse, .answered])
        #expect(attempts.map(\.endedAt) == [2000, 5040])
        #expect(attempts.map(\.gateway) == [try bench.slot(1), try bench.slot(2)])
        #expect(invite.first("Via").contains(attempts[1].branchText))
        let answer = try bench.last("200", to: bench.caller)
        bench.advance(.seconds(60))
        bench.receive(try bench.withinDialog("BYE", of: answer, cSeq: 2, branch: "z9hG4bKb"), from: bench.caller)
        #expect(bench.endings.map(\.call) == [record.id])
        #expect(bench.endings.map(\.at) == [bench.now])
        #expect(bench.records.count == 1, "a BYE is no call")
    }

    @Test func `each refusal by its own name`() throws {
        func record(
            gateways: Int = 1, uri: String = "sip:+442071234567@10.0.0.1", on listener: ListenerNumber = Bench.proxy,
            _ prepare: (inout Bench) throws -> Void = { _ in }
        ) throws -> (CallRecord.Result, UInt16, Int) {
            var bench = try Bench(gateways: gateways)
            try prepare(&bench)
            bench.forgetRecords()
            bench.receive(
                bench.request("INVITE", uri: uri, branch: "z9hG4bKr", callID: "r"), from: bench.caller, on: listener)
            let record = try #require(bench.records.first)
            #expect(bench.records.count == 1)
            #expect(!record.isForwarded)
            return (record.result, record.status, Int(record.attemptCount))
        }
        #expect(try record(uri: "sip:331@10.0.0.1") == (.noRoute, 404, 0))
        #expect(
            try record { bench in
                bench.receive(bench.request("INVITE"), from: bench.caller)
                bench.transportFailed(to: try bench.gateway(1))
            } == (.everyGatewayOut, 503, 0))
        #expect(try record { try $0.changeGateway(1) { $0.limits.maxCalls = 0 } } == (.everyGatewayFull, 503, 0))
        #expect(
            try record { try $0.changeGateway(1) { $0.administrativeState = .locked } } == (.everyGatewayLocked, 503, 0)
        )
        #expect(try record { $0.worker.beginDraining() } == (.overload, 503, 0))
        #expect(try record(on: Bench.redirect) == (.redirected, 302, 0))
        #expect(try record(uri: "sip:331@10.0.0.1", on: Bench.redirect) == (.noRoute, 404, 0))
    }

    @Test func `how a search ended in vain: refused by the callee, cancelled, failed`() throws {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        func invite(_ number: Int) -> Sent? {
            bench.receive(
                bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "call-\(number)"), from: bench.caller)
            return bench.sent.last { $0.kind == "INVITE" && $0.to == gateway }
        }
        bench.receive(bench.response(486, to: try #require(invite(1))), from: gateway)
        let ringing = try #require(invite(2))
        bench.receive(bench.response(180, to: ringing), from: gateway)
        bench.receive(bench.request("CANCEL", branch: "z9hG4bK2", callID: "call-2"), from: bench.caller)
        bench.receive(bench.response(487, to: ringing), from: gateway)
        _ = invite(3)
        bench.advance(.seconds(4))
        #expect(bench.records.map(\.result) == [.refused, .cancelled, .failed])
        #expect(bench.records.map(\.status) == [486, 487, 408])
        #expect(bench.records.map(\.isForwarded) == [true, true, false])
        #expect(
            bench.searches.map { $0.keptAttempts.map(\.end) } == [
                [.refused], [.cancelled], [.noResponse, .noResponse],
            ])
        #expect(Set(bench.records.map(\.id)).count == 3)
        #expect(bench.worker.inspection.liveCalls == 0)
    }

    @Test func `strangers are recorded up to a bound a second; the rest is counted`() throws {
        var bench = try Bench()
        for number in 1...50 {
            bench.receive(
                bench.request("INVITE", branch: "z9hG4bK\(number)", callID: "s-\(number)"), from: bench.stranger)
        }
        #expect(bench.records.count == 20)
        #expect(bench.records.allSatisfy { $0.result == .unknownPeer && $0.status == 403 })
        #expect(bench.worker.counters.callsUnrecorded == 30)
        bench.advance(.seconds(1))
        bench.receive(bench.request("INVITE", branch: "z9hG4bKx", callID: "x"), from: bench.stranger)
        #expect(bench.records.count == 21)
        bench.receive(bench.request("MESSAGE", branch: "z9hG4bKm", callID: "m"), from: bench.caller)
        #expect(bench.records.count == 21, "no call")
    }

    @Test func `more attempts and copies than are kept are counted`() {
        var search = CallSearch(
            CallRecord(
                id: 1, receivedAt: Bench.start, source: TransportAddress(.udp, IPAddress(ipv4: 1), port: 1)))
        for number in 1...12 {
            search.record.noteCopy(at: Bench.start + .seconds(number))
            let slot = GatewaySlot(index: UInt16(number), generation: 1)
            let kept = search.begin(CallRecord.Attempt(gateway: slot, sentAt: 0, branch: (0, 0, 0, 0)))
            #expect((kept != nil) == (number <= 8))
        }
        #expect(search.record.copyCount == 12 && search.record.copyTimes.count == 7)
        #expect(search.record.attemptCount == 12 && search.keptAttempts.count == 8)
        search.change(9) { $0.resendCount = 9 }
        #expect(search.keptAttempts.allSatisfy { $0.resendCount == 0 })
    }
}
