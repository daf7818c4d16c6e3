import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// RFC 3325 and 3323 at the edge of the trust domain.
@Suite struct IdentityTests {
    static let asserted = "P-Asserted-Identity: \"A\" <sip:a@example.com>, <tel:+4420>"
    static let preferred = "p-preferred-identity: <sip:a@example.com>"

    /// What of the fields arrives at the gateway.
    static func arrived(_ extra: [String], trusted: Bool, gateways: Bool = true) throws -> [String] {
        var bench = try Bench { $0.areGatewaysTrusted = gateways }
        bench.trustCaller(trusted)
        bench.receive(bench.request("INVITE", extra: extra), from: bench.caller)
        let invite = try bench.last("INVITE", to: try bench.gateway(1))
        return invite.lines.filter { $0.lowercased().hasPrefix("p") }
    }

    @Test func `who is not trusted asserts nothing (RFC 3325 section 5)`() throws {
        #expect(try Self.arrived([Self.asserted, Self.asserted], trusted: false) == [])
        #expect(try Self.arrived([Self.asserted], trusted: true) == [Self.asserted])
    }

    @Test func `P-Preferred-Identity is for us alone (RFC 3325 section 6)`() throws {
        for trusted in [true, false] {
            #expect(try Self.arrived([Self.preferred, "Priority: urgent"], trusted: trusted) == ["Priority: urgent"])
        }
    }

    @Test func `Privacy: id keeps an identity from a gateway outside of the trust domain alone (RFC 3325 section 7)`()
        throws
    {
        for privacy in ["Privacy: id", "Privacy: header;ID;critical"] {
            let fields = [Self.asserted, privacy]
            #expect(try Self.arrived(fields, trusted: true) == fields)
            #expect(try Self.arrived(fields, trusted: true, gateways: false) == [privacy])
        }
        for privacy in ["Privacy: none", "Privacy: header;user", "Privacy: identity"] {
            let fields = [Self.asserted, privacy]
            #expect(try Self.arrived(fields, trusted: true, gateways: false) == fields)
        }
    }

    @Test func `a response's identity goes to the caller unless it is to be private and he is not trusted`() throws {
        for (fields, trusted, isPassed) in [
            ([Self.asserted], false, true), ([Self.asserted, "Privacy: id"], false, false),
            ([Self.asserted, "Privacy: id"], true, true), ([Self.asserted, "Privacy: none"], false, true),
        ] {
            var bench = try Bench()
            bench.trustCaller(trusted)
            bench.receive(bench.request("INVITE"), from: bench.caller)
            let invite = try bench.last("INVITE", to: try bench.gateway(1))
            bench.receive(bench.response(180, to: invite, extra: fields), from: try bench.gateway(1))
            #expect(try bench.last("180", to: bench.caller).lines.contains(Self.asserted) == isPassed)
        }
    }

    @Test func `within a dialog the same holds: a stranger with our mark asserts nothing, a gateway is believed`()
        throws
    {
        var (bench, answer) = try ProxyCallTests.answered()
        let update = try bench.withinDialog("UPDATE", of: answer, cSeq: 2, branch: "z9hG4bKu")
            .replacing("Content-Length", with: Self.asserted + "\r\nContent-Length")
        bench.receive(update, from: bench.stranger)
        let gateway = try bench.gateway(1)
        #expect(!(try bench.last("UPDATE", to: gateway).lines.contains(Self.asserted)))
        bench.receive(update.replacing("z9hG4bKu", with: "z9hG4bKv"), from: try bench.gateway(2))
        #expect(try bench.last("UPDATE", to: gateway).lines.contains(Self.asserted))
        let ack = update.replacing("UPDATE", with: "ACK")
        bench.receive(ack, from: bench.stranger)
        #expect(!(try bench.last("ACK", to: gateway).lines.contains(Self.asserted)))
    }
}
