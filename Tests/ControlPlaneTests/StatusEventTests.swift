import ControlPlane
import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Testing
import Time

@Suite struct StatusEventTests {
    private func events(_ fixture: ControlPlaneFixture, _ type: String) throws -> [StoredEvent] {
        try fixture.store.events(after: 0, types: [type], limit: 100)
    }

    @Test func `a changed administrative state is an event of the change that made it (API 7)`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(try put("gateways/par1", #"{"uri":"sip:192.0.2.30","administrative_state":"locked"}"#))
        try await fixture.commit(
            try patch("gateways/lon1", #"{"administrative_state":"locked"}"#),
            try patch("gateways/lon2", #"{"description":"x"}"#))
        try await fixture.commit(try patch("gateways/lon1", #"{"administrative_state":null}"#))
        let told = try events(fixture, "gateway.administrative-state.changed")
        #expect(told.map(\.subject) == ["gateways/lon1", "gateways/lon1"])
        #expect(told[0].data.contains(#""from":"unlocked""#) && told[0].data.contains(#""to":"locked""#))
        #expect(told[1].data.contains(#""from":"locked""#) && told[1].data.contains(#""to":"unlocked""#))
        #expect(told[1].data.contains("\"revision\":\(fixture.plane.revision)"))
        fixture.close()
    }

    @Test func `a group's change is stored with the status change that did it`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        fixture.plane.networkManager.sweep()
        try fixture.takeOut("lon1")
        try fixture.takeOut("lon2")
        try await fixture.settle()
        let told = try events(fixture, "group.status.changed")
        #expect(told.map(\.subject) == ["gateway-groups/london"])
        #expect(told[0].data.contains(#""gateway":"lon2""#))
        fixture.close()
    }

    @Test func `what routing data does to a group is in the commit that holds the data`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(
            try patch("gateways/lon1", #"{"administrative_state":"locked"}"#),
            try patch("gateways/lon2", #"{"administrative_state":"locked"}"#))
        try await fixture.commit(try patch("gateways/lon2", #"{"administrative_state":"unlocked"}"#))
        // A route moves no group, and what is not committed tells nothing.
        try await fixture.commit(try put("routing-plans/default/routes/45", #"{"routing_list":"uk"}"#))
        fixture.log.order(.answer(.readOnly(reason: "disk full")))
        let refused = await fixture.change(try patch("gateways/lon2", #"{"administrative_state":"locked"}"#))
        #expect(refused.refusal?.problem == .readOnly)
        fixture.plane.networkManager.sweep()
        try await fixture.commit(try put("routing-plans/default/routes/46", #"{"routing_list":"uk"}"#))
        let told = try events(fixture, "group.status.changed")
        #expect(told.map(\.subject) == ["gateway-groups/london", "gateway-groups/london"])
        #expect(told[0].data.contains(#""to":"out-of-service""#) && told[1].data.contains(#""to":"in-service""#))
        let batches = fixture.log.batches.filter { $0.events.contains { $0.type == "group.status.changed" } }
        #expect(batches.map(\.changes.count) == [1, 1, 1], "the third is the one that was not taken")
        fixture.close()
    }

    @Test func `the status of a member that is locked moves no group, locked just now or long ago`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        fixture.plane.networkManager.sweep()
        try fixture.takeOut("lon2")
        try await fixture.commit(try patch("gateways/lon1", #"{"administrative_state":"locked"}"#))
        #expect(fixture.plane.networkManager.order(try fixture.slot("lon1"), .outOfService))
        #expect(fixture.plane.networkManager.order(try fixture.slot("lon1"), .inService))
        fixture.plane.networkManager.sweep()
        try await fixture.settle()
        let told = try events(fixture, "group.status.changed")
        #expect(told.count == 1 && told[0].data.contains(#""to":"out-of-service""#), "\(told.map(\.data))")
        fixture.close()
    }

    @Test func `a time value that is reached while nothing runs brings the group back, and says so`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        fixture.plane.networkManager.sweep()
        try fixture.takeOut("lon1", for: .seconds(5))
        try fixture.takeOut("lon2", for: .seconds(600))
        try await fixture.settle()
        fixture.close()
        fixture.clock.move(by: .seconds(60))
        let again = try ControlPlaneFixture(folder: fixture.folder, clock: fixture.clock)
        again.plane.networkManager.sweep()
        try await again.settle()
        let told = try events(again, "group.status.changed")
        #expect(told.count == 2 && told[1].data.contains(#""to":"in-service""#), "\(told.map(\.data))")
        again.close()
    }

    @Test func `a gateway that was out and gets another URI begins in-service, by a record of its own`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        fixture.plane.networkManager.sweep()
        try fixture.takeOut("lon1")
        try fixture.takeOut("lon2")
        try await fixture.settle()
        try await fixture.commit(
            try patch("gateways/lon1", #"{"uri":"sip:192.0.2.77"}"#),
            try patch("gateways/lon2", #"{"description":"x"}"#))
        let change = try #require(try fixture.statusRecords().last)
        #expect(change.gateway == "lon1" && change.uri == "sip:192.0.2.77")
        #expect(change.from == .outOfService && change.to == .inService && change.cause == .operatorWord)
        #expect(change.revision == Revision(fixture.plane.revision))
        #expect(fixture.plane.networkManager.lastChange(of: "lon1") == change)
        fixture.plane.networkManager.sweep()
        #expect(fixture.plane.networkManager.lastChange(of: "lon1") == change)
        let told = try events(fixture, "group.status.changed")
        #expect(told.count == 2 && told[1].data.contains(#""to":"in-service""#), "\(told.map(\.data))")
        // It falls and rises as any other; one that was in-service says nothing of its new URI.
        try fixture.takeOut("lon1")
        try await fixture.settle()
        let count = try fixture.statusRecords().count
        #expect(try fixture.statusRecords().last?.from == .inService)
        try await fixture.commit(try put("gateways/par1", #"{"uri":"sip:192.0.2.30"}"#))
        try await fixture.commit(try put("gateways/par1", #"{"uri":"sip:192.0.2.31"}"#))
        fixture.plane.networkManager.sweep()
        try await fixture.settle()
        #expect(try fixture.statusRecords().count == count)
        fixture.close()
    }

    @Test func `the operator's word without an end survives a restart, as does the one on a gateway that was out`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try fixture.takeOut("lon1", for: .seconds(5))
        let until = fixture.clock.wallTime + .seconds(7200)
        #expect(fixture.plane.networkManager.order(try fixture.slot("lon1"), .outOfService, until: until))
        #expect(fixture.plane.networkManager.order(try fixture.slot("lon2"), .outOfService))
        try await fixture.settle()
        fixture.close()
        fixture.clock.move(by: .seconds(3600))
        let again = try ControlPlaneFixture(folder: fixture.folder, clock: fixture.clock)
        for gateway in ["lon1", "lon2"] {
            let word = again.plane.table.status(of: try again.slot(gateway))
            #expect(word.status == .outOfService)
            #expect(word.cause == .operatorWord)
            #expect(!word.isUsable(at: again.clock.now))
        }
        #expect(again.plane.table.status(of: try again.slot("lon2")).timeValue == nil)
        fixture.clock.move(by: .seconds(3601))
        again.plane.networkManager.sweep()
        #expect(again.plane.table.status(of: try again.slot("lon1")).status == .inService)
        #expect(again.plane.table.status(of: try again.slot("lon2")).status == .outOfService)
        again.close()
    }

    @Test func `status records and events go after the days that the settings say`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(try patch("settings", #"{"status_records_kept_days":2}"#))
        for _ in 0..<3 {
            try fixture.takeOut("lon1")
            fixture.clock.move(by: .seconds(70))
            fixture.plane.networkManager.sweep()
        }
        try await fixture.settle()
        #expect(try fixture.statusRecords().count == 6)
        fixture.clock.move(by: .seconds(3 * 86_400))
        try await fixture.settle()
        try await fixture.settle()
        #expect(try fixture.statusRecords().count == 1, "the last one says what holds")
        let kept = try fixture.store.events(after: 0, types: [], limit: 100)
        #expect(!kept.isEmpty && kept.allSatisfy { $0.time >= fixture.clock.wallTime + .seconds(-2 * 86_400) })
        fixture.close()
    }
}
