import Fixtures
import JSON
import Testing
import Time

@testable import Store

struct WebhookTests {
    private let time = WallTime(milliseconds: 1_767_261_600_000)

    private func webhook(_ id: String, cursor: Int64 = 7) -> StoredWebhook {
        StoredWebhook(
            id: id, body: .object(["url": .string("https://example.com/")]), key: WebhookKey([1, 2, 3]),
            previousKey: (WebhookKey([9]), time), createdAt: time, updatedAt: time,
            progress: WebhookProgress(cursor: cursor))
    }

    private func attempt(_ number: Int) -> WebhookAttempt {
        WebhookAttempt(
            event: "\(number)", type: "routing.changed", at: time, outcome: .failed, status: 500, error: "500",
            durationMilliseconds: 3)
    }

    private func append(_ store: Store, _ effects: WebhookEffect...) -> AppendOutcome {
        store.append(CommitBatch(base: store.position, webhooks: effects))
    }

    @Test func `a webhook, its key and its progress are there after a restart; its attempts are bounded`() throws {
        let folder = try TemporaryFolder()
        let store = try Store(path: folder.file(), node: "n1", at: time)
        let position = store.position
        #expect(append(store, .put(webhook("b")), .put(webhook("a"))) == .appended(position))
        var progress = WebhookProgress(cursor: 400)
        (progress.failureCount, progress.failingSince) = (3, time)
        (progress.isTold, progress.deadLetterCount) = (true, 2)
        let attempts = (1...250).map { attempt($0) }
        #expect(append(store, .progress(id: "a", progress, attempts: attempts)) == .appended(position))
        #expect(append(store, .progress(id: "gone", progress, attempts: attempts)) == .appended(position))
        store.close()
        let again = try Store(path: folder.file(), node: "n1", at: time)
        var expected = webhook("a")
        expected.progress = progress
        #expect(try again.webhooks() == [expected, webhook("b")])
        let kept = try again.webhookAttempts(of: "a", limit: 1000)
        #expect(kept.count == Store.webhookAttemptLimitCount && kept.first == attempt(250))
        // What it is changes; what was tried stays.
        #expect(append(again, .put(webhook("a", cursor: 9))) == .appended(position))
        #expect(try again.webhookAttempts(of: "a", limit: 1) == [attempt(250)])
        #expect(append(again, .delete("a")) == .appended(position))
        #expect(try again.webhooks() == [webhook("b")])
        #expect(try again.webhookAttempts(of: "a", limit: 1).isEmpty)
    }

    @Test func `a key shows itself nowhere`() {
        let text = "\(webhook("a")) \(String(reflecting: webhook("a")))"
        #expect(!text.contains("[1, 2, 3]") && text.contains("(secret)"))
    }
}
