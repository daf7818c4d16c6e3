import Addressing
import CMicrohttpd
import ControlPlane
import Time

/// One request from its first line to the last byte of its answer. Touched on libmicrohttpd's thread only.
///
///     begun --headers--> receiving --body--> change, wait --answer--> pages, answered
///                                       \--> stream, pages, answered
final class HTTPExchange {
    private enum Stage {
        case begun, receiving, change(PendingChange), wait(LongPoll), stream(EventStream), pages(PagedBody), answered
    }

    /// What became of a piece of the body.
    enum Received {
        case taken
        /// The connection is parked; the piece comes again.
        case parked
        /// The connection can't go on.
        case ended
    }

    private let service: HTTPService
    private let watch: ConnectionWatch?
    private let id: String
    private let startedAt: Instant
    private let targetText: String?
    private var stage = Stage.begun
    private var method = ""
    private var headers = RequestHeaders()
    private var routed: (target: RequestTarget, route: Route)?
    private var refused: HTTPAnswer?
    private var identity: Identity?
    private var body: [UInt8] = []
    private var bulk: BulkReceiving?
    private var discardedBytes = 0
    /// The client was told in the midst of its body why that is not taken.
    private var isTold = false
    private var status: UInt32 = 0

    /// - Parameter targetText: what stood in the request line; nil when that is not UTF-8.
    init(_ service: HTTPService, targetText: String?, watch: ConnectionWatch?) {
        (self.service, self.targetText, self.watch) = (service, targetText, watch)
        id = service.nextRequestID()
        startedAt = service.clock.now
    }

    /// True when the connection is shut down: the client was told so, and nothing more is done for it.
    var isTurnedAway: Bool { watch?.isShut ?? false }

    /// True behind `receiveHeaders`.
    var hasHeaders: Bool {
        if case .begun = stage { return false }
        return true
    }

    /// The headers are there. Returns false when the connection can't go on.
    func receiveHeaders(_ connection: OpaquePointer, method: String, version: String) -> Bool {
        self.method = method
        headers = RequestHeaders(connection)
        stage = .receiving
        let hasBody = headers.announcesBody
        // Most requests have no body, and to write a problem costs more than to answer them.
        let lateAnswer =
            hasBody ? service.rawAnswer(service.slow("body", setting: "--api-body-timeout-s"), requestID: id) : []
        do {
            try checkHeaders(connection, version: version)
            bulk = try makeBulk(lateAnswer: lateAnswer)
        } catch { refused = answer(to: error) }
        if hasBody {
            watch?.expect(within: service.settings.bodyTimeout, from: service.clock.now, orElse: lateAnswer)
        } else {
            watch?.expectNothing()
        }
        // What a client has begun to send is read and thrown away, within bounds, so that it sees our answer.
        guard let refused, hasBody else { return true }
        let announced = headers.contentLength.flatMap { Int($0) } ?? 0
        // Where the body ends is not known when the connection is to end.
        let endsConnection = refused.headers.contains { $0.name == "Connection" }
        guard headers.expectsContinue || announced > discardLimitBytes || endsConnection else { return true }
        return send(refused, connection)
    }

    /// A piece of the body.
    func receive(_ piece: UnsafeRawBufferPointer, _ connection: OpaquePointer) -> Received {
        guard refused == nil else { return discard(piece.count) }
        if let bulk {
            guard !service.isStopping else { return .ended }
            switch bulk.receive(piece, connection) {
            case .taken: return .taken
            case .parked: return .parked
            case .tooLarge: refused = answer(to: tooLarge)
            }
        } else if piece.count <= service.settings.bodyLimitBytes - body.count {
            body.append(contentsOf: piece)
            return .taken
        } else {
            refused = answer(to: tooLarge)
            body = []
        }
        return discard(piece.count)
    }

    /// The place for the body of a bulk; nil: the request is none.
    private func makeBulk(lateAnswer: [UInt8]) throws(Route.Failure) -> BulkReceiving? {
        guard let (target, route) = routed, let identity, let handler = route.endpoint.bulkHandler else { return nil }
        let request = HTTPRequest(
            target: target, pathParameters: route.pathParameters, headers: headers, body: [], isHead: false,
            identity: identity, id: id)
        do throws(HTTPProblem) {
            return BulkReceiving(try handler(service, request), service, watch, lateAnswer: lateAnswer)
        } catch {
            throw .problem(error)
        }
    }

