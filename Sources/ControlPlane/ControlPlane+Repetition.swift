package import Store
import Synchronization
import Time

// Requests that a client may send again after a broken connection (`Idempotency-Key`, API section 2).
extension ControlPlane {
    /// A request begins that is carried out once: its first answer, when it had one in the last 24 hours; nil: it is
    /// the first, and `endOnce` has to follow.
    ///
    /// Throws `invalid` for the key of another body, `conflict` while the first is under way.
    package func beginOnce(_ request: StoredAnswer.Request) throws(Refusal) -> StoredAnswer? {
        let place = [request.who, request.path, request.key]
        guard requestsUnderWay.withLock({ $0.insert(place).inserted }) else {
            var refusal = Refusal(.conflict, "A request with this Idempotency-Key is under way; come again.")
            refusal.retryAfterSeconds = 1
            throw refusal
        }
        var isFirst = false
        defer { if !isFirst { endOnce(request) } }
        let since = clock.wallTime + (.zero - StoredAnswer.lifetime)
        let kept = try reading { () throws(StoreError) in try store.answer(to: request, since: since) }
        guard let kept else {
            isFirst = true
            return nil
        }
        guard kept.digest == request.digest else {
            throw Refusal(.invalid, "This Idempotency-Key was sent with another body before; take a new one.")
        }
        return kept.answer
    }

    /// The request is carried out, or refused.
    package func endOnce(_ request: StoredAnswer.Request) {
        requestsUnderWay.withLock { _ = $0.remove([request.who, request.path, request.key]) }
    }

    /// Keeps the first answer to a request; `whenDone` is called when it is on disk, or can't be put there.
    package func keep(
        status: Int, body: String, answering request: StoredAnswer.Request,
        whenDone: @escaping @Sendable () -> Void
    ) {
        var change = Change([], who: request.who)
        change.answer = StoredAnswer(to: request, status: status, body: body, at: clock.wallTime)
        submit(change) { _ in whenDone() }
    }
}
