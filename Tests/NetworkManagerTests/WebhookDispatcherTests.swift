import Fixtures
import HTTPClient
import JSON
import Store
import Synchronization
import Testing
import Time

@testable import NetworkManager

/// Deliveries over a real store, with a receiver and a writer that do what the test says.
struct WebhookDispatcherTests {
    /// Everything around a dispatcher. The test takes its steps, so nothing depends on a thread.
    private final class Surroundings {
        let exchange: Exchange
        let dispatcher: WebhookDispatcher
        /// What was sent and not answered yet.
        let open = Mutex<[(post: HTTPPost, whenDone: @Sendable (HTTPPostResult) -> Void)]>([])
        let reports = Mutex<[WebhookReport]>([])
        var subscriptions: [WebhookSubscription] = []

        init(after earlier: Surroundings? = nil) throws {
            exchange = try Exchange(after: earlier?.exchange)
            let box = Weak()
            dispatcher = WebhookDispatcher(
                store: exchange.store, networkManager: exchange.manager, clock: exchange.clock,
                surroundings: WebhookSurroundings(
                    post: { post, whenDone in box.held?.open.withLock { $0.append((post, whenDone)) } },
                    networks: { [] }, report: { reports in box.held?.reports.withLock { $0 += reports } }))
            box.set(self)
        }

        /// Breaks the circle: the dispatcher's closures come before the surroundings are whole.
        private final class Weak: @unchecked Sendable {
            weak var held: Surroundings?
            func set(_ held: Surroundings) { self.held = held }
        }

        func subscribe(
            _ id: String, turn: UInt64 = 1, types: Set<String> = [], at host: String? = nil, _ progress: WebhookProgress
        ) throws {
            let new = WebhookSubscription(
                id: id, turn: turn, url: try WebURL("https://\(host ?? id).example/"), types: types, isEnabled: true,
                keys: [(WebhookKey(Array(0..<32)), nil)], progress: progress)
            subscriptions = subscriptions.filter { $0.id != id } + [new]
            dispatcher.update(subscriptions)
        }

        func happen(_ count: Int, type: String = "routing.changed") {
            let event = EventDraft(
                type: type, subject: nil, time: exchange.clock.wallTime, data: .object(["n": .integer(1)]))
            let batch = CommitBatch(base: exchange.store.position, events: Array(repeating: event, count: count))
            #expect(exchange.store.append(batch) == .appended(exchange.store.position))
        }

        func step() { _ = dispatcher.step() }

        /// Takes a step and answers what it sent. Returns the ids of the events by host.
        func answer(_ outcome: HTTPPostResult.Outcome = .response(status: 204, retryAfter: nil)) -> [String] {
            step()
            let sent = open.withLock { open in
                defer { open = [] }
                return open
            }
            for item in sent { item.whenDone(HTTPPostResult(outcome, duration: .milliseconds(3))) }
            return sent.map { item in
                let id = item.post.headers.first { $0.name == "webhook-id" }?.value ?? "?"
                return "\(item.post.url.host.prefix { $0 != "." })\(id)"
            }
        }
    }

    @Test func `in order and one under way for each; a slow one holds no other`() throws {
        let all = try Surroundings()
        all.happen(3)
        try all.subscribe("a", WebhookProgress(cursor: 0))
        try all.subscribe("b", WebhookProgress(cursor: 1))
        all.step()
        #expect(all.open.withLock { $0.count } == 2)
        all.step()
        #expect(all.open.withLock { $0.count } == 2)  // nobody has answered
        let slow = all.open.withLock { $0.remove(at: $0[0].post.url.host == "a.example" ? 0 : 1) }
        #expect(all.answer() == ["b2"] && all.answer() == ["b3"] && all.answer() == [])
        slow.whenDone(HTTPPostResult(.response(status: 200, retryAfter: nil), duration: .zero))
        #expect(all.answer() == ["a2"] && all.answer() == ["a3"] && all.answer() == [])
        #expect(all.dispatcher.standings.map(\.lagCount) == [0, 0])
        #expect(all.dispatcher.standings.map(\.deliveredCount) == [3, 2])
    }

    @Test func `deleted and made again while an attempt is under way: still one under way, and each event once`() throws
    {
        let all = try Surroundings()
        all.happen(2)
        try all.subscribe("a", WebhookProgress(cursor: 0))
        all.step()
        let old = try #require(all.open.withLock { $0.popLast() })
        all.dispatcher.update([])
        try all.subscribe("a", turn: 2, at: "new", WebhookProgress(cursor: 0))
        all.step()
        #expect(all.open.withLock { $0.map(\.post.url.host) } == ["new.example"])
        old.whenDone(HTTPPostResult(.response(status: 204, retryAfter: nil), duration: .seconds(4)))
        all.step()
        #expect(all.open.withLock { $0.count } == 1)
        #expect(all.answer() == ["new1"] && all.answer() == ["new2"] && all.answer() == [])
    }

    @Test func `an attempt that fails at the URL of before does not hold up the new one`() throws {
        let all = try Surroundings()
        all.happen(1)
        var progress = WebhookProgress(cursor: 0)
        progress.failureCount = 13
        try all.subscribe("a", progress)
        all.step()
        let old = try #require(all.open.withLock { $0.popLast() })
        try all.subscribe("a", at: "new", WebhookProgress(cursor: 0))
        old.whenDone(HTTPPostResult(.failure(HTTPPostFailure(.timedOut, "15000 ms")), duration: .seconds(15)))
        #expect(all.answer() == ["new1"])
        all.exchange.clock.move(by: .milliseconds(250))
        all.step()
        let attempts = all.reports.withLock { $0.flatMap(\.attempts) }
        #expect(attempts.map(\.outcome) == [.failed, .delivered])
    }

