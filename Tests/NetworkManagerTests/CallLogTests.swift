import Addressing
import Fixtures
import NetworkManager
import Routing
import Testing
import Time

@Suite struct CallLogTests {
    private let clock = StandingClock()
    private let log: CallLog
    private let slots: [GatewaySlot]
    private let source: TransportAddress

    init() throws {
        let table = GatewayInformationTable()
        var builder = SnapshotBuilder()
        source = TransportAddress(.udp, IPAddress(ipv4: 0x0A01_0001), port: 5060)
        for (number, id) in ["lon1", "lon2"].enumerated() {
            let address = TransportAddress(.udp, IPAddress(ipv4: 0x0A02_0001 + UInt32(number)), port: 5060)
            let isPut = builder.put(
                Gateway(id: id, uri: "sip:\(id)", address: address, requestURISuffix: "@x"), in: table)
            #expect(isPut)
        }
        builder.put(IngressPeer(id: "p", networks: [try #require(Network("10.1.0.0/16"))]))
        slots = try ["lon1", "lon2"].map { try #require(builder.slot(of: $0)) }
        log = CallLog(
            table: table, snapshots: SnapshotCell(builder.snapshot(revision: Revision(7))), clock: clock, capacity: 3)
    }

    private func search(
        _ id: UInt64, to number: String, by gateways: [Int] = [0], result: CallRecord.Result = .answered,
        after seconds: Int64 = 0
    ) -> CallSearch {
        var record = CallRecord(id: id, receivedAt: clock.now + .seconds(seconds), source: source)
        let bytes = Array(number.utf8)
        record.dialled = ShortText(bytes.span, 0..<bytes.count)
        (record.result, record.status, record.revision) = (result, 200, Revision(7))
        var search = CallSearch(record)
        for gateway in gateways {
            _ = search.begin(CallRecord.Attempt(gateway: slots[gateway], sentAt: 0, branch: (1, 2, 3, 4)))
        }
        return search
    }

    @Test func `calls come back newest first, by number, gateway and time, page by page`() throws {
        log.receive(
            CallNews(searches: [
                search(1, to: "+4420"), search(2, to: "4421", by: [1, 0]), search(3, to: "331", by: [1], after: 5),
            ]))
        #expect(log.page(CallLog.Query()).map(\.dialled) == ["331", "4421", "+4420"])
        var query = CallLog.Query()
        query.number = "+442"
        #expect(log.page(query).map(\.dialled) == ["4421", "+4420"], "a leading + plays no part")
        query.limitCount = 1
        let first = try #require(log.page(query).first)
        query.before = first.sequence
        #expect(log.page(query).map(\.dialled) == ["+4420"])
        query = CallLog.Query()
        query.gateway = "lon1"
        #expect(log.page(query).map(\.dialled) == ["4421", "+4420"])
        query = CallLog.Query()
        query.from = clock.wallTime(of: clock.now + .seconds(1))
        #expect(log.page(query).map(\.dialled) == ["331"])
        (query.from, query.to) = (nil, clock.wallTime(of: clock.now + .seconds(1)))
        #expect(log.page(query).count == 2)
        #expect(first.plan == "default")
        #expect(first.attempts.map(\.gateway) == ["lon2", "lon1"])
        #expect(first.attempts.first?.attempt.branchText == "z9hG4bK010000000200000003000000000004")
    }

    @Test func `the newest are kept, however many come and whatever the bound becomes`() {
        for number in 1...5 { log.receive(CallNews(searches: [search(UInt64(number), to: "\(number)")])) }
        #expect(log.page(CallLog.Query()).map(\.dialled) == ["5", "4", "3"])
        #expect(log.call(2) == nil)
        #expect(log.call(4)?.dialled == "4")
        #expect(log.call(6) == nil && log.call(0) == nil)
        log.keep(2)
        #expect(log.page(CallLog.Query()).map(\.dialled) == ["5", "4"])
        log.keep(4)
        log.receive(CallNews(searches: (6...8).map { search($0, to: "\($0)") }))
        #expect(log.page(CallLog.Query()).map(\.dialled) == ["8", "7", "6", "5"])
        log.keep(0)
        log.receive(CallNews(searches: [search(9, to: "9")]))
        #expect(log.count == 0 && log.page(CallLog.Query()).isEmpty)
    }

    @Test func `an answered call gets its end, once, and one that was driven out gets none`() {
        log.receive(CallNews(searches: [search(1, to: "1"), search(2, to: "2", result: .refused)]))
        log.receive(
            CallNews(
                endings: [1, 2].map { CallRecord.Ending(call: $0, at: clock.now + .seconds(60), isByRequest: true) }))
        #expect(log.call(1)?.endedAt == clock.wallTime(of: clock.now + .seconds(60)))
        #expect(log.call(1)?.isEndedByRequest == true)
        #expect(log.call(2)?.endedAt == nil)
        log.receive(CallNews(endings: [CallRecord.Ending(call: 1, at: clock.now + .seconds(90), isByRequest: false)]))
        #expect(log.call(1)?.isEndedByRequest == true)
        for number in 3...6 { log.receive(CallNews(searches: [search(UInt64(number), to: "\(number)")])) }
        log.receive(CallNews(endings: [CallRecord.Ending(call: 3, at: clock.now, isByRequest: true)]))
        #expect(log.page(CallLog.Query()).allSatisfy { $0.endedAt == nil })
    }
}
