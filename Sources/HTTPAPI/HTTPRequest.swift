import CMicrohttpd
import ControlPlane

/// The header fields that we act on.
struct RequestHeaders: Sendable {
    var host: String?
    var origin: String?
    var accept: String?
    var contentType: String?
    var contentLength: String?
    var transferEncoding: String?
    var expect: String?
    var ifMatch: String?
    var ifNoneMatch: String?
    var lastEventID: String?
    var idempotencyKey: String?
    var authorization: String?
    /// How often `Host` is given.
    var hostCount = 0
    /// How often `Content-Length` is given.
    var contentLengthCount = 0
    /// How often `Transfer-Encoding` is given.
    var transferEncodingCount = 0
    /// How often `Authorization` is given.
    var authorizationCount = 0
    /// The name of a line that can be taken for more than one field; nil: there is none.
    var ambiguousName: String?

    /// No field at all.
    init() {}

    /// Those of a request. A list on several lines is one list (RFC 9110 section 5.3); of another field that is given
    /// twice the first counts.
    init(_ connection: OpaquePointer) {
        func field(_ name: String) -> String? {
            MHD_lookup_connection_value(connection, .HEADER_KIND, name).map { String(cString: $0) }
        }
        (host, origin) = (field("Host"), field("Origin"))
        (contentType, contentLength) = (field("Content-Type"), field("Content-Length"))
        (transferEncoding, expect) = (field("Transfer-Encoding"), field("Expect"))
        (lastEventID, idempotencyKey) = (field("Last-Event-ID"), field("Idempotency-Key"))
        authorization = field("Authorization")
        let lines = FieldLines.of(connection)
        (hostCount, contentLengthCount) = (lines.hostCount, lines.contentLengthCount)
        (transferEncodingCount, authorizationCount) = (lines.transferEncodingCount, lines.authorizationCount)
        ambiguousName = lines.ambiguousName
        (accept, ifMatch, ifNoneMatch) = (lines.accept, lines.ifMatch, lines.ifNoneMatch)
    }

    /// Throws `malformed` for what two readers could take for different requests (RFC 9112 sections 3.2, 5 and 6):
    /// the connection ends behind the answer.
    func checkFraming(version: String) throws(HTTPProblem) {
        let once = "it must be given once, and alone"
        let what: String
        if let ambiguousName {
            what =
                "the header field \(ambiguousName.debugDescription) is folded, or its name is none; a field is one "
                + "line \"Name: value\" without a blank before the colon"
        } else if hostCount > 1 {
            what = "Host is given \(hostCount) times; \(once)"
        } else if hostCount == 0, version != "HTTP/1.0" {
            what = "Host is missing; \(once)"
        } else if contentLengthCount > 1 {
            what = "Content-Length is given \(contentLengthCount) times; \(once)"
        } else if contentLengthCount > 0, transferEncoding != nil {
            what = "both Content-Length and Transfer-Encoding are given; one of them must be given, and alone"
        } else if let transferEncoding, transferEncodingCount > 1 || transferEncoding.lowercased() != "chunked" {
            what =
                "Transfer-Encoding is \(transferEncoding.prefix(64).debugDescription), given \(transferEncodingCount) "
                + "times; chunked alone is taken, once"
        } else if transferEncoding != nil, version == "HTTP/1.0" {
            what = "Transfer-Encoding is given in a request of HTTP/1.0, which has none"
        } else if authorizationCount > 1 {
            what = "Authorization is given \(authorizationCount) times; \(once)"
        } else {
            return
        }
        var problem = HTTPProblem(.malformed, "\(what) (RFC 9112)")
        problem.headers = [("Connection", "close")]
        throw problem
    }

    /// True when a body follows.
    var announcesBody: Bool { transferEncoding != nil || (contentLength ?? "0") != "0" }
    /// True when the client waits for our word before it sends the body.
    var expectsContinue: Bool { expect?.lowercased() == "100-continue" }
    /// The media type of the body in lower case, without parameters; nil when none is given.
    var mediaType: String? {
        contentType.flatMap { $0.split(separator: ";").first }.map { String($0).trimmed.lowercased() }
    }

    /// The quality that `Accept` gives to a media type (RFC 9110 section 12.5.1), in thousandths; 0: not acceptable.
    /// The most specific range decides.
    func quality(of type: String) -> Int {
        guard let accept, accept != "*/*" else { return 1000 }
        let major = type.prefix { $0 != "/" }
        var (best, specificity) = (0, -1)
        for range in accept.lowercased().split(separator: ",").prefix(64) {
            let parts = range.split(separator: ";").map { String($0).trimmed }
            guard let name = parts.first else { continue }
            let rank = name == type ? 2 : name == "\(major)/*" ? 1 : name == "*/*" ? 0 : -1
            guard rank > specificity else { continue }
            specificity = rank
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            best = Int(min(max(weight.isFinite ? weight : 0, 0), 1) * 1000)
        }
        return best
    }
}

/// A whole request, as handlers get it.
struct HTTPRequest: Sendable {
    /// The target, decoded.
    let target: RequestTarget
    /// What stands in the template's places: `["id": "lon1"]`.
    let pathParameters: [String: String]
    /// The header fields that we act on.
    let headers: RequestHeaders
    /// The body, whole.
    let body: [UInt8]
    /// True for `HEAD`.
    let isHead: Bool
    /// Who sends it.
    let identity: Identity
    /// Its own id, also in the log.
    let id: String

    /// The value of a query parameter; nil when it is not given.
    subscript(name: String) -> String? { target.parameters.first { $0.name == name }?.value }

    /// What the path names in that place of the template. Every template of a handler has the places that it asks for.
    func path(_ name: String) -> String { pathParameters[name] ?? "" }

    /// A whole number in a query parameter.
    func number(_ name: String, _ range: ClosedRange<Int64>) throws(HTTPProblem) -> Int64? {
        guard let text = self[name] else { return nil }
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isNumber, let number = Int64(text), range.contains(number) else {
            let allowed =
                range.upperBound == .max
                ? "a whole number from \(range.lowerBound) on"
                : "a whole number of \(range.lowerBound)...\(range.upperBound)"
            throw HTTPProblem.parameter(name, text, allowed)
        }
        return number
    }

    /// `limit`: how many a page holds.
    func limitCount() throws(HTTPProblem) -> Int { Int(try number("limit", 1...1000) ?? 100) }

    /// `cursor`: the id to go on after.
    func cursor() throws(HTTPProblem) -> String? {
        guard let text = self["cursor"] else { return nil }
        guard let id = Cursor.id(text) else {
            throw HTTPProblem.parameter("cursor", text, "one that the member next of a page held")
        }
        return id
    }

    /// The same target with another value of one parameter: where the next page is.
    func target(with name: String, _ value: String) -> String { target(with: [(name, value)]) }

    /// The same target with other values of some parameters.
    func target(with others: [(name: String, value: String)]) -> String {
        var parameters = target.parameters
        for other in others {
            if let position = parameters.firstIndex(where: { $0.name == other.name }) {
                parameters[position].value = other.value
            } else {
                parameters.append(other)
            }
        }
        let query = parameters.map { "\(Percent.encoded($0.name))=\(Percent.encoded($0.value))" }
        return target.path + "?" + query.joined(separator: "&")
    }
}
