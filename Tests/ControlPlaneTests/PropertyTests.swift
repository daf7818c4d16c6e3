import ControlPlane
import Fixtures
import JSON
import Routing
import Store
import Testing
import Time

/// What many changes leave behind.
@Suite struct PropertyTests {
    @Test(arguments: [1, 2] as [UInt64])
    func `changed step by step is the same as loaded anew`(_ seed: UInt64) async throws {
        var state = seed
        let fixture = try ControlPlaneFixture()
        var taken = 0
        for _ in 0..<120 {
            let operations = (0...Int(SplitMix64.next(after: &state) % 3)).map { _ in Self.operation(&state) }
            let result = await withCheckedContinuation { continuation in
                fixture.plane.submit(Change(operations, who: "test")) { continuation.resume(returning: $0) }
            }
            if result.refusal == nil { taken += 1 }
        }
        #expect(taken > 25)
        let before = try Self.describe(fixture.plane)
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder, clock: fixture.clock)
        #expect(try Self.describe(again.plane) == before, "seed \(seed)")
        again.close()
    }

    @Test func `every acknowledged change of many clients is there, each with a revision of its own`() async throws {
        let fixture = try ControlPlaneFixture()
        let revisions = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for client in 0..<8 {
                group.addTask {
                    var revisions: [Int64] = []
                    for number in 0..<12 {
                        let body = #"{"uri":"sip:10.0.\#(client).\#(number)"}"#
                        revisions.append(
                            try await fixture.commit(try put("gateways/g\(client)-\(number)", body)).revision)
                        let page = try fixture.plane.view(ResourcePath(.gateways, "g\(client)-\(number)"))
                        #expect(page.revision.number >= revisions[number])
                        #expect(fixture.plane.revision >= revisions[number])
                    }
                    return revisions
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(revisions) == Set(2...97))
        #expect(fixture.plane.snapshots.latest.gatewayCount == 96)
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder)
        #expect(again.plane.snapshots.latest.gatewayCount == 96)
        again.close()
    }

    /// One of many operations on few objects, so that they meet.
    private static func operation(_ state: inout UInt64) -> Operation {
        func draw(_ count: UInt64) -> UInt64 { SplitMix64.next(after: &state) % count }
        let none = Precondition()
        let (gateway, group, list) = ("g\(draw(5))", "h\(draw(4))", "l\(draw(3))")
        let prefix = ["any", "4", "44", "441", "5", "52"][Int(draw(6))]
        let plan = ["default", "p"][Int(draw(2))]
        switch draw(12) {
        case 0, 1:
            let uri = JSONValue.string("sip:192.0.2.\(draw(9) + 1)")
            return .put(ResourcePath(.gateways, gateway), .object(["uri": uri]), none)
        case 2:
            return .patch(ResourcePath(.gateways, gateway), .object(["hold_s": .integer(Int64(draw(99) + 1))]), none)
        case 3, 4:
            let member = JSONValue.object(["gateway": .string(gateway), "priority": .integer(Int64(draw(3)))])
            return .put(ResourcePath(.gatewayGroups, group), .object(["members": .array([member])]), none)
        case 5, 6:
            let entry = JSONValue.object(["group": .string(group)])
            return .put(ResourcePath(.routingLists, list), .object(["groups": .array([entry])]), none)
        case 7, 8: return .put(ResourcePath(route: prefix, plan: plan), .object(["routing_list": .string(list)]), none)
        case 9: return .put(ResourcePath(.routingPlans, "p"), .object([:]), none)
        case 10: return .delete(ResourcePath(route: prefix, plan: plan), none)
        default:
            let kinds: [(ResourceKind, String)] = [
                (.gateways, gateway), (.gatewayGroups, group), (.routingLists, list), (.routingPlans, "p"),
            ]
            let (kind, id) = kinds[Int(draw(4))]
            return .delete(ResourcePath(kind, id), none)
        }
    }

    /// All that can be seen of the routing data.
    private static func describe(_ plane: ControlPlane) throws -> [String] {
        var seen: [String] = []
        for kind in ResourceKind.allCases where kind != .routes {
            seen += try plane.list(ListQuery(kind)).items.map(\.canonicalText)
        }
        for plan in try plane.list(ListQuery(.routingPlans)).items.compactMap({ $0["id"]?.text }) {
            seen += try plane.list(ListQuery(.routes, plan: plan)).items.map(\.canonicalText)
            for number in ["4", "44", "441", "4412", "5", "52", "9", "alice"] {
                var query = LookupQuery(number: number)
                query.plan = plan
                seen.append(try plane.lookup(query).value.canonicalText)
            }
        }
        return seen
    }
}
