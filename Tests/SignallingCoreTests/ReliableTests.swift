import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// Transactions over TCP: nothing is sent again, nothing is waited for that can't come (RFC 3261 section 17).
@Suite struct ReliableTests {
    private static let proxy = ListenerNumber(2)
    private static let redirect = ListenerNumber(3)

    /// A bench whose roles listen over TCP as well.
    private func bench(gateways: Int = 1) throws -> Bench {
        try Bench(gateways: gateways) { settings in
            settings.listeners += settings.listeners.map {
                .init(role: $0.role, bound: overTCP($0.bound), advertised: overTCP($0.advertised))
            }
        }
    }

    private func overTCP(_ address: TransportAddress) -> TransportAddress {
        TransportAddress(.tcp, address.address, port: address.port)
    }

    @Test func `a final response is sent once, and Timer H ends the wait for its ACK (§17.2.1)`() throws {
        var bench = try bench()
        let caller = overTCP(bench.caller)
        bench.receive(bench.request("INVITE"), from: caller, on: Self.redirect)
        #expect(bench.look().map(\.to) == [caller])
        bench.advance(.seconds(31))
        #expect(bench.look().isEmpty, "no Timer G")
        #expect(bench.worker.liveCount == 1)
        bench.advance(.seconds(2))
        #expect(bench.worker.liveCount == 0)
    }

    @Test func `with its ACK, or its answer, a transaction is over at once: Timers I and J are zero`() throws {
        var bench = try bench()
        let caller = overTCP(bench.caller)
        bench.receive(bench.request("INVITE"), from: caller, on: Self.redirect)
        bench.receive(bench.request("ACK", toTag: "x"), from: caller, on: Self.redirect)
        bench.receive(bench.request("OPTIONS", branch: "z9hG4bKo", callID: "o"), from: caller, on: Self.redirect)
        #expect(bench.worker.liveCount == 0)
    }

    @Test func `what leaves by a stream says how long it is, also where it came without (§18.3, §20.14)`() throws {
        var bench = try bench()
        try bench.changeGateway(1) {
            $0 = Gateway(
                id: "g1", uri: "sip:10.2.0.1;transport=tcp", address: overTCP($0.address),
                requestURISuffix: "@10.2.0.1;transport=tcp")
        }
        let request = bench.request("INVITE", body: "v=0\r\n").replacing("Content-Length: 5\r\n", with: "")
        bench.receive(request, from: bench.caller)
        let gateway = overTCP(try bench.gateway(1))
        let invite = try bench.last("INVITE", to: gateway)
        #expect(invite.all("Content-Length") == ["5"] && invite.body == "v=0\r\n")

        bench = try self.bench()
        let caller = overTCP(bench.caller)
        bench.receive(bench.request("INVITE"), from: caller, on: Self.proxy)
        let plain = try bench.gateway(1)
        let sent = try bench.last("INVITE", to: plain)
        for (status, body) in [(183, "v=0\r\n"), (200, "")] {
            let answer = bench.response(status, to: sent).replacing("Content-Length: 0\r\n", with: "") + body
            bench.receive(answer, from: plain)
            let received = try bench.last("\(status)", to: caller)
            #expect(received.all("Content-Length") == ["\(body.utf8.count)"] && received.body == body)
        }
        #expect(invite.all("Via").first?.hasPrefix("SIP/2.0/TCP ") == true)
        bench = try self.bench()
        bench.receive(bench.request("INVITE"), from: bench.caller)
        let udp = try bench.last("INVITE", to: plain)
        bench.receive(
            bench.response(200, to: udp).replacing("Content-Length: 0\r\n", with: ""), from: plain)
        #expect(try bench.last("200", to: bench.caller).all("Content-Length").isEmpty, "a datagram needs none")
    }

    @Test func `a BYE to a caller by TCP is sent once; the end of his connection fails it at once`() throws {
        var bench = try bench()
        let caller = overTCP(bench.caller)
        let contact = "Contact: <sip:a@10.1.0.1:5080;transport=tcp>"
        bench.receive(bench.request("INVITE"), from: caller, on: Self.proxy)
        let gateway = try bench.gateway(1)
        bench.receive(bench.response(200, to: try bench.last("INVITE", to: gateway)), from: gateway)
        let answer = try bench.last("200", to: caller)
        #expect(
            answer.all("Record-Route").map { $0.prefix { $0 != "=" } } == [
                "<sip:10.0.0.1:5060;lr;m", "<sip:10.0.0.1:5060;transport",
            ])
        _ = bench.look()
        let bye =
            [
                "BYE sip:a@10.1.0.1:5080;transport=tcp SIP/2.0", "Via: SIP/2.0/UDP 10.2.0.1:5060;branch=z9hG4bKbye",
                "Max-Forwards: 70",
            ] + answer.all("Record-Route").map { "Route: \($0)" } + [
                "From: \(answer.first("To"))", "To: \(answer.first("From"))", "Call-ID: \(answer.first("Call-ID"))",
                "CSeq: 9 BYE", contact, "Content-Length: 0", "", "",
            ]
        bench.receive(bye.joined(separator: "\r\n"), from: gateway)
        let sent = try bench.last("BYE", to: caller)
        #expect(sent.first("Via").hasPrefix("SIP/2.0/TCP 10.0.0.1:5060;"))
        _ = bench.look()
        bench.advance(.seconds(3))
        #expect(bench.look().filter { $0.to == caller }.isEmpty, "no Timer E")
        bench.transportFailed(to: caller)
        _ = try bench.last("500", to: gateway)
    }
}
