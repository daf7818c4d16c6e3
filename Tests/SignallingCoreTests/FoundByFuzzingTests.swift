import Addressing
import SignallingCore
import Testing

/// What `deploy/fuzz` has found, each as a test of its own.
@Suite struct FoundByFuzzingTests {
    @Test func `a call without a user part goes to a gateway and into a Contact without an @ (§19.1.1)`() throws {
        var bench = try Bench(gateways: 1, prefix: "any")
        bench.receive(bench.request("INVITE", uri: "sip:10.0.0.1"), from: bench.caller)
        let invite = try bench.last("INVITE", to: try bench.gateway(1))
        #expect(invite.startLine == "INVITE sip:10.2.0.1:5060 SIP/2.0")
        bench.receive(
            bench.request("INVITE", uri: "sip:10.0.0.1", branch: "z9hG4bK2"), from: bench.caller, on: Bench.redirect)
        #expect(try bench.last("302", to: bench.caller).first("Contact") == "<sip:10.2.0.1:5060>;q=1.0")
    }
}
