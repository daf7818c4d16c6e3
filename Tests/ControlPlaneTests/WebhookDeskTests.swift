import Fixtures
import JSON
import NetworkManager
import Store
import Synchronization
import Testing
import Time

@testable import ControlPlane

/// The writer's side of webhooks: what is committed with what, and what happens when the disk does not take it.
struct WebhookDeskTests {
    private func request(_ api: ControlPlaneFixture, _ request: WebhookRequest) async -> Result<WebhookResult, Refusal>
    {
        await withCheckedContinuation { continuation in
            api.plane.submit(request) { continuation.resume(returning: $0) }
        }
    }

    private func put(
        _ api: ControlPlaneFixture, _ id: String = "oss", _ body: String = #"{"url":"https://oss.example/"}"#
    ) async throws -> WebhookResult {
        try await request(api, .put(id, try json(body), Precondition())).get()
    }

    private func report(_ id: String, turn: UInt64, cursor: Int64, state: String? = nil) -> WebhookReport {
        let time = WallTime(milliseconds: 0)
        let attempt = WebhookAttempt(
            event: "\(cursor)", type: "routing.changed", at: time, outcome: .delivered, status: 204, error: nil,
            durationMilliseconds: 1)
        let events = state.map { state in
            EventDraft(
                type: "webhook.failing", subject: "webhooks/\(id)", time: time, data: .object(["state": .string(state)])
            )
        }
        return WebhookReport(
            id: id, turn: turn, progress: WebhookProgress(cursor: cursor), attempts: [attempt],
            events: events.map { [$0] } ?? [])
    }

    /// Hands a report in as deliveries do, and waits for the next commit.
    private func hand(_ report: WebhookReport, to api: ControlPlaneFixture) async throws {
        api.plane.webhooks.add([report])
        api.plane.wakeWriter()
        try await api.settle()
    }

    /// The turn that a webhook is in.
    private func turn(_ api: ControlPlaneFixture) throws -> UInt64 {
        try #require(api.plane.webhooks.entry("oss")).turn
    }

