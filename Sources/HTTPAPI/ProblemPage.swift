import ControlPlane
import JSON

/// What `/problems/NAME` says (API section 2): what the problem is, an example, and what helps.
struct ProblemPage {
    private static let exampleID = "k3x9q-17"

    let kind: ProblemKind

    /// What whoever got the problem can do.
    var remedy: String { example.remedy }

    /// As a client may have got it.
    var problem: HTTPProblem {
        var problem = HTTPProblem(kind, example.detail)
        (problem.errors, problem.extensions) = (example.errors, example.extensions)
        return problem
    }

    /// For programs, and for people at a terminal.
    var json: HTTPAnswer {
        let body = problem.answer(requestID: Self.exampleID).body
        var example = JSONValue.null
        do { example = try JSONValue(parsing: body) } catch { example = .null }
        return HTTPAnswer(
            200,
            json: .object([
                "type": .string("/problems/\(kind.rawValue)"), "status": .integer(Int64(kind.status)),
                "title": .string(kind.title), "explanation": .string(kind.explanation), "remedy": .string(remedy),
                "example": example,
            ]))
    }

    /// For people with a browser.
    var html: HTTPAnswer {
        let body = String(decoding: problem.answer(requestID: Self.exampleID).body, as: UTF8.self)
        let text = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>\(kind.rawValue)</title></head>
            <body>
            <h1>\(kind.status): \(Self.escaped(kind.title))</h1>
            <p>\(Self.escaped(kind.explanation))</p>
            <h2>What helps</h2>
            <p>\(Self.escaped(remedy))</p>
            <h2>Example</h2>
            <pre>HTTP/1.1 \(kind.status)
            Content-Type: application/problem+json

            \(Self.escaped(body))</pre>
            <p><a href="/openapi.yaml">/openapi.yaml</a> describes the whole API.</p>
            </body></html>

            """
        var answer = HTTPAnswer(200, type: "text/html; charset=utf-8", text: text)
        answer.headers.append(("Content-Security-Policy", "default-src 'none'"))
        return answer
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    /// What differs from problem to problem.
    private struct Example {
        let detail: String
        let remedy: String
        var errors: [FieldError] = []
        var extensions: [String: JSONValue] = [:]

        init(_ detail: String, _ remedy: String) { (self.detail, self.remedy) = (detail, remedy) }
    }

    private var example: Example {
        switch kind {
        case .malformed, .notFound, .methodNotAllowed, .notAcceptable, .unsupportedMediaType, .gone:
            exampleOfReading
        case .unauthorised, .forbidden, .tooSlow, .tooLarge, .headersTooLarge, .tooManyRequests: exampleOfAccess
        case .inUse, .conflict, .stale, .invalid, .testFailed, .internalError, .readOnly, .noQuorum, .outcomeUnknown:
            exampleOfChange
        }
    }

    private var exampleOfReading: Example {
        switch kind {
        case .notFound:
            Example(
                "There is no gateways/lon9.",
                "Compare the path with /openapi.yaml and the id with the list, such as GET /v1/gateways.")
        case .methodNotAllowed:
            Example(
                "\"POST\" is no method of this resource; it has GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
                "Use a method of the header field Allow: PUT creates and replaces, PATCH merges.")
        case .notAcceptable:
            Example(
                "the answer is application/json, which Accept excludes",
                "Leave Accept out, or add application/json to it.")
        case .unsupportedMediaType:
            Example(
                "a body of the type \"text/xml\" is not taken here; send application/json",
                "Send JSON, and Content-Type: application/json or none at all.")
        case .gone:
            {
                var example = Example(
                    "Events up to 1041 are not kept any more; ask after 1041.",
                    "Read the present state (GET /v1/status, or a stream with snapshot=true), then go on from there."
                )
                example.extensions["oldest"] = .integer(1042)
                return example
            }()
        default:
            Example(
                "the body is not JSON: line 1, column 9: a value is missing",
                "Mend what detail names: JSON without comments and trailing commas, known query parameters, one Host.")
        }
    }

    private var exampleOfAccess: Example {
        switch kind {
        case .unauthorised:
            Example(
                "this needs a token: send the header field Authorization: Bearer TOKEN",
                "curl -H 'Authorization: Bearer TOKEN'. An admin makes them with PUT /v1/tokens/{id}; one that is lost "
                    + "can't be shown again: delete it and make another.")
        case .forbidden:
            Example(
                "the role reader of \"oss\" does not allow this; it needs operator",
                "Use a token with the role that detail names. Where the Host is not ours: use the server's address, or "
                    + "add the name with --api-name.")
        case .tooSlow:
            Example(
                "the body took too long to arrive (--api-body-timeout-s)",
                "Send the request in one go; on a slow line raise the setting that detail names.")
        case .headersTooLarge:
            Example(
                "request line and header fields are larger than the limit of 16384 bytes (--api-header-limit-bytes)",
                "Send fewer or shorter header fields and a shorter query.")
        case .tooManyRequests:
            Example(
                "the limit of 64 connections from one address is reached (--api-connections-per-address)",
                "Wait for Retry-After seconds; keep connections open instead of making new ones; or raise the setting "
                    + "that detail names.")
        default:
            Example(
                "the body is larger than the limit of 1048576 bytes (--api-body-limit-bytes)",
                "Split the change, or raise the setting that detail names.")
        }
    }

    private var exampleOfChange: Example {
        switch kind {
        case .inUse:
            Example(
                "gateways/lon1 is a member of gateway-groups/london.",
                "Change or delete the objects that detail names first, then this one.")
        case .conflict:
            Example(
                "The network 192.0.2.0/24 belongs to ingress-peers/acme already.",
                "Take away from the other object, which detail names, what both can't have.")
        case .stale:
            Example(
                "The object has changed: its entity tag is \"r42\".",
                "GET the object, apply the change to what is there, and PUT it with If-Match and the new ETag.")
        case .testFailed:
            Example(
                "The routing test uk-first would fail: it expects lon1 first, and lon2 would be.",
                "Mend the change, or the test when it is out of date; look at it with dry_run first.")
        case .internalError:
            Example(
                "the database can't be read",
                "Nothing was done by halves. Look for the id of instance in the server's log, and report it.")
        case .readOnly:
            Example(
                "Nothing can be written, nothing was changed: tandem.db: SQLite: database or disk is full (13)",
                "Make room on the disk of the database: the server finds that out by itself. Calls and reads go on.")
        case .noQuorum:
            Example(
                "The order of changes can't be reached, nothing was changed: connection refused",
                "Send the same request again after Retry-After seconds.")
        case .outcomeUnknown:
            Example(
                "the server stopped before the change was known to be on disk",
                "GET the object to see whether the change was taken; sending the same PUT again does no harm.")
        default:
            {
                var example = Example(
                    "2 fields break a rule; errors lists them.",
                    "Mend every field that errors names: pointer says where, allowed what would be taken.")
                example.errors = [
                    FieldError(
                        "/members/0/gateway", .string("gw9"), "no such gateway", allowed: "an existing gateway's id"),
                    FieldError("/policy", .string("by-moon"), "no such value", allowed: "\"ordered\", \"weighted\""),
                ]
                return example
            }()
        }
    }
}
