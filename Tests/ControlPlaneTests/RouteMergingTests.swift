import Fixtures
import JSON
import Routing
import Store
import Testing

@testable import ControlPlane

@Suite struct RouteMergingTests {
    @Test func `texts of rows that differ in their Unicode normalisation alone are kept apart, also over a restart`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        func line(_ prefix: Int, _ reason: String) -> String {
            #"{"prefix":"\#(prefix)","reject":{"reason":"\#(reason)","status":603}}"# + "\n"
        }
        func reasons(_ fixture: ControlPlaneFixture) -> [[UInt8]] {
            var reasons: [[UInt8]] = []
            fixture.plane.state.builder.forEachRoute(in: "default") { _, route in
                if case .reject(_, let reason) = route.disposition { reasons.append(Array(reason.utf8)) }
                return true
            }
            return reasons
        }
        let sent = line(1, composed) + line(2, decomposed) + line(3, composed)
        #expect(try await fixture.bulk(sent, .lines, replaces: false).get().counts.created == 3)
        #expect(try Array(fixture.table(.lines).utf8) == Array(sent.utf8))
        #expect(reasons(fixture) == [composed, decomposed, composed].map { Array($0.utf8) })
        #expect(try await fixture.bulk(line(3, decomposed), .lines, replaces: false).get().counts.replaced == 1)
        #expect(try await fixture.bulk(line(3, decomposed), .lines, replaces: false).get().counts.replaced == 0)
        #expect(reasons(fixture) == [composed, decomposed, decomposed].map { Array($0.utf8) })
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder)
        #expect(reasons(again) == [composed, decomposed, decomposed].map { Array($0.utf8) })
        again.close()
    }

    @Test func `a field that nobody knows is refused in a merge also where it is null`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLists("uk")
        try await fixture.commit(try put("routing-plans/default/routes/44", #"{"routing_list":"uk"}"#))
        for (row, pointer) in [
            (#"{"prefix":"44","zz":null}"#, "/zz"),
            (#"{"prefix":"44","reject":{"status":603,"zz":null},"routing_list":null}"#, "/reject/zz"),
        ] {
            let refusal = try #require(try await fixture.bulk(row, .lines, replaces: false).refusal)
            #expect(refusal.errors.map(\.pointer) == [pointer])
        }
        fixture.close()
    }
}