    /// The request is whole, or the connection was resumed. Returns false when it can't go on.
    func proceed(_ connection: OpaquePointer) -> Bool {
        if case .receiving = stage {
            guard !isTold else { return false }
            watch?.expectNothing()
            if let refused { return send(refused, connection) }
            do {
                switch try outcome(connection) {
                case .answer(let answer): return send(answer, connection)
                case .stream(let stream): return try begin(stream, connection)
                case .change(let change):
                    stage = .change(change)
                    service.register(change.parking)
                    change.submit(to: service.controlPlane)
                case .wait(let poll):
                    stage = .wait(poll)
                    service.register(poll.parking)
                    poll.begin()
                    watch?.whenGone { poll.noteHangUp() }
                }
            } catch { return send(answer(to: error), connection) }
        }
        while true {
            switch stage {
            case .change(let change):
                change.parking.look()
                if let answer = answer(of: change) { return send(answer, connection) }
                if change.parking.park(connection) { return true }
            case .wait(let poll):
                poll.parking.look()
                do {
                    try checkStillGood()
                    if let answer = try poll.answer() { return send(answer, connection) }
                } catch { return send(answer(to: error), connection) }
                if poll.parking.park(connection) { return true }
            case .begun, .receiving, .stream, .pages, .answered: return false
            }
        }
    }

    /// The request is over, answered or not.
    func finish() {
        switch stage {
        case .change(let change):
            change.parking.end()
            service.unregister(change.parking)
        case .wait(let poll):
            poll.finish()
            service.unregister(poll.parking)
        case .stream(let stream):
            stream.finish()
            service.unregister(stream.parking)
            service.counters.closeStream()
        case .pages(let pages):
            pages.finish()
            service.unregister(pages.parking)
        case .begun, .receiving, .answered: break
        }
        stage = .answered
        bulk?.end()
        let now = service.clock.now
        watch?.whenGone(nil)
        watch?.expect(
            within: .seconds(Int64(service.settings.headersTimeoutSeconds) * 2), from: now, orElse: nil)
        service.counters.count(method: method, status: status, duration: now - startedAt)
        // Who tries to change routing is worth a line, and each change costs a write to the disk anyway; reads come by
        // the thousand, and /metrics counts them.
        let isRead = method == "GET" || method == "HEAD" || method == "OPTIONS"
        let level: HTTPLogLevel = status >= 500 ? .error : isRead ? .debug : .info
        guard service.surroundings.isLogged(level) else { return }
        service.log(
            level, "request",
            [
                ("method", String(method.prefix(32))), ("path", routed?.target.path ?? targetText ?? ""),
                ("status", "\(status)"), ("who", identity?.who ?? "nobody"),
                ("duration_us", "\((now - startedAt).nanoseconds / 1000)"), ("id", id),
            ])
    }

    /// How much of a refused body is read and thrown away before the client is told.
    private var discardLimitBytes: Int {
        let (bytes, overflow) = service.settings.bodyLimitBytes.multipliedReportingOverflow(by: 4)
        return max(overflow ? .max : bytes, isBulk ? 4 << 20 : 0)
    }

    /// Throws a piece of a refused body away. Who sends more than is worth waiting for is told without waiting for the
    /// end, and then so much again is read that the answer is not lost: to close a socket that holds unread bytes takes
    /// back what was just sent (RFC 9112 section 9.6).
    private func discard(_ count: Int) -> Received {
        discardedBytes += count
        guard let refused, discardedBytes > discardLimitBytes else { return .taken }
        if !isTold {
            (isTold, status) = (true, refused.status)
            guard let watch, watch.tell(service.rawAnswer(refused, requestID: id)) else { return .ended }
        }
        return discardedBytes / 4 <= discardLimitBytes ? .taken : .ended
    }

    private var isBulk: Bool { routed?.route.endpoint.bulkHandler != nil }

    /// How long the body may be.
    private var limitBytes: Int { isBulk ? service.settings.bulkLimitBytes : service.settings.bodyLimitBytes }

    private var tooLarge: HTTPProblem {
        HTTPProblem(
            .tooLarge,
            "the body is larger than the limit of \(limitBytes) bytes "
                + "(\(isBulk ? "--api-bulk-limit-bytes" : "--api-body-limit-bytes"))")
    }

