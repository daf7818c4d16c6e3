import SignallingCore
import Simulation
import Testing
import Time

@Suite struct OverloadTests {
    @Test func `overload: new calls get 503 without Retry-After and leave nothing, calls under way go on`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let invite = try bench.last("INVITE", to: try bench.gateway(1))
        bench.worker.setOverloaded(true)
        let alive = bench.worker.liveCount
        _ = bench.look()
        bench.receive(bench.request("INVITE", branch: "z9hG4bK2", callID: "call-2"), from: bench.caller)
        let refusal = try bench.last("503", to: bench.caller)
        #expect(refusal.all("Retry-After").isEmpty)
        #expect(bench.worker.liveCount == alive && bench.worker.counters.shed == 1)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.receive(bench.response(200, to: invite), from: try bench.gateway(1))
        let answer = try bench.last("200", to: bench.caller)
        _ = bench.look()
        bench.receive(try bench.withinDialog("BYE", of: answer, cSeq: 2, branch: "z9hG4bK4"), from: bench.caller)
        bench.receive(
            bench.request("BYE", branch: "z9hG4bK5", toTag: "to1", cSeq: 3), from: bench.caller)
        #expect(bench.trace() == ["BYE>g1", "BYE>g1"])
        bench.worker.setOverloaded(false)
        bench.receive(bench.request("INVITE", branch: "z9hG4bK6", callID: "call-3"), from: bench.caller)
        #expect(bench.trace() == ["100>caller", "INVITE>g1"])
    }

    @Test func `a CANCEL with Reason after the 200, again and again, keeps nothing (§9.1)`() throws {
        var bench = try Bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        bench.receive(
            bench.response(200, to: try bench.last("INVITE", to: try bench.gateway(1))), from: try bench.gateway(1))
        let kept = bench.worker.inspection.heldBytes
        for _ in 0..<10 {
            bench.receive(bench.request("CANCEL", extra: ["Reason: SIP;cause=200"]), from: bench.caller)
        }
        #expect(bench.worker.inspection.heldBytes == kept)
        bench.advance(.seconds(70))
        #expect(bench.worker.inspection.heldBytes == 0)
    }

    @Test func `overload: the ACK of a shed call goes nowhere`() throws {
        var bench = try Bench()
        bench.worker.setOverloaded(true)
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let tag = try #require(try bench.last("503", to: bench.caller).first("To").split(separator: "tag=").last)
        _ = bench.look()
        bench.receive(bench.request("ACK", toTag: String(tag)), from: bench.caller)
        #expect(bench.trace().isEmpty)
    }
}
