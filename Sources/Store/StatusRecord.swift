package import JSON
package import Routing
package import Time

/// One change of one gateway's status, before it has its number.
package struct StatusChange: Equatable, Sendable {
    /// When.
    package let at: WallTime
    /// The gateway's id.
    package let gateway: String
    /// The gateway's URI at that time: another URI is another gateway.
    package let uri: String
    /// The status before.
    package let from: GatewayStatus
    /// The status after.
    package let to: GatewayStatus
    /// Why.
    package let cause: StatusCause
    /// The status code of the response that caused it.
    package let sipStatus: Int?
    /// Until when the gateway is left out; nil when in-service.
    package let timeValue: WallTime?
    /// Who saw it: `call`, `probe`, `clock`, `operator`, or whoever reported it.
    package let reporter: String
    /// The Call-ID of the call that saw it.
    package let callID: String?
    /// The revision of the routing data at that time.
    package let revision: Revision
    /// What the operator says to it.
    package var note: String?

    /// A change of its parts, without a note.
    package init(
        at: WallTime, gateway: String, uri: String, from: GatewayStatus, to: GatewayStatus, cause: StatusCause,
        sipStatus: Int?, timeValue: WallTime?, reporter: String, callID: String?, revision: Revision
    ) {
        (self.at, self.gateway, self.uri, self.from, self.to, self.cause) = (at, gateway, uri, from, to, cause)
        (self.sipStatus, self.timeValue, self.reporter) = (sipStatus, timeValue, reporter)
        (self.callID, self.revision) = (callID, revision)
    }
}

/// One stored status change of one gateway.
package struct StatusRecord: Equatable, Sendable {
    /// Its number among all status records, from 1 up.
    package let sequence: Int64
    /// The node that saw it.
    package let observer: String
    /// What changed.
    package let change: StatusChange
    /// Who has taken note of it; nil: nobody yet.
    package var acknowledgement: Acknowledgement?

    /// A record of its parts.
    package init(sequence: Int64, observer: String, change: StatusChange) {
        (self.sequence, self.observer, self.change) = (sequence, observer, change)
    }

    /// The record as the API and the event's data show it (API section 6).
    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "sequence": .integer(sequence), "at": .string(change.at.rfc3339), "gateway": .string(change.gateway),
            "from": .string(change.from.rawValue), "to": .string(change.to.rawValue),
            "cause": .string(change.cause.name), "sip_status": change.sipStatus.map { .integer(Int64($0)) } ?? .null,
            "time_value": change.timeValue.map { .string($0.rfc3339) } ?? .null,
            "reporter": .string(change.reporter), "call_id": change.callID.map { .string($0) } ?? .null,
            "revision": .integer(change.revision.number), "observer": .string(observer),
        ]
        if let note = change.note { members["note"] = .string(note) }
        if let acknowledgement { members["acknowledgement"] = acknowledgement.json }
        return .object(members)
    }
}
