import ControlPlane

/// One method of one resource.
struct Endpoint: Sendable {
    /// The methods of the API so far. `HEAD` works wherever `GET` does, `OPTIONS` everywhere.
    enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case put = "PUT"
        case post = "POST"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    /// In which forms the answer comes.
    enum Form: Sendable { case json, events, text }

    /// Makes something of a request.
    typealias Handler = @Sendable (HTTPService, HTTPRequest) throws(HTTPProblem) -> HTTPOutcome

    /// The method.
    let method: Method
    /// The path with named places: `/v1/gateways/{id}`.
    let template: String
    /// The query parameters that are taken; others are refused by name.
    let parameters: Set<String>
    /// In which forms the answer comes.
    let form: Form
    /// What is done.
    let handler: Handler
    /// What is asked of whoever calls it.
    let need: AccessTable.Need
    private let segments: [String]

    init(
        _ method: Method, _ template: String, _ parameters: Set<String> = [], form: Form = .json,
        _ handler: @escaping Handler
    ) {
        (self.method, self.template, self.parameters) = (method, template, parameters)
        (self.form, self.handler) = (form, handler)
        need = AccessTable.need("\(method.rawValue) \(template)") ?? .role(.admin)
        segments = template.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    }

    /// What stands in the template's places; nil when the path is not one of the template.
    func match(_ path: [String]) -> [String: String]? {
        guard path.count == segments.count else { return nil }
        var parameters: [String: String] = [:]
        for (segment, part) in zip(segments, path) {
            if segment.hasPrefix("{") {
                guard !part.isEmpty else { return nil }
                parameters[String(segment.dropFirst().dropLast())] = part
            } else if segment != part {
                return nil
            }
        }
        return parameters
    }

    /// Every endpoint, in the order of the document. `openapi/tandem.yaml` says the same to clients.
    static let all: [Endpoint] =
        resources + changes + status + statusChanges + events + webhooks + calls + tokens + backup + system
}

/// Where a request goes.
struct Route: Sendable {
    /// The endpoint.
    let endpoint: Endpoint
    /// What stands in the template's places.
    let pathParameters: [String: String]

    /// What `OPTIONS` is answered with instead.
    enum Failure: Error { case options(allow: String), problem(HTTPProblem) }

    /// Finds the endpoint of a method and path.
    init(_ method: String, _ target: RequestTarget) throws(Failure) {
        let matches = Endpoint.all.compactMap { endpoint in
            endpoint.match(target.segments).map { Route(endpoint: endpoint, pathParameters: $0) }
        }
        guard !matches.isEmpty else {
            throw .problem(
                HTTPProblem(.notFound, "nothing is served at \(target.path.debugDescription); see /openapi.yaml"))
        }
        let wanted = method == "HEAD" ? "GET" : method
        guard let match = matches.first(where: { $0.endpoint.method.rawValue == wanted }) else {
            var names = matches.map(\.endpoint.method.rawValue)
            if let get = names.firstIndex(of: "GET") { names.insert("HEAD", at: get + 1) }
            let allow = (names + ["OPTIONS"]).joined(separator: ", ")
            if method == "OPTIONS" { throw .options(allow: allow) }
            var problem = HTTPProblem(
                .methodNotAllowed, "\(method.debugDescription) is no method of this resource; it has \(allow)")
            problem.headers = [("Allow", allow)]
            throw .problem(problem)
        }
        self = match
    }

    private init(endpoint: Endpoint, pathParameters: [String: String]) {
        (self.endpoint, self.pathParameters) = (endpoint, pathParameters)
    }

    /// Checks what the endpoint takes: query parameters, forms of the answer, types of the body.
    func check(_ target: RequestTarget, _ headers: RequestHeaders) throws(HTTPProblem) {
        for parameter in target.parameters where !endpoint.parameters.contains(parameter.name) {
            let known = endpoint.parameters.sorted().joined(separator: ", ")
            throw HTTPProblem(
                .malformed,
                "the query parameter \(parameter.name.debugDescription) is not known here; "
                    + (known.isEmpty ? "none is taken" : "known are \(known)"))
        }
        switch endpoint.form {
        case .json where headers.quality(of: "application/json") == 0:
            throw HTTPProblem(.notAcceptable, "the answer is application/json, which Accept excludes")
        case .events
        where headers.quality(of: "application/json") == 0 && headers.quality(of: "text/event-stream") == 0:
            throw HTTPProblem(
                .notAcceptable, "the answer is application/json or text/event-stream; Accept excludes both")
        case .json, .events, .text: break
        }
        try checkBodyType(headers)
    }

    private func checkBodyType(_ headers: RequestHeaders) throws(HTTPProblem) {
        let hasBody = [.put, .post, .patch].contains(endpoint.method)
        guard hasBody, let type = headers.mediaType else { return }
        // curl -d says form-urlencoded when nothing is said; JSON is then read as JSON (API section 3).
        var accepted = ["application/json"]
        if endpoint.method == .patch { accepted.append("application/merge-patch+json") }
        guard !accepted.contains(type), type != "application/x-www-form-urlencoded" else { return }
        let names = accepted.joined(separator: " or ")
        var problem = HTTPProblem(
            .unsupportedMediaType, "a body of the type \(type.debugDescription) is not taken here; send \(names)")
        problem.headers = [(endpoint.method == .patch ? "Accept-Patch" : "Accept", accepted.joined(separator: ", "))]
        throw problem
    }
}
