import Fixtures
import GRDB
import JSON
import Routing
import Testing
import Time

@testable import Store

@Suite struct EventTests {
    let folder: TemporaryFolder
    let store: Store

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.store()
    }

    private func record(_ changes: StatusChange...) throws {
        let outcome = store.append(CommitBatch(base: store.position, statusChanges: changes))
        #expect(outcome == .appended(store.position))
    }

    private func put(_ gateway: String, _ uri: String) {
        store.change([(ResourcePath(.gateways, gateway), Sample.gateway(uri))])
    }

    @Test func `the newest event's number is known without the file, also after refused batches and a restart`() throws
    {
        #expect(try store.newestEventNumber() == 0)
        store.change([(ResourcePath(.gateways, "a"), .object([:]))], events: [Sample.event("x"), Sample.event("y")])
        #expect(try store.newestEventNumber() == 2)
        _ = store.append(
            CommitBatch(base: store.position, changes: [Sample.entry(7, [], events: [Sample.event("lost")])]))
        #expect(try store.newestEventNumber() == 2)
        try record(Sample.statusChange("a"))
        #expect(try store.newestEventNumber() == 3)
        #expect(try store.newestEventNumber() == store.eventBounds().newest)
        store.close()
        #expect(try folder.store().newestEventNumber() == 3)
    }

    @Test func `events are numbered from 1 up without a gap, also over refused batches and a restart (API 7)`() throws {
        store.change([(ResourcePath(.gateways, "a"), .object([:]))], events: [Sample.event("x"), Sample.event("y")])
        let wrong = Sample.entry(7, [], events: [Sample.event("lost")])
        _ = store.append(CommitBatch(base: store.position, changes: [wrong]))
        try record(Sample.statusChange("a"))
        store.close()
        let reopened = try folder.store()
        _ = reopened.append(CommitBatch(base: reopened.position, events: [Sample.event("z")]))
        let events = try reopened.events(after: 0, types: [], limit: 100)
        #expect(events.map(\.sequence) == [1, 2, 3, 4])
        #expect(events.map(\.type) == ["x", "y", "gateway.status.changed", "z"])
        #expect(Set(events.map(\.source)) == ["tandem/n1"])
        #expect(events[0].data == #"{"line":"a\nb"}"#)
        #expect(try reopened.eventBounds() == (1, 4))
    }

    @Test func `in one batch changes' events come first, then status changes, then the rest`() throws {
        let batch = CommitBatch(
            base: store.position, changes: [Sample.entry(1, [], events: [Sample.event("routing.changed")])],
            statusChanges: [Sample.statusChange("a"), Sample.statusChange("b")],
            events: [Sample.event("server.started")])
        #expect(store.append(batch) == .appended(store.position))
        #expect(
            try store.events(after: 0, types: [], limit: 9).map(\.type) == [
                "routing.changed", "gateway.status.changed", "gateway.status.changed", "server.started",
            ])
    }

    @Test func `the node's own observations are numbered apart, without a gap (DESIGN 10)`() throws {
        try record(Sample.statusChange("a"))
        _ = store.append(CommitBatch(base: store.position, events: [Sample.event("x")]))
        try record(Sample.statusChange("b"), Sample.statusChange("a", isUp: true))
        let numbers = try store.reading { db in
            try String.fetchAll(db, sql: "SELECT ifnull(origin || origin_number, '-') FROM events ORDER BY sequence")
        }
        #expect(numbers == ["n11", "-", "n12", "n13"])
    }

    @Test func `events are read behind a number, by type, so many`() throws {
        let events = ["x", "y", "x", "y", "x"].map { Sample.event($0) }
        _ = store.append(CommitBatch(base: store.position, events: events))
        #expect(try store.events(after: 3, types: [], limit: 10).map(\.sequence) == [4, 5])
        #expect(try store.events(after: 1, types: ["x"], limit: 10).map(\.sequence) == [3, 5])
        #expect(try store.events(after: 0, types: ["x", "y"], limit: 3).map(\.sequence) == [1, 2, 3])
        #expect(try store.events(after: 0, types: ["' OR 1"], limit: 3).isEmpty)
        #expect(try store.events(after: 5, types: [], limit: 3).isEmpty)
    }

    @Test func `a status change is one record and one event whose data is the record (API 6)`() throws {
        try record(Sample.statusChange("lon1"))
        let records = try store.statusRecords(StatusRecordQuery())
        #expect(records == [StatusRecord(sequence: 1, observer: "n1", change: Sample.statusChange("lon1"))])
        let event = try #require(try store.events(after: 0, types: [], limit: 1).first)
        #expect(event.subject == "gateways/lon1")
        #expect(event.time == Sample.time(1))
        #expect(event.data == records.first?.json.canonicalText)
    }

    @Test func `status records are found by gateway, cause and time`() throws {
        try record(
            Sample.statusChange("a", at: 1), Sample.statusChange("b", cause: .transportError, at: 2),
            Sample.statusChange("a", isUp: true, cause: .timeValueReached, at: 3), Sample.statusChange("c", at: 4))
        func found(_ shape: (inout StatusRecordQuery) -> Void) throws -> [Int64] {
            var query = StatusRecordQuery()
            shape(&query)
            return try store.statusRecords(query).map(\.sequence)
        }
        #expect(try found { $0.gateways = ["a", "c"] } == [1, 3, 4])
        #expect(try found { $0.cause = .noResponse } == [1, 4])
        #expect(try found { ($0.from, $0.to) = (Sample.time(2), Sample.time(4)) } == [2, 3])
        #expect(try found { ($0.after, $0.limitCount) = (1, 2) } == [2, 3])
        #expect(try found { $0.gateways = ["none"] }.isEmpty)
    }

    @Test func `the last record of a gateway is given while it exists with that URI`() throws {
        put("a", "sip:192.0.2.10")
        put("b", "sip:192.0.2.11")
        try record(
            Sample.statusChange("a", at: 1, revision: 2), Sample.statusChange("a", isUp: true, at: 2, revision: 2),
            Sample.statusChange("b", uri: "sip:192.0.2.11", at: 3, revision: 2),
            Sample.statusChange("gone", revision: 2))
        #expect(try store.lastStatusRecords().map(\.sequence) == [2, 3])
        store.change([
            (ResourcePath(.gateways, "b"), .object(["uri": .string("sip:192.0.2.11"), "description": .string("x")]))
        ])
        #expect(try store.lastStatusRecords().map(\.sequence) == [2, 3])
        put("b", "sip:192.0.2.12")
        #expect(try store.lastStatusRecords().map(\.sequence) == [2])
    }

    @Test func `a gateway that was deleted or had another URI in between begins afresh`() throws {
        for gateway in ["a", "b", "c"] { put(gateway, "sip:192.0.2.10") }
        for gateway in ["a", "b", "c"] { try record(Sample.statusChange(gateway, revision: 3)) }
        put("a", "sip:other")
        put("a", "sip:192.0.2.10")
        store.change([(ResourcePath(.gateways, "b"), nil)])
        put("b", "sip:192.0.2.10")
        #expect(try store.lastStatusRecords().map(\.change.gateway) == ["c"])
        try record(Sample.statusChange("a", revision: 7))
        #expect(try store.lastStatusRecords().map(\.change.gateway) == ["c", "a"])
    }
}
