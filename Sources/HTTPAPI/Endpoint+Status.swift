import ControlPlane
import JSON
import Routing
import Store
import Time

extension Endpoint {
    /// Look-up and the network manager's tables (API sections 5 and 6).
    static let status: [Endpoint] = [
        Endpoint(.get, "/v1/lookup", ["number", "plan", "source", "caller", "call_id", "at", "revision"]) {
            service, request throws(HTTPProblem) in
            guard let number = request["number"], !number.isEmpty else {
                throw HTTPProblem(.malformed, "the query parameter number is missing: /v1/lookup?number=442071234567")
            }
            var query = LookupQuery(number: number)
            (query.plan, query.source, query.callID) = (request["plan"], request["source"], request["call_id"])
            (query.caller, query.at) = (request["caller"], try request.time("at"))
            query.revision = try request.number("revision", 1...Int64.max)
            let asked = query
            return .answer(try service.revised { () throws(Refusal) in try service.controlPlane.lookup(asked) })
        },
        Endpoint(.get, "/v1/lint") { _, _ throws(HTTPProblem) in
            .change(
                PendingChange { controlPlane, whenDone in
                    controlPlane.lint { report in
                        whenDone(.success(HTTPAnswer(200, json: report.json, revision: report.revision)))
                    }
                })
        },
        Endpoint(.get, "/v1/status", ["status", "group", "limit", "cursor"]) { service, request throws(HTTPProblem) in
            var query = StatusQuery()
            query.status = try request.word("status", ["in-service", "out-of-service"], GatewayStatus.init(rawValue:))
            query.group = request["group"]
            query.limitCount = try request.limitCount()
            query.after = try request.cursor()
            let asked = query
            let page = try service.asked { () throws(Refusal) in try service.controlPlane.statuses(asked) }
            return .answer(service.answer(of: page, request))
        },
        Endpoint(.get, "/v1/gateways/{id}/status") { service, request throws(HTTPProblem) in
            .answer(
                try service.revised { () throws(Refusal) in
                    try service.controlPlane.status(ofGateway: request.path("id"))
                })
        },
        Endpoint(.get, "/v1/gateway-groups/{id}/status") { service, request throws(HTTPProblem) in
            .answer(
                try service.revised { () throws(Refusal) in
                    try service.controlPlane.status(ofGroup: request.path("id"))
                })
        },
        Endpoint(.get, "/v1/status-records", ["gateway", "group", "cause", "from", "to", "limit", "cursor"]) {
            service, request throws(HTTPProblem) in
            .answer(try service.statusRecords(request))
        },
    ]
}

extension HTTPService {
    /// A JSON document of the control plane as an answer.
    fileprivate func revised(_ body: () throws(Refusal) -> Revised<JSONValue>) throws(HTTPProblem) -> HTTPAnswer {
        let document = try asked(body)
        return HTTPAnswer(200, json: document.value, revision: document.revision.number)
    }

    /// A page of status records, oldest first.
    fileprivate func statusRecords(_ request: HTTPRequest) throws(HTTPProblem) -> HTTPAnswer {
        var query = StatusRecordQuery()
        if let gateway = request["gateway"] { query.gateways = [gateway] }
        let causes = StatusCause.allCases.filter { $0 != .reportedNoResponse }.map(\.name)
        query.cause = try request.word("cause", causes) { StatusCause(name: $0) }
        query.from = try request.time("from")
        query.to = try request.time("to")
        query.limitCount = try request.limitCount()
        if let cursor = try request.cursor() {
            guard let sequence = Int64(cursor), sequence >= 0 else {
                throw HTTPProblem.foreignCursor(request)
            }
            query.after = sequence
        }
        let group = request["group"]
        let asked = query
        let records = try self.asked { () throws(Refusal) in try controlPlane.statusRecords(asked, group: group) }
        var members: [String: JSONValue] = ["items": .array(records.value.map(\.json))]
        if records.value.count == asked.limitCount, let last = records.value.last {
            var behind = asked
            (behind.after, behind.limitCount) = (last.sequence, 1)
            let peek = behind
            let more = try self.asked { () throws(Refusal) in try controlPlane.statusRecords(peek, group: group) }
            if !more.value.isEmpty {
                members["next"] = .string(request.target(with: "cursor", Cursor.text(after: "\(last.sequence)")))
            }
        }
        return HTTPAnswer(200, json: .object(members), revision: records.revision.number)
    }
}

extension HTTPRequest {
    /// A query parameter that holds one of some words.
    fileprivate func word<Value>(
        _ name: String, _ words: [String], _ make: (String) -> Value?
    ) throws(HTTPProblem) -> Value? {
        guard let text = self[name] else { return nil }
        guard let value = make(text) else {
            throw HTTPProblem.parameter(name, text, "one of \(words.joined(separator: ", "))")
        }
        return value
    }

    /// A query parameter that holds a time.
    func time(_ name: String) throws(HTTPProblem) -> WallTime? {
        guard let text = self[name] else { return nil }
        guard let time = WallTime(rfc3339: text) else {
            throw HTTPProblem.parameter(name, text, "a time as RFC 3339 writes it: 2026-01-01T10:00:30.000Z")
        }
        return time
    }
}
