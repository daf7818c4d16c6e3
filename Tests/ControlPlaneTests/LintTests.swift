import Fixtures
import JSON
import Routing
import Store
import Testing
import Time

@testable import ControlPlane

/// What is allowed and yet likely wrong (API section 4, `GET /v1/lint`).
@Suite struct LintTests {
    /// The findings in the state that these operations lead to, after two gateways, a group, a list, a route, a peer.
    private func lint(_ operations: Operation..., at time: WallTime = CandidateFixture.time) throws -> LintReport {
        var fixture = try CandidateFixture.london()
        try fixture.take(try put("ingress-peers/pbx", #"{"networks":["192.0.2.0/24"]}"#))
        for operation in operations {
            _ = try fixture.candidate.take(.overriding(operation), at: CandidateFixture.time)
        }
        return Linter.report(of: fixture.candidate.state(at: fixture.candidate.base), at: time)
    }

    private func rules(_ report: LintReport) -> [String] {
        report.findings.map { "\($0.severity.rawValue) \($0.rule) \($0.object)" }
    }

    @Test func `the example of the contract has no finding`() throws {
        let report = try lint()
        #expect(report.findings.isEmpty)
        #expect(
            report.json
                == (try json(#"{"items":[],"counts":{"error":0,"warning":0,"note":0},"omitted":0}"#)))
    }

    @Test func `a list whose gateways all take no calls is an error where a route leads to it`() throws {
        #expect(
            rules(
                try lint(
                    try patch("gateways/lon1", #"{"administrative_state":"locked"}"#),
                    try patch("gateways/lon2", #"{"max_calls":0}"#)))
                == [
                    "error list-without-usable-gateway routing-lists/uk",
                    "warning group-without-usable-gateway gateway-groups/london",
                ])
        #expect(
            rules(try lint(try put("routing-lists/empty", "{}")))
                == [
                    "warning list-without-usable-gateway routing-lists/empty",
                    "note list-in-no-route routing-lists/empty",
                ])
    }

    @Test func `what nothing leads to is named`() throws {
        #expect(
            rules(
                try lint(
                    try put("gateways/spare", #"{"uri":"sip:192.0.2.12"}"#), try put("gateway-groups/empty", "{}"),
                    try put("routing-plans/pbx", "{}")))
                == [
                    "warning plan-without-peer routing-plans/pbx", "warning plan-without-route routing-plans/pbx",
                    "warning group-without-member gateway-groups/empty", "note gateway-in-no-group gateways/spare",
                    "note group-in-no-list gateway-groups/empty",
                ])
    }

    @Test func `two gateways with one address are one finding, a note where they rewrite differently`() throws {
        let same = try lint(try patch("gateways/lon2", #"{"uri":"sip:192.0.2.10:5060"}"#))
        #expect(rules(same) == ["warning gateways-share-an-address gateways/lon1"])
        #expect(same.findings.first?.detail == "the gateways lon1, lon2 have the same address udp:192.0.2.10:5060")
        #expect(
            rules(try lint(try patch("gateways/lon2", #"{"uri":"sip:192.0.2.10:5060","prepend":"99"}"#)))
                == ["note gateways-share-an-address gateways/lon1"])
        #expect(rules(try lint(try patch("gateways/lon2", #"{"uri":"sip:192.0.2.10:5060;transport=tcp"}"#))).isEmpty)
    }

    @Test func `routes that have ended, can never match or say what their shorter one says`() throws {
        let end = CandidateFixture.time + .seconds(10)
        let report = try lint(
            try put("routing-plans/default/routes/441", #"{"routing_list":"uk","valid_until":"\#(end.rfc3339)"}"#),
            try put("routing-plans/default/routes/4412", #"{"routing_list":"uk","max_digits":3}"#),
            try put("routing-plans/default/routes/442", #"{"routing_list":"uk"}"#),
            at: CandidateFixture.time + .seconds(10))
        #expect(
            rules(report)
                == [
                    "warning route-unreachable routing-plans/default/routes/4412",
                    "warning route-expired routing-plans/default/routes/441",
                    "note route-redundant routing-plans/default/routes/442",
                ])
    }

    @Test func `a route is shadowed when every digit that may follow has a route of its own`() throws {
        func report(_ body: String, digits: Range<Int>, _ other: String = #"{"reject":{"status":404}}"#) throws
            -> [String]
        {
            var fixture = try CandidateFixture.london()
            try fixture.take(try put("ingress-peers/pbx", #"{"networks":["192.0.2.0/24"]}"#))
            try fixture.take(try put("routing-plans/default/routes/44", body))
            for digit in digits { try fixture.take(try put("routing-plans/default/routes/44\(digit)", other)) }
            return rules(
                Linter.report(of: fixture.candidate.state(at: fixture.candidate.base), at: CandidateFixture.time))
        }
        let place = "routing-plans/default/routes/44"
        #expect(try report(#"{"routing_list":"uk"}"#, digits: 0..<10) == ["note route-shadowed \(place)"])
        #expect(
            try report(#"{"routing_list":"uk","min_digits":5}"#, digits: 0..<10) == ["warning route-shadowed \(place)"])
        #expect(try report(#"{"routing_list":"uk"}"#, digits: 0..<9).isEmpty)
        let timed = #"{"reject":{"status":404},"valid_from":"2026-01-01T00:00:00.000Z"}"#
        #expect(try report(#"{"routing_list":"uk"}"#, digits: 0..<10, timed).isEmpty)
    }

    @Test func `a catch-all beside a reject, and a reject that holds for a time only`() throws {
        let catchAll = try put("routing-plans/default/routes/any", #"{"routing_list":"uk","min_digits":2}"#)
        let reject = try put("routing-plans/default/routes/4490", #"{"reject":{"status":603}}"#)
        let place = "catch-all-beside-reject routing-plans/default/routes/any"
        #expect(rules(try lint(catchAll)).isEmpty)
        #expect(rules(try lint(reject)).isEmpty)
        #expect(rules(try lint(catchAll, reject)) == ["note \(place)"])
        let timed = #"{"reject":{"status":603},"valid_from":"2026-01-01T00:00:00.000Z"}"#
        #expect(
            rules(try lint(catchAll, reject, try put("routing-plans/default/routes/4491", timed)))
                == ["warning \(place)"])
    }

    @Test func `a peer that may have no calls, and a routing test that fails`() throws {
        #expect(
            rules(
                try lint(
                    try patch("ingress-peers/pbx", #"{"max_calls_per_second":0}"#),
                    try put("routing-tests/t", #"{"number":"44","expect":{"first_gateway":"lon2"}}"#)))
                == ["error test-fails routing-tests/t", "note peer-takes-no-calls ingress-peers/pbx"])
    }

    @Test func `a proxy that asks redirect servers elsewhere needs no route, and tells them what it sees`() throws {
        let settings = #"{"redirect_servers":["sip:192.0.2.5:5070"]"#
        let noRoute = try delete("routing-plans/default/routes/44")
        #expect(
            rules(try lint(try patch("settings", settings + "}"), noRoute))
                == ["warning redirect-servers-not-told settings", "note list-in-no-route routing-lists/uk"])
        #expect(
            rules(try lint(try patch("settings", settings + #","report_to":"http://192.0.2.5:8080"}"#), noRoute))
                == ["note list-in-no-route routing-lists/uk"])
    }

    @Test func `of each rule a hundred findings are told and the others counted`() throws {
        var fixture = try CandidateFixture.london()
        for number in 0..<250 { try fixture.take(try put("gateway-groups/g\(number)", "{}")) }
        let report = Linter.report(of: fixture.candidate.state(at: fixture.candidate.base), at: CandidateFixture.time)
        #expect(report.counts == [.warning: 251, .note: 250], "the plan has no peer here")
        #expect(report.findings.count == 201)
        #expect(report.omittedCount == 300)
        for finding in report.findings { #expect(!finding.detail.isEmpty && !finding.remedy.isEmpty) }
    }

    @Test func `a running control plane and the file say the same, and whoever asks at the same time shares it`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(try put("routing-lists/empty", "{}"))
        let reports = await withTaskGroup(of: LintReport.self) { group in
            for _ in 0..<8 { group.addTask { await fixture.lint() } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(reports.allSatisfy { $0 == reports[0] })
        #expect(rules(reports[0]).count == 2)
        #expect(reports[0].revision == fixture.plane.revision)
        try await fixture.commit(try delete("routing-lists/empty"))
        #expect(rules(await fixture.lint()).isEmpty, "another revision is looked at anew")
        #expect(try ControlPlane.lint(fileAt: fixture.folder.file(), at: fixture.clock.wallTime).findings.isEmpty)
        fixture.close()
        #expect(try ControlPlane.lint(fileAt: fixture.folder.file(), at: fixture.clock.wallTime).findings.isEmpty)
        #expect(throws: StoreError.self) {
            try ControlPlane.lint(fileAt: fixture.folder.file("none.db"), at: fixture.clock.wallTime)
        }
    }
}

extension ControlPlaneFixture {
    fileprivate func lint() async -> LintReport {
        await withCheckedContinuation { continuation in plane.lint { continuation.resume(returning: $0) } }
    }
}
