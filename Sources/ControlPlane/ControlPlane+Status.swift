package import JSON
import NetworkManager
import Routing
package import Store
import Synchronization
import Time

extension ControlPlane {
    /// The gateway information table, in the order of ids, behind `after`.
    package func statuses(_ query: StatusQuery) throws(Refusal) -> ResourcePage {
        let state = state
        var ids = query.group == nil ? gatewayIDs(of: state)[...] : []
        if let id = query.group {
            guard let group = state.builder.groups[id] else { throw .notFound(ResourcePath(.gatewayGroups, id)) }
            ids = group.members.map(\.gateway).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }[...]
        }
        if let after = query.after { ids = ids[Self.start(behind: after, in: ids)...] }
        let limit = min(max(query.limitCount, 1), Self.pageLimitCount)
        var items: [JSONValue] = []
        var last: String?
        for id in ids {
            guard let slot = state.builder.slot(of: id) else { continue }
            if let status = query.status, table.status(of: slot).status != status { continue }
            guard items.count < limit else {
                return ResourcePage(items: items, next: last, revision: state.position.revision.number)
            }
            items.append(json(id, slot, state))
            last = id
        }
        return ResourcePage(items: items, next: nil, revision: state.position.revision.number)
    }

    /// The ids in order, sorted once a revision: a walk over pages would sort them for each.
    func gatewayIDs(of state: CommittedState) -> [String] {
        let revision = state.position.revision
        if let known = sortedIDs.withLock({ $0 }), known.revision == revision { return known.ids }
        let ids = state.builder.gateways.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        sortedIDs.withLock { $0 = (revision, ids) }
        return ids
    }

    /// The position of the first id behind another, in ids that are in order.
    private static func start(behind id: String, in ids: ArraySlice<String>) -> Int {
        var (low, high) = (ids.startIndex, ids.endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if id.utf8.lexicographicallyPrecedes(ids[middle].utf8) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The status of one gateway.
    package func status(ofGateway id: String) throws(Refusal) -> Revised<JSONValue> {
        let state = state
        guard let slot = state.builder.slot(of: id) else { throw .notFound(ResourcePath(.gateways, id)) }
        return Revised(json(id, slot, state), revision: state.position.revision)
    }

    /// The status of a group: in-service while one usable member is.
    package func status(ofGroup id: String) throws(Refusal) -> Revised<JSONValue> {
        let state = state
        guard let group = state.builder.groups[id] else { throw .notFound(ResourcePath(.gatewayGroups, id)) }
        var isInService = false
        var members: [JSONValue] = []
        for member in group.members {
            guard let slot = state.builder.slot(of: member.gateway) else { continue }
            let word = table.status(of: slot)
            let administrativeState = state.builder.gateways[member.gateway]?.administrativeState ?? .unlocked
            if word.status == .inService, administrativeState == .unlocked { isInService = true }
            let status = GatewayState(word, lastChange: lastChange(of: member.gateway), clock: clock)
            members.append(
                .object([
                    "gateway": .string(member.gateway), "status": .string(word.status.rawValue),
                    "administrative_state": .string(administrativeState.rawValue),
                    "time_value": status.timeValueJSON, "cause": status.causeJSON,
                ]))
        }
        let status: GatewayStatus = isInService ? .inService : .outOfService
        let body: [String: JSONValue] = [
            "gateway_group": .string(id), "status": .string(status.rawValue), "members": .array(members),
        ]
        return Revised(.object(body), revision: state.position.revision)
    }

    /// The last known change of the gateway with the URI that it has.
    func lastChange(of gateway: String) -> StatusChange? {
        guard let change = networkManager.lastChange(of: gateway),
            state.builder.gateways[gateway]?.uri == change.uri
        else { return nil }
        return change
    }

    /// A row as API section 6 shows it.
    private func json(_ id: String, _ slot: GatewaySlot, _ state: CommittedState) -> JSONValue {
        let status = GatewayState(table.status(of: slot), lastChange: lastChange(of: id), clock: clock)
        let counts = table.counts(of: slot)
        var lastResult = JSONValue.null
        var roundTrip = JSONValue.null
        if counts.lastProbeAt != nil {
            let isAnswered = counts.lastProbeStatus != 0
            let silence = counts.isLastProbeTransportError ? "transport-error" : "no-response"
            lastResult = isAnswered ? .integer(Int64(counts.lastProbeStatus)) : .string(silence)
            if isAnswered { roundTrip = .number(Double(counts.lastProbeMicroseconds) / 1000) }
        }
        let observed: [String: JSONValue] = [
            "status": .string(status.word.status.rawValue), "since": status.sinceJSON,
            "time_value": status.timeValueJSON, "cause": status.causeJSON, "reporter": status.reporterJSON,
        ]
        let own: [String: JSONValue] = [
            "gateway": .string(id),
            "administrative_state": .string(
                (state.builder.gateways[id]?.administrativeState ?? .unlocked).rawValue),
            "active_calls": .integer(Int64(counts.liveCalls)), "response_ms": responseTimes(of: slot),
            "observers": .array([.object(observed.merging(["node": .string(store.node)]) { $1 })]),
            "calls_answered": .integer(Int64(clamping: counts.answered)),
            "calls_failed": .integer(Int64(clamping: counts.failed)),
            "consecutive_failures": .integer(Int64(counts.consecutiveFailures)),
            "probe": .object([
                "last_at": counts.lastProbeAt.map { .string(clock.wallTime(of: $0).rfc3339) } ?? .null,
                "last_result": lastResult, "round_trip_ms": roundTrip,
                "failures": .integer(Int64(counts.probeFailures)),
            ]),
        ]
        return .object(own.merging(observed) { $1 })
    }

    /// Of the first responses to calls; null before the first.
    private func responseTimes(of slot: GatewaySlot) -> JSONValue {
        func milliseconds(_ duration: Duration?) -> JSONValue {
            duration.map { .number(Double($0.nanoseconds / 1000) / 1000) } ?? .null
        }
        let times = table.responseTimes(of: slot)
        return .object(["p50": milliseconds(times?.p50), "p95": milliseconds(times?.p95)])
    }
}

/// A row of the table beside its last record. The row decides; the record adds who and when, as long as it speaks of
/// the same change: a change that has just been made may not have its record yet.
struct GatewayState {
    let word: StatusWord
    private let record: StatusChange?
    private let timeValue: WallTime?

    init(_ word: StatusWord, lastChange: StatusChange?, clock: any TimeSource) {
        self.word = word
        let converted = word.timeValue.map { clock.wallTime(of: $0) }
        let isSame = lastChange.map { change in
            guard change.to == word.status, change.cause.name == word.cause?.name else { return false }
            guard let shown = change.timeValue, let converted else {
                return change.timeValue == nil && converted == nil
            }
            // The row counts in whole milliseconds, and the wall clock may have been set a little.
            return abs(shown.milliseconds.subtractingReportingOverflow(converted.milliseconds).partialValue) <= 1000
        }
        record = isSame == true ? lastChange : nil
        timeValue = record?.timeValue ?? converted
    }

    var timeValueJSON: JSONValue { timeValue.map { .string($0.rfc3339) } ?? .null }
    var causeJSON: JSONValue { word.cause.map { .string($0.name) } ?? .null }
    var sinceJSON: JSONValue { record.map { .string($0.at.rfc3339) } ?? .null }
    var reporterJSON: JSONValue { record.map { .string($0.reporter) } ?? .null }
}
