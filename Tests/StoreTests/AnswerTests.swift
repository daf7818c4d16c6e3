import Fixtures
import JSON
import Routing
import Testing
import Time

@testable import Store

/// First answers to requests that may come again (API section 2, `Idempotency-Key`).
@Suite struct AnswerTests {
    private func keep(_ store: Store, _ key: String, _ body: String, at seconds: Int64) {
        var batch = CommitBatch(base: store.position)
        let request = StoredAnswer.Request(from: "a", key: key, path: "/v1/x", body: Array(body.utf8))
        batch.answers = [StoredAnswer(to: request, status: 200, body: "{\"n\":\(seconds)}", at: Sample.time(seconds))]
        #expect(store.append(batch) == .appended(store.position))
    }

    @Test func `an answer is found by key and path for 24 hours, over a restart, and makes no revision`() throws {
        let folder = try TemporaryFolder()
        var store = try folder.store()
        keep(store, "k", "a", at: 100)
        #expect(store.position.revision == Revision(0))
        store.close()
        store = try folder.store()
        let other = StoredAnswer.Request(from: "a", key: "k", path: "/v1/x", body: Array("b".utf8))
        let found = try #require(try store.answer(to: other, since: Sample.time(99)))
        #expect(found.answer.status == 200 && found.answer.body == "{\"n\":100}")
        #expect(found.digest == StoredAnswer.Request(from: "a", key: "k", path: "/v1/x", body: Array("a".utf8)).digest)
        #expect(found.digest != other.digest)
        #expect(try store.answer(to: other, since: Sample.time(100)) == nil)
        let elsewhere = StoredAnswer.Request(from: "a", key: "k", path: "/v1/y", body: [])
        #expect(try store.answer(to: elsewhere, since: Sample.time(0)) == nil)
        let others = StoredAnswer.Request(from: "b", key: "k", path: "/v1/x", body: Array("a".utf8))
        #expect(try store.answer(to: others, since: Sample.time(0)) == nil, "another's key is another key")
        keep(store, "later", "a", at: 100 + 86_400)
        #expect(try store.answer(to: other, since: Sample.time(0)) == nil, "it was let go of")
        store.close()
    }
}
