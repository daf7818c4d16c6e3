import Addressing
import Probing
import Routing
import Testing
import Time

@Suite struct ProbeScheduleTests {
    static let start = Instant(nanoseconds: 1_000_000_000_000)

    private let table = GatewayInformationTable()

    private func builder(_ count: Int, intervalSeconds: UInt32 = 30) throws -> SnapshotBuilder {
        var builder = SnapshotBuilder()
        let address = TransportAddress(.udp, try #require(IPAddress("192.0.2.1")), port: 5060)
        for number in 0..<count {
            var gateway = Gateway(id: "g\(number)", uri: "sip:\(number)", address: address, requestURISuffix: "@x")
            gateway.probe.intervalSeconds = intervalSeconds
            _ = builder.put(gateway, in: table)
        }
        return builder
    }

    /// Who is asked when, from one instant to another. `ends`: every question is answered at once.
    private func run(
        _ schedule: inout ProbeSchedule, _ snapshot: RoutingSnapshot, from: Instant, to: Instant, ends: Bool = true
    ) -> (asked: [(index: UInt16, at: Instant)], wakeCount: Int) {
        var (now, asked, wakeCount) = (from, [(index: UInt16, at: Instant)](), 0)
        while now < to {
            let turn = schedule.next(in: snapshot, now: now)
            wakeCount += 1
            if let gateway = turn.gateway {
                asked.append((gateway.slot.index, now))
                if ends { schedule.noteEnd() }
            }
            now = turn.again
        }
        return (asked, wakeCount)
    }

    @Test func `10,000 gateways at 30 s: each once an interval, evenly over it`() throws {
        var builder = try builder(10_000)
        let snapshot = builder.snapshot(revision: Revision(1))
        var schedule = ProbeSchedule(ProbeSettings())
        // The first round, in which the new ones are asked as they are found.
        let settled = Self.start + .seconds(60)
        _ = run(&schedule, snapshot, from: Self.start, to: settled)
        let (asked, wakeCount) = run(&schedule, snapshot, from: settled, to: settled + .seconds(300))
        #expect(asked.count == 100_000)
        var counts: [UInt16: Int] = [:]
        var inSecond: [Int64: Int] = [:]
        var inFiftieth: [Int64: Int] = [:]
        for (index, at) in asked {
            counts[index, default: 0] += 1
            inSecond[(at - settled).milliseconds / 1000, default: 0] += 1
            inFiftieth[(at - settled).milliseconds / 20, default: 0] += 1
        }
        #expect(counts.count == 10_000)
        #expect(counts.values.allSatisfy { $0 == 10 })
        // 333.3 a second, 6.7 in 20 ms.
        let (least, most) = (inSecond.values.min() ?? 0, inSecond.values.max() ?? 0)
        #expect(least >= 330 && most <= 337, "\(least)...\(most)")
        #expect(inFiftieth.count == 15_000)
        #expect((inFiftieth.values.max() ?? 0) <= 12)
        #expect(wakeCount <= 101_000, "a wake a question")
        #expect(Set(asked.map(\.at)).count <= 15_000, "those of 20 ms at once")
    }

    @Test func `few gateways cost few wakes, and several intervals go side by side`() throws {
        var builder = try builder(3)
        var other = try #require(builder.gateways["g1"])
        other.probe.intervalSeconds = 7
        _ = builder.put(other, in: table)
        let snapshot = builder.snapshot(revision: Revision(1))
        var schedule = ProbeSchedule(ProbeSettings())
        _ = run(&schedule, snapshot, from: Self.start, to: Self.start + .seconds(60))
        let begin = Self.start + .seconds(60)
        let (asked, wakeCount) = run(&schedule, snapshot, from: begin, to: begin + .seconds(2100))
        let index = try #require(builder.slot(of: "g1")).index
        #expect(asked.count { $0.index == index } == 300)
        #expect(asked.count == 300 + 2 * 70)
        #expect(wakeCount <= 2100 + 2 * asked.count)
    }

    @Test func `what is gone is asked no more, its successor is, and whoever stays keeps its turn`() throws {
        var builder = try builder(50)
        var schedule = ProbeSchedule(ProbeSettings())
        var snapshot = builder.snapshot(revision: Revision(1))
        let before = run(&schedule, snapshot, from: Self.start, to: Self.start + .seconds(90)).asked
        for number in 0..<25 { builder.removeGateway("g\(number)") }
        let address = TransportAddress(.udp, try #require(IPAddress("192.0.2.2")), port: 5060)
        _ = builder.put(Gateway(id: "new", uri: "sip:new", address: address, requestURISuffix: "@y"), in: table)
        snapshot = builder.snapshot(revision: Revision(2))
        let after = run(&schedule, snapshot, from: Self.start + .seconds(90), to: Self.start + .seconds(120)).asked
        #expect(after.count == 26 || after.count == 27, "the new one may have been asked at once as well")
        for number in 25..<50 {
            let index = try #require(builder.slot(of: "g\(number)")).index
            let last = try #require(before.last { $0.index == index }).at
            #expect(after.filter { $0.index == index }.map(\.at) == [last + .seconds(30)])
        }
        let new = try #require(builder.slot(of: "new")).index
        #expect(after.first { $0.index == new }.map { $0.at < Self.start + .milliseconds(90_100) } == true)
    }

    @Test func `unanswered questions are bounded, and the turn of those that waited is not lost`() throws {
        var builder = try builder(100)
        let snapshot = builder.snapshot(revision: Revision(1))
        var settings = ProbeSettings()
        settings.outstandingLimitCount = 10
        var schedule = ProbeSchedule(settings)
        let first = run(&schedule, snapshot, from: Self.start, to: Self.start + .seconds(40), ends: false).asked
        #expect(first.count == 10)
        #expect(schedule.outstandingCount == 10)
        for _ in 0..<10 { schedule.noteEnd() }
        let rest = run(&schedule, snapshot, from: Self.start + .seconds(40), to: Self.start + .seconds(41)).asked
        #expect(Set((first + rest).map(\.index)).count == 100)
        for _ in 0..<5 { schedule.noteEnd() }
        #expect(schedule.outstandingCount == 0)
    }

    @Test func `new gateways are asked within a moment, old ones keep their turn`() throws {
        var builder = try builder(20)
        let snapshot = builder.snapshot(revision: Revision(1))
        var schedule = ProbeSchedule(ProbeSettings())
        let asked = run(&schedule, snapshot, from: Self.start, to: Self.start + .milliseconds(1100)).asked
        #expect(Set(asked.map(\.index)).count == 20)
        #expect(asked.count == 20)
    }

    @Test func `no gateway: it looks once a second`() throws {
        var builder = SnapshotBuilder()
        let snapshot = builder.snapshot(revision: Revision(1))
        var schedule = ProbeSchedule(ProbeSettings())
        let (asked, wakeCount) = run(&schedule, snapshot, from: Self.start, to: Self.start + .seconds(100))
        #expect(asked.isEmpty)
        #expect(wakeCount == 100)
    }
}
