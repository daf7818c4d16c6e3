import ControlPlane
import JSON
import NetworkManager
import Store

extension Endpoint {
    /// Webhooks (API section 7).
    static let webhooks: [Endpoint] = [
        Endpoint(.get, "/v1/webhooks", ["limit", "cursor"]) { service, request throws(HTTPProblem) in
            let page = service.controlPlane.webhookPage(
                after: try request.cursor(), limitCount: try request.limitCount())
            return .answer(service.answer(of: page, request))
        },
        Endpoint(.get, "/v1/webhooks/{id}") { service, request throws(HTTPProblem) in
            try service.webhook(request)
        },
        Endpoint(.put, "/v1/webhooks/{id}") { service, request throws(HTTPProblem) in
            let (value, precondition) = (try request.object(), try Precondition(request.headers))
            return service.change(.put(request.path("id"), value, precondition), request)
        },
        Endpoint(.patch, "/v1/webhooks/{id}") { service, request throws(HTTPProblem) in
            let (value, precondition) = (try request.object(), try Precondition(request.headers))
            return service.change(.patch(request.path("id"), value, precondition), request)
        },
        Endpoint(.delete, "/v1/webhooks/{id}") { service, request throws(HTTPProblem) in
            service.change(.delete(request.path("id"), try Precondition(request.headers)), request)
        },
        Endpoint(.get, "/v1/webhooks/{id}/deliveries", ["limit"]) { service, request throws(HTTPProblem) in
            let limitCount = try request.limitCount()
            let deliveries = try service.asked { () throws(Refusal) in
                try service.controlPlane.deliveries(ofWebhook: request.path("id"), limitCount: limitCount)
            }
            return .answer(HTTPAnswer(200, json: deliveries))
        },
        Endpoint(.post, "/v1/webhooks/{id}/replay") { service, request throws(HTTPProblem) in
            let after = try request.after()
            return service.pending(.replay(request.path("id"), after: after), by: request.asker) { result in
                HTTPAnswer(202, json: .object(["after": .integer(after)]), revision: result.revision)
            }
        },
        Endpoint(.post, "/v1/webhooks/{id}/test") { _, request throws(HTTPProblem) in
            let id = request.path("id")
            let body = request.body.isEmpty ? .object([:]) : try request.object()
            guard body == .object([:]) else {
                throw HTTPProblem(.invalid, "a test takes no body")
            }
            return .change(
                PendingChange { controlPlane, whenDone in
                    controlPlane.testWebhook(id) { outcome in
                        whenDone(outcome.map { HTTPAnswer(200, json: $0) }.mapError { HTTPProblem($0) })
                    }
                })
        },
    ]
}

extension HTTPService {
    fileprivate func webhook(_ request: HTTPRequest) throws(HTTPProblem) -> HTTPOutcome {
        let view = try asked { () throws(Refusal) in try controlPlane.webhook(request.path("id")) }
        var answer = HTTPAnswer(200, json: view.body)
        if try request.isKnown(view.etag) { answer = HTTPAnswer(304) }
        answer.headers.append(("ETag", "\"\(view.etag)\""))
        return .answer(answer)
    }

    /// A change of a webhook: 201 and `Location` when it is new, 200, or 204 when it is gone.
    fileprivate func change(_ change: WebhookRequest, _ request: HTTPRequest) -> HTTPOutcome {
        let location = request.target.path
        return pending(change, by: request.asker) { result in
            guard let view = result.view else { return HTTPAnswer(204, revision: result.revision) }
            let isNew = result.outcome == .created
            var answer = HTTPAnswer(isNew ? 201 : 200, json: view.body, revision: result.revision)
            if isNew { answer.headers.append(("Location", location)) }
            answer.headers.append(("ETag", "\"\(view.etag)\""))
            return answer
        }
    }

    fileprivate func pending(
        _ request: WebhookRequest, by asker: TokenRegistry.Asker,
        answer: @escaping @Sendable (WebhookResult) -> HTTPAnswer
    ) -> HTTPOutcome {
        .change(
            PendingChange { controlPlane, whenDone in
                controlPlane.submit(request, by: asker) { whenDone($0.map(answer).mapError { HTTPProblem($0) }) }
            })
    }

    /// Adds the figures of deliveries.
    func addWebhookFigures(to text: inout PrometheusText) {
        for standing in controlPlane.webhookStandings {
            let name = [("webhook", standing.id)]
            for (outcome, count) in [("delivered", standing.deliveredCount), ("failed", standing.failedCount)] {
                text.counter(
                    "tandem_webhook_attempts_total", "Attempts to deliver an event, since the start.",
                    labels: name + [("outcome", outcome)], value: count)
            }
            text.gauge(
                "tandem_webhook_lag_events", "Events behind the webhook's place in the sequence.", labels: name,
                value: Double(standing.lagCount))
            text.gauge(
                "tandem_webhook_failing", "1 while the last attempt failed.", labels: name,
                value: standing.progress.failureCount > 0 ? 1 : 0)
            text.counter(
                "tandem_webhook_dead_letters_total", "Events that were given up, since the webhook was made.",
                labels: name, value: UInt64(clamping: standing.progress.deadLetterCount))
        }
    }
}

extension HTTPRequest {
    /// `{"after":1041}`.
    fileprivate func after() throws(HTTPProblem) -> Int64 {
        let value = try object()
        guard case .object(let members) = value else { return 0 }
        var problem = HTTPProblem(.invalid, "replay takes {\"after\":NUMBER} and nothing else")
        let allowed = "the number of the event to begin behind, 0 for the first"
        if case .integer(let number)? = members["after"], number >= 0 {
            if members.count == 1 { return number }
        } else {
            problem.errors.append(
                FieldError("/after", members["after"] ?? .null, "no event's number", allowed: allowed))
        }
        for (name, value) in members.sorted(by: { $0.key < $1.key }) where name != "after" {
            problem.errors.append(FieldError("/\(name)", value, "unknown field", allowed: "after"))
        }
        throw problem
    }
}
