import JSON
import Routing
import Store
import Time

/// The events of API section 7 that the network manager makes itself.
enum NetworkManagerEvent {
    private static let nameLimitCount = 100

    /// `group.status.changed`.
    ///
    /// - Parameter change: the member's change that did it; nil: the routing data did.
    static func groupStatus(
        _ group: GroupWatch.Change, because change: StatusChange?, at time: WallTime, revision: Revision
    ) -> EventDraft {
        EventDraft(
            type: "group.status.changed", subject: ResourcePath(.gatewayGroups, group.group).text, time: time,
            data: .object([
                "gateway_group": .string(group.group), "at": .string(time.rfc3339),
                "from": .string(group.from.rawValue), "to": .string(group.to.rawValue),
                "gateway": change.map { .string($0.gateway) } ?? .null,
                "cause": change.map { .string($0.cause.name) } ?? .null, "revision": .integer(revision.number),
            ]))
    }

    /// `network.suspected`, when the suspicion begins and when it ends.
    static func network(
        _ finding: NetworkWatch.Finding, gateways: [String], isHeld: Bool, at time: WallTime
    ) -> EventDraft {
        var data: [String: JSONValue] = [
            "suspected": .bool(finding.change == .suspected), "at": .string(time.rfc3339),
            "when_network_suspected": .string(isHeld ? "hold" : "ignore"),
            "gateways": .array(gateways.prefix(nameLimitCount).map { .string($0) }),
            "gateway_count": .integer(Int64(gateways.count)),
        ]
        if finding.change == .suspected { data["observed_count"] = .integer(Int64(finding.observedCount)) }
        return EventDraft(type: "network.suspected", subject: nil, time: time, data: .object(data))
    }
}
