import ControlPlane
import JSON
import Routing
import Store

extension Endpoint {
    /// Change sets, and the history of the routing data (API section 4).
    static let changes: [Endpoint] = [
        Endpoint(.post, "/v1/changes") { _, request throws(HTTPProblem) in
            let (body, asker) = (try request.object(), request.asker)
            return try changeSet(request) { () throws(Refusal) in try Change(set: body, by: asker) }
        },
        Endpoint(.get, "/v1/revisions", ["limit", "cursor"]) { service, request throws(HTTPProblem) in
            let (limitCount, cursor) = (try request.limitCount(), try request.cursor())
            let before = cursor.map { Int64($0) }
            guard before != .some(nil) else { throw HTTPProblem.foreignCursor(request) }
            let page = try service.asked { () throws(Refusal) in
                try service.controlPlane.revisions(before: before ?? nil, limitCount: limitCount)
            }
            return .answer(service.answer(of: page, request))
        },
        Endpoint(.get, "/v1/revisions/{number}", ["limit", "cursor"]) { _, request throws(HTTPProblem) in
            let number = try request.revisionNumber()
            let (limitCount, cursor) = (try request.limitCount(), try request.cursor())
            return page { controlPlane throws(Refusal) in
                let part = try controlPlane.revision(number, after: cursor, limitCount: limitCount)
                return (part.body, part.next.map { request.target(with: "cursor", Cursor.text(after: $0)) })
            }
        },
        Endpoint(.get, "/v1/revisions/{number}/diff", ["to", "limit", "cursor"]) { _, request throws(HTTPProblem) in
            let (number, to) = (try request.revisionNumber(), try request.number("to", 1...Int64.max))
            let (limitCount, cursor) = (try request.limitCount(), try request.cursor())
            return page { controlPlane throws(Refusal) in
                let part = try controlPlane.difference(
                    from: number, to: to, after: cursor, limitCount: limitCount)
                // What follows is of the same two revisions, also when `to` was left out.
                return (
                    part.body,
                    part.next.map { request.target(with: [("to", "\(part.to)"), ("cursor", Cursor.text(after: $0))]) }
                )
            }
        },
        Endpoint(.post, "/v1/revisions/{number}/restore") { _, request throws(HTTPProblem) in
            let (number, asker) = (try request.revisionNumber(), request.asker)
            let body = try request.objectOrNothing()
            return try changeSet(request) { () throws(Refusal) in
                try Change(restoring: number, body, by: asker)
            }
        },
        Endpoint(.post, "/v1/revisions/{number}/confirm") { _, request throws(HTTPProblem) in
            try settlement(request, isConfirmed: true)
        },
        Endpoint(.post, "/v1/revisions/{number}/take-back") { _, request throws(HTTPProblem) in
            try settlement(request, isConfirmed: false)
        },
    ]

    /// Lets a change stay that waits for its confirmation, or takes it back.
    private static func settlement(_ request: HTTPRequest, isConfirmed: Bool) throws(HTTPProblem) -> HTTPOutcome {
        let (number, asker) = (try request.revisionNumber(), request.asker)
        let isAdmin = request.identity.role >= .admin
        guard try request.objectOrNothing() == .object([:]) else {
            throw HTTPProblem(.malformed, "nothing is to be said here; send {} or no body")
        }
        return .change(
            PendingChange { controlPlane, whenDone in
                controlPlane.settle(number, isConfirmed: isConfirmed, by: asker, mayChangeSettings: isAdmin) {
                    whenDone($0.answer)
                }
            })
    }

    /// Carries out what a body asks for.
    private static func changeSet(
        _ request: HTTPRequest, _ make: () throws(Refusal) -> Change
    ) throws(HTTPProblem) -> HTTPOutcome {
        let change: Change
        do { change = try make() } catch { throw HTTPProblem(error) }
        let (role, needed) = (request.identity.role, change.neededRole)
        guard role >= needed else {
            throw HTTPProblem(
                .forbidden,
                "the role \(role.rawValue) of \(request.who.debugDescription) does not allow a change of the settings, "
                    + "nor override_tests; that needs \(needed.rawValue)")
        }
        return .change(
            PendingChange { controlPlane, whenDone in
                controlPlane.carryOut(change) { whenDone($0.answer) }
            })
    }

    /// A page that takes a while to read.
    private static func page(
        _ read: @escaping @Sendable (ControlPlane) throws(Refusal) -> (body: Revised<JSONValue>, next: String?)
    ) -> HTTPOutcome {
        .change(
            PendingChange { controlPlane, whenDone in
                controlPlane.readAside(read) { result in
                    whenDone(
                        result.map { body, next in
                            guard case .object(var members) = body.value, let next else {
                                return HTTPAnswer(200, json: body.value, revision: body.revision.number)
                            }
                            members["next"] = .string(next)
                            return HTTPAnswer(200, json: .object(members), revision: body.revision.number)
                        }.mapError { HTTPProblem($0) })
                }
            })
    }
}

extension Result where Success == Revised<JSONValue>, Failure == Refusal {
    /// What came of it, in the words of HTTP.
    fileprivate var answer: Result<HTTPAnswer, HTTPProblem> {
        map { HTTPAnswer(200, json: $0.value, revision: $0.revision.number) }.mapError { HTTPProblem($0) }
    }
}

extension HTTPRequest {
    /// The revision that the path names.
    fileprivate func revisionNumber() throws(HTTPProblem) -> Int64 {
        let text = path("number")
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let number = Int64(text),
            number > 0
        else { throw HTTPProblem(.notFound, "a revision is named by its number, from 1 on") }
        return number
    }
}
