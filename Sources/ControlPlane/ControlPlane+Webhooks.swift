package import HTTPClient
package import JSON
package import NetworkManager
import Store
import Time

extension ControlPlane {
    /// Takes a request in. `whenDone` is called once, from the writer's thread or the caller's, and must not block:
    /// with success only after it is on disk.
    package func submit(
        _ request: WebhookRequest, by asker: TokenRegistry.Asker? = nil,
        whenDone: @escaping @Sendable (Result<WebhookResult, Refusal>) -> Void
    ) {
        guard webhooks.add(WebhookDesk.Waiting(request: request, asker: asker, whenDone: whenDone)) else { return }
        wakeWriter()
    }

    /// One webhook.
    package func webhook(_ id: String) throws(Refusal) -> WebhookView {
        guard let webhook = webhooks.webhook(id) else { throw .noWebhook(id) }
        return webhook.view()
    }

    /// A part of the list of webhooks, in the order of their ids.
    package func webhookPage(after: String?, limitCount: Int) -> ResourcePage {
        let all = webhooks.webhooks.drop { webhook in
            after.map { !$0.utf8.lexicographicallyPrecedes(webhook.id.utf8) } ?? false
        }
        let page = all.prefix(min(max(limitCount, 1), Self.pageLimitCount))
        return ResourcePage(
            items: page.map { $0.view().body }, next: page.count < all.count ? page.last?.id : nil, revision: revision)
    }

    /// How the deliveries of a webhook stand, and its newest attempts, the last first.
    package func deliveries(ofWebhook id: String, limitCount: Int) throws(Refusal) -> JSONValue {
        guard let webhook = webhooks.webhook(id) else { throw .noWebhook(id) }
        let attempts = try reading { () throws(StoreError) in
            try store.webhookAttempts(of: id, limit: min(max(limitCount, 1), Self.pageLimitCount))
        }
        let standing = webhooks.dispatcher?.standings.first { $0.id == id }
        let progress = standing?.progress ?? webhook.progress
        let state: String
        switch (webhook.body["enabled"] == .bool(false), progress.failureCount > 0) {
        case (true, _): state = "disabled"
        case (false, true): state = progress.isTold ? "failing" : "retrying"
        case (false, false): state = "delivering"
        }
        return .object([
            "items": .array(attempts.map(\.json)), "state": .string(state), "cursor": .string("\(progress.cursor)"),
            "lag": standing.map { .integer($0.lagCount) } ?? .null,
            "failing_since": progress.failingSince.map { .string($0.rfc3339) } ?? .null,
            "next_attempt_at": standing?.nextAttemptAt.map { .string($0.rfc3339) } ?? .null,
            "dead_lettered": .integer(progress.deadLetterCount),
        ])
    }

    /// Sends a test event at once, past the order. `whenDone` is called once, from any thread, with the attempt.
    package func testWebhook(_ id: String, whenDone: @escaping @Sendable (Result<JSONValue, Refusal>) -> Void) {
        guard webhooks.webhook(id) != nil else { return whenDone(.failure(.noWebhook(id))) }
        guard let dispatcher = webhooks.dispatcher else {
            return whenDone(.failure(.readOnly("deliveries have not begun")))
        }
        dispatcher.test(id) { attempt in
            if let attempt { return whenDone(.success(attempt.json)) }
            var refusal = Refusal(.tooManyRequests, "A test of webhooks/\(id) is under way; come again.")
            refusal.retryAfterSeconds = 1
            whenDone(.failure(refusal))
        }
    }

    /// How the deliveries of all webhooks stand; empty before they begin.
    package var webhookStandings: [WebhookStanding] { webhooks.dispatcher?.standings ?? [] }

    /// Begins to deliver events to webhooks. To be called once, after `start`.
    ///
    /// - Parameters:
    ///   - post: sends a request and calls back once, from any thread.
    ///   - fault: is told when events can't be read; must not block.
    package func beginDeliveries(
        post: @escaping @Sendable (HTTPPost, @escaping @Sendable (HTTPPostResult) -> Void) -> Void,
        fault: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        let webhooks = webhooks
        var surroundings = WebhookSurroundings(
            post: post, networks: { webhooks.networks },
            report: { [weak self] reports in
                webhooks.add(reports)
                self?.wakeWriter()
            })
        surroundings.fault = fault
        let dispatcher = WebhookDispatcher(
            store: store, networkManager: networkManager, clock: clock, surroundings: surroundings)
        webhooks.attach(dispatcher)
        dispatcher.start()
    }

    /// Ends deliveries; what they know is handed to the writer. To be called before `stop`.
    package func endDeliveries() {
        let dispatcher = webhooks.dispatcher
        webhooks.attach(nil)
        dispatcher?.stop()
    }
}

extension WebhookAttempt {
    /// The attempt as the API shows it.
    fileprivate var json: JSONValue {
        .object([
            "event": .string(event), "type": .string(type), "at": .string(at.rfc3339),
            "outcome": .string(outcome.rawValue), "status": status.map { .integer($0) } ?? .null,
            "error": error.map { .string($0) } ?? .null, "duration_ms": .integer(durationMilliseconds),
        ])
    }
}
