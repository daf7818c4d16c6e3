import ControlPlane
import JSON
import Routing
import Store

extension Endpoint {
    /// What people and other machines say about gateways, and what became of them (API section 6).
    static let statusChanges: [Endpoint] = [
        Endpoint(.put, "/v1/gateways/{id}/status") { _, request throws(HTTPProblem) in
            let (id, body, who) = (request.path("id"), try request.object(), request.who)
            return .change(
                PendingChange { controlPlane, whenDone in
                    controlPlane.order(gateway: id, body, who: who) { whenDone(answer($0)) }
                })
        },
        Endpoint(.post, "/v1/gateways/{id}/probe") { service, request throws(HTTPProblem) in
            let (id, who) = (request.path("id"), request.who)
            let slot = try service.asked { () throws(Refusal) in try service.controlPlane.slot(of: id) }
            let probe = service.surroundings.probe
            return .change(
                PendingChange { controlPlane, whenDone in
                    probe(slot) { outcome in
                        controlPlane.probed(id, outcome, who: who) { whenDone(answer($0)) }
                    }
                })
        },
        Endpoint(.get, "/v1/gateways/{id}/availability", ["from", "to"]) { service, request throws(HTTPProblem) in
            let (from, to) = (try request.time("from"), try request.time("to"))
            let found = try service.asked { () throws(Refusal) in
                try service.controlPlane.availability(ofGateway: request.path("id"), from: from, to: to)
            }
            return .answer(HTTPAnswer(200, json: found.value, revision: found.revision.number))
        },
        Endpoint(.post, "/v1/status-reports") { _, request throws(HTTPProblem) in
            let (body, who) = (try request.object(), request.who)
            return .change(
                PendingChange { controlPlane, whenDone in
                    controlPlane.report(body, who: who) { whenDone(answer($0)) }
                })
        },
        Endpoint(.post, "/v1/status-records/{sequence}/acknowledge") { _, request throws(HTTPProblem) in
            guard let sequence = Int64(request.path("sequence")), sequence > 0 else {
                throw HTTPProblem(.notFound, "a status record is named by its number")
            }
            // Nothing needs to be said: who it is, the request tells.
            let (body, who) = (try request.objectOrNothing(), request.who)
            return .change(
                PendingChange { controlPlane, whenDone in
                    controlPlane.acknowledge(sequence, body, who: who) { whenDone(answer($0)) }
                })
        },
    ]

    /// What came of it, in the words of HTTP.
    private static func answer(_ result: Result<Revised<JSONValue>, Refusal>) -> Result<HTTPAnswer, HTTPProblem> {
        result.map { HTTPAnswer(200, json: $0.value, revision: $0.revision.number) }.mapError { HTTPProblem($0) }
    }
}
