package import HTTPClient
import JSON
import Synchronization
package import Time

/// Sends what a remote proxy saw of the gateways to the API of the redirect server's side (`report_to`): batched, in
/// order, again until it is taken, bounded: when 10,000 wait the oldest is dropped and counted.
package final class ReportSender: Sendable {
    /// Where reports go.
    package struct Destination: Sendable {
        /// Where reports are posted.
        package let url: WebURL
        /// The bearer token; nil: none.
        package let token: String?

        /// The reports of the API at a URL, which may have a path: `https://rs.example:8080`. Throws for a text that
        /// is no URL.
        package init(api text: String, token: String?) throws(WebURL.Malformed) {
            let given = try WebURL(text)
            let base = given.target.hasSuffix("/") ? String(given.target.dropLast()) : given.target
            url = try given.replacing(target: base + "/v1/status-reports")
            self.token = token
        }
    }

    /// What became of the reports since the start.
    package struct Counts: Sendable, Equatable {
        /// Those that wait, under way among them.
        package var waiting = 0
        /// Those that the other side has taken.
        package var sent: UInt64 = 0
        /// Those that were dropped because too many waited.
        package var dropped: UInt64 = 0
        /// Those that the other side refused for good.
        package var refused: UInt64 = 0
    }

    private struct State {
        var reports: OutgoingReports
        var destination: Destination?
        /// The last request was not taken.
        var isFailing = false
    }

    private let reporter: Mutex<String>
    private let clock: any TimeSource
    private let taken: @Sendable ([OutgoingReport]) -> Void
    private let post: @Sendable (HTTPPost, @escaping @Sendable (HTTPPostResult) -> Void) -> Void
    private let tell: @Sendable (_ isWell: Bool, _ detail: String) -> Void
    private let state: Mutex<State>
    private let thread: DeliveryThread

    /// A sender that works from `start` on.
    ///
    /// - Parameters:
    ///   - reporter: the name of this node, as the records of the other side will show it.
    ///   - post: sends a request and calls back once, from any thread.
    ///   - taken: is called with reports that the other side has taken; must not block.
    ///   - tell: is called when sending begins to fail and when it goes again, for the log; must not block.
    package init(
        reporter: String, clock: any TimeSource,
        post: @escaping @Sendable (HTTPPost, @escaping @Sendable (HTTPPostResult) -> Void) -> Void,
        taken: @escaping @Sendable ([OutgoingReport]) -> Void = { _ in },
        tell: @escaping @Sendable (_ isWell: Bool, _ detail: String) -> Void = { _, _ in }
    ) {
        self.reporter = Mutex(reporter)
        (self.clock, self.post, self.taken, self.tell) = (clock, post, taken, tell)
        state = Mutex(State(reports: OutgoingReports()))
        thread = DeliveryThread(name: "tandem-reports", clock: clock)
    }

    /// Where reports go from now on; nil: nowhere, and what is enqueued is not kept.
    package func direct(to destination: Destination?) {
        state.withLock { state in
            state.destination = destination
            if destination == nil { state.reports = OutgoingReports() }
        }
        thread.wake()
    }

    /// Whose reports they are from now on.
    package func sign(as name: String) { reporter.withLock { $0 = name } }

    /// Takes a report in, from any thread. Cannot block.
    package func enqueue(_ report: OutgoingReport) {
        let now = clock.now
        let mustLook = state.withLock { state in
            state.destination == nil ? false : state.reports.append(report, at: now)
        }
        if mustLook { thread.wake() }
    }

    /// What became of the reports.
    package var counts: Counts {
        state.withLock { state in
            Counts(
                waiting: state.reports.count, sent: state.reports.sentCount, dropped: state.reports.droppedCount,
                refused: state.reports.refusedCount)
        }
    }

    /// Begins to send, on a thread of its own.
    package func start() { thread.start { [weak self] in self?.step() } }

    /// Ends the thread; what waits is lost, as it would be old by the next start.
    package func stop() { thread.stop() }

    /// Does what is due, and returns until when there is nothing more.
    func step() -> Instant? {
        let (step, destination) = state.withLock { state -> (OutgoingReports.Step, Destination?) in
            guard let destination = state.destination else { return (.wait(until: nil), nil) }
            return (state.reports.next(at: clock.now), destination)
        }
        switch step {
        case .wait(let until): return until
        case .send(let reports):
            if let destination { send(reports, to: destination) }
            return nil
        }
    }

    private func send(_ reports: [OutgoingReport], to destination: Destination) {
        var request = HTTPPost(to: destination.url, rule: .anywhere)
        request.headers = [("Content-Type", "application/json")]
        if let token = destination.token { request.headers.append(("Authorization", "Bearer \(token)")) }
        let reporter = reporter.withLock { $0 }
        let body = JSONValue.object(["reporter": .string(reporter), "reports": .array(reports.map(\.json))])
        request.body = Array(body.canonicalText.utf8)
        post(request) { [self] result in
            let ending = Self.ending(result)
            let news = state.withLock { state -> Bool? in
                state.reports.finish(ending, at: clock.now, chance: UInt64.random(in: .min ... .max))
                var isWell = false
                if case .taken = ending { isWell = true }
                guard state.isFailing == isWell else { return nil }
                state.isFailing = !isWell
                return isWell
            }
            if case .taken = ending { taken(reports) }
            if let news { tell(news, Self.text(of: result)) }
            thread.wake()
        }
    }

    private static func ending(_ result: HTTPPostResult) -> OutgoingReports.Ending {
        switch result.outcome {
        case .response(let status, let retryAfter):
            if result.isSuccess { return .taken }
            // A wrong token or a busy server may be mended; what it can't read, it never will.
            let isForGood = (400...499).contains(status) && ![401, 403, 404, 408, 425, 429].contains(status)
            return isForGood ? .refused : .failed(retryAfter: retryAfter)
        case .failure: return .failed(retryAfter: nil)
        }
    }

    private static func text(of result: HTTPPostResult) -> String {
        switch result.outcome {
        case .response(let status, _): "status \(status)"
        case .failure(let failure): failure.text
        }
    }
}
