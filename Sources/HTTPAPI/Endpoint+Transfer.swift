import ControlPlane
import JSON
import Store

extension Endpoint {
    /// All routing data, out and in again (API section 4).
    static let transfer: [Endpoint] = [
        Endpoint(.get, "/v1/export", ["revision"], form: .text) { service, request throws(HTTPProblem) in
            let revision = try request.number("revision", 1...Int64.max)
            let export = try service.asked { () throws(Refusal) in try service.controlPlane.export(at: revision) }
            return .answer(try answer(export, request))
        },
        Endpoint(
            bulk: .post, "/v1/import", ["mode", "comment", "override_tests", "dry_run"], types: [exportType]
        ) { service, request throws(HTTPProblem) in
            let order = try order(request)
            let bulk = try service.asked { () throws(Refusal) in try service.controlPlane.beginBulk(order) }
            let reader = BulkUpload.Reader(bulk) { answer($0, order) }
            do throws(HTTPProblem) {
                return BulkUpload(try service.once(request, reader))
            } catch {
                bulk.abandon()
                throw error
            }
        },
    ]

    private static let exportType = "application/x-ndjson"

    private static func answer(_ export: RoutingExport, _ request: HTTPRequest) throws(HTTPProblem) -> HTTPAnswer {
        var answer =
            try request.isKnown(export.etag)
            ? HTTPAnswer(304, revision: export.revision)
            : request.isHead
                ? .headOfStream(type: exportType, revision: export.revision)
                : HTTPAnswer(200, type: exportType, revision: export.revision)
        answer.headers.append(("ETag", "\"\(export.etag)\""))
        guard answer.status == 200 else { return answer }
        let name = "tandem-\(export.revision).ndjson"
        answer.headers.append(("Content-Disposition", "attachment; filename=\"\(name)\""))
        if !request.isHead {
            answer.pages = PagedBody(type: exportType) { () throws(Refusal) in try export.next() }
        }
        return answer
    }

    /// What an import asks for. Throws `malformed`, and `forbidden` where tests are overridden without being an admin.
    private static func order(_ request: HTTPRequest) throws(HTTPProblem) -> BulkOrder {
        let mode = request["mode"]
        guard let mode, ["replace", "merge"].contains(mode) else {
            throw HTTPProblem(
                .malformed,
                "the query parameter mode \(mode.map { "is \($0.debugDescription)" } ?? "is missing"); it must be "
                    + "replace (what is sent and nothing else) or merge (what is sent, and the others stay)")
        }
        var order = BulkOrder(
            .everything, replaces: mode == "replace", precondition: try Precondition(request.headers),
            asker: request.asker)
        order.comment = request["comment"]
        if let comment = order.comment, comment.unicodeScalars.count > commentLimitCharacters {
            throw HTTPProblem(
                .malformed, "the query parameter comment has more than \(commentLimitCharacters) characters")
        }
        order.isDryRun = try request.flag("dry_run")
        order.overridesTests = try request.flag("override_tests")
        order.mayChangeSettings = request.identity.role >= .admin
        guard !order.overridesTests || request.identity.role >= .admin else {
            throw HTTPProblem(
                .forbidden,
                "the role \(request.identity.role.rawValue) of \(request.who.debugDescription) does not allow "
                    + "override_tests; that needs \(Role.admin.rawValue)")
        }
        return order
    }

    private static let commentLimitCharacters = 1024

    private static func answer(_ result: BulkResult, _ order: BulkOrder) -> HTTPAnswer {
        let body: JSONValue = .object([
            "mode": .string(order.replaces ? "replace" : "merge"), "dry_run": .bool(order.isDryRun),
            "revision": .integer(result.revision), "counts": result.countsByKind,
        ])
        var answer = HTTPAnswer(200, json: body, revision: order.isDryRun ? nil : result.revision)
        if !order.isDryRun { answer.headers.append(("ETag", "\"\(RouteTable.etag(of: result.revision))\"")) }
        return answer
    }
}

extension HTTPRequest {
    /// A query parameter that is `true` or `false`, which it is when it is not given.
    fileprivate func flag(_ name: String) throws(HTTPProblem) -> Bool {
        switch self[name] {
        case nil, "false"?: return false
        case "true"?: return true
        case let text?: throw HTTPProblem.parameter(name, text, "true or false")
        }
    }
}
