import Fixtures
import Foundation
import JSON
import Routing
import Store
import Testing
import Time

@testable import ControlPlane

/// Restores of revisions that differ in more than is gone through one by one.
@Suite struct RestoringTests {
    private func differences(_ fixture: ControlPlaneFixture, _ from: Int64, _ to: Int64) throws -> [Difference] {
        try fixture.store.differences(from: Revision(from), to: Revision(to), limit: 1000).items
    }

    /// Two states that differ in about everything, and a third beside.
    private func fill(_ fixture: ControlPlaneFixture) async throws -> (first: Int64, second: Int64) {
        try await fixture.provisionEverything()
        let rows = (10...60).map { "\($0),uk\n" }.joined()
        _ = try await fixture.bulk("prefix,routing_list\n44,uk\n" + rows.replacingOccurrences(of: "44,uk\n", with: ""))
            .get()
        try await fixture.commit(try put("routing-plans/default/routes/99", #"{"routing_list":"uk"}"#))
        let first = fixture.plane.revision
        fixture.clock.move(by: .seconds(5))
        let other = """
            {"format":"tandem-export","version":1}
            {"path":"gateways/other","value":{"uri":"sip:192.0.2.77"}}
            {"path":"routing-plans/default","value":{}}
            {"path":"routing-plans/default/routes/44","value":{"reject":{"status":603}}}
            {"path":"routing-plans/default/routes/99","value":{"routing_list":"x"}}
            {"path":"routing-lists/x","value":{}}
            {"path":"routing-plans/new","value":{}}
            {"path":"routing-tests/t","value":{"number":"442071234567","expect":{"routing_list":"uk"}}}
            {"path":"routing-plans/new/routes/any","value":{"reject":{"status":603}}}
            {"end":true}
            """
        _ = try await fixture.importing(other) { $0.overridesTests = true }.get()
        fixture.clock.move(by: .seconds(5))
        return (first, fixture.plane.revision)
    }

    @Test(arguments: [(RouteStage.inPlaceLimitCount, 0), (0, 0), (0, 1000)])
    func `everything is as it was then, made when it was made then, whether it goes the way of a bulk or not`(
        bulksInPlace: Int, restoresInPlace: Int
    ) async throws {
        let fixture = try ControlPlaneFixture(bulksInPlace: bulksInPlace, restoresInPlace: restoresInPlace)
        let (first, second) = try await fill(fixture)
        let (lines, otherLines) = (try fixture.exported(at: first), try fixture.exported(at: second))
        let counts = try differences(fixture, second, first).count
        let dry = try await fixture.restore(first, #"{"dry_run":true}"#)
        #expect(fixture.plane.revision == second && dry["revision"] == .integer(second + 1))
        let done = try await fixture.restore(first)
        #expect(done["revision"] == .integer(second + 1) && done["restores"] == .integer(first))
        #expect(done["counts"] == dry["counts"] && done["preview"]?["prefix_count"] == dry["preview"]?["prefix_count"])
        #expect(try fixture.exported() == lines)
        #expect(try differences(fixture, first, second + 1).isEmpty)
        #expect(try differences(fixture, second, second + 1).count == counts)
        #expect(fixture.followed().count == 52 && fixture.followed("new").isEmpty)
        let again = try await fixture.restore(first)
        #expect(again["revision"] == .integer(second + 1) && again["counts"] == .object([:]))
        // And there again, over what the restore has written.
        try await fixture.restore(second, #"{"override_tests":true}"#)
        #expect(try fixture.exported() == otherLines && differences(fixture, second, second + 2).isEmpty)
        let summary = try #require(try fixture.store.summary(of: Revision(second + 1)).value)
        #expect(summary.comment == "revision \(first) restored")
        fixture.close()
        #expect(try Store.check(path: fixture.folder.file()).findings.isEmpty)
    }

    @Test func `what others change meanwhile goes back too, and what waits for a confirmation is superseded`()
        async throws
    {
        let fixture = try ControlPlaneFixture(bulksInPlace: 0, restoresInPlace: 0)
        let (first, _) = try await fill(fixture)
        var pending = Change([try put("routing-lists/waits", "{}")], who: "test")
        pending.confirmWithin = .seconds(60)
        let waiting = pending
        _ = try await withCheckedContinuation { continuation in
            fixture.plane.submit(waiting) { continuation.resume(returning: $0) }
        }.get()
        let pendingRevision = fixture.plane.revision
        fixture.log.order(
            .comeLate("routing-plans/default/routes/20", #"{"reject":{"status":604}}"#),
            .comeLate("routing-plans/default/routes/77", #"{"reject":{"status":604}}"#))
        try await fixture.restore(first)
        #expect(try fixture.exported() == fixture.exported(at: first))
        #expect(try differences(fixture, first, fixture.plane.revision).isEmpty)
        let confirmation = try fixture.store.summary(of: Revision(pendingRevision)).value?.confirmation
        #expect(confirmation?.state == .superseded)
        fixture.close()
        #expect(try Store.check(path: fixture.folder.file()).findings.isEmpty)
    }

    @Test func `its preview counts all prefixes that it touches, each once, and names the first`() async throws {
        let fixture = try ControlPlaneFixture(restoresInPlace: 0)
        try await fixture.provisionLondon()
        let first = fixture.plane.revision
        let rows = (1000..<1300).map { "\($0),uk\n" }.joined()
        _ = try await fixture.bulk("prefix,routing_list\n44,uk\n" + rows).get()
        try await fixture.commit(try patch("gateways/lon1", #"{"resends":1}"#))
        let second = fixture.plane.revision
        for revision in [first, second] {
            let preview = try #require(try await fixture.restore(revision)["preview"])
            #expect(preview["prefix_count"] == .integer(301), "300 that come or go, and 44, which leads to lon1")
            #expect(preview["prefixes"]?.list.count == 100)
        }
        fixture.close()
    }

    @Test func `stored tests stand against it, and nothing is left of one that is refused`() async throws {
        let fixture = try ControlPlaneFixture(restoresInPlace: 0)
        let (first, second) = try await fill(fixture)
        try await fixture.restore(first)
        let revision = fixture.plane.revision
        do {
            try await fixture.restore(second)
            Issue.record("a test would fail")
        } catch let refusal as Refusal { #expect(refusal.problem == .testFailed) }
        await #expect(throws: Refusal.self) { try await fixture.restore(999) }
        #expect(try fixture.plane.revision == revision && fixture.exported() == fixture.exported(at: first))
        #expect(try fixture.bulkFiles().isEmpty)
        fixture.close()
    }
}
