import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// Requests within a dialog: where they go and what becomes of their Route values (RFC 3261 sections 16.4 to 16.6).
@Suite struct RouteTests {
    static let contact = "sip:gw@10.2.0.1:5060"

    /// A request of the caller within the dialog of `answer`.
    static func request(
        _ method: String, _ bench: Bench, _ answer: Sent, uri: String, routes: [String], cSeq: Int = 2,
        branch: String = "z9hG4bKroute"
    ) throws -> String {
        let tag = try #require(answer.first("To").split(separator: "tag=").last)
        return bench.request(
            method, uri: uri, branch: branch, toTag: String(tag), cSeq: cSeq, extra: routes.map { "Route: \($0)" })
    }

    /// Our own Record-Route as a URI.
    static func own(_ answer: Sent) -> String { String(answer.first("Record-Route").dropFirst().dropLast()) }

    @Test func `PRACK and UPDATE within an early dialog go by its Route, as do their answers (RFC 3262, RFC 3311)`()
        throws
    {
        var bench = try Bench()
        let gateway = try bench.gateway(1)
        bench.receive(bench.request("INVITE", extra: ["Supported: 100rel"]), from: bench.caller)
        let invite = try bench.last("INVITE", to: gateway)
        bench.receive(
            bench.response(183, to: invite, contact: "<sip:gw@10.2.0.1:5066>", extra: ["Require: 100rel", "RSeq: 7"]),
            from: gateway)
        let early = try bench.last("183", to: bench.caller)
        #expect(early.first("RSeq") == "7" && early.first("Require") == "100rel")
        let callee = try Bench.address("10.2.0.1:5066")
        for (number, method) in ["PRACK", "UPDATE"].enumerated() {
            _ = bench.look()
            let request = try bench.withinDialog(method, of: early, cSeq: 2 + number, branch: "z9hG4bKe\(number)")
                .replacing("Content-Length", with: "RAck: 7 1 INVITE\r\nContent-Length")
            bench.receive(request, from: bench.caller)
            let sent = try bench.last(method, to: callee)
            #expect(sent.startLine == "\(method) sip:gw@10.2.0.1:5066 SIP/2.0")
            #expect(sent.first("RAck") == "7 1 INVITE" && sent.all("Route").isEmpty)
            #expect(sent.all("Record-Route").isEmpty)
            bench.receive(bench.response(200, to: sent), from: callee)
            #expect(bench.look().map(\.kind) == [method, "200"])
        }
        bench.receive(bench.response(200, to: invite), from: gateway)
        #expect(bench.trace() == ["200>caller"])
    }

    @Test func `all our own values come off the top, with lr=true too; the next is where it goes (§16.4, §16.6)`()
        throws
    {
        var (bench, answer) = try ProxyCallTests.answered()
        let own = Self.own(answer)
        let bound = "sip:10.0.0.1:5060;lr=true"
        for (number, (routes, destination, left)) in [
            (["<\(own)>, <\(own.replacing(";lr;", with: ";lr=true;"))>"], "10.2.0.1:5060", []),
            (["<\(bound)>,<\(own)>", "<sip:10.9.0.1:5064;lr=on>"], "10.9.0.1:5064", ["<sip:10.9.0.1:5064;lr=on>"]),
            (["\"us, \\\"too\" <\(own)>;x", "<\(bound)>"], "10.2.0.1:5060", []),
        ].enumerated() {
            bench.receive(
                try Self.request(
                    "BYE", bench, answer, uri: Self.contact, routes: routes, cSeq: 2 + number,
                    branch: "z9hG4bKl\(number)"), from: bench.stranger)
            let bye = try bench.last("BYE", to: try Bench.address(destination))
            #expect(bye.startLine == "BYE \(Self.contact) SIP/2.0")
            #expect(bye.all("Route") == left)
            _ = bench.look()
        }
    }

    @Test func `what makes a dialog gets our Record-Route, anything else none (§16.6 step 4)`() throws {
        for (method, count) in [("INVITE", 1), ("SUBSCRIBE", 1), ("REFER", 1), ("MESSAGE", 0), ("FROBNICATE", 0)] {
            var bench = try Bench()
            bench.receive(bench.request(method), from: bench.caller)
            #expect(try bench.last(method, to: try bench.gateway(1)).all("Record-Route").count == count, "\(method)")
        }
    }

    @Test func `a strict router before us: the last Route value becomes the Request-URI again (§16.4)`() throws {
        for method in ["BYE", "ACK"] {
            var (bench, answer) = try ProxyCallTests.answered()
            let own = Self.own(answer)
            bench.receive(
                try Self.request(method, bench, answer, uri: own, routes: ["<\(Self.contact)>"], cSeq: 2),
                from: bench.caller)
            let plain = try bench.last(method, to: try bench.gateway(1))
            #expect(plain.startLine == "\(method) \(Self.contact) SIP/2.0")
            #expect(plain.all("Route").isEmpty)
            _ = bench.look()
            bench.receive(
                try Self.request(
                    method, bench, answer, uri: own,
                    routes: ["<\(own)>, <sip:10.9.0.1;lr>", "<sip:10.9.0.2;lr>,<\(Self.contact)>"],
                    branch: "z9hG4bKroute2"), from: bench.stranger)
            let routed = try bench.last(method, to: try Bench.address("10.9.0.1:5060"))
            #expect(routed.startLine == "\(method) \(Self.contact) SIP/2.0")
            #expect(routed.all("Route") == ["<sip:10.9.0.1;lr>", "<sip:10.9.0.2;lr>"])
        }
    }

