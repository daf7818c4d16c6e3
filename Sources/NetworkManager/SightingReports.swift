package import HTTPClient
package import Routing
import Synchronization
package import Time

/// Tells the redirect server's side what our calls see of its gateways (the method: a proxy apart sends it back), and
/// believes that side again once it has been told.
///
/// Each failure is told. Of a gateway that goes on answering it is told once a second: more would say nothing new.
package final class SightingReports: Sendable {
    /// Where reports go: the URL of an API and the token for it, as the settings say.
    package struct Direction: Sendable, Equatable {
        /// The URL of the API.
        package let api: String
        /// The bearer token; nil: none.
        package let token: String?

        /// A direction of its parts.
        package init(api: String, token: String?) { (self.api, self.token) = (api, token) }
    }

    private static let answerInterval: Duration = .seconds(1)

    private struct State {
        var direction: Direction?
        /// When a gateway was last told to answer, by its row.
        var answeredAt: [GatewaySlot: Instant] = [:]
    }

    private let table: GatewayInformationTable
    private let clock: any TimeSource
    private let sender: ReportSender
    private let tell: @Sendable (_ isWell: Bool, _ detail: String) -> Void
    private let state = Mutex(State())

    /// Reports that go nowhere yet.
    ///
    /// - Parameters:
    ///   - post: sends a request and calls back once, from any thread.
    ///   - tell: is called when sending begins to fail and when it goes again, for the log; must not block.
    package init(
        table: GatewayInformationTable, clock: any TimeSource,
        post: @escaping @Sendable (HTTPPost, @escaping @Sendable (HTTPPostResult) -> Void) -> Void,
        tell: @escaping @Sendable (_ isWell: Bool, _ detail: String) -> Void = { _, _ in }
    ) {
        (self.table, self.clock, self.tell) = (table, clock, tell)
        sender = ReportSender(
            reporter: "proxy", clock: clock, post: post,
            taken: { reports in
                // Who is dead is the redirect server's to say from now on: what it names next is tried in its order.
                for report in reports where report.outcome != .answered {
                    guard let slot = report.slot else { continue }
                    _ = table.putBack(slot, cause: .reported, now: clock.now, reporter: .networkManager)
                }
            }, tell: tell)
    }

    /// Begins to send, in this name.
    package func start(as name: String) {
        sender.sign(as: name)
        sender.start()
    }

    /// Ends the thread; what waits is lost.
    package func stop() { sender.stop() }

    /// Does what is due, and returns until when there is nothing more.
    func step() -> Instant? { sender.step() }

    /// What became of the reports.
    package var counts: ReportSender.Counts { sender.counts }

    /// Where reports go from now on; nil: nowhere. Costs little where it is where they went before.
    package func follow(_ direction: Direction?) {
        let isNew = state.withLock { state in
            defer { state.direction = direction }
            return state.direction != direction
        }
        guard isNew else { return }
        do throws(WebURL.Malformed) {
            sender.direct(
                to: try direction.map { (direction) throws(WebURL.Malformed) in
                    try ReportSender.Destination(api: direction.api, token: direction.token)
                })
        } catch {
            sender.direct(to: nil)
            tell(false, "report_to \(error.reason)")
        }
    }

    /// Takes in what was seen, from one thread. Cannot block.
    package func receive(_ sightings: [GatewaySighting]) {
        for sighting in sightings where isNews(sighting) {
            guard let gateway = table.remoteGateway(in: sighting.slot), !gateway.name.isEmpty else { continue }
            let (outcome, status) = Self.outcome(of: sighting)
            var report = OutgoingReport(
                gateway: gateway.name.string, outcome: outcome, sipStatus: status,
                at: clock.wallTime(of: sighting.at), callID: sighting.callID.isEmpty ? nil : sighting.callID.string)
            (report.retryAfterSeconds, report.slot) = (sighting.retryAfterSeconds, sighting.slot)
            sender.enqueue(report)
        }
    }

    private func isNews(_ sighting: GatewaySighting) -> Bool {
        state.withLock { state in
            guard state.direction != nil else { return false }
            guard sighting.outcome == .answered else {
                state.answeredAt[sighting.slot] = nil
                return true
            }
            if let last = state.answeredAt[sighting.slot], sighting.at - last < Self.answerInterval { return false }
            state.answeredAt[sighting.slot] = sighting.at
            return true
        }
    }

    private static func outcome(of sighting: GatewaySighting) -> (OutgoingReport.Outcome, status: Int?) {
        switch sighting.outcome {
        case .answered: (.answered, nil)
        case .noResponse: (.noResponse, nil)
        case .transportError: (.transportError, nil)
        case .failureResponse(let status): (.failureResponse, status)
        }
    }
}
