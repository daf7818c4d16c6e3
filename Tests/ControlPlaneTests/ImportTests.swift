import Fixtures
import Foundation
import JSON
import Routing
import Store
import Testing
import Time

@testable import ControlPlane

extension ControlPlaneFixture {
    /// Imports lines and waits for what comes of it.
    func importing(
        _ text: String, replaces: Bool = true, pieceBytes: Int = 1000, _ adjust: (inout BulkOrder) -> Void = { _ in }
    ) async throws -> Result<BulkResult, Refusal> {
        var order = BulkOrder(
            .everything, replaces: replaces, precondition: Precondition(),
            asker: TokenRegistry.Asker(who: "test", requestID: "r"))
        order.mayChangeSettings = true
        adjust(&order)
        return try await bulk(text, order, pieceBytes: pieceBytes)
    }

    /// All routing data as lines.
    func export(at revision: Int64? = nil) throws -> String {
        let export = try plane.export(at: revision)
        var text: [UInt8] = []
        while true {
            let page = try export.next()
            guard !page.isEmpty else { return String(decoding: text, as: UTF8.self) }
            text += page
        }
    }

    /// The lines behind the first, which tells the revision.
    func exported(at revision: Int64? = nil) throws -> [String] {
        try export(at: revision).split(separator: "\n").dropFirst().map(String.init)
    }

