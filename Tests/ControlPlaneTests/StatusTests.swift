import ControlPlane
import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Testing
import Time

@Suite struct StatusTests {
    @Test func `a gateway's status shows the row and who saw it change`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let before = try fixture.plane.status(ofGateway: "lon1").value
        #expect(before["status"] == .string("in-service"))
        #expect(before["since"] == .null)
        try fixture.takeOut("lon1")
        let now = fixture.clock.now
        _ = fixture.plane.table.observe(
            try fixture.slot("lon1"), .transportError, of: StatusRules(outOfServiceCauses: []), begun: now, now: now)
        try await fixture.settle()
        let record = try #require(try fixture.statusRecords().first)
        let status = try fixture.plane.status(ofGateway: "lon1").value
        let observed =
            #"""
            "status":"out-of-service","since":"\#(record.at.rfc3339)",
            "time_value":"\#(record.timeValue?.rfc3339 ?? "")","cause":"no-response","reporter":"call"
            """#
        #expect(
            status
                == (try json(
                    #"""
                    {"gateway":"lon1",\#(observed),"administrative_state":"unlocked",
                    "observers":[{"node":"n1",\#(observed)}],"active_calls":0,"calls_answered":0,"calls_failed":1,
                    "response_ms":{"p50":null,"p95":null},
                    "consecutive_failures":1,"probe":{"last_at":null,"last_result":null,"round_trip_ms":null,
                    "failures":0}}
                    """#
                )))
        _ = fixture.plane.table.noteProbe(
            try fixture.slot("lon2"), at: fixture.clock.now, sipStatus: 200, roundTrip: .milliseconds(12),
            isAcknowledged: true)
        let probe = try fixture.plane.status(ofGateway: "lon2").value["probe"]
        #expect(probe?["last_result"] == .integer(200))
        #expect(probe?["round_trip_ms"] == .number(12))
        #expect(probe?["last_at"] == .string(fixture.clock.wallTime.rfc3339))
        for isTransportError in [true, false] {
            _ = fixture.plane.table.noteProbe(
                try fixture.slot("lon2"), at: fixture.clock.now, sipStatus: 0, isTransportError: isTransportError,
                roundTrip: .milliseconds(12), isAcknowledged: false)
            let silent = try fixture.plane.status(ofGateway: "lon2").value["probe"]
            #expect(silent?["last_result"] == .string(isTransportError ? "transport-error" : "no-response"))
            #expect(silent?["round_trip_ms"] == .null)
        }
        #expect(throws: Refusal.self) { try fixture.plane.status(ofGateway: "nobody") }
        fixture.close()
    }

    @Test func `a status whose time value has passed is shown as it is until the sweep records it`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try fixture.takeOut("lon1")
        fixture.clock.move(by: .seconds(61))
        #expect(try fixture.plane.status(ofGateway: "lon1").value["status"] == .string("out-of-service"))
        fixture.plane.networkManager.sweep()
        try await fixture.settle()
        let status = try fixture.plane.status(ofGateway: "lon1").value
        #expect(status["status"] == .string("in-service"))
        #expect(status["cause"] == .string("time-value-reached"))
        #expect(status["time_value"] == .null)
        #expect(try fixture.statusRecords().map(\.to) == [.outOfService, .inService])
        fixture.close()
    }

    @Test func `a group is in-service while one member is`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        func status() throws -> JSONValue? { try fixture.plane.status(ofGroup: "london").value["status"] }
        #expect(try status() == .string("in-service"))
        try fixture.takeOut("lon1")
        #expect(try status() == .string("in-service"))
        try fixture.takeOut("lon2")
        #expect(try status() == .string("out-of-service"))
        try await fixture.commit(try put("gateways/lon3", #"{"uri":"sip:192.0.2.12","administrative_state":"locked"}"#))
        try await fixture.commit(try patch("gateway-groups/london", #"{"members":[{"gateway":"lon3"}]}"#))
        #expect(try status() == .string("out-of-service"), "it is in-service, and no call may use it")
        try await fixture.commit(try put("gateway-groups/empty", "{}"))
        #expect(try fixture.plane.status(ofGroup: "empty").value["status"] == .string("out-of-service"))
        #expect(throws: Refusal.self) { try fixture.plane.status(ofGroup: "nobody") }
        fixture.close()
    }

    @Test func `the table comes in pages, by status and by group`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        for number in 0..<5 {
            try await fixture.commit(try put("gateways/g\(number)", #"{"uri":"sip:192.0.2.\#(50 + number)"}"#))
        }
        try fixture.takeOut("g3")
        var query = StatusQuery()
        query.limitCount = 2
        var seen: [String] = []
        repeat {
            let page = try fixture.plane.statuses(query)
            seen += page.items.compactMap { $0["gateway"]?.text }
            query.after = page.next
        } while query.after != nil
        #expect(seen == ["g0", "g1", "g2", "g3", "g4", "lon1", "lon2"])
        query.status = .outOfService
        #expect(try fixture.plane.statuses(query).items.compactMap { $0["gateway"]?.text } == ["g3"])
        query = StatusQuery()
        query.group = "london"
        #expect(try fixture.plane.statuses(query).items.compactMap { $0["gateway"]?.text } == ["lon1", "lon2"])
        query.group = "nobody"
        #expect(throws: Refusal.self) { try fixture.plane.statuses(query) }
        fixture.close()
    }

    @Test func `status and time value survive a restart; one that went by meanwhile is put back and recorded`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try fixture.takeOut("lon1", for: .seconds(600))
        try fixture.takeOut("lon2", for: .seconds(10))
        try await fixture.settle()
        let shown = try fixture.plane.status(ofGateway: "lon1").value
        fixture.close()
        fixture.clock.move(by: .seconds(100))
        let again = try ControlPlaneFixture(folder: fixture.folder, clock: fixture.clock)
        #expect(try again.plane.status(ofGateway: "lon1").value["time_value"] == shown["time_value"])
        #expect(try again.plane.status(ofGateway: "lon1").value["since"] == shown["since"])
        #expect(again.plane.table.status(of: try again.slot("lon1")).isUsable(at: again.clock.now) == false)
        #expect(again.plane.table.status(of: try again.slot("lon2")).isUsable(at: again.clock.now))
        #expect(LookupTests.gateways(try again.plane.lookup(LookupQuery(number: "44")).value) == ["lon2"])
        again.plane.networkManager.sweep()
        try await again.settle()
        #expect(
            try again.statusRecords().map { "\($0.gateway) \($0.cause.name)" }
                == ["lon1 no-response", "lon2 no-response", "lon2 time-value-reached"])
        again.close()
    }

    @Test func `a changed URI starts afresh, over a restart too; any other change leaves the status`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try fixture.takeOut("lon1")
        try fixture.takeOut("lon2")
        try await fixture.commit(
            try patch("gateways/lon1", #"{"hold_s":5}"#), try patch("gateways/lon2", #"{"uri":"sip:192.0.2.99"}"#))
        #expect(try fixture.plane.status(ofGateway: "lon1").value["status"] == .string("out-of-service"))
        let fresh = try fixture.plane.status(ofGateway: "lon2").value
        #expect(fresh["status"] == .string("in-service"))
        #expect(fresh["cause"] == .null)
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder, clock: fixture.clock)
        #expect(try again.plane.status(ofGateway: "lon1").value["status"] == .string("out-of-service"))
        #expect(try again.plane.status(ofGateway: "lon2").value["status"] == .string("in-service"))
        again.close()
    }

    @Test func `status records narrow to a group's members`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(try put("gateways/par1", #"{"uri":"sip:192.0.2.20"}"#))
        try fixture.takeOut("lon1")
        try fixture.takeOut("par1")
        try await fixture.settle()
        let records = try fixture.plane.statusRecords(StatusRecordQuery(), group: "london").value
        #expect(records.map(\.change.gateway) == ["lon1"])
        var query = StatusRecordQuery()
        query.gateways = ["par1"]
        #expect(try fixture.plane.statusRecords(query, group: "london").value.isEmpty)
        #expect(try fixture.plane.statusRecords(query, group: nil).value.map(\.change.gateway) == ["par1"])
        #expect(throws: Refusal.self) { try fixture.plane.statusRecords(query, group: "nobody") }
        fixture.close()
    }
}
