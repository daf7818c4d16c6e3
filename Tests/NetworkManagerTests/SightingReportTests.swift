import Addressing
import Fixtures
import HTTPClient
import JSON
import Routing
import Synchronization
import Testing
import Time

@testable import NetworkManager

/// What our calls see of gateways that are provisioned elsewhere, on its way there.
struct SightingReportTests {
    /// The other side: takes everything, or nothing.
    private final class OtherSide: Sendable {
        let posts = Mutex<[HTTPPost]>([])
        let status = Mutex(200)

        func post(_ post: HTTPPost, _ done: @Sendable (HTTPPostResult) -> Void) {
            posts.withLock { $0.append(post) }
            done(HTTPPostResult(.response(status: status.withLock { $0 }, retryAfter: nil), duration: .zero))
        }

        /// All reports that came, in their order.
        func reports() throws -> [JSONValue] {
            try posts.withLock { $0 }.flatMap { post -> [JSONValue] in
                guard case .array(let reports)? = try JSONValue(parsing: post.body)["reports"] else { return [] }
                return reports
            }
        }
    }

    private let table = GatewayInformationTable()
    private let clock = StandingClock()
    private let other = OtherSide()
    private let reports: SightingReports

    init() {
        reports = SightingReports(table: table, clock: clock, post: { [other] in other.post($0, $1) })
        reports.follow(.init(api: "http://127.0.0.1:8081", token: "t"))
    }

    private func slot(_ name: String) throws -> GatewaySlot {
        let address = TransportAddress(.udp, try #require(IPAddress("192.0.2.1")), port: 5060)
        return table.remoteSlot(of: RemoteGateway(name: ShortText(name), address: address))
    }

    private func see(_ name: String, _ outcome: AttemptOutcome, retryAfter: Int64? = nil) throws {
        reports.receive([
            GatewaySighting(
                slot: try slot(name), outcome: outcome, retryAfterSeconds: retryAfter, at: clock.now,
                callID: ShortText("call@x"))
        ])
    }

    /// Lets time pass, and the reports that wait go.
    private func send(after duration: Duration = .milliseconds(300)) {
        clock.move(by: duration)
        while reports.step() == nil, reports.counts.waiting > 0 {}
    }

    @Test func `each failure is told by the gateway's name, with what it said of itself`() throws {
        try see("lon1", .noResponse)
        try see("lon1", .failureResponse(status: 503), retryAfter: 17)
        try see("lon2", .transportError)
        try see("", .noResponse)  // nobody said how it is called
        send()
        let told = try other.reports()
        #expect(told.map { $0["gateway"]?.text } == ["lon1", "lon1", "lon2"])
        #expect(told.map { $0["outcome"]?.text } == ["no-response", "failure-response", "transport-error"])
        #expect(told[1]["sip_status"] == .integer(503) && told[1]["retry_after_s"] == .integer(17))
        #expect(
            told[0]["call_id"]?.text == "call@x"
                && told[0]["at"]?.text
                    == clock.wallTime(
                        of: clock.now
                            + .milliseconds(-300)
                    ).rfc3339
        )
    }

    @Test func `answers are told once a second a gateway, and at once behind a failure`() throws {
        for _ in 0..<5 {
            try see("lon1", .answered)
            try see("lon2", .answered)
            clock.move(by: .milliseconds(100))
        }
        try see("lon1", .noResponse)
        try see("lon1", .answered)
        clock.move(by: .milliseconds(600))
        try see("lon1", .answered)
        try see("lon2", .answered)
        send()
        let told = try other.reports().map { "\($0["gateway"]?.text ?? "") \($0["outcome"]?.text ?? "")" }
        #expect(told == ["lon1 answered", "lon2 answered", "lon1 no-response", "lon1 answered", "lon2 answered"])
    }

    @Test func `once it is told, the other side says who is dead`() throws {
        let slot = try slot("lon1")
        func fall() {
            _ = table.observe(slot, .noResponse, of: StatusRules(), begun: clock.now, now: clock.now)
        }
        fall()
        other.status.withLock { $0 = 503 }
        try see("lon1", .noResponse)
        send()
        #expect(table.status(of: slot).status == .outOfService, "nobody has taken it")
        other.status.withLock { $0 = 200 }
        send(after: .seconds(40))
        #expect(table.status(of: slot).status == .inService)
    }

    @Test func `without a place to go nothing is kept, and another place gets what is seen from then on`() throws {
        reports.follow(nil)
        try see("lon1", .noResponse)
        send()
        #expect(try other.reports().isEmpty)
        reports.follow(.init(api: "https://rs.example/t/", token: nil))
        try see("lon1", .noResponse)
        send()
        #expect(other.posts.withLock { $0.map(\.url.text) } == ["https://rs.example/t/v1/status-reports"])
        reports.follow(.init(api: "nonsense", token: nil))
        try see("lon1", .noResponse)
        send()
        #expect(other.posts.withLock { $0.count } == 1)
    }
}
