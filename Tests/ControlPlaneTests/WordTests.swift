import ControlPlane
import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Testing
import Time

/// What the operator and others say about gateways (API section 6).
@Suite struct WordTests {
    private func order(_ fixture: ControlPlaneFixture, _ gateway: String, _ body: String) async throws -> JSONValue {
        let body = try json(body)
        return try await withCheckedThrowingContinuation { continuation in
            fixture.plane.order(gateway: gateway, body, who: "test") {
                continuation.resume(with: $0.map(\.value).mapError { $0 as any Error })
            }
        }
    }

    private func report(_ fixture: ControlPlaneFixture, _ body: String) async throws -> JSONValue {
        let body = try json(body)
        return try await withCheckedThrowingContinuation { continuation in
            fixture.plane.report(body, who: "test") {
                continuation.resume(with: $0.map(\.value).mapError { $0 as any Error })
            }
        }
    }

    private func acknowledge(_ fixture: ControlPlaneFixture, _ number: Int64, _ body: String) async throws -> JSONValue
    {
        let body = try json(body)
        return try await withCheckedThrowingContinuation { continuation in
            fixture.plane.acknowledge(number, body, who: "operator@192.0.2.7") {
                continuation.resume(with: $0.map(\.value).mapError { $0 as any Error })
            }
        }
    }

    private func refusal(_ body: () async throws -> JSONValue) async throws -> Refusal {
        do { _ = try await body() } catch let refusal as Refusal { return refusal }
        throw CandidateFixture.NotRefused()
    }

    @Test func `the operator's word is in the table and its record on disk when it is answered`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let until = (fixture.clock.wallTime + .seconds(3600)).rfc3339
        let out = try await order(
            fixture, "lon1", #"{"status":"out-of-service","until":"\#(until)","note":"card replaced"}"#)
        #expect(out["status"] == .string("out-of-service") && out["cause"] == .string("operator"))
        #expect(out["reporter"] == .string("operator"))
        let record = try #require(try fixture.statusRecords().first)
        #expect(record.note == "card replaced" && record.cause == .operatorWord)
        let shown = try #require(record.timeValue)
        #expect(shown >= (fixture.clock.wallTime + .seconds(3600)))
        #expect(shown <= fixture.clock.wallTime + .seconds(3600) + .milliseconds(1), "the table rounds up")
        let event = try #require(
            try fixture.plane.events(after: 0, types: ["gateway.status.changed"], limit: 1).value.first)
        #expect(event.data.contains(#""note":"card replaced""#))
        let lookup = try fixture.plane.lookup(LookupQuery(number: "44")).value
        #expect(LookupTests.gateways(lookup) == ["lon2"])
        let back = try await order(fixture, "lon1", #"{"status":"in-service"}"#)
        #expect(back["status"] == .string("in-service") && back["time_value"] == .null)
        _ = try await order(fixture, "lon1", #"{"status":"in-service"}"#)
        #expect(try fixture.statusRecords().map(\.to) == [.outOfService, .inService], "no record without a change")
        fixture.close()
    }

    @Test func `an until that is further ahead than the table can hold is said again without another record`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        for _ in 0..<3 {
            let status = try await order(
                fixture, "lon1", #"{"status":"out-of-service","until":"2199-01-01T00:00:00Z"}"#)
            #expect(status["status"] == .string("out-of-service"))
        }
        #expect(try fixture.statusRecords().count == 1)
        fixture.close()
    }

    @Test func `without until it holds until he says otherwise, also over a restart`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let out = try await order(fixture, "lon1", #"{"status":"out-of-service"}"#)
        #expect(out["time_value"] == .null)
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder, clock: fixture.clock)
        again.clock.move(by: .seconds(86_400 * 30))
        again.plane.networkManager.sweep()
        #expect(try again.plane.status(ofGateway: "lon1").value["status"] == .string("out-of-service"))
        again.close()
    }

