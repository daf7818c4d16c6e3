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
    enum Form: Sendable { case json, events, text, table }

    /// Makes something of a request.
    typealias Handler = @Sendable (HTTPService, HTTPRequest) throws(HTTPProblem) -> HTTPOutcome

    /// Makes a place for the body of a request whose headers have come.
    typealias BulkHandler = @Sendable (HTTPService, HTTPRequest) throws(HTTPProblem) -> BulkUpload

    /// The method.
    let method: Method
    /// The path with named places: `/v1/gateways/{id}`.
    let template: String
    /// The query parameters that are taken; others are refused by name.
    let parameters: Set<String>
    /// In which forms the answer comes.
    let form: Form
    /// Which types of body are read while they come; empty: the body is one JSON text.
    let bulkTypes: [String]
    /// What is done.
    let handler: Handler
    /// Where such a body goes.
    let bulkHandler: BulkHandler?
    /// What is asked of whoever calls it.
    let need: AccessTable.Need
    private let segments: [Segment]

    init(
        _ method: Method, _ template: String, _ parameters: Set<String> = [], form: Form = .json,
        _ handler: @escaping Handler
    ) {
        (self.method, self.template, self.parameters) = (method, template, parameters)
        (self.form, self.handler) = (form, handler)
        (bulkTypes, bulkHandler) = ([], nil)
        need = AccessTable.need("\(method.rawValue) \(template)") ?? .role(.admin)
        segments = template.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { Segment($0) }
    }

    /// One whose body is read while it comes.
    init(
        bulk method: Method, _ template: String, _ parameters: Set<String> = [], types: [String],
        _ handler: @escaping BulkHandler
    ) {
        (self.method, self.template, self.parameters, form) = (method, template, parameters, .json)
        (bulkTypes, bulkHandler) = (types, handler)
        self.handler = { _, _ throws(HTTPProblem) in throw HTTPProblem(.internalError, "a bulk without its body") }
        need = AccessTable.need("\(method.rawValue) \(template)") ?? .role(.admin)
        segments = template.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { Segment($0) }
    }

    /// What stands in the template's places; nil when the path is not one of the template.
    func match(_ path: [String]) -> [String: String]? {
        guard path.count == segments.count else { return nil }
        // Most templates are told apart by their second segment, and only one of them needs its parameters.
        for index in segments.indices {
            if let literal = segments[index].literal {
                guard literal == path[index] else { return nil }
            } else if path[index].isEmpty {
                return nil
            }
        }
        var parameters: [String: String] = [:]
        for (segment, part) in zip(segments, path) {
            if let name = segment.name { parameters[name] = part }
        }
        return parameters
    }

    /// A part of a template: what must stand there, or the name of what does.
    private struct Segment {
        let literal: String?
        let name: String?

        init(_ text: Substring) {
            let isPlace = text.hasPrefix("{")
            (literal, name) = isPlace ? (nil, String(text.dropFirst().dropLast())) : (String(text), nil)
        }
    }

    /// Every endpoint, in the order of the document. `openapi/tandem.yaml` says the same to clients.
    static let all: [Endpoint] =
        resources + bulk + changes + transfer + status + statusChanges + events + webhooks + calls + tokens + backup
        + system
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
        let wanted = method == "HEAD" ? "GET" : method
        for endpoint in Endpoint.all where endpoint.method.rawValue == wanted {
            guard let parameters = endpoint.match(target.segments) else { continue }
            self.init(endpoint: endpoint, pathParameters: parameters)
            return
        }
        throw Self.failure(method, target)
    }

    /// Why there is no such endpoint.
    private static func failure(_ method: String, _ target: RequestTarget) -> Failure {
        var names = Endpoint.all.filter { $0.match(target.segments) != nil }.map(\.method.rawValue)
        guard !names.isEmpty else {
            return .problem(
                HTTPProblem(.notFound, "nothing is served at \(target.path.debugDescription); see /openapi.yaml"))
        }
        if let get = names.firstIndex(of: "GET") { names.insert("HEAD", at: get + 1) }
        let allow = (names + ["OPTIONS"]).joined(separator: ", ")
        if method == "OPTIONS" { return .options(allow: allow) }
        var problem = HTTPProblem(
            .methodNotAllowed, "\(method.debugDescription) is no method of this resource; it has \(allow)")
        problem.headers = [("Allow", allow)]
        return .problem(problem)
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
        case .table
        where (["application/json"] + Endpoint.tableTypes).allSatisfy { headers.quality(of: $0) == 0 }:
            throw HTTPProblem(
                .notAcceptable,
                "the answer is application/json, \(Endpoint.tableTypes.joined(separator: " or ")); Accept excludes all")
        case .json, .events, .text, .table: break
        }
        try checkBodyType(headers)
    }

    private func checkBodyType(_ headers: RequestHeaders) throws(HTTPProblem) {
        let hasBody = [.put, .post, .patch].contains(endpoint.method)
        guard endpoint.bulkTypes.isEmpty else { return try checkBulkType(headers) }
        guard hasBody, let type = headers.mediaType else { return }
        // curl -d says form-urlencoded when nothing is said; JSON is then read as JSON (API section 3).
        var accepted = ["application/json"]
        if endpoint.method == .patch { accepted.append("application/merge-patch+json") }
        guard !accepted.contains(type), type != Self.curlsType else { return }
        let names = accepted.joined(separator: " or ")
        var problem = HTTPProblem(
            .unsupportedMediaType, "a body of the type \(type.debugDescription) is not taken here; send \(names)")
        problem.headers = [(endpoint.method == .patch ? "Accept-Patch" : "Accept", accepted.joined(separator: ", "))]
        throw problem
    }

    /// What curl says a body is that it is not told about.
    private static let curlsType = "application/x-www-form-urlencoded"

    private func checkBulkType(_ headers: RequestHeaders) throws(HTTPProblem) {
        let accepted = endpoint.bulkTypes
        guard !accepted.contains(headers.mediaType ?? "") else { return }
        // Where there is one type there is nothing to tell apart: none, and curl's default, will do as for JSON.
        if accepted.count == 1, headers.mediaType ?? Self.curlsType == Self.curlsType { return }
        let type = headers.mediaType.map { "a body of the type \($0.debugDescription)" } ?? "a body without a type"
        var problem = HTTPProblem(
            .unsupportedMediaType, "\(type) is not taken here; send \(accepted.joined(separator: " or "))")
        problem.headers = [(endpoint.method == .patch ? "Accept-Patch" : "Accept", accepted.joined(separator: ", "))]
        throw problem
    }
}
