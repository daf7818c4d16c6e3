import Fixtures
import JSON
import Routing
import Testing
import Time

@testable import Store

@Suite struct AcknowledgementTests {
    let folder: TemporaryFolder
    let store: Store

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.store()
        let changes = (1...3).map { Sample.statusChange("lon1", isUp: $0 == 2, at: Int64($0)) }
        #expect(
            store.append(CommitBatch(base: store.position, statusChanges: changes)) == .appended(store.position))
    }

    @Test func `an acknowledgement stands with its record, and survives a restart`() throws {
        let said = Acknowledgement(at: Sample.time(9), who: "Ada", note: "carrier called")
        guard case .stored(let record) = try store.acknowledge(2, said) else {
            Issue.record("not stored")
            return
        }
        #expect(record.sequence == 2)
        #expect(record.json["acknowledgement"]?["who"] == .string("Ada"))
        store.close()
        let reopened = try folder.store()
        #expect(try reopened.statusRecords(StatusRecordQuery()).map(\.acknowledgement) == [nil, said, nil])
        #expect(try reopened.statusRecord(2)?.acknowledgement == said)
        #expect(try reopened.statusRecord(1)?.json["acknowledgement"] == nil)
    }

    @Test func `the first acknowledgement stays; the same again is no matter; an unknown record is named`() throws {
        let first = Acknowledgement(at: Sample.time(9), who: "Ada", note: nil)
        let record = try #require(try store.statusRecord(3))
        _ = try store.acknowledge(3, first)
        var acknowledged = record
        acknowledged.acknowledgement = first
        #expect(
            try store.acknowledge(3, Acknowledgement(at: Sample.time(10), who: "Ada", note: nil))
                == .stored(acknowledged))
        #expect(
            try store.acknowledge(3, Acknowledgement(at: Sample.time(11), who: "Bob", note: nil))
                == .alreadyAcknowledged(acknowledged))
        #expect(try store.acknowledge(4, first) == .noSuchRecord)
    }

    @Test func `old events go from the oldest on, some at a time, and numbers are not used again`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store()
        func append(at second: Int64) {
            let event = EventDraft(type: "server.started", subject: nil, time: Sample.time(second), data: .object([:]))
            _ = store.append(CommitBatch(base: store.position, events: [event]))
        }
        // The clock was set back between: what follows on one that is kept is kept too.
        for second: Int64 in [1, 2, 9, 3, 10] { append(at: second) }
        #expect(try store.retireEvents(before: Sample.time(1), limitCount: 10) == 0)
        #expect(try store.retireEvents(before: Sample.time(5), limitCount: 1) == 1)
        #expect(try store.retireEvents(before: Sample.time(5), limitCount: 10) == 1)
        #expect(try store.retireEvents(before: Sample.time(5), limitCount: 10) == 0)
        #expect(try store.events(after: 0, types: [], limit: 10).map(\.sequence) == [3, 4, 5])
        #expect(try store.retireEvents(before: Sample.time(100), limitCount: 10) == 2)
        append(at: 200)
        #expect(try store.events(after: 0, types: [], limit: 10).map(\.sequence) == [5, 6])
        store.close()
    }

    @Test func `old records go with their acknowledgements, the last before the time of each gateway stays`() throws {
        _ = store.append(CommitBatch(base: store.position, statusChanges: [Sample.statusChange("lon2", at: 2)]))
        _ = try store.acknowledge(1, Acknowledgement(at: Sample.time(9), who: "Ada", note: nil))
        #expect(try store.retireStatusRecords(before: Sample.time(2), limitCount: 10) == 0)
        #expect(try store.retireStatusRecords(before: Sample.time(3), limitCount: 10) == 1)
        #expect(try store.retireStatusRecords(before: Sample.time(100), limitCount: 1) == 1)
        #expect(try store.retireStatusRecords(before: Sample.time(100), limitCount: 10) == 0)
        #expect(try store.statusRecords(StatusRecordQuery()).map(\.sequence) == [3, 4])
        #expect(try store.statusRecord(1) == nil)
        _ = store.append(CommitBatch(base: store.position, statusChanges: [Sample.statusChange("lon2", at: 3)]))
        #expect(
            try store.statusRecords(StatusRecordQuery()).map(\.sequence) == [3, 4, 5], "numbers are not used again")
    }
}