    /// London, another plan, everything that there is a kind of.
    func provisionEverything() async throws {
        try await provisionLondon()
        try await commit(
            try put("routing-plans/wholesale", #"{"description":"\"the\" others"}"#),
            try put("routing-plans/wholesale/routes/any", #"{"reject":{"status":603,"reason":"é"}}"#),
            try put("routing-plans/wholesale/routes/44", #"{"routing_list":"uk","min_digits":5}"#),
            try put("routing-plans/default/routes/*31#", #"{"routing_list":"uk"}"#),
            try put("ingress-peers/them", #"{"networks":["192.0.2.0/24"],"routing_plan":"wholesale"}"#),
            try put("routing-tests/t", #"{"number":"442071234567","expect":{"routing_list":"uk"}}"#),
            try patch("settings", #"{"gateway_defaults":{"hold_s":7},"report_token":"secret"}"#))
    }
}

@Suite struct ImportTests {
    private static let head = #"{"format":"tandem-export","version":1}"#
    private static let end = #"{"end":true}"#

    /// Lines between the first and the last one.
    private func whole(_ lines: String...) -> String { ([Self.head] + lines + [Self.end]).joined(separator: "\n") }

    private func line(_ path: String, _ value: String) -> String { #"{"path":"\#(path)","value":\#(value)}"# }

    @Test func `an export names each object once, kind by kind, and no secret`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionEverything()
        let revision = fixture.plane.revision
        #expect(
            try fixture.export().split(separator: "\n").map(String.init) == [
                #"{"format":"tandem-export","revision":\#(revision),"version":1}"#,
                #"{"path":"settings","value":{"gateway_defaults":{"hold_s":7}}}"#,
                #"{"path":"gateways/lon1","value":{"uri":"sip:192.0.2.10:5060"}}"#,
                #"{"path":"gateways/lon2","value":{"description":"London, second","uri":"sip:192.0.2.11:5060"}}"#,
                #"{"path":"gateway-groups/london","value":{"members":[{"gateway":"lon1"},{"gateway":"lon2"}],"#
                    + #""policy":"ordered"}}"#,
                #"{"path":"routing-lists/uk","value":{"groups":[{"group":"london"}]}}"#,
                #"{"path":"routing-plans/default","value":{}}"#,
                #"{"path":"routing-plans/wholesale","value":{"description":"\"the\" others"}}"#,
                #"{"path":"ingress-peers/loopback","value":{"networks":["127.0.0.0/8","::1/128"]}}"#,
                #"{"path":"ingress-peers/them","value":{"networks":["192.0.2.0/24"],"routing_plan":"wholesale"}}"#,
                #"{"path":"routing-plans/default/routes/*31#","value":{"routing_list":"uk"}}"#,
                #"{"path":"routing-plans/default/routes/44","value":{"routing_list":"uk"}}"#,
                #"{"path":"routing-plans/wholesale/routes/any","value":{"reject":{"reason":"é","status":603}}}"#,
                #"{"path":"routing-plans/wholesale/routes/44","value":{"min_digits":5,"routing_list":"uk"}}"#,
                #"{"path":"routing-tests/t","value":{"expect":{"routing_list":"uk"},"number":"442071234567"}}"#,
                Self.end,
            ])
        fixture.close()
    }

    @Test(arguments: [RouteStage.inPlaceLimitCount, 0])
    func `an export makes another database equal, and changes nothing where it came from`(limit: Int) async throws {
        let fixture = try ControlPlaneFixture(bulksInPlace: limit)
        try await fixture.provisionEverything()
        let text = try fixture.export()
        let revision = fixture.plane.revision
        for replaces in [true, false] {
            let again = try await fixture.importing(text, replaces: replaces).get()
            #expect(again.revision == revision && again.countsByKind == .object([:]))
        }
        let other = try ControlPlaneFixture(bulksInPlace: limit)
        try await other.commit(
            try put("gateways/gone", #"{"uri":"sip:192.0.2.9"}"#),
            try put("routing-plans/gone", "{}"), try put("routing-plans/gone/routes/1", #"{"reject":{"status":603}}"#),
            try put("ingress-peers/gone", #"{"networks":["192.0.2.0/24"],"routing_plan":"gone"}"#))
        let before = other.plane.revision
        let made = try await other.importing(text, pieceBytes: 7).get()
        #expect(made.revision == before + 1)
        #expect(try other.exported() == fixture.exported())
        #expect(other.followed() == fixture.followed() && other.followed("wholesale") == fixture.followed("wholesale"))
        #expect(other.followed("gone").isEmpty && Set(other.plane.state.builder.planIDs) == ["default", "wholesale"])
        let counts = try json(
            #"""
            {"settings":{"replaced":1},"gateways":{"created":2,"deleted":1},"gateway-groups":{"created":1},
            "routing-lists":{"created":1},"routing-plans":{"created":1,"deleted":1},
            "ingress-peers":{"created":1,"deleted":1},"routes":{"created":4,"deleted":1},"routing-tests":{"created":1}}
            """#)
        #expect(made.countsByKind == counts)
        // One change: what is told of it, and the chain of digests over it.
        let event = try #require(try other.plane.events(after: 0, types: ["routing.changed"], limit: 1000).value.last)
        #expect(try json(event.data)["counts"] == counts)
        fixture.close()
        let lines = try other.exported()
        other.close()
        #expect(try Store.check(path: other.folder.file()).findings.isEmpty)
        let reopened = try ControlPlaneFixture(folder: other.folder)
        #expect(try reopened.exported() == lines)
        reopened.close()
    }

    @Test func `an export is of one revision, the last one or an earlier one, whatever is changed meanwhile`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionEverything()
        let (revision, lines) = (fixture.plane.revision, try fixture.exported())
        let begun = try fixture.plane.export(at: nil)
        var text = try begun.next()
        _ = try await fixture.importing(whole(line("ingress-peers/p", #"{"networks":["10.0.0.0/8"]}"#))).get()
        while true {
            let page = try begun.next()
            if page.isEmpty { break }
            text += page
        }
        #expect(String(decoding: text, as: UTF8.self).split(separator: "\n").dropFirst().map(String.init) == lines)
        #expect(try fixture.exported(at: revision) == lines)
        #expect(
            try fixture.exported() == [
                line("settings", "{}"), line("routing-plans/default", "{}"),
                line("ingress-peers/p", #"{"networks":["10.0.0.0/8"]}"#), Self.end,
            ])
        for number in [0, fixture.plane.revision + 1] {
            #expect(throws: Refusal.self) { try fixture.plane.export(at: number) }
        }
        fixture.close()
    }

    @Test func `a merge puts each object beside the others, whole, in whatever order they come`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionEverything()
        let before = try fixture.exported()
        let text = whole(
            line("routing-plans/new/routes/33", #"{"routing_list":"fr"}"#), line("routing-lists/fr", "{}"),
            line("routing-plans/default/routes/44", #"{"routing_list":"fr","prefix":"44","revision":3}"#),
            line("routing-plans/new", "{}"), line("gateways/lon2", #"{"uri":"sip:192.0.2.11:5060"}"#),
            #"{"value":{"routing_list":"uk"},"path":"routing-plans/default/routes/45"}"#)
        let result = try await fixture.importing(text, replaces: false) { $0.overridesTests = true }.get()
        #expect(
            result.countsByKind
                == (try json(
                    #"""
                    {"routes":{"created":2,"replaced":1},"routing-lists":{"created":1},"routing-plans":{"created":1},
                    "gateways":{"replaced":1}}
                    """#)))
        let after = try fixture.exported()
        #expect(Set(before).subtracting(after).count == 2 && Set(after).subtracting(before).count == 6)
        #expect(try fixture.store.object(.settings).value?.body["report_token"] == .string("secret"))
        // The description that the line does not name is gone: it is no merge patch.
        #expect(after.contains(line("gateways/lon2", #"{"uri":"sip:192.0.2.11:5060"}"#)))
        fixture.close()
    }

    @Test(arguments: [
        ("{}", "1:- / no export of this version"), ("x", "1:1 / not JSON: no value begins so"),
        (#"{"format":"tandem-export","version":2}"#, "1:- / no export of this version"),
        ("", "1:- / there is no first line"),
    ]) func `what is no export is refused by its first line`(text: String, told: String) async throws {
        try await expectRefusal(text, [told])
    }

    @Test func `all that is wrong is told at once, by line, and nothing is changed`() async throws {
        let lines = [
            line("gateways/a", #"{"uri":"sip:192.0.2.1","colour":1}"#), line("gateways/a", #"{"uri":"sip:192.0.2.1"}"#),
            line("gateway-groups/g", #"{"members":[{"gateway":"none"}]}"#), line("routing-lists/UK", "{}"),
            line("routing-plans/none/routes/44", #"{"reject":{"status":603}}"#),
            line("routing-plans/default/routes/4x", #"{"reject":{"status":603}}"#),
            line("routing-plans/default/routes/45", #"{"routing_list":"us"}"#),
            line("routing-plans/default/routes/46", #"{"reject":{"status":200}}"#),
            line("routing-plans/default/routes/47", #"{"reject":{"status":603}}"#),
            line("routing-plans/default/routes/47", #"{"reject":{"status":604}}"#),
            line("ingress-peers/p", #"{"networks":["10.0.0.0/8"]}"#),
            line("ingress-peers/q", #"{"networks":["192.0.2.0/24","10.0.0.0/8"]}"#), line("calls/1", "{}"),
            #"{"path":"settings"}"#, #"{"path":"settings","value":[]}"#, #"{"value":{},"note":1}"#,
            line("routing-plans/default/routes/48", #"{"reject":{"status":603},"delete":true}"#),
        ]
        try await expectRefusal(
            ([Self.head] + lines).joined(separator: "\n"),
            [
                "2:- /value/colour unknown field", "3:- /path it stands in line 2 already",
                "4:- /value/members/0/gateway no such gateway", "5:- /path not a name",
                "6:- /path no such routing plan", "7:39 /path not a prefix",
                "8:- /value/routing_list no such routing list", "9:52 /value/reject/status out of range",
                "11:- /path it stands in line 10 already", "13:- /value/networks/1 ingress peer p has it",
                "14:2 /path no object's path", "15:- /value required", "16:20 /value not an object",
                "17:- /path required", "17:13 /note unknown field",
                "18:- / the last line is missing: the body was cut off on its way",
                "18:76 /value/delete unknown field",
            ])
        try await expectRefusal(whole() + "\n{}\n", ["3:- / something stands behind the last line"])
    }

    private func expectRefusal(_ text: String, _ told: [String]) async throws {
        let fixture = try ControlPlaneFixture()
        let (revision, lines) = (fixture.plane.revision, try fixture.exported())
        for pieceBytes in [3, 100_000] {
            let refusal = try #require(try await fixture.importing(text, pieceBytes: pieceBytes).refusal)
            #expect(refusal.problem == .invalid)
            let errors = refusal.errors.map { error in
                let column = error.column.map { "\($0)" } ?? "-"
                return "\(error.line ?? 0):\(column) \(error.pointer.isEmpty ? "/" : error.pointer) \(error.reason)"
            }
            #expect(errors == told)
            #expect(refusal.extensions["error_count"] == .integer(Int64(told.count)))
        }
        #expect(fixture.plane.revision == revision)
        #expect(try fixture.exported() == lines && fixture.bulkFiles().isEmpty)
        fixture.close()
    }

    @Test func `stored tests are a gate, and so are settings, entity tags and changes that wait`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionEverything()
        let text = try fixture.export()
        let moved = text.replacingOccurrences(
            of: #"44","value":{"routing_list""#, with: #"46","value":{"routing_list""#)
        #expect(try await fixture.importing(moved).refusal?.problem == .testFailed)
        let dry = try await fixture.importing(moved) { ($0.overridesTests, $0.isDryRun) = (true, true) }.get()
        #expect(dry.countsByKind == (try json(#"{"routes":{"created":1,"deleted":1}}"#)))
        #expect(try fixture.export() == text && dry.revision == fixture.plane.revision + 1)
        let other = text.replacingOccurrences(of: #""hold_s":7"#, with: #""hold_s":8"#)
        #expect(try await fixture.importing(other) { $0.mayChangeSettings = false }.refusal?.problem == .forbidden)
        #expect(try await fixture.importing(text) { $0.mayChangeSettings = false }.refusal == nil)
        func order(_ tags: [String]) -> (inout BulkOrder) -> Void {
            { order in
                order = BulkOrder(
                    .everything, replaces: true, precondition: Precondition(ifMatch: tags), asker: order.asker)
                order.overridesTests = true
            }
        }
        let stale = try await fixture.importing(moved, order(["r1"])).refusal
        #expect(stale?.problem == .stale && stale?.currentETag == "r\(fixture.plane.revision)")
        #expect(try await fixture.importing(moved, order(["r\(fixture.plane.revision)"])).refusal == nil)
        var pending = Change([try put("routing-lists/new", "{}")], who: "test")
        pending.confirmWithin = .seconds(60)
        let waiting = pending
        _ = try await withCheckedContinuation { continuation in
            fixture.plane.submit(waiting) { continuation.resume(returning: $0) }
        }.get()
        #expect(try await fixture.importing(text) { $0.overridesTests = true }.refusal?.problem == .conflict)
        fixture.close()
    }

    @Test(arguments: [RouteStage.inPlaceLimitCount, 0])
    func `what others change until the last step is caught up with`(limit: Int) async throws {
        let fixture = try ControlPlaneFixture(bulksInPlace: limit)
        try await fixture.provisionEverything()
        let lines = try fixture.exported()
        let text = try fixture.export()
        try await fixture.commit(
            try put("routing-plans/late", "{}"), try put("routing-plans/default/routes/47", #"{"routing_list":"uk"}"#))
        fixture.log.order(
            .comeLate("routing-plans/late/routes/1", #"{"reject":{"status":603}}"#),
            .comeLate("routing-plans/default/routes/99", #"{"reject":{"status":603}}"#))
        _ = try await fixture.importing(text).get()
        #expect(try fixture.exported() == lines)
        #expect(fixture.followed("late").isEmpty && !fixture.plane.state.builder.contains(.routingPlans, "late"))
        fixture.close()
        #expect(try Store.check(path: fixture.folder.file()).findings.isEmpty)
    }
}