    @Test func `progress is written down four times a second, a failure at once`() throws {
        let all = try Surroundings()
        all.happen(5)
        try all.subscribe("a", WebhookProgress(cursor: 0))
        for _ in 0..<3 { _ = all.answer() }
        #expect(all.reports.withLock { $0.isEmpty })
        all.exchange.clock.move(by: .milliseconds(250))
        _ = all.answer()
        #expect(all.reports.withLock { $0.map(\.progress.cursor) } == [3])
        #expect(all.reports.withLock { $0.first?.attempts.map(\.event) } == ["1", "2", "3"])
        _ = all.answer(.failure(HTTPPostFailure(.timedOut, "15000 ms")))
        all.step()
        let last = try #require(all.reports.withLock { $0.last })
        #expect(last.progress.cursor == 4 && last.progress.failureCount == 1)
        #expect(last.attempts.last?.error == "timed-out: 15000 ms")
    }

    @Test func `killed and started again it goes on behind what was written down: nothing is lost`() throws {
        let first = try Surroundings()
        first.happen(4)
        try first.subscribe("a", WebhookProgress(cursor: 0))
        #expect(first.answer() == ["a1"])
        first.step()
        first.exchange.clock.move(by: .milliseconds(250))
        first.step()
        #expect(first.answer() == ["a2"] && first.answer() == ["a3"])
        let written = try #require(first.reports.withLock { $0.last }).progress
        // Nothing of `first` is stopped in order: what it did not write down is done once more.
        let second = try Surroundings(after: first)
        try second.subscribe("a", written)
        #expect(written.cursor == 1)
        #expect(second.answer() == ["a2"] && second.answer() == ["a3"] && second.answer() == ["a4"])
        #expect(second.answer() == [])
        // One that stops in order writes all of it down.
        second.dispatcher.stop()
        #expect(second.reports.withLock { $0.last?.progress.cursor } == 4)
    }

    @Test func `a new turn begins at its place; what the old one had under way does not count`() throws {
        let all = try Surroundings()
        all.happen(3)
        try all.subscribe("a", WebhookProgress(cursor: 0))
        #expect(all.answer() == ["a1"])
        all.step()
        let old = all.open.withLock { $0.removeFirst() }
        try all.subscribe("a", turn: 2, WebhookProgress(cursor: 0))
        all.step()
        #expect(all.open.withLock { $0.isEmpty })  // still one under way
        old.whenDone(HTTPPostResult(.response(status: 204, retryAfter: nil), duration: .zero))
        #expect(all.answer() == ["a1"] && all.answer() == ["a2"] && all.answer() == ["a3"] && all.answer() == [])
    }

    @Test func `a large backlog is read page by page; types choose among it`() throws {
        let all = try Surroundings()
        all.happen(300)
        all.happen(1, type: "server.started")
        try all.subscribe("a", types: ["server.started"], WebhookProgress(cursor: 0))
        #expect(all.answer() == ["a301"] && all.answer() == [])
        try all.subscribe("b", WebhookProgress(cursor: 0))
        for number in 1...301 { #expect(all.answer() == ["b\(number)"]) }
        #expect(all.answer() == [])
    }

    @Test func `long failure, dead letters and recovery are events of the sequence`() throws {
        let all = try Surroundings()
        all.happen(1)
        try all.subscribe("a", WebhookProgress(cursor: 0))
        for _ in 0..<200 {
            _ = all.answer(.response(status: 500, retryAfter: nil))
            all.exchange.clock.move(by: .seconds(3600))
            if all.dispatcher.standings.first?.lagCount == 0 { break }
        }
        all.step()
        all.happen(1)
        #expect(all.answer() == ["a2"])
        all.exchange.clock.move(by: .seconds(1))
        all.step()
        let events = all.reports.withLock { $0.flatMap(\.events) }
        #expect(events.allSatisfy { $0.type == "webhook.failing" && $0.subject == "webhooks/a" })
        #expect(events.compactMap { $0.data["state"]?.text } == ["failing", "dead-lettered", "recovered"])
        #expect(events.first?.data["error"] == .string("status 500"))
        #expect(events.dropFirst().first?.data["events"] == .integer(1))
    }

    @Test func `a test goes past the order, is signed, and only one at a time`() throws {
        let all = try Surroundings()
        try all.subscribe("a", WebhookProgress(cursor: 0))
        let seen = Mutex<[WebhookAttempt?]>([])
        all.dispatcher.test("a") { attempt in seen.withLock { $0.append(attempt) } }
        all.dispatcher.test("a") { attempt in seen.withLock { $0.append(attempt) } }
        all.dispatcher.test("b") { attempt in seen.withLock { $0.append(attempt) } }
        #expect(seen.withLock { $0.count } == 2 && seen.withLock { $0.allSatisfy { $0 == nil } })
        let post = try #require(all.open.withLock { $0.first?.post })
        #expect(post.headers.contains { $0.name == "webhook-signature" && $0.value.hasPrefix("v1,") })
        _ = all.answer(.response(status: 301, retryAfter: nil))
        let attempt = try #require(seen.withLock { $0.last } ?? nil)
        #expect(attempt.outcome == .failed && attempt.error == "status 301; redirects are not followed")
        #expect(all.reports.withLock { $0.last?.attempts } == [attempt])
    }
}
