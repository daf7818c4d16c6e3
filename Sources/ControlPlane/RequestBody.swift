import JSON
import NetworkManager
import Routing
import Time

/// What stands in the body of a request that is no object of the routing data.
struct RequestBody {
    let members: [String: JSONValue]

    /// Checks a body; throws with every rule that it breaks.
    init(_ value: JSONValue, _ schema: Schema) throws(Refusal) {
        guard case .object(let members) = value else { throw .notAnObject }
        var validation = Validation { _, _ in false }
        self.members = validation.check(members, schema)
        guard let first = validation.errors.first else { return }
        let more = validation.errorCount > 1 ? " (and \(validation.errorCount - 1) more)" : ""
        throw Refusal(.invalid, "\(first.pointer): \(first.reason)\(more).", errors: validation.errors)
    }

    /// The text of a field; nil when it is not set.
    func text(_ name: String) -> String? { members[name]?.text }
}

extension Schema {
    /// `PUT /v1/gateways/{id}/status`.
    static let statusOrder = Schema(
        [
            Field(
                "status", .choice([GatewayStatus.inService.rawValue, GatewayStatus.outOfService.rawValue]),
                required: true),
            Field("until", .time),
            Field("note", .phrase(limitCharacters: 256)),
        ],
        crossCheck: { body in
            guard body["until"] != nil, body["status"]?.text == GatewayStatus.inService.rawValue else { return [] }
            return [
                CrossError(
                    name: "until", reason: "only out-of-service has an end",
                    allowed: "leave it out, or set status to \"out-of-service\"")
            ]
        })

    /// `POST /v1/status-reports`.
    static let statusReports = Schema([
        Field("reporter", .phrase(limitCharacters: 63), required: true),
        Field("reports", .objects(report, limitCount: 1000), required: true),
    ])

    private static let report = Schema(
        [
            Field("gateway", .text(limitCharacters: 63), required: true),
            Field("outcome", .choice(ReportedOutcome.allCases.map(\.rawValue)), required: true),
            Field("sip_status", .integer(100...699)),
            Field("retry_after_s", .integer(0...86_400)),
            Field("at", .time),
            Field("call_id", .phrase(limitCharacters: 256)),
        ],
        crossCheck: { body in
            let isFailure = body["outcome"]?.text == ReportedOutcome.failureResponse.rawValue
            if isFailure, body.whole("sip_status").map({ $0 < 300 }) ?? true {
                return [
                    CrossError(
                        name: "sip_status", reason: "which final response it was is not said",
                        allowed: "a whole number, 300...699")
                ]
            }
            guard !isFailure, body["retry_after_s"] != nil else { return [] }
            return [
                CrossError(
                    name: "retry_after_s", reason: "belongs to a failure-response", allowed: "leave it out")
            ]
        })
}

extension Schema {
    /// `POST /v1/status-records/{sequence}/acknowledge`. Without a name it is whoever the request comes from.
    static let acknowledgement = Schema([
        Field("who", .phrase(limitCharacters: 128)),
        Field("note", .phrase(limitCharacters: 1024)),
    ])
}

extension StatusReport {
    /// A report that has passed its schema.
    init(_ report: JSONValue) {
        let outcome: ReportedOutcome = report.word("outcome") ?? .answered
        let seconds: Int64? = report.whole("retry_after_s")
        self.init(
            gateway: report["gateway"]?.text ?? "", outcome: outcome.attempt(status: report.whole("sip_status") ?? 0),
            retryAfter: seconds.map { .seconds($0) },
            at: report["at"]?.text.flatMap { WallTime(rfc3339: $0) }, callID: report["call_id"]?.text)
    }
}

extension StatusReport.Reception {
    /// Why a report was not taken; nil when it was.
    var reasonAgainst: String? {
        switch self {
        case .taken: nil
        case .outdated: "older than the gateway's last change, or than five minutes"
        case .noSuchGateway: "no such gateway"
        }
    }
}

/// How an attempt ended that somebody else made (API section 6).
enum ReportedOutcome: String, CaseIterable {
    case answered
    case noResponse = "no-response"
    case transportError = "transport-error"
    case failureResponse = "failure-response"

    /// What it says about the gateway.
    func attempt(status: Int) -> AttemptOutcome {
        switch self {
        case .answered: .answered
        case .noResponse: .noResponse
        case .transportError: .transportError
        case .failureResponse: .failureResponse(status: status)
        }
    }
}
