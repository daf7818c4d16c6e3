import ControlPlane
import JSON

/// Why a request is refused, as problem+json tells it (RFC 9457, API section 2).
struct HTTPProblem: Error, Sendable {
    /// Which problem.
    let kind: ProblemKind
    /// One sentence for a person: what is wrong and what would help.
    let detail: String
    /// Every field that breaks a rule.
    var errors: [FieldError] = []
    /// Further members of the problem object.
    var extensions: [String: JSONValue] = [:]
    /// Further header fields: `Allow`, `Retry-After`, `ETag`.
    var headers: [(name: String, value: String)] = []

    init(_ kind: ProblemKind, _ detail: String) { (self.kind, self.detail) = (kind, detail) }

    /// The control plane's refusal in the words of HTTP.
    init(_ refusal: Refusal) {
        self.init(ProblemKind(refusal.problem), refusal.detail)
        (errors, extensions) = (refusal.errors, refusal.extensions)
        if let etag = refusal.currentETag { headers.append(("ETag", "\"\(etag)\"")) }
        if let seconds = refusal.retryAfterSeconds { headers.append(("Retry-After", String(max(1, seconds)))) }
    }

    /// A query parameter that can't be used.
    static func parameter(_ name: String, _ value: String, _ allowed: String) -> HTTPProblem {
        HTTPProblem(.malformed, "the query parameter \(name) is \(value.debugDescription); it must be \(allowed)")
    }

    /// A cursor that no page gave.
    static func foreignCursor(_ request: HTTPRequest) -> HTTPProblem {
        parameter("cursor", request["cursor"] ?? "", "one that the member next of a page held")
    }

    /// The answer to the request of that id.
    func answer(requestID: String) -> HTTPAnswer {
        var members = extensions
        members["type"] = .string("/problems/\(kind.rawValue)")
        members["title"] = .string(kind.title)
        members["status"] = .integer(Int64(kind.status))
        members["detail"] = .string(detail)
        members["instance"] = .string(requestID)
        if !errors.isEmpty { members["errors"] = .array(errors.map(\.json)) }
        var answer = HTTPAnswer(kind.status, type: "application/problem+json", text: json(members))
        answer.headers += headers
        return answer
    }

    /// `type` to `detail` first, as a person reads them; then the rest by name.
    private func json(_ members: [String: JSONValue]) -> String {
        let first = ["type", "title", "status", "detail", "instance"]
        let names = first + members.keys.filter { !first.contains($0) }.sorted()
        let parts = names.compactMap { name in
            members[name].map { "\(JSONValue.string(name).canonicalText):\($0.canonicalText)" }
        }
        return "{" + parts.joined(separator: ",") + "}\n"
    }
}

/// The problems of API section 2, by the names of the contract.
enum ProblemKind: String, Sendable, CaseIterable {
    case malformed
    case unauthorised
    case forbidden
    case notFound = "not-found"
    case methodNotAllowed = "method-not-allowed"
    case notAcceptable = "not-acceptable"
    case tooSlow = "too-slow"
    case inUse = "in-use"
    case conflict
    case gone
    case stale
    case tooLarge = "too-large"
    case unsupportedMediaType = "unsupported-media-type"
    case invalid
    case testFailed = "test-failed"
    case tooManyRequests = "too-many-requests"
    case headersTooLarge = "headers-too-large"
    case internalError = "internal"
    case readOnly = "read-only"
    case noQuorum = "no-quorum"
    case outcomeUnknown = "outcome-unknown"

    init(_ problem: Refusal.Problem) {
        self =
            switch problem {
            case .malformed: .malformed
            case .forbidden: .forbidden
            case .notFound: .notFound
            case .inUse: .inUse
            case .conflict: .conflict
            case .stale: .stale
            case .invalid: .invalid
            case .testFailed: .testFailed
            case .gone: .gone
            case .tooManyRequests: .tooManyRequests
            case .readOnly: .readOnly
            case .noQuorum: .noQuorum
            case .outcomeUnknown: .outcomeUnknown
            case .internalError: .internalError
            }
    }