    private func checkHeaders(_ connection: OpaquePointer, version: String) throws(Route.Failure) {
        do {
            // First of all: no other refusal ends the connection, whose next bytes may not be the next request.
            try headers.checkFraming(version: version)
            let limit = service.settings.headerLimitBytes
            guard tandem_http_header_bytes(connection) <= limit else {
                throw HTTPProblem(
                    .headersTooLarge,
                    "request line and header fields are larger than the limit of \(limit) bytes "
                        + "(--api-header-limit-bytes)")
            }
            try service.hostGuard.check(headers)
            guard let targetText else { throw HTTPProblem(.malformed, "the request target is not UTF-8") }
            let target = try RequestTarget(targetText)
            if let authority = target.authority { try service.hostGuard.check(authority: authority) }
            let route: Route
            do { route = try Route(method, target) } catch {
                if case .problem(let problem) = error { throw problem }
                throw error
            }
            routed = (target, route)
            identity = try service.admit(headers, from: Self.address(of: connection), to: route.endpoint)
            try route.check(target, headers)
            if let length = headers.contentLength, Int(length).map({ $0 > limitBytes }) ?? true {
                throw tooLarge
            }
        } catch let problem as HTTPProblem {
            throw .problem(problem)
        } catch let failure as Route.Failure {
            throw failure
        } catch {
            throw .problem(HTTPProblem(.internalError, "the request could not be read"))
        }
    }

    private func outcome(_ connection: OpaquePointer) throws(HTTPProblem) -> HTTPOutcome {
        guard let (target, route) = routed, let identity else {
            throw HTTPProblem(.internalError, "a request without a route")
        }
        // The body may have taken its time: what was allowed then must be so still.
        try checkStillGood()
        if let bulk { return .change(bulk.upload.finish()) }
        let request = HTTPRequest(
            target: target, pathParameters: route.pathParameters, headers: headers, body: body,
            isHead: method == "HEAD", identity: identity, id: id)
        body = []
        let handler = route.endpoint.handler
        return route.endpoint.method == .post
            ? try service.once(request, handler) : try handler(service, request)
    }

    private static func address(of connection: OpaquePointer) -> IPAddress? {
        tandem_http_client_address(connection).flatMap { SocketAddress.read($0)?.0 }
    }

    private func checkStillGood() throws(HTTPProblem) {
        guard let identity, !service.controlPlane.tokens.isGood(identity) else { return }
        throw .unauthorised("the token was revoked or ended while the request was under way", error: "invalid_token")
    }

    private func answer(of change: PendingChange) -> HTTPAnswer? {
        switch change.outcome() {
        case .success(let answer): return answer
        case .failure(let problem): return answer(to: problem)
        case nil:
            guard service.isForced else { return nil }
            var problem = HTTPProblem(.outcomeUnknown, "the server stopped before the change was known to be on disk")
            problem.headers = [("Retry-After", "1")]
            return answer(to: problem)
        }
    }

    private func begin(_ stream: EventStream, _ connection: OpaquePointer) throws(HTTPProblem) -> Bool {
        let limit = service.settings.eventStreamLimitCount
        guard service.counters.openStream(limitCount: limit) else {
            var problem = HTTPProblem(
                .tooManyRequests, "the limit of \(limit) event streams is reached (--api-event-streams)")
            problem.headers = [("Retry-After", "5")]
            throw problem
        }
        stage = .stream(stream)
        service.register(stream.parking)
        stream.begin()
        watch?.whenGone { stream.noteHangUp() }
        status = 200
        return HTTPDaemon.queue(stream, headers: service.commonHeaders(requestID: id), connection)
    }

    private func answer(to failure: Route.Failure) -> HTTPAnswer {
        switch failure {
        case .options(let allow):
            var answer = HTTPAnswer(204)
            answer.headers.append(("Allow", allow))
            return answer
        case .problem(let problem): return answer(to: problem)
        }
    }

    private func answer(to problem: HTTPProblem) -> HTTPAnswer {
        if problem.kind == .internalError {
            service.log(.error, "request failed", [("id", id), ("detail", problem.detail)])
        }
        return problem.answer(requestID: id)
    }

    private func send(_ answer: HTTPAnswer, _ connection: OpaquePointer) -> Bool {
        status = answer.status
        // A client that does not read its answer is waited for as long as one that does not send its body.
        watch?.expect(
            within: service.settings.bodyTimeout, from: service.clock.now, orElse: nil, isClientsTurn: false)
        let headers =
            service.commonHeaders(requestID: id, revision: answer.revision, isPrivate: answer.isPrivate)
            + answer.headers
        let pace = HTTPDaemon.ReadingPace(watch, service.settings, from: service.clock.now)
        if let file = answer.file {
            let source = HTTPDaemon.FileSource(file, pace)
            return HTTPDaemon.queue(source, status: answer.status, headers: headers, connection)
        }
        if let pages = answer.pages {
            stage = .pages(pages)
            service.register(pages.parking)
            pages.begin()
            let source = HTTPDaemon.PageSource(pages, connection, pace, service)
            return HTTPDaemon.queue(source, status: answer.status, headers: headers, connection)
        }
        return HTTPDaemon.queue(answer, headers: headers, connection)
    }
}
