import ControlPlane
import JSON

extension Endpoint {
    /// What a process says of itself (API section 8).
    static let system: [Endpoint] = [
        Endpoint(.get, "/livez") { _, _ throws(HTTPProblem) in
            .answer(HTTPAnswer(200, json: .object(["status": .string("live")])))
        },
        Endpoint(.get, "/readyz") { service, _ throws(HTTPProblem) in
            var reasons = service.surroundings.readiness()
            if let reason = service.controlPlane.readOnlyReason { reasons.append("read-only: \(reason)") }
            if service.isStopping { reasons.append("draining") }
            let members: [String: JSONValue] = [
                "status": .string(reasons.isEmpty ? "ready" : "not-ready"),
                "reasons": .array(reasons.map { .string($0) }),
            ]
            return .answer(HTTPAnswer(reasons.isEmpty ? 200 : 503, json: .object(members)))
        },
        Endpoint(.get, "/metrics", form: .text) { service, _ throws(HTTPProblem) in
            .answer(HTTPAnswer(200, type: "text/plain; version=0.0.4; charset=utf-8", text: service.metricsText()))
        },
        Endpoint(.get, "/v1/version") { service, _ throws(HTTPProblem) in
            .answer(HTTPAnswer(200, json: .object(["version": .string(service.settings.version)])))
        },
        Endpoint(.get, "/openapi.yaml", form: .text) { _, _ throws(HTTPProblem) in
            .answer(HTTPAnswer(200, type: "application/yaml; charset=utf-8", bytes: PackageResources.tandem_yaml))
        },
        Endpoint(.get, "/problems/{name}", form: .text) { _, request throws(HTTPProblem) in
            guard let kind = ProblemKind(rawValue: request.path("name")) else {
                throw HTTPProblem(.notFound, "there is no problem of that name")
            }
            // A browser names HTML; whoever takes anything gets JSON.
            let headers = request.headers
            let wantsHTML =
                headers.accept != nil && headers.quality(of: "text/html") > headers.quality(of: "application/json")
            let document = ProblemPage(kind: kind)
            return .answer(wantsHTML ? document.html : document.json)
        },
        Endpoint(.get, "/", form: .text) { _, _ throws(HTTPProblem) in .answer(OverviewPage.answer()) },
    ]

    /// A plain page of paragraphs; they hold nothing that a client sent.
    private static func page(_ title: String, _ paragraphs: [String]) -> HTTPAnswer {
        let body = paragraphs.map { "<p>\($0)</p>\n" }.joined()
        let text =
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>\(title)</title></head>\n"
            + "<body>\n<h1>\(title)</h1>\n\(body)</body></html>\n"
        var answer = HTTPAnswer(200, type: "text/html; charset=utf-8", text: text)
        answer.headers.append(("Content-Security-Policy", "default-src 'none'"))
        return answer
    }
}