    /// The status code.
    var status: UInt32 {
        switch self {
        case .malformed: 400
        case .unauthorised: 401
        case .forbidden: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .tooSlow: 408
        case .inUse, .conflict: 409
        case .gone: 410
        case .stale: 412
        case .tooLarge: 413
        case .unsupportedMediaType: 415
        case .invalid, .testFailed: 422
        case .tooManyRequests: 429
        case .headersTooLarge: 431
        case .internalError: 500
        case .readOnly, .noQuorum, .outcomeUnknown: 503
        }
    }

    /// The same for every occurrence (RFC 9457 section 3.1.3).
    var title: String {
        switch self {
        case .malformed: "The request can't be read"
        case .unauthorised: "The request brings no token that is good"
        case .forbidden: "The request is not allowed"
        case .notFound: "There is no such thing"
        case .methodNotAllowed: "The method is not one of this resource"
        case .notAcceptable: "No form of the answer is acceptable to the client"
        case .tooSlow: "The request took too long to arrive"
        case .inUse: "Others refer to the object"
        case .conflict: "Another object stands in the way"
        case .gone: "What was asked for is kept no longer"
        case .stale: "The object is not as the request expects it"
        case .tooLarge: "The body is too large"
        case .unsupportedMediaType: "The body's type is not taken here"
        case .invalid: "A rule is broken"
        case .testFailed: "A stored routing test would fail"
        case .tooManyRequests: "Too many at once"
        case .headersTooLarge: "The request line and header fields are too large"
        case .internalError: "A defect of Tandem"
        case .readOnly: "No change is taken at present"
        case .noQuorum: "The order of changes can't be reached"
        case .outcomeUnknown: "It can't be told whether the change was taken"
        }
    }

    /// What the page of the problem says.
    var explanation: String {
        switch self {
        case .malformed:
            "Body, path, query or a header field is not well-formed. Nothing was changed; detail says where."
        case .unauthorised:
            "Send the header field Authorization: Bearer TOKEN, with a token that is neither revoked nor past its end."
        case .forbidden:
            "The request names a Host that is not ours, or comes from a web page of another origin, or its role"
                + " does not allow it."
        case .notFound: "The path names nothing that exists. /openapi.yaml lists every path."
        case .methodNotAllowed: "The header field Allow lists the methods of this resource."
        case .notAcceptable: "The header field Accept excludes every form in which this resource can be had."
        case .tooSlow: "Header fields and body must arrive within the limits of the server."
        case .inUse:
            "Nothing was deleted: detail names the objects that refer to this one. Change or delete them first."
        case .conflict: "Two objects can't both hold what the request asks for; detail names the other one."
        case .gone: "Older events are deleted after a while. The member oldest is the first that can still be had."
        case .stale:
            "The condition of If-Match or If-None-Match failed and nothing was changed. ETag holds what is there."
        case .tooLarge: "detail names the limit, which is a setting of the server."
        case .unsupportedMediaType: "detail names the types that are taken."
        case .invalid:
            "The body is well-formed, but breaks rules; errors lists all of them with what would be accepted."
        case .testFailed:
            "Nothing was changed: after this change a stored routing test would fail; detail and errors name it."
        case .tooManyRequests: "A limit of the server is reached; come again after Retry-After seconds."
        case .headersTooLarge: "detail names the limit, which is a setting of the server."
        case .internalError:
            "Nothing was done by halves. instance finds the line in the server's log; please report it."
        case .readOnly: "The disk is full or the database is damaged. Reads and calls go on, changes do not."
        case .noQuorum: "Nothing was changed; come again after Retry-After seconds."
        case .outcomeUnknown: "Read the object to see whether the change was taken, or send the same PUT again."
        }
    }
}
