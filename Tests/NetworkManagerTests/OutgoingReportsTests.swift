import Fixtures
import HTTPClient
import Synchronization
import Testing
import Time

@testable import NetworkManager

struct OutgoingReportsTests {
    /// The queue behind a reference, since `#expect` takes no call that mutates.
    private final class Queue {
        var reports: OutgoingReports

        init(limitCount: Int = OutgoingReports.limitCount) { reports = OutgoingReports(limitCount: limitCount) }

        func append(_ report: OutgoingReport, at now: Instant) -> Bool { reports.append(report, at: now) }
        func next(at now: Instant) -> OutgoingReports.Step { reports.next(at: now) }
        func finish(_ ending: OutgoingReports.Ending, at now: Instant) { reports.finish(ending, at: now, chance: 0) }
    }

    private let zero = Instant(nanoseconds: 0)

    private func report(_ number: Int) -> OutgoingReport {
        OutgoingReport(
            gateway: "gw\(number)", outcome: .noResponse, sipStatus: nil, at: WallTime(milliseconds: 0), callID: nil)
    }

    private func names(_ step: OutgoingReports.Step) -> [String]? {
        guard case .send(let reports) = step else { return nil }
        return reports.map(\.gateway)
    }

    @Test func `a report waits a little for others; a full batch does not`() {
        let queue = Queue()
        #expect(queue.next(at: zero) == .wait(until: nil))
        #expect(queue.append(report(1), at: zero))
        #expect(!queue.append(report(2), at: zero + .milliseconds(50)))
        #expect(queue.next(at: zero + .milliseconds(50)) == .wait(until: zero + .milliseconds(200)))
        #expect(names(queue.next(at: zero + .milliseconds(200))) == ["gw1", "gw2"])
        #expect(queue.next(at: zero + .seconds(1)) == .wait(until: nil))  // one request at a time
        for number in 3..<250 { _ = queue.append(report(number), at: zero + .seconds(1)) }
        queue.finish(.taken, at: zero + .seconds(1))
        #expect(names(queue.next(at: zero + .seconds(1)))?.count == 100)
        queue.finish(.taken, at: zero + .seconds(1))
        #expect(names(queue.next(at: zero + .seconds(1)))?.count == 100)
        queue.finish(.taken, at: zero + .seconds(1))
        #expect(names(queue.next(at: zero + .seconds(2)))?.last == "gw249")
        queue.finish(.taken, at: zero + .seconds(2))
        #expect(queue.reports.count == 0 && queue.reports.sentCount == 249 && queue.next(at: zero) == .wait(until: nil))
    }

    @Test func `what fails is sent again, the same and first, after 0.5 s doubling up to 30 s`() {
        let queue = Queue()
        var now = zero
        _ = queue.append(report(1), at: now)
        now = now + .milliseconds(200)
        var pauses: [Int64] = []
        for number in 2..<12 {
            #expect(names(queue.next(at: now)) == ["gw1"])
            _ = queue.append(report(number), at: now)
            queue.finish(.failed(retryAfter: nil), at: now)
            guard case .wait(let until?) = queue.next(at: now) else {
                Issue.record("no wait")
                return
            }
            pauses.append((until - now).milliseconds)
            now = until
        }
        #expect(pauses == [250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000, 15000])
        #expect(names(queue.next(at: now)) == ["gw1"])
        queue.finish(.refused, at: now)
        #expect(names(queue.next(at: now + .milliseconds(200)))?.first == "gw2" && queue.reports.refusedCount == 1)
    }

    @Test func `when it is full the oldest is dropped and counted; a batch under way is not`() {
        let queue = Queue(limitCount: 10)
        _ = queue.append(report(0), at: zero)
        #expect(names(queue.next(at: zero + .seconds(1))) == ["gw0"])
        for number in 1...25 { _ = queue.append(report(number), at: zero + .seconds(1)) }
        #expect(queue.reports.droppedCount == 15 && queue.reports.count == 11)
        queue.finish(.failed(retryAfter: nil), at: zero + .seconds(1))
        #expect(names(queue.next(at: zero + .seconds(9))) == ["gw0"])
        queue.finish(.taken, at: zero + .seconds(9))
        #expect(names(queue.next(at: zero + .seconds(10))) == (16...25).map { "gw\($0)" })
    }

    @Test func `the request: path, token, form; a wrong token is tried again, an unreadable batch is not`() throws {
        let clock = StandingClock()
        let posts = Mutex<[HTTPPost]>([])
        let status = Mutex(401)
        let sender = ReportSender(reporter: "edge1", clock: clock) { post, whenDone in
            posts.withLock { $0.append(post) }
            whenDone(
                HTTPPostResult(.response(status: status.withLock { $0 }, retryAfter: nil), duration: .zero))
        }
        sender.enqueue(report(9))  // nowhere to send it
        let behindProxy = try ReportSender.Destination(api: "https://rs.example/tandem/", token: nil)
        #expect(behindProxy.url.text == "https://rs.example/tandem/v1/status-reports")
        sender.direct(to: try .init(api: "http://127.0.0.1:8080", token: "secret"))
        sender.enqueue(
            OutgoingReport(
                gateway: "lon1", outcome: .failureResponse, sipStatus: 503, at: clock.wallTime, callID: "a@b"))
        clock.move(by: .milliseconds(200))
        _ = sender.step()
        let post = try #require(posts.withLock { $0.first })
        #expect(post.url.text == "http://127.0.0.1:8080/v1/status-reports")
        #expect(post.headers.contains { $0 == ("Authorization", "Bearer secret") })
        #expect(
            String(decoding: post.body, as: UTF8.self)
                == #"{"reporter":"edge1","reports":[{"at":"\#(WallTime(milliseconds: 1_767_262_600_000).rfc3339)","#
                + #""call_id":"a@b","gateway":"lon1","outcome":"failure-response","sip_status":503}]}"#)
        #expect(sender.counts == .init(waiting: 1, sent: 0, dropped: 0, refused: 0))
        status.withLock { $0 = 422 }
        clock.move(by: .seconds(1))
        _ = sender.step()
        #expect(sender.counts == .init(waiting: 0, sent: 0, dropped: 0, refused: 1))
        #expect(posts.withLock { $0.count } == 2)
    }
}
