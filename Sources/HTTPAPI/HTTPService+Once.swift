import ControlPlane
import Store
import Synchronization

extension HTTPService {
    /// Carries out a request of the method POST: with an `Idempotency-Key` once, and its first answer is given again
    /// for 24 hours (API section 2). A refusal is not kept: it is found anew when the request comes again.
    func once(_ request: HTTPRequest, _ handler: Endpoint.Handler) throws(HTTPProblem) -> HTTPOutcome {
        guard let key = try request.idempotencyKey() else { return try handler(self, request) }
        let first = StoredAnswer.Request(
            from: request.who, key: key, path: request.target.path, body: request.body)
        if let kept = try asked({ () throws(Refusal) in try controlPlane.beginOnce(first) }) {
            return .answer(HTTPAnswer(again: kept))
        }
        let outcome: HTTPOutcome
        do throws(HTTPProblem) {
            outcome = try handler(self, request)
        } catch {
            controlPlane.endOnce(first)
            throw error
        }
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
                carryOut(controlPlane) { controlPlane.keep($0, answering: first, whenDone) }
            })
    }

    /// The same of a request whose body is read while it comes: only when it is whole is it known whether it came
    /// before.
    func once(_ request: HTTPRequest, _ reader: BulkUpload.Reader) throws(HTTPProblem) -> BulkUpload.Reader {
        guard let key = try request.idempotencyKey() else { return reader }
        let (path, who) = (request.target.path, request.who)
        let body = DigestedBody()
        body.digest.withLock { $0.add(Array(request.target.text.utf8)) }  // the query says what is done with the body
        return BulkUpload.Reader(
            receive: { piece, whenTaken in
                body.digest.withLock { $0.add(piece) }
                reader.receive(piece, whenTaken)
            },
            finish: { [controlPlane] whenDone in
                let first = StoredAnswer.Request(from: who, key: key, path: path, body.digest.withLock { $0 })
                do throws(Refusal) {
                    if let kept = try controlPlane.beginOnce(first) {
                        reader.abandon()
                        return whenDone(.success(HTTPAnswer(again: kept)))
                    }
                } catch {
                    reader.abandon()
                    return whenDone(.failure(HTTPProblem(error)))
                }
                reader.finish { controlPlane.keep($0, answering: first, whenDone) }
            }, abandon: reader.abandon)
    }
}

/// The digest of a body while it comes.
private final class DigestedBody: Sendable {
    let digest = Mutex(StoredAnswer.BodyDigest())
}

extension ControlPlane {
    /// Keeps the first answer to a request, unless it is a refusal, and hands it on.
    fileprivate func keep(
        _ result: Result<HTTPAnswer, HTTPProblem>, answering first: StoredAnswer.Request,
        _ whenDone: @escaping PendingChange.Answering
    ) {
        guard case .success(let answer) = result, (200...299).contains(answer.status) else {
            endOnce(first)
            return whenDone(result)
        }
        keep(
            status: Int(answer.status), body: String(decoding: answer.body, as: UTF8.self), answering: first
        ) { [self] in
            endOnce(first)
            whenDone(result)
        }
    }
}

extension HTTPAnswer {
    /// A first answer, given again.
    fileprivate init(again kept: StoredAnswer) {
        self.init(UInt32(clamping: kept.status), type: "application/json", text: kept.body)
        headers.append(("Idempotency-Replayed", "true"))
    }
}

extension HTTPRequest {
    /// Who asks, as the audit names it.
    var who: String { identity.who }

    /// `Idempotency-Key`; nil: there is none.
    fileprivate func idempotencyKey() throws(HTTPProblem) -> String? {
        guard let key = headers.idempotencyKey else { return nil }
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw HTTPProblem(.malformed, "Idempotency-Key must be 1...255 visible ASCII characters")
        }
        return key
    }
}
