import Addressing
import ControlPlane
import Fixtures
import Foundation
import HTTPClient
import JSON
import NetworkManager
import Routing
import Store
import Synchronization
import Time

@testable import HTTPAPI

/// The real control plane over a database in a folder of its own, served on a free port.
final class APIFixture: Sendable {
    let controlPlane: ControlPlane
    let server: HTTPServer
    let port: UInt16
    let log = LogLines()
    private let outgoing = HTTPClient(userAgent: "Tandem/1.2.3", clock: MachineClock())
    private let store: Store
    private let gate: CommitGate?
    private let folder: TemporaryFolder

    /// - Parameter gate: holds every commit back while it is closed.
    init(
        gate: CommitGate? = nil, _ adjust: (inout HTTPSettings, inout HTTPSurroundings) -> Void = { _, _ in }
    ) throws {
        folder = try TemporaryFolder()
        let clock = MachineClock()
        let store = try Store(path: folder.file(), node: "n1", at: clock.wallTime)
        (self.store, self.gate) = (store, gate)
        gate?.store.withLock { $0 = store }
        controlPlane = try ControlPlane(store: store, changeLog: gate, clock: clock)
        controlPlane.start()
        var settings = HTTPSettings(address: IPAddress(ipv4: 0x7F00_0001), port: 0)
        settings.version = "1.2.3"
        var surroundings = HTTPSurroundings()
        surroundings.log = { [log] level, message, fields in log.append(level, message, fields) }
        adjust(&settings, &surroundings)
        server = HTTPServer(settings: settings, controlPlane: controlPlane, clock: clock, surroundings: surroundings)
        try server.start()
        port = server.boundAddress?.port ?? 0
    }

    deinit {
        gate?.open()
        server.stop()
        controlPlane.endDeliveries()
        outgoing.stop()
        controlPlane.stop()
        store.close()
    }

    /// Webhooks get their events from now on.
    func beginDeliveries() {
        outgoing.start()
        controlPlane.beginDeliveries(post: { [outgoing] in outgoing.post($0, whenDone: $1) })
    }

    /// All changes of the routing data, as the database holds them.
    func entries() throws -> [ChangeEntry] { try store.entries(after: Revision(0), limit: 1000) }

    /// What else was changed by whom.
    func audit() throws -> [AuditEntry] { try store.auditEntries(after: 0, limit: 1000).map(\.entry) }

    func client() throws -> RawClient { try RawClient(port: port) }

    /// One request on a connection of its own.
    func request(
        _ method: String, _ target: String, headers: [String: String] = [:], body: String? = nil
    ) throws -> RawClient.Response {
        try client().request(method, target, headers: headers, body: body)
    }

    /// Provisions the example of API section 3.
    func provision() throws -> [Int] {
        let client = try client()
        return try [
            ("gateways/lon1", "{\"uri\":\"sip:192.0.2.10:5060\"}"),
            ("gateways/lon2", "{\"uri\":\"sip:192.0.2.11:5060\"}"),
            (
                "gateway-groups/london",
                "{\"policy\":\"ordered\",\"members\":[{\"gateway\":\"lon1\"},{\"gateway\":\"lon2\"}]}"
            ),
            ("routing-lists/uk", "{\"groups\":[{\"group\":\"london\"}]}"),
            ("routing-plans/default/routes/44", "{\"routing_list\":\"uk\"}"),
        ].map { path, body in
            let type = "application/x-www-form-urlencoded"
            return try client.request("PUT", "/v1/\(path)", headers: ["Content-Type": type], body: body).status
        }
    }

    /// Takes a gateway out of service, as a call that got no response does.
    func takeOut(_ gateway: String) {
        guard let slot = controlPlane.snapshots.latest.gateways.first(where: { $0.id == gateway })?.slot else { return }
        let now = MachineClock().now
        let transition = controlPlane.table.takeOut(
            slot, until: now + .seconds(600), cause: .noResponse, now: now, reporter: .call)
        if let transition { controlPlane.networkManager.receive([transition]) }
    }
}

/// A disk that is as slow as a test wants it.
final class CommitGate: ChangeLog {
    let store = Mutex<Store?>(nil)
    private let isClosed = Mutex(false)
    private let changed = DispatchSemaphore(value: 0)

    func close() { isClosed.withLock { $0 = true } }

    func open() {
        isClosed.withLock { $0 = false }
        changed.signal()
    }

    func readOnlyReason() -> String? { nil }

    func append(_ batch: CommitBatch) -> AppendOutcome {
        while isClosed.withLock({ $0 }) { changed.wait() }
        guard let store = store.withLock({ $0 }) else { return .unavailable(reason: "no store") }
        return store.append(batch)
    }
}

/// The machine's clocks.
struct MachineClock: TimeSource {
    var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
    var wallTime: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

/// What was logged.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    func append(_ level: HTTPLogLevel, _ message: String, _ fields: [(name: String, value: String)]) {
        let line = "\(level.rawValue) \(message) " + fields.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        lines.withLock { $0.append(line) }
    }

    var all: [String] { lines.withLock { $0 } }
}

extension RawClient.Response {
    /// The body as JSON; null when it is none.
    var json: JSONValue {
        do { return try JSONValue(parsing: Array(body.utf8)) } catch { return .null }
    }

    /// A member of the body that is text.
    func text(_ name: String) -> String? { json[name]?.text }
}
