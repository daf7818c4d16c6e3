package import Addressing
import JSON
package import Routing
import Store
import Time

/// The settings of API section 3 as values: what the process follows beside its command line.
package struct Settings: Equatable, Sendable {
    /// What calls follow.
    package private(set) var routing = RoutingSettings()
    /// Where a proxy apart sends what it saw of the gateways: the URL of an API; nil: nowhere.
    package private(set) var reportTo: String?
    /// The token for `reportTo`.
    package private(set) var reportToken: String?
    /// Which networks webhooks may reach although they are private.
    package private(set) var webhookNetworks: [Network] = []
    /// How many call records are kept at most.
    package private(set) var callRecordLimitCount = 100_000
    /// For how many days status records are kept.
    package private(set) var statusRecordDays = 90
    /// What was set for all gateways.
    private(set) var gatewayDefaults = GatewayDefaults()

    /// The settings of a new database.
    init() {}

    /// The settings that an object holds; nil for a body that no version of ours wrote.
    init?(_ object: StoredObject) {
        let body = object.body
        var servers: [RedirectServer] = []
        for entry in body.entries("redirect_servers") {
            guard let server = entry.text.flatMap({ RedirectServer(uri: $0) }) else { return nil }
            servers.append(server)
        }
        guard let networks = body.networks("webhook_networks") else { return nil }
        routing.redirectServers = servers
        routing.isRecordRouting = body["record_route"] != .bool(false)
        routing.whenNetworkSuspected = body.word("when_network_suspected") ?? routing.whenNetworkSuspected
        routing.movesWaitingCallsOn = body["move_waiting_calls"] != .bool(false)
        (reportTo, reportToken) = (body["report_to"]?.text, body["report_token"]?.text)
        webhookNetworks = networks
        callRecordLimitCount = body.whole("call_records_kept") ?? callRecordLimitCount
        statusRecordDays = body.whole("status_records_kept_days") ?? statusRecordDays
        if case .object(let members)? = body["gateway_defaults"] {
            gatewayDefaults = GatewayDefaults(members, since: object.revision)
        }
        routing.remoteDefaults = RemoteTarget.Rules(gateway: gatewayDefaults.applied(to: .object([:])))
    }
}

/// What applies to every gateway that does not say otherwise.
struct GatewayDefaults: Equatable, Sendable {
    private let members: [String: JSONValue]
    /// The revision that made them what they are; 0 when there are none.
    private let revision: Revision

    /// Nothing but the defaults of the API.
    init() { (members, revision) = ([:], Revision(0)) }

    init(_ members: [String: JSONValue], since revision: Revision) {
        self.members = members
        self.revision = members.isEmpty ? Revision(0) : revision
    }

    /// What was set of the two; of an object within, such as `probe`, member by member.
    func applied(to body: JSONValue) -> JSONValue {
        members.isEmpty ? body : JSONValue.object(members).merged(with: body)
    }

    /// True when a gateway that says nothing is the same with both.
    func saysTheSame(as other: GatewayDefaults) -> Bool { members == other.members }

    /// The revision that made the gateway of an object what it is, what applies to it among that.
    func revision(of object: StoredObject) -> Revision { max(object.revision, revision) }
}

extension StoredObject {
    /// The settings before the first change of them: they always exist.
    static let newSettings = StoredObject(
        path: .settings, body: .object([:]), revision: Revision(0), createdAt: WallTime(milliseconds: 0),
        updatedAt: WallTime(milliseconds: 0))
}
