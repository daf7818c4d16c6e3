import Addressing
import JSON
import Routing
import Store
import Testing
import Time

@testable import ControlPlane

/// The settings of API section 3: one object that always exists.
@Suite struct SettingsTests {
    @Test func `settings exist before anyone sets them, and effective shows the defaults`() async throws {
        let fixture = try ControlPlaneFixture()
        let view = try fixture.plane.view(.settings).value
        #expect(view.etag == "r0")
        #expect(view.body["revision"] == .integer(0))
        #expect(view.body["effective"]?["record_route"] == .bool(true))
        #expect(view.body["effective"]?["gateway_defaults"]?["probe"]?["interval_s"] == .integer(30))
        #expect(fixture.plane.settings == Settings())
        fixture.close()
    }

    @Test func `a PATCH has its revision, tag and event, is in force at once and after a restart`() async throws {
        let fixture = try ControlPlaneFixture()
        let result = try await fixture.commit(
            try patch(
                "settings",
                #"""
                {"record_route":false,"when_network_suspected":"ignore","move_waiting_calls":false,
                "redirect_servers":["sip:192.0.2.5:5070"],"report_to":"https://rs.example.com:8443",
                "report_token":"s3cret","webhook_networks":["10.0.0.0/8"],"call_records_kept":5,
                "status_records_kept_days":7}
                """#))
        #expect(result.operations.map(\.outcome) == [.replaced])
        let settings = fixture.plane.settings
        #expect(!settings.routing.isRecordRouting && !settings.routing.movesWaitingCallsOn)
        #expect(settings.routing.whenNetworkSuspected == .ignore)
        #expect(settings.routing.redirectServers.map(\.uri) == ["sip:192.0.2.5:5070"])
        #expect(settings.reportTo == "https://rs.example.com:8443" && settings.reportToken == "s3cret")
        #expect(settings.webhookNetworks == [try #require(Network("10.0.0.0/8"))])
        #expect(settings.callRecordLimitCount == 5 && settings.statusRecordDays == 7)
        let view = try fixture.plane.view(.settings).value
        #expect(view.etag == "r\(result.revision)")
        #expect(!view.body.canonicalText.contains("s3cret"), "a secret is never shown")
        #expect(result.operations.first?.view?.body == view.body)
        try await fixture.commit(try patch("settings", #"{"call_records_kept":null}"#))
        #expect(fixture.plane.settings.callRecordLimitCount == 100_000)
        #expect(fixture.plane.settings.reportToken == "s3cret", "what a PATCH does not name stays")
        let events = try fixture.plane.events(after: 0, types: ["routing.changed"], limit: 100).value
        #expect(try json(try #require(events.last).data)["objects"] == (try json(#"["settings"]"#)))
        #expect(!events.contains { $0.data.contains("s3cret") })
        let before = fixture.plane.settings
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder)
        #expect(again.plane.settings == before)
        again.close()
    }

    @Test func `a stale If-Match changes no setting, and settings can't be deleted`() throws {
        var fixture = try CandidateFixture()
        let stale = try fixture.refusal(try patch("settings", "{}", Precondition(ifMatch: ["r7"])))
        #expect(stale.problem == .stale && stale.currentETag == "r0")
        #expect(try fixture.refusal(try delete("settings")).problem == .conflict)
        let result = try fixture.take(try patch("settings", "{}", Precondition(ifMatch: ["r0"])))
        #expect(result.operations.map(\.outcome) == [.unchanged] && result.revision == 0)
    }

    @Test func `gateway defaults apply at once to every gateway that does not say otherwise; no status is lost`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(try patch("gateways/lon2", #"{"hold_s":5,"probe":{"interval_s":9}}"#))
        try fixture.takeOut("lon1")
        let slots = [try fixture.slot("lon1"), try fixture.slot("lon2")]
        try await fixture.settle()
        let tag = try fixture.plane.view(ResourcePath(.gateways, "lon1")).value.etag
        try await fixture.commit(
            try patch(
                "settings",
                #"{"gateway_defaults":{"response_timeout_ms":750,"hold_s":33,"probe":{"timeout_ms":900}}}"#))
        let gateways = Dictionary(
            uniqueKeysWithValues: fixture.plane.snapshots.latest.gateways.map { ($0.id, $0.gateway) })
        #expect(gateways["lon1"]?.timing.responseTimeoutMilliseconds == 750)
        #expect(gateways["lon1"]?.timing.holdSeconds == 33 && gateways["lon2"]?.timing.holdSeconds == 5)
        #expect(gateways["lon2"]?.probe.intervalSeconds == 9 && gateways["lon2"]?.probe.timeoutMilliseconds == 900)
        #expect([try fixture.slot("lon1"), try fixture.slot("lon2")] == slots)
        #expect(fixture.plane.table.status(of: slots[0]).status == .outOfService)
        let lookup = try fixture.plane.lookup(LookupQuery(number: "44")).value
        #expect(LookupTests.gateways(lookup) == ["lon2"])
        guard case .array(let targets)? = lookup["targets"] else { throw CandidateFixture.NotRefused() }
        #expect(targets.first?["response_timeout_ms"] == .integer(750))
        let view = try fixture.plane.view(ResourcePath(.gateways, "lon1")).value
        #expect(view.body["effective"]?["response_timeout_ms"] == .integer(750))
        #expect(view.body["response_timeout_ms"] == nil)
        #expect(view.etag == "r\(fixture.plane.revision)" && view.etag != tag, "what applies has changed")
        let page = try fixture.plane.list(ListQuery(.gateways)).items
        #expect(page.first == view.body)
        // A gateway that is made afterwards, and one that is loaded, follow them too.
        try await fixture.commit(try put("gateways/new", #"{"uri":"sip:192.0.2.40"}"#))
        #expect(fixture.plane.snapshots.latest.gateways.first { $0.id == "new" }?.timing.holdSeconds == 33)
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder, clock: fixture.clock)
        #expect(again.plane.snapshots.latest.gateways.first { $0.id == "lon1" }?.timing.holdSeconds == 33)
        try await again.commit(try patch("settings", #"{"gateway_defaults":null}"#))
        #expect(again.plane.snapshots.latest.gateways.first { $0.id == "lon1" }?.timing.holdSeconds == 60)
        #expect(try again.plane.view(ResourcePath(.gateways, "lon1")).value.etag == tag)
        again.close()
    }

    @Test func `in one change defaults and gateways meet in either order`() throws {
        var fixture = try CandidateFixture.london()
        try fixture.take(
            try put("gateways/a", #"{"uri":"sip:192.0.2.30"}"#),
            try patch("settings", #"{"gateway_defaults":{"hold_s":33}}"#),
            try put("gateways/b", #"{"uri":"sip:192.0.2.31"}"#), try put("gateways/lon1", #"{"uri":"sip:192.0.2.32"}"#))
        for id in ["a", "b", "lon1", "lon2"] {
            #expect(fixture.candidate.builder.gateways[id]?.timing.holdSeconds == 33, "\(id)")
        }
        _ = try fixture.refusal(
            try patch("settings", #"{"gateway_defaults":{"hold_s":44}}"#), try put("gateways/c", "{}"))
        #expect(fixture.candidate.builder.gateways["a"]?.timing.holdSeconds == 33, "a refused change leaves no trace")
        #expect(try fixture.view("gateways/a").body["effective"]?["hold_s"] == .integer(33))
    }

    @Test(arguments: [
        (#"{"recovery":"probe"}"#, #"{"probe":{"interval_s":0}}"#),
        (#"{"probe":{"interval_s":0}}"#, #"{"recovery":"probe"}"#),
    ]) func `a gateway without probes never waits for one, whichever of the two the defaults say`(
        _ own: String, _ defaults: String
    ) throws {
        var fixture = try CandidateFixture.london()
        try fixture.take(try patch("gateways/lon1", own))
        let (before, words) = (fixture.candidate.builder.gateways["lon1"]?.recovery, ["probe", "timed"])
        #expect(before == (own.contains("recovery") ? .probe : .timed))
        try fixture.take(try patch("settings", #"{"gateway_defaults":\#(defaults)}"#))
        #expect(fixture.candidate.builder.gateways["lon1"]?.recovery == .timed)
        let view = try fixture.view("gateways/lon1").body
        #expect(view["effective"]?["recovery"] == .string("timed"))
        #expect(view["recovery"]?.text.map { words.contains($0) } ?? true)
        try fixture.take(try patch("gateways/lon1", #"{"recovery":"probe","probe":{"interval_s":7}}"#))
        #expect(fixture.candidate.builder.gateways["lon1"]?.recovery == .probe)
    }

    @Test func `gateways are found by label`() async throws {
        let fixture = try ControlPlaneFixture()
        for (id, labels) in [("a", #"{"site":"lon","x":"%"}"#), ("b", #"{"site":"par"}"#), ("c", #"{"site":"lon"}"#)] {
            try await fixture.commit(try put("gateways/\(id)", #"{"uri":"sip:192.0.2.1","labels":\#(labels)}"#))
        }
        try await fixture.commit(try put("gateways/d", #"{"uri":"sip:192.0.2.1"}"#))
        func found(_ name: String, _ value: String, limit: Int = 100) throws -> ResourcePage {
            var query = ListQuery(.gateways)
            (query.label, query.limitCount) = (ObjectLabel(name: name, value: value), limit)
            return try fixture.plane.list(query)
        }
        func ids(_ page: ResourcePage) -> [String] { page.items.compactMap { $0["id"]?.text } }
        #expect(ids(try found("site", "lon")) == ["a", "c"])
        #expect(ids(try found("x", "%")) == ["a"])
        #expect(try found("site", "l%").items.isEmpty && found("$.site", "lon").items.isEmpty)
        let first = try found("site", "lon", limit: 1)
        #expect(ids(first) == ["a"] && first.next == "a")
        fixture.close()
    }
}