@Suite struct AvailabilityTests {
    let folder: TemporaryFolder
    let store: Store

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.store()
        store.change([(ResourcePath(.gateways, "lon1"), Sample.gateway("sip:192.0.2.10"))])  // at 1 s
    }

    private func record(_ turns: [(Int64, Bool)], uri: String = "sip:192.0.2.10") {
        let changes = turns.map { Sample.statusChange("lon1", uri: uri, isUp: $0.1, at: $0.0) }
        #expect(
            store.append(CommitBatch(base: store.position, statusChanges: changes)) == .appended(store.position))
    }

    private func availability(_ from: Int64?, _ to: Int64?, now: Int64 = 1001) throws -> Availability {
        try #require(
            try store.availability(
                ofGateway: "lon1", from: from.map { Sample.time($0) }, to: to.map { Sample.time($0) },
                now: Sample.time(now)))
    }

    @Test func `percent, outages and mean times come from the records`() throws {
        record([(101, false), (151, true), (501, false), (551, true)])
        let whole = try availability(nil, nil)
        #expect((whole.from, whole.to) == (Sample.time(1), Sample.time(1001)))
        #expect(whole.percentInService == 90)
        #expect(whole.outageCount == 2)
        #expect(whole.meanTimeBetweenFailures == .seconds(450))
        #expect(whole.meanTimeToRepair == .seconds(50))
    }

    @Test func `a stretch counts what lies in it: the outage that reaches into it, and the one that goes on`() throws {
        record([(101, false), (201, true), (901, false)])
        let begun = try availability(151, 251)
        #expect(begun.outageCount == 1)
        #expect(begun.percentInService == 50)
        let between = try availability(201, 901)
        #expect((between.outageCount, between.percentInService) == (0, 100))
        #expect(between.meanTimeBetweenFailures == nil)
        #expect(between.meanTimeToRepair == nil)
        let open = try availability(801, 5000)
        #expect(open.to == Sample.time(1001), "the present")
        #expect((open.outageCount, open.percentInService) == (1, 50))
        #expect(try availability(600, 600).percentInService == nil)
        #expect(try availability(700, 600).percentInService == nil)
    }

    @Test func `a record from out-of-service to out-of-service goes on with the same outage`() throws {
        record([(101, false), (151, false), (201, true)])
        let whole = try availability(nil, nil)
        #expect((whole.outageCount, whole.outOfService) == (1, .seconds(100)))
    }

    @Test func `another URI begins afresh, and so does a gateway that was deleted meanwhile`() throws {
        record([(101, false)])
        func entry(_ seconds: Int64, _ uri: String?) {
            let revision = store.position.revision.number + 1
            let effect = Effect(
                path: ResourcePath(.gateways, "lon1"), body: uri.map { Sample.gateway($0) }, createdAt: Sample.time(1))
            let entry = ChangeEntry(
                revision: Revision(revision), at: Sample.time(seconds), who: "test", comment: nil, effects: [effect],
                events: [])
            #expect(
                store.append(CommitBatch(base: store.position, changes: [entry])) == .appended(store.position))
        }
        entry(201, "sip:192.0.2.11")
        #expect(try availability(nil, nil).outOfService == .seconds(100))
        record([(301, false), (351, true)], uri: "sip:192.0.2.11")
        entry(601, nil)
        entry(801, "sip:192.0.2.11")
        let whole = try availability(nil, nil)
        #expect((whole.outOfService, whole.inService) == (.seconds(150), .seconds(650)), "200 s did not exist")
        #expect(whole.outageCount == 2)
        #expect(
            try store.availability(ofGateway: "paris", from: nil, to: nil, now: Sample.time(1)) == nil)
    }

    @Test func `what is kept no longer is not counted, and a clock that went back makes no time negative`() throws {
        record([(101, false), (201, true), (301, false), (291, true)])
        let whole = try availability(nil, nil)
        #expect(whole.outOfService == .seconds(100))
        #expect(whole.inService + whole.outOfService == .seconds(1000))
        _ = try store.retireStatusRecords(before: Sample.time(250), limitCount: 10)
        #expect(try availability(nil, nil).from == Sample.time(250))
    }
}
