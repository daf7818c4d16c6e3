import Addressing
import ControlPlane
import Time

extension HTTPService {
    /// A connection has come: it is let in, or turned away with a word that says which limit is reached.
    func admit(_ watch: ConnectionWatch) {
        let now = clock.now
        let turnedAway: ConnectionWatch
        let limit: ConnectionWatches.Limit
        // Until the first byte there is always something to be said.
        let late = slow("header", setting: "--api-headers-timeout-s")
        watch.expect(
            within: .seconds(Int64(settings.headersTimeoutSeconds)), from: now,
            orElse: rawAnswer(late, requestID: nextRequestID()))
        switch connections.insert(watch, at: now) {
        case .admitted: return
        case .displacing(let victim, let reached): (turnedAway, limit) = (victim, reached)
        case .refused(let reached): (turnedAway, limit) = (watch, reached)
        }
        turnedAway.shut(saying: rawAnswer(problem(of: limit), requestID: nextRequestID()))
        if let suppressedCount = turnedAwayLogged.isDue(at: now) {
            let address = turnedAway.address.map { "\($0)" } ?? "unknown"
            log(
                .warning, "a connection was turned away",
                [
                    ("from", address), ("limit", limit.rawValue), ("is_new", "\(turnedAway === watch)"),
                    ("passed_over", "\(suppressedCount)"),
                ])
        }
    }

    private func problem(of limit: ConnectionWatches.Limit) -> HTTPProblem {
        var problem =
            switch limit {
            case .address:
                HTTPProblem(
                    .tooManyRequests,
                    "the limit of \(settings.connectionsPerAddressLimitCount) connections from one address is reached "
                        + "(--api-connections-per-address)")
            case .total:
                HTTPProblem(
                    .tooManyRequests,
                    "the limit of \(settings.connectionLimitCount) connections is reached (--api-connections)")
            }
        problem.headers = [("Retry-After", "1")]
        return problem
    }

    /// What a client is told that took too long.
    func slow(_ what: String, setting: String) -> HTTPProblem {
        HTTPProblem(.tooSlow, "the \(what) took too long to arrive (\(setting))")
    }

    /// A whole answer as bytes, for a connection that libmicrohttpd can't answer on; it ends there.
    func rawAnswer(_ problem: HTTPProblem, requestID: String) -> [UInt8] {
        rawAnswer(problem.answer(requestID: requestID), requestID: requestID)
    }

    /// The same of an answer with a body that is whole.
    func rawAnswer(_ answer: HTTPAnswer, requestID: String) -> [UInt8] {
        var head = "HTTP/1.1 \(answer.status) \(HTTPDaemon.reasonPhrase(answer.status))\r\nConnection: close\r\n"
        for header in commonHeaders(requestID: requestID) + answer.headers {
            head += "\(header.name): \(header.value)\r\n"
        }
        head += "Content-Length: \(answer.body.count)\r\n\r\n"
        return Array(head.utf8) + answer.body
    }

    /// What every answer has.
    ///
    /// - Parameter revision: what the answer reflects; nil: the present one.
    func commonHeaders(
        requestID: String, revision: Int64? = nil, isPrivate: Bool = false
    ) -> [(name: String, value: String)] {
        [
            ("Server", "Tandem/\(settings.version)"), ("Cache-Control", isPrivate ? "no-store" : "no-cache"),
            ("X-Content-Type-Options", "nosniff"), ("Tandem-Request-Id", requestID),
            ("Tandem-Revision", "\(revision ?? controlPlane.revision)"),
        ]
    }
}
