import Addressing
import ControlPlane
import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Synchronization
import Testing
import Time

/// Change sets, confirmations and restores over the one writer (API section 4), under a clock that stands still.
@Suite struct ChangeSetTests {
    @Test func `a change set is one revision; its answer tells what came of each operation`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let before = fixture.plane.revision
        let answer = try await fixture.set(
            #"""
            {"comment":"move","operations":[
            {"op":"put","path":"gateways/lon3","value":{"uri":"sip:192.0.2.12"}},
            {"op":"patch","path":"gateway-groups/london","value":{"members":[{"gateway":"lon3"},{"gateway":"lon1"}]}},
            {"op":"delete","path":"gateways/lon2"},
            {"op":"put","path":"gateways/lon1","value":{"uri":"sip:192.0.2.10:5060"}}]}
            """#)
        #expect(answer["revision"] == .integer(before + 1) && fixture.plane.revision == before + 1)
        let outcomes = answer["operations"]?.list.map { $0["outcome"]?.text }
        #expect(outcomes == ["created", "replaced", "deleted", "unchanged"])
        #expect(answer["operations"]?.list[0]["etag"] == .string("\"r\(before + 1)\""))
        #expect(answer["operations"]?.list[2]["value"] == .null)
        #expect(
            answer["counts"]
                == (try json(#"{"gateways":{"created":1,"deleted":1},"gateway-groups":{"replaced":1}}"#)))
        #expect(try fixture.firstGateway() == "lon3")
        fixture.close()
    }

    @Test func `a refused one changes nothing and names what is wrong with each operation`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let before = fixture.plane.revision
        let refusal = try await fixture.refusal(
            #"""
            {"operations":[
            {"op":"put","path":"gateways/new","value":{"uri":"sip:192.0.2.12","resends":99}},
            {"op":"put","path":"gateway-groups/g","value":{"members":[{"gateway":"new"},{"gateway":"none"}]}},
            {"op":"patch","path":"gateways/lon9","value":{"resends":1}},
            {"op":"delete","path":"gateways/lon1"},
            {"op":"put","path":"routing-plans/nowhere/routes/1","value":{"routing_list":"uk"}}]}
            """#)
        #expect(refusal.problem == .invalid)
        #expect(
            refusal.errors.map(\.pointer) == [
                "/operations/0/value/resends", "/operations/1/value/members/1/gateway", "/operations/2/path",
                "/operations/3/path", "/operations/4/path",
            ], "a group of what was refused before it is not refused for that")
        #expect(fixture.plane.revision == before)
        #expect(throws: Refusal.self) { try fixture.plane.view(ResourcePath(.gateways, "new")) }
        let used = try await fixture.refusal(#"{"operations":[{"op":"delete","path":"gateways/lon1"}]}"#)
        #expect(used.problem == .inUse && used.extensions["referrers"] != nil)
        fixture.close()
    }

    @Test func `a bad name is named where it stands: in the path`() async throws {
        let fixture = try ControlPlaneFixture()
        let refusal = try await fixture.refusal(
            #"{"operations":[{"op":"put","path":"gateways/N","value":{"uri":"sip:192.0.2.12","resends":99}}]}"#)
        #expect(refusal.errors.map(\.pointer) == ["/operations/0/path", "/operations/0/value/resends"])
        fixture.close()
    }

    @Test(arguments: [
        (#"{}"#, ["/operations"]), (#"{"operations":[]}"#, ["/operations"]),
        (#"{"operations":[{"op":"put","path":"gateways/a"}]}"#, ["/operations/0/value"]),
        (#"{"operations":[{"op":"delete","path":"gateways/a","value":{}}]}"#, ["/operations/0/value"]),
        (
            #"{"operations":[{"op":"drop","path":"/v1/gateways/a"},{"path":"routes/44","op":"delete"}],"x":1}"#,
            ["/operations/0/op", "/operations/0/path", "/operations/1/path", "/x"]
        ),
        (
            #"{"operations":[{"op":"delete","path":"gateways/a"}],"if_revision":-1,"confirm_within_s":0}"#,
            ["/if_revision", "/confirm_within_s"]
        ),
    ])
    func `a body that breaks rules is refused with all of them`(body: String, pointers: [String]) throws {
        let body = try json(body)
        do throws(Refusal) {
            _ = try Change(set: body, by: .test)
            Issue.record("taken")
        } catch {
            #expect(Set(error.errors.map(\.pointer)).isSuperset(of: pointers), "\(error.errors)")
        }
    }

    @Test func `if_revision: another one is stale, with the present one`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let last = fixture.plane.revision
        let stale = try await fixture.refusal(
            #"{"operations":[{"op":"delete","path":"routing-plans/default/routes/44"}],"if_revision":\#(last - 1)}"#)
        #expect(stale.problem == .stale && stale.extensions["revision"] == .integer(last))
        try await fixture.set(
            #"{"operations":[{"op":"delete","path":"routing-plans/default/routes/44"}],"if_revision":\#(last)}"#)
        #expect(fixture.plane.revision == last + 1)
        fixture.close()
    }

    @Test func `a dry run answers as the change would and changes nothing, on a full disk too`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let before = fixture.plane.revision
        let body =
            #"{"operations":[{"op":"put","path":"gateways/lon3","value":{"uri":"sip:192.0.2.12"}}],"dry_run":true}"#
        fixture.log.order(.answer(.readOnly(reason: "disk full")))
        _ = await fixture.change(try put("gateways/x", #"{"uri":"sip:192.0.2.1"}"#))
        let batches = fixture.log.batches.count
        let answer = try await fixture.set(body)
        #expect(answer["revision"] == .integer(before + 1) && answer["dry_run"] == .bool(true))
        #expect(answer["operations"]?.list[0]["outcome"] == .string("created"))
        #expect(fixture.plane.revision == before && fixture.log.batches.count == batches)
        fixture.log.becomeWell()
        #expect(try await fixture.set(body)["revision"] == .integer(before + 1), "as before")
        fixture.close()
    }

    @Test func `the preview: prefixes and groups that lead to what is changed, and recorded calls routed again`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.commit(try put("routing-plans/default/routes/33", #"{"routing_list":"uk"}"#))
        fixture.record(["+442071", "442072", "331", "19"])
        let answer = try await fixture.set(
            #"""
            {"dry_run":true,"operations":[
            {"op":"patch","path":"gateways/lon1","value":{"administrative_state":"locked"}},
            {"op":"put","path":"routing-plans/default/routes/331","value":{"reject":{"status":603}}},
            {"op":"put","path":"routing-plans/default/routes/1","value":{"routing_list":"uk"}}]}
            """#)
        let preview = try #require(answer["preview"])
        #expect(preview["groups"] == (try json(#"["london"]"#)) && preview["group_count"] == .integer(1))
        let prefixes = preview["prefixes"]?.list.compactMap { $0["prefix"]?.text } ?? []
        #expect(Set(prefixes) == ["1", "33", "331", "44"] && prefixes.count == 4)
        #expect(preview["prefix_count"] == .integer(4) && preview["routing_tests"] == .array([]))
        let calls = try #require(preview["calls"])
        #expect(calls["considered"] == .integer(4))
        #expect(calls["other_first_gateway"] == .integer(2))
        #expect(calls["last_gateway_lost"] == .integer(1))
        #expect(calls["first_gateway_gained"] == .integer(1))
        let example = try json(#"{"number":"331","routing_plan":"default","before":"lon1","after":null}"#)
        #expect(calls["examples"]?.list.contains(example) == true, "\(calls)")
        fixture.close()
    }

    @Test func `a restore: the data are again those of the revision, by one change of what differs`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let good = fixture.plane.revision
        let shown = try fixture.everything()
        try fixture.takeOut("lon2")
        try await fixture.commit(
            try put("settings", #"{"gateway_defaults":{"resends":1}}"#),
            try put("gateways/lon3", #"{"uri":"sip:192.0.2.12"}"#),
            try put("gateway-groups/london", #"{"members":[{"gateway":"lon3"}]}"#))
        try await fixture.commit(
            try delete("gateways/lon1"), try put("routing-plans/other", "{}"),
            try put("routing-plans/other/routes/9", #"{"routing_list":"uk"}"#),
            try delete("routing-plans/default/routes/44"))
        let answer = try await fixture.restore(good)
        #expect(answer["restores"] == .integer(good) && answer["revision"] == .integer(good + 3))
        #expect(fixture.plane.revision == good + 3)
        #expect(try fixture.everything() == shown)
        #expect(try fixture.firstGateway() == "lon1")
        #expect(fixture.plane.table.status(of: try fixture.slot("lon2")).status == .outOfService, "as it was all along")
        let entry = try #require(try fixture.store.entries(after: Revision(good + 2), limit: 1).first)
        #expect(!entry.effects.contains { $0.path.text == "routing-lists/uk" }, "what did not differ is left alone")
        #expect(entry.comment == "revision \(good) restored")
        // Again: nothing differs, and there is no revision that is to come.
        #expect(try await fixture.restore(good)["revision"] == .integer(good + 3))
        for number in [0, good + 4] {
            await #expect(throws: Refusal.self) { try await fixture.restore(number) }
        }
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder, clock: fixture.clock)
        #expect(try again.everything() == shown, "what is in force is what is on disk")
        again.close()
    }

    @Test func `any history can be restored: what is in force is what was, and what a restart reads`() async throws {
        let seed: UInt64 = 20_260
        var chance = SeededGenerator(seed: seed)
        let fixture = try ControlPlaneFixture()
        var shown: [Int64: [String]] = [:]
        for _ in 0..<40 {
            let n = Int.random(in: 0..<4, using: &chance)
            let operations: [Operation] = [
                try put("gateways/g\(n)", #"{"uri":"sip:192.0.2.\#(Int.random(in: 1...3, using: &chance))"}"#),
                try put("gateway-groups/p\(n)", #"{"members":[{"gateway":"g\#(n)"}]}"#),
                try put("routing-lists/l\(n)", #"{"groups":[{"group":"p\#(n)"}]}"#),
                try put("routing-plans/default/routes/4\(n)", #"{"routing_list":"l\#(n)"}"#),
                try delete("routing-plans/default/routes/4\(n)"), try delete("routing-lists/l\(n)"),
                try delete("gateway-groups/p\(n)"), try delete("gateways/g\(n)"),
            ]
            _ = await fixture.change(operations[Int.random(in: 0..<operations.count, using: &chance)])
            shown[fixture.plane.revision] = try fixture.everything()
        }
        for (revision, expected) in shown.sorted(by: { $0.key < $1.key }).shuffled(using: &chance).prefix(12) {
            try await fixture.restore(revision)
            #expect(try fixture.everything() == expected, "seed \(seed): revision \(revision)")
            for n in 0..<4 {
                let past = try fixture.plane.lookup(Self.query("4\(n)", at: revision)).value["targets"]
                let present = try fixture.plane.lookup(LookupQuery(number: "4\(n)")).value["targets"]
                #expect(past == present, "seed \(seed): revision \(revision), 4\(n)")
            }
        }
        fixture.close()
        #expect(try Store.check(path: fixture.folder.file()).findings.isEmpty)
    }

    private static func query(_ number: String, at revision: Int64) -> LookupQuery {
        var query = LookupQuery(number: number)
        query.revision = revision
        return query
    }
}

extension TokenRegistry.Asker {
    static let test = TokenRegistry.Asker(who: "test", requestID: "r-1")
}

extension JSONValue {
    /// The values of a list; none for anything else.
    var list: [JSONValue] {
        guard case .array(let values) = self else { return [] }
        return values
    }
}

extension ControlPlaneFixture {
    /// Carries out a change and waits.
    func carryOut(_ change: Change) async -> Result<JSONValue, Refusal> {
        await withCheckedContinuation { continuation in
            plane.carryOut(change) { continuation.resume(returning: $0.map(\.value)) }
        }
    }

    @discardableResult
    func set(_ body: String) async throws -> JSONValue {
        try await carryOut(try Change(set: try json(body), by: .test)).get()
    }

    func refusal(_ body: String) async throws -> Refusal {
        try #require(await carryOut(try Change(set: try json(body), by: .test)).refusal)
    }

    @discardableResult
    func restore(_ revision: Int64, _ body: String = "{}") async throws -> JSONValue {
        try await carryOut(try Change(restoring: revision, try json(body), by: .test)).get()
    }

    func settle(_ revision: Int64, isConfirmed: Bool) async -> Result<JSONValue, Refusal> {
        await withCheckedContinuation { continuation in
            plane.settle(revision, isConfirmed: isConfirmed, by: .test, mayChangeSettings: true) {
                continuation.resume(returning: $0.map(\.value))
            }
        }
    }

    func confirm(_ revision: Int64) async -> Result<JSONValue, Refusal> { await settle(revision, isConfirmed: true) }

    /// The gateway that a call to London is sent to first; nil: none.
    func firstGateway() throws -> String? {
        try plane.lookup(LookupQuery(number: "442071234567")).value["targets"]?.list.first?["gateway"]?.text
    }

    /// Every object as the API shows it, without the revision that made it what it is.
    func everything() throws -> [String] {
        var shown: [String] = []
        func add(_ query: ListQuery) throws {
            for item in try plane.list(query).items {
                guard case .object(var members) = item else { continue }
                for name in ["revision", "updated_at"] { members[name] = nil }
                shown.append("\(query.kind.rawValue) \(JSONValue.object(members).canonicalText)")
            }
        }
        for kind in ResourceKind.allCases where kind != .routes && kind != .settings { try add(ListQuery(kind)) }
        for plan in try plane.list(ListQuery(.routingPlans)).items.compactMap({ $0["id"]?.text }) {
            try add(ListQuery(.routes, plan: plan))
        }
        let settings = try plane.view(.settings).value.body
        return shown + ["settings \(settings["gateway_defaults"]?.canonicalText ?? "-")"]
    }

    /// Calls from the loopback peer to these numbers have been routed.
    func record(_ numbers: [String]) {
        let records = numbers.enumerated().map { index, number in
            var record = CallRecord(
                id: UInt64(index + 1), receivedAt: clock.now,
                source: TransportAddress(.udp, IPAddress(ipv4: 0x7F00_0001), port: 5060))
            let bytes = Array(number.utf8)
            record.dialled = ShortText(bytes.span, 0..<bytes.count)
            return record
        }
        plane.networkManager.callLog.receive(CallNews(records))
    }
}
