import ControlPlane
import JSON
import Store

extension Endpoint {
    /// The whole table of a plan, in one change and as one answer (API section 3).
    static let bulk: [Endpoint] = [
        table(.put, replaces: true), table(.patch, replaces: false),
    ]

    /// In which forms a whole table comes.
    static let tableTypes = ["text/csv", "application/x-ndjson"]

    private static func table(_ method: Method, replaces: Bool) -> Endpoint {
        Endpoint(bulk: method, "/v1/routing-plans/{id}/routes", types: tableTypes) {
            service, request throws(HTTPProblem) in
            let plan = request.path("id")
            let order = BulkOrder(
                .routes(plan: plan, request.headers.mediaType == tableTypes[0] ? .csv : .lines), replaces: replaces,
                precondition: try Precondition(request.headers), asker: request.asker)
            let bulk = try service.asked { () throws(Refusal) in try service.controlPlane.beginBulk(order) }
            return BulkUpload(BulkUpload.Reader(bulk) { answer($0, plan) })
        }
    }

    private static func answer(_ result: BulkResult, _ plan: String) -> HTTPAnswer {
        let counts: JSONValue = .object([
            "created": .integer(Int64(result.counts.created)), "replaced": .integer(Int64(result.counts.replaced)),
            "deleted": .integer(Int64(result.counts.deleted)),
        ])
        let body: JSONValue = .object([
            "routing_plan": .string(plan), "revision": .integer(result.revision), "counts": counts,
        ])
        var answer = HTTPAnswer(200, json: body, revision: result.revision)
        answer.headers.append(("ETag", "\"\(RouteTable.etag(of: result.revision))\""))
        return answer
    }
}

extension BulkUpload.Reader {
    /// A bulk reads the body.
    ///
    /// - Parameter answer: makes the answer of one that is in force.
    init(_ bulk: Bulk, answer: @escaping @Sendable (BulkResult) -> HTTPAnswer) {
        self.init(
            receive: { bulk.receive($0, whenTaken: $1) },
            finish: { whenDone in
                bulk.finish { result in whenDone(result.map(answer).mapError { HTTPProblem($0) }) }
            },
            abandon: { bulk.abandon() })
    }
}

extension HTTPService {
    /// The routes of a plan: a page of them, or all in another form than JSON.
    func routes(_ request: HTTPRequest) throws(HTTPProblem) -> HTTPOutcome {
        let types = ["application/json"] + Endpoint.tableTypes
        let qualities = types.map { request.headers.quality(of: $0) }
        guard let best = qualities.max(), let place = qualities.firstIndex(of: best), place > 0 else {
            var query = ListQuery(.routes, plan: request.path("id"))
            query.idPrefix = request["prefix"]
            _ = try request.isKnown("")  // a page has no entity tag; what is none is refused all the same
            return try list(query, request)
        }
        for name in ["limit", "cursor"] where request[name] != nil {
            throw HTTPProblem(.malformed, "the query parameter \(name) belongs to pages of JSON, not to a whole table")
        }
        let (plan, prefix) = (request.path("id"), request["prefix"])
        let table = try asked { () throws(Refusal) in
            try controlPlane.routeTable(of: plan, prefix: prefix, form: types[place] == "text/csv" ? .csv : .lines)
        }
        let type = types[place] == "text/csv" ? "text/csv; charset=utf-8; header=present" : types[place]
        let isKnown = try request.isKnown(table.etag)
        var answer =
            isKnown
            ? HTTPAnswer(304, revision: table.revision)
            : request.isHead
                ? .headOfStream(type: type, revision: table.revision)
                : HTTPAnswer(200, type: type, revision: table.revision)
        answer.headers.append(("ETag", "\"\(table.etag)\""))
        if !isKnown, !request.isHead { answer.pages = PagedBody(type: type) { () throws(Refusal) in try table.next() } }
        return .answer(answer)
    }
}
