import ControlPlane
import JSON
import Routing
import Store

extension Endpoint {
    /// The routing data (API section 3).
    static let resources: [Endpoint] =
        objects(.gateways) + objects(.gatewayGroups) + objects(.routingLists) + objects(.ingressPeers)
        + objects(.routingPlans) + routes + objects(.routingTests) + settings

    /// The list and the objects of one kind.
    private static func objects(_ kind: ResourceKind) -> [Endpoint] {
        let template = "/v1/\(kind.rawValue)"
        let path: @Sendable (HTTPRequest) -> ResourcePath = { ResourcePath(kind, $0.path("id")) }
        let parameters: Set = kind == .gateways ? ["label", "limit", "cursor"] : ["limit", "cursor"]
        return [
            Endpoint(.get, template, parameters) { service, request throws(HTTPProblem) in
                var query = ListQuery(kind)
                query.label = try request.label()
                return try service.list(query, request)
            }
        ] + object("\(template)/{id}", path)
    }

    /// The one object that always exists.
    private static let settings = object("/v1/settings", { _ in .settings }).filter {
        $0.method == .get || $0.method == .patch
    }

    private static let routes: [Endpoint] =
        [
            Endpoint(.get, "/v1/routing-plans/{id}/routes", ["limit", "cursor", "prefix"], form: .table) {
                service, request throws(HTTPProblem) in try service.routes(request)
            }
        ]
        + object("/v1/routing-plans/{id}/routes/{prefix}") {
            ResourcePath(route: $0.path("prefix"), plan: $0.path("id"))
        }

    /// The four methods of one object.
    private static func object(
        _ template: String, _ path: @escaping @Sendable (HTTPRequest) -> ResourcePath
    ) -> [Endpoint] {
        [
            Endpoint(.get, template) { service, request throws(HTTPProblem) in
                try service.object(path(request), request)
            },
            Endpoint(.put, template) { service, request throws(HTTPProblem) in
                let value = try request.object()
                return service.change(
                    .put(path(request), value, try Precondition(request.headers)), request)
            },
            Endpoint(.patch, template) { service, request throws(HTTPProblem) in
                let value = try request.object()
                return service.change(
                    .patch(path(request), value, try Precondition(request.headers)), request)
            },
            Endpoint(.delete, template) { service, request throws(HTTPProblem) in
                service.change(.delete(path(request), try Precondition(request.headers)), request)
            },
        ]
    }
}

extension HTTPService {
    /// `GET` of an object; 304 when the client has it already.
    fileprivate func object(_ path: ResourcePath, _ request: HTTPRequest) throws(HTTPProblem) -> HTTPOutcome {
        let (known, revision) = try readAnswers.answer(to: request.target.text, at: controlPlane.revision) {
            () throws(HTTPProblem) in
            let view = try asked { () throws(Refusal) in try controlPlane.view(path) }
            return (.init(json: view.value.body, etag: view.value.etag), view.revision.number)
        }
        let etag = known.etag ?? ""
        var answer = HTTPAnswer(200, type: "application/json", bytes: known.body, revision: revision)
        if try request.isKnown(etag) { answer = HTTPAnswer(304, revision: revision) }
        answer.headers.append(("ETag", "\"\(etag)\""))
        return .answer(answer)
    }

    /// A page of a list.
    func list(_ query: ListQuery, _ request: HTTPRequest) throws(HTTPProblem) -> HTTPOutcome {
        var query = query
        query.limitCount = try request.limitCount()
        query.after = try request.cursor()
        let asked = query
        let (known, revision) = try readAnswers.answer(to: request.target.text, at: controlPlane.revision) {
            () throws(HTTPProblem) in
            let page = try self.asked { () throws(Refusal) in try controlPlane.list(asked) }
            return (.init(body: answer(of: page, request).body, etag: nil), page.revision)
        }
        return .answer(HTTPAnswer(200, type: "application/json", bytes: known.body, revision: revision))
    }

    /// A change of one object: 201 and `Location` when it is new, 200, or 204 when it is gone.
    fileprivate func change(_ operation: Operation, _ request: HTTPRequest) -> HTTPOutcome {
        let location = request.target.path
        return .change(
            PendingChange(Change([operation], who: request.identity.who, requestID: request.id)) { result in
                guard let done = result.operations.first, let view = done.view else {
                    return HTTPAnswer(204, revision: result.revision)
                }
                let isNew = done.outcome == .created
                var answer = HTTPAnswer(isNew ? 201 : 200, json: view.body, revision: result.revision)
                if isNew { answer.headers.append(("Location", location)) }
                answer.headers.append(("ETag", "\"\(view.etag)\""))
                return answer
            })
    }

    /// Asks the control plane; its refusal becomes a problem.
    func asked<Value>(_ body: () throws(Refusal) -> Value) throws(HTTPProblem) -> Value {
        do { return try body() } catch { throw HTTPProblem(error) }
    }

    /// A page as JSON, with the way to the next one.
    func answer(of page: ResourcePage, _ request: HTTPRequest) -> HTTPAnswer {
        var members: [String: JSONValue] = ["items": .array(page.items)]
        if let next = page.next {
            members["next"] = .string(request.target(with: "cursor", Cursor.text(after: next)))
        }
        return HTTPAnswer(200, json: .object(members), revision: page.revision)
    }
}

extension HTTPRequest {
    /// `label`: name and value with a colon between.
    fileprivate func label() throws(HTTPProblem) -> ObjectLabel? {
        guard let text = self["label"] else { return nil }
        // A colon may have a mark behind it that makes one character of both.
        let scalars = text.unicodeScalars
        guard let colon = scalars.firstIndex(of: ":"), colon != scalars.startIndex else {
            throw HTTPProblem.parameter("label", text, "a name and a value with a colon between: site:lon")
        }
        return ObjectLabel(name: String(scalars[..<colon]), value: String(scalars[scalars.index(after: colon)...]))
    }

    /// The body as a JSON object; an empty one when there is no body.
    func objectOrNothing() throws(HTTPProblem) -> JSONValue { body.isEmpty ? .object([:]) : try object() }

    /// The body as a JSON object.
    func object() throws(HTTPProblem) -> JSONValue {
        guard !body.isEmpty else { throw HTTPProblem(.malformed, "the body is empty; send a JSON object") }
        let value: JSONValue
        do { value = try JSONValue(parsing: body) } catch {
            throw HTTPProblem(.malformed, "the body is \(error.detail)")
        }
        guard case .object = value else {
            throw HTTPProblem(.malformed, "the body must be a JSON object: {\"member\":value,...}")
        }
        return value
    }
}
