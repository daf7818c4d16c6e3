import ControlPlane
import JSON

extension Endpoint {
    /// Who may use the API (API section 2).
    static let tokens: [Endpoint] = [
        Endpoint(.get, "/v1/tokens", ["limit", "cursor"]) { service, request throws(HTTPProblem) in
            let page = service.controlPlane.tokens.list(after: try request.cursor(), limit: try request.limitCount())
            let resources = ResourcePage(
                items: page.items, next: page.next, revision: service.controlPlane.revision)
            return .answer(service.answer(of: resources, request))
        },
        Endpoint(.get, "/v1/tokens/{id}") { service, request throws(HTTPProblem) in
            let view = try service.asked { () throws(Refusal) in
                try service.controlPlane.tokens.view(request.path("id"))
            }
            var answer = answer(200, view)
            if try request.isKnown(view.etag) {
                answer.status = 304
                answer.body = []
                answer.headers.removeAll { $0.name == "Content-Type" }
            }
            return .answer(answer)
        },
        Endpoint(.put, "/v1/tokens/{id}") { service, request throws(HTTPProblem) in
            let (id, asker) = (request.path("id"), request.asker)
            let body = try request.object()
            let precondition = try Precondition(request.headers)
            let location = request.target.path
            return .change(
                PendingChange { controlPlane, whenDone in
                    controlPlane.tokens.put(id, body, precondition, by: asker) { result in
                        whenDone(
                            result.map { done in
                                var answer = answer(done.isNew ? 201 : 200, done.view)
                                if done.isNew { answer.headers.append(("Location", location)) }
                                return answer
                            }.mapError { HTTPProblem($0) })
                    }
                })
        },
        Endpoint(.delete, "/v1/tokens/{id}") { _, request throws(HTTPProblem) in
            let (id, asker) = (request.path("id"), request.asker)
            let precondition = try Precondition(request.headers)
            return .change(
                PendingChange { controlPlane, whenDone in
                    controlPlane.tokens.delete(id, precondition, by: asker) { result in
                        whenDone(result.map { HTTPAnswer(204) }.mapError { HTTPProblem($0) })
                    }
                })
        },
    ]

    /// A token itself must not stay in any cache on the way.
    private static func answer(_ status: UInt32, _ view: TokenView) -> HTTPAnswer {
        var answer = HTTPAnswer(status, json: view.body)
        answer.headers.append(("ETag", "\"\(view.etag)\""))
        answer.isPrivate = true
        return answer
    }
}

extension HTTPRequest {
    /// Who asks, for the audit.
    var asker: TokenRegistry.Asker { TokenRegistry.Asker(who: identity.who, requestID: id) }
}
