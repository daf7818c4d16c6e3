package import JSON
package import Time

extension Endpoint {
    /// Recent calls (API section 8).
    static let calls: [Endpoint] = [
        Endpoint(.get, "/v1/calls", ["number", "gateway", "from", "to", "limit", "cursor"]) {
            service, request throws(HTTPProblem) in
            var query = CallQuery()
            (query.number, query.gateway) = (request["number"], request["gateway"])
            (query.from, query.to) = (try request.time("from"), try request.time("to"))
            query.limitCount = try request.limitCount()
            query.cursor = try request.cursor()
            let page = service.surroundings.calls(query)
            var members: [String: JSONValue] = ["items": .array(page.items)]
            if let next = page.next {
                members["next"] = .string(request.target(with: "cursor", Cursor.text(after: next)))
            }
            return .answer(HTTPAnswer(200, json: .object(members)))
        },
        Endpoint(.get, "/v1/calls/{id}") { service, request throws(HTTPProblem) in
            guard let call = service.surroundings.call(request.path("id")) else {
                throw HTTPProblem(.notFound, "there is no record of that call; only the newest calls are kept")
            }
            return .answer(HTTPAnswer(200, json: call))
        },
    ]
}

/// Which call records: those that fit all that is set.
package struct CallQuery: Sendable {
    /// Calls to numbers that begin so; a leading `+` plays no part.
    package var number: String?
    /// Calls that tried this gateway.
    package var gateway: String?
    /// Calls that began then or later.
    package var from: WallTime?
    /// Calls that began before.
    package var to: WallTime?
    /// Only calls older than the one that this stands for: `CallPage.next` of the page before.
    package var cursor: String?
    /// 1...1000.
    package var limitCount = 100

    /// All of them.
    package init() {}
}

/// A part of the call records, newest first.
package struct CallPage: Sendable {
    /// The records as the API shows them.
    package let items: [JSONValue]
    /// Where the next page begins, up to 300 bytes; nil at the end.
    package let next: String?

    /// A page of its parts.
    package init(items: [JSONValue], next: String?) { (self.items, self.next) = (items, next) }
}