    @Test func `a webhook whose network was taken out of the settings can still be changed, but for its URL`()
        async throws
    {
        let api = try ControlPlaneFixture()
        defer { api.close() }
        try await api.commit(try patch("settings", #"{"webhook_networks":["10.0.0.0/8"]}"#))
        _ = try await put(api, "oss", #"{"url":"http://10.1.2.3/"}"#)
        try await api.commit(try patch("settings", #"{"webhook_networks":null}"#))
        let disabled = try await request(api, .patch("oss", try json(#"{"enabled":false}"#), Precondition())).get()
        #expect(disabled.outcome == .replaced)
        for body in [#"{"url":"http://10.1.2.4/"}"#, #"{"zz":null}"#] {
            let refused = await request(api, .patch("oss", try json(body), Precondition()))
            guard case .failure(let refusal) = refused else { throw CandidateFixture.NotRefused() }
            #expect(refusal.problem == .invalid)
        }
    }

    @Test func `a webhook begins at the newest event; its progress and what is said of it are one commit`() async throws
    {
        let api = try ControlPlaneFixture()
        defer { api.close() }
        try await api.provisionLondon()
        let newest = try api.store.newestEventNumber()
        let made = try await put(api)
        #expect(made.outcome == .created && made.revision == api.plane.revision)
        #expect(try api.store.webhooks().map(\.progress.cursor) == [newest])
        let turn = try turn(api)
        try await hand(report("oss", turn: turn, cursor: newest + 1, state: "failing"), to: api)
        let batch = try #require(api.log.batches.last { !$0.webhooks.isEmpty })
        #expect(batch.events.map(\.type) == ["webhook.failing"])
        #expect(try api.store.webhooks().map(\.progress.cursor) == [newest + 1])
        #expect(try api.store.webhookAttempts(of: "oss", limit: 9).map(\.event) == ["\(newest + 1)"])
        let events = try api.store.events(after: newest, types: ["webhook.failing"], limit: 9)
        #expect(events.map(\.subject) == ["webhooks/oss"])
    }

    @Test func `a report of an earlier turn is void: after a replay, and of another webhook of the same name`()
        async throws
    {
        let api = try ControlPlaneFixture()
        defer { api.close() }
        try await api.provisionLondon()
        _ = try await put(api)
        let first = try turn(api)
        _ = try await request(api, .replay("oss", after: 1)).get()
        try await hand(report("oss", turn: first, cursor: 5), to: api)
        #expect(try api.store.webhooks().map(\.progress.cursor) == [1])
        let second = try turn(api)
        _ = try await request(api, .delete("oss", Precondition())).get()
        _ = try await put(api)
        let cursor = try api.store.webhooks().map(\.progress.cursor)
        try await hand(report("oss", turn: second, cursor: 2), to: api)
        #expect(try api.store.webhooks().map(\.progress.cursor) == cursor)
        #expect(try api.store.webhookAttempts(of: "oss", limit: 9).isEmpty)
    }

    @Test func `what the disk does not take is refused; a report waits for the disk`() async throws {
        let api = try ControlPlaneFixture()
        defer { api.close() }
        _ = try await put(api)
        let turn = try turn(api)
        api.log.order(.answer(.readOnly(reason: "disk full")))
        let refused = await request(api, .put("other", try json(#"{"url":"https://oss.example/"}"#), Precondition()))
        #expect(refused.refusal?.problem == .readOnly)
        #expect(try api.store.webhooks().map(\.id) == ["oss"] && api.plane.webhooks.webhook("other") == nil)
        api.log.order(.answer(.readOnly(reason: "disk full")))
        api.plane.webhooks.add([report("oss", turn: turn, cursor: 1, state: "failing")])
        api.plane.webhooks.add([report("oss", turn: turn, cursor: 2)])
        api.log.becomeWell()
        try? await api.settle()  // may get the disk's answer itself
        try await api.settle()
        #expect(try api.store.webhooks().map(\.progress.cursor) == [2])
        #expect(try api.store.webhookAttempts(of: "oss", limit: 9).map(\.event) == ["2", "1"])
        #expect(try api.store.events(after: 0, types: ["webhook.failing"], limit: 9).count == 1)
    }

    @Test func `when nobody knows whether it was taken, the client is told so and the truth is read`() async throws {
        let api = try ControlPlaneFixture()
        defer { api.close() }
        try await api.settle()  // the event of the start may come alone, and would take the order
        api.log.order(.writeAndForget)
        let answer = await request(api, .put("oss", try json(#"{"url":"https://oss.example/"}"#), Precondition()))
        #expect(answer.refusal?.problem == .outcomeUnknown)
        #expect(api.plane.webhooks.webhook("oss") != nil)
        #expect(try await put(api).outcome == .unchanged)
    }

    @Test func `requests of one batch see each other, in order`() async throws {
        let api = try ControlPlaneFixture(starts: false)
        defer { api.close() }
        let answers = Mutex<[String]>([])
        let requests: [WebhookRequest] = [
            .put("oss", try json(#"{"url":"https://oss.example/"}"#), Precondition(ifNoneMatch: ["*"])),
            .put("oss", try json(#"{"url":"https://oss.example/"}"#), Precondition(ifNoneMatch: ["*"])),
            .patch("oss", try json(#"{"enabled":false}"#), Precondition()),
            .delete("oss", Precondition(ifMatch: ["*"])),
            .patch("oss", try json("{}"), Precondition()),
        ]
        for request in requests {
            api.plane.submit(request) { result in
                let text =
                    switch result {
                    case .success(let result): "\(result.outcome)"
                    case .failure(let refusal): refusal.problem.rawValue
                    }
                answers.withLock { $0.append(text) }
            }
        }
        api.plane.start()
        try await api.settle()
        #expect(answers.withLock { $0 } == ["created", "stale", "replaced", "deleted", "not-found"])
        #expect(try api.store.webhooks().isEmpty)
    }

    @Test func `webhooks and their places are there after a restart; one more than there may be is refused`()
        async throws
    {
        let first = try ControlPlaneFixture()
        for number in 0..<WebhookRules.webhookLimitCount { _ = try await put(first, "w\(number)") }
        let refused = await request(first, .put("more", try json(#"{"url":"https://a.example"}"#), Precondition()))
        #expect(refused.refusal?.problem == .conflict)
        let before = first.plane.webhooks.webhooks
        first.close()
        let second = try ControlPlaneFixture(folder: first.folder)
        defer { second.close() }
        #expect(second.plane.webhooks.webhooks == before && before.count == WebhookRules.webhookLimitCount)
        let late = await withCheckedContinuation { continuation in
            first.plane.submit(.replay("w1", after: 0)) { continuation.resume(returning: $0) }
        }
        #expect(late.refusal?.problem == .readOnly)
    }
}