    @Test(arguments: [
        ("{}", ["/status"]), (#"{"status":"down"}"#, ["/status"]),
        (#"{"status":"in-service","until":"2099-01-01T00:00:00Z"}"#, ["/until"]),
        (#"{"status":"out-of-service","until":"2001-01-01T00:00:00Z"}"#, ["/until"]),
        (#"{"status":"out-of-service","until":"soon","note":"a\nb","why":1}"#, ["/until", "/note", "/why"]),
    ]) func `an order that breaks rules is refused with all of them and changes nothing`(
        _ body: String, _ pointers: [String]
    ) async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let refused = try await refusal { try await order(fixture, "lon1", body) }
        #expect(refused.problem == .invalid)
        #expect(refused.errors.map(\.pointer) == pointers)
        #expect(try fixture.plane.status(ofGateway: "lon1").value["status"] == .string("in-service"))
        #expect(
            try await refusal { try await order(fixture, "nobody", #"{"status":"in-service"}"#) }.problem == .notFound)
        fixture.close()
    }

    @Test func `while the disk is full a word is refused before it is in force`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        fixture.log.order(.answer(.readOnly(reason: "disk full")))
        _ = await fixture.change(try put("gateway-groups/g", "{}"))
        let refused = try await refusal { try await order(fixture, "lon1", #"{"status":"out-of-service"}"#) }
        #expect(refused.problem == .readOnly)
        #expect(try fixture.plane.status(ofGateway: "lon1").value["status"] == .string("in-service"))
        fixture.log.becomeWell()
        fixture.close()
    }

    @Test func `a word that the disk does not take at once is told as such, and recorded later`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try await fixture.settle()
        let full = OrderedChangeLog.Order.answer(.readOnly(reason: "disk full"))
        fixture.log.order(full, full)  // the record alone, and with whoever waits for it
        let refused = try await refusal { try await order(fixture, "lon1", #"{"status":"out-of-service"}"#) }
        #expect(refused.problem == .readOnly && refused.detail.contains("in force"))
        #expect(try fixture.plane.status(ofGateway: "lon1").value["status"] == .string("out-of-service"))
        fixture.log.becomeWell()
        try? await fixture.settle()  // may get the disk's answer itself
        try await fixture.settle()
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder, clock: fixture.clock)
        #expect(try again.plane.status(ofGateway: "lon1").value["status"] == .string("out-of-service"))
        again.close()
    }

    @Test func `reports enter the table by their reporter's name; what says nothing of the present is left out`()
        async throws
    {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let old = (fixture.clock.wallTime + .seconds(-301)).rfc3339
        let answer = try await report(
            fixture,
            #"""
            {"reporter":"proxy-2","reports":[
            {"gateway":"lon1","outcome":"no-response","call_id":"a@b","sip_status":null},
            {"gateway":"gone","outcome":"answered"},{"gateway":"lon2","outcome":"no-response","at":"\#(old)"},
            {"gateway":"lon2","outcome":"failure-response","sip_status":503,"retry_after_s":7},
            {"gateway":"lon2","outcome":"failure-response","sip_status":486}]}
            """#)
        #expect(answer["taken"] == .integer(3))
        guard case .array(let ignored)? = answer["ignored"] else { throw CandidateFixture.NotRefused() }
        #expect(ignored.map { $0["pointer"]?.text } == ["/reports/1", "/reports/2"])
        #expect(ignored[0]["reason"] == .string("no such gateway"))
        let records = try fixture.statusRecords()
        #expect(records.map(\.gateway) == ["lon1", "lon2"])
        #expect(records.allSatisfy { $0.reporter == "proxy-2" && $0.cause.name == "reported" })
        #expect(records[0].callID == "a@b")
        let seven = fixture.clock.wallTime + .seconds(7)
        #expect(records[1].timeValue.map { $0 >= seven && $0 <= seven + .milliseconds(10) } == true)
        fixture.close()
    }

    @Test func `a body of reports that breaks rules is refused with all of them`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let refused = try await refusal {
            try await report(
                fixture,
                #"""
                {"reports":[{"gateway":"lon1","outcome":"silence"},{"outcome":"failure-response"},
                {"gateway":"lon1","outcome":"answered","retry_after_s":5},5],"more":1}
                """#)
        }
        #expect(
            refused.errors.map(\.pointer) == [
                "/reporter", "/reports/0/outcome", "/reports/1/gateway", "/reports/1/sip_status",
                "/reports/2/retry_after_s", "/reports/3", "/more",
            ])
        #expect(try await refusal { try await report(fixture, #"{"reporter":"p","reports":[]}"#) }.problem == .invalid)
        #expect(try fixture.statusRecords().isEmpty, "nothing of it was taken")
        fixture.close()
    }

    @Test func `a record is acknowledged once, by name, and shows it`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try fixture.takeOut("lon1")
        try await fixture.settle()
        let record = try await acknowledge(fixture, 1, #"{"who":"night shift","note":"carrier called"}"#)
        #expect(
            record["acknowledgement"]
                == (try json(
                    #"{"at":"\#(fixture.clock.wallTime.rfc3339)","who":"night shift","note":"carrier called"}"#)))
        #expect(try fixture.plane.statusRecords(StatusRecordQuery(), group: nil).value.first?.json == record)
        #expect(try await acknowledge(fixture, 1, #"{"who":"night shift","note":"carrier called"}"#) == record)
        #expect(try await refusal { try await acknowledge(fixture, 1, "{}") }.problem == .conflict)
        #expect(try await refusal { try await acknowledge(fixture, 2, "{}") }.problem == .notFound)
        #expect(
            try await refusal { try await acknowledge(fixture, 1, #"{"who":5,"x":1}"#) }.errors.map(\.pointer)
                == ["/who", "/x"])
        try fixture.takeOut("lon2")
        try await fixture.settle()
        let own = try await acknowledge(fixture, 2, "{}")
        #expect(own["acknowledgement"]?["who"] == .string("operator@192.0.2.7"))
        fixture.close()
    }

    @Test func `availability tells percent, outages and means; a gateway that never was is not found`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let begin = fixture.clock.wallTime
        fixture.clock.move(by: .seconds(60))
        try fixture.takeOut("lon1", for: .seconds(20))
        fixture.clock.move(by: .seconds(20) + .milliseconds(5))
        fixture.plane.networkManager.sweep()
        try await fixture.settle()
        fixture.clock.move(by: .seconds(20) - .milliseconds(5))
        let found = try fixture.plane.availability(ofGateway: "lon1", from: begin, to: nil).value
        #expect(found["outages"] == .integer(1))
        #expect(found["from"] == .string(begin.rfc3339))
        guard case .number(let percent)? = found["percent_in_service"] else { throw CandidateFixture.NotRefused() }
        #expect(abs(percent - 80) < 0.1)
        #expect(throws: Refusal.self) { try fixture.plane.availability(ofGateway: "nobody", from: nil, to: nil) }
        #expect(throws: Refusal.self) { try fixture.plane.availability(ofGateway: "lon1", from: begin, to: begin) }
        fixture.close()
    }
}