    @Test func `a strict router after us: it gets itself as Request-URI, and the target last (§16.6 step 6)`() throws {
        var (bench, answer) = try ProxyCallTests.answered()
        let own = Self.own(answer)
        let strict = try Bench.address("10.9.0.1:5062")
        bench.receive(
            try Self.request(
                "BYE", bench, answer, uri: Self.contact,
                routes: ["<\(own)>,<sip:r@10.9.0.1:5062;x=y>, <sip:10.9.0.2;lr>"]), from: bench.caller)
        let bye = try bench.last("BYE", to: strict)
        #expect(bye.startLine == "BYE sip:r@10.9.0.1:5062;x=y SIP/2.0")
        #expect(bye.all("Route") == ["<sip:10.9.0.2;lr>", "<\(Self.contact)>"])
        _ = bench.look()
        bench.receive(
            try Self.request(
                "BYE", bench, answer, uri: own, routes: ["<sip:10.9.0.1:5062>", "<\(Self.contact)>"],
                branch: "z9hG4bKroute2"), from: bench.caller)
        let between = try bench.last("BYE", to: strict)
        #expect(between.startLine == "BYE sip:10.9.0.1:5062 SIP/2.0", "strict routers on both sides")
        #expect(between.all("Route") == ["<\(Self.contact)>"])
    }

    @Test func `CANCEL and ACK towards a strict router have the request's Request-URI and Route (§9.1, §17.1.1.3)`()
        throws
    {
        var (bench, answer) = try ProxyCallTests.answered()
        let strict = try Bench.address("10.9.0.1:5060")
        let invite = try Self.request(
            "INVITE", bench, answer, uri: Self.contact, routes: ["<\(Self.own(answer))>", "<sip:10.9.0.1>"])
        bench.receive(invite, from: bench.caller)
        let sent = try bench.last("INVITE", to: strict)
        #expect(sent.all("Record-Route").isEmpty)
        bench.receive(bench.response(180, to: sent), from: strict)
        bench.receive(
            invite.replacing("INVITE sip", with: "CANCEL sip").replacing("2 INVITE", with: "2 CANCEL"),
            from: bench.caller)
        bench.receive(bench.response(487, to: sent), from: strict)
        for method in ["CANCEL", "ACK"] {
            let own = try bench.last(method, to: strict)
            #expect(own.startLine == "\(method) sip:10.9.0.1 SIP/2.0")
            #expect(own.all("Route") == ["<\(Self.contact)>"])
            #expect(own.all("Via") == [sent.first("Via")])
        }
    }

    @Test func `our address as Request-URI without our mark is repaired for nobody, nor is our mark of another call`()
        throws
    {
        var (bench, answer) = try ProxyCallTests.answered()
        let own = Self.own(answer)
        let forged = try Self.request(
            "BYE", bench, answer, uri: "sip:10.0.0.1:5060;lr", routes: ["<sip:198.51.100.1>"])
        bench.receive(forged, from: bench.stranger)
        #expect(bench.look().map(\.kind) == ["403"])
        let other = try Self.request("BYE", bench, answer, uri: own, routes: ["<sip:198.51.100.1>"])
        bench.receive(other.replacing("call-1@", with: "call-2@"), from: bench.stranger)
        #expect(bench.look().map(\.kind) == ["403"])
    }

    @Test func `maddr names the server to be contacted; one that names us is taken out (§16.4, §19.1.1)`() throws {
        var (bench, answer) = try ProxyCallTests.answered()
        let own = "<\(Self.own(answer))>"
        for (number, (uri, destination, startURI)) in [
            ("sip:gw@host.example:5066;maddr=10.9.0.1", "10.9.0.1:5066", "sip:gw@host.example:5066;maddr=10.9.0.1"),
            ("sip:gw@10.2.0.1;x=y;maddr=10.0.0.1;transport=udp", "10.2.0.1:5060", "sip:gw@10.2.0.1;x=y"),
        ].enumerated() {
            bench.receive(
                try Self.request(
                    "BYE", bench, answer, uri: uri, routes: [own], cSeq: 2 + number, branch: "z9hG4bKr\(number)"),
                from: bench.caller)
            let bye = try bench.last("BYE", to: try Bench.address(destination))
            #expect(bye.startLine == "BYE \(startURI) SIP/2.0")
        }
        bench.receive(
            try Self.request(
                "BYE", bench, answer, uri: "sip:gw@host.example;maddr=224.0.1.75", routes: [own], branch: "z9hG4bKm"),
            from: bench.caller)
        #expect(bench.look().last?.kind == "500", "and never many hosts at once")
    }

    @Test func `a request within a dialog that would come straight back to us is 500, and sent nowhere`() throws {
        var (bench, answer) = try ProxyCallTests.answered()
        let own = Self.own(answer)
        for (number, routes) in [["<\(own)>"], ["<\(own)>", "<sip:gw@10.9.0.1;maddr=10.0.0.1;lr>"]].enumerated() {
            let uri = number == 0 ? "sip:x@10.0.0.1:5060" : Self.contact
            bench.receive(
                try Self.request("BYE", bench, answer, uri: uri, routes: routes, branch: "z9hG4bKo\(number)"),
                from: bench.caller)
            #expect(bench.trace() == ["500>caller"])
        }
    }
}
