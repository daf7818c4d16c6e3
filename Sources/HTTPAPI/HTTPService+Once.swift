import ControlPlane
import Store

extension HTTPService {
    /// Carries out a request of the method POST: with an `Idempotency-Key` once, and its first answer is given again
    /// for 24 hours (API section 2). A refusal is not kept: it is found anew when the request comes again.
    func once(_ request: HTTPRequest, _ handler: Endpoint.Handler) throws(HTTPProblem) -> HTTPOutcome {
        guard let key = request.headers.idempotencyKey else { return try handler(self, request) }
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw HTTPProblem(.malformed, "Idempotency-Key must be 1...255 visible ASCII characters")
        }
        let first = StoredAnswer.Request(key: key, path: request.target.path, body: request.body)
        if let kept = try asked({ () throws(Refusal) in try controlPlane.beginOnce(first) }) {
            var answer = HTTPAnswer(UInt32(clamping: kept.status), type: "application/json", text: kept.body)
            answer.headers.append(("Idempotency-Replayed", "true"))
            return .answer(answer)
        }
        let outcome: HTTPOutcome
        do throws(HTTPProblem) {
            outcome = try handler(self, request)
        } catch {
            controlPlane.endOnce(first)
            throw error
        }
        let who = request.who
        let carryOut: @Sendable (ControlPlane, @escaping PendingChange.Answering) -> Void
        switch outcome {
        case .answer(let answer): carryOut = { _, whenDone in whenDone(.success(answer)) }
        case .change(let change): carryOut = change.begin
        case .wait, .stream:
            controlPlane.endOnce(first)
            return outcome
        }
        return .change(
            PendingChange { controlPlane, whenDone in
                carryOut(controlPlane) { result in
                    guard case .success(let answer) = result, (200...299).contains(answer.status) else {
                        controlPlane.endOnce(first)
                        return whenDone(result)
                    }
                    controlPlane.keep(
                        status: Int(answer.status), body: String(decoding: answer.body, as: UTF8.self),
                        answering: first, who: who
                    ) {
                        controlPlane.endOnce(first)
                        whenDone(result)
                    }
                }
            })
    }
}

extension HTTPRequest {
    /// Who asks, as the audit names it.
    var who: String { identity.who }
}
