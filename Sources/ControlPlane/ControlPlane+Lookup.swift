import Addressing
package import JSON
import NetworkManager
import Routing
package import Store
import Time

extension ControlPlane {
    /// What a call would get (API section 5), by the same function, without changing anything.
    package func lookup(_ query: LookupQuery) throws(Refusal) -> Revised<JSONValue> {
        guard TextRules.reason(againstUserPart: query.number) == nil else {
            throw Refusal(
                .malformed, "number: the user part of a Request-URI is needed, such as %2B442071234567 or alice.")
        }
        var snapshot = snapshots.latest
        var table = table
        if let revision = query.revision, revision != snapshot.revision.number {
            (snapshot, table) = try past(query, at: Revision(revision))
        }
        let plan = try plan(of: query, in: snapshot)
        var answer: [String: JSONValue] = [
            "revision": .integer(snapshot.revision.number), "routing_plan": .null, "matched_prefix": .null,
            "routing_list": .null, "targets": .array([]), "left_out": .array([]),
        ]
        if snapshot.isApart {
            answer["redirect_servers"] = .array(snapshot.settings.redirectServers.map { .string($0.uri) })
        }
        if isPeerFull(query, snapshot) {
            answer.merge(
                Self.failure(
                    status: 503, reason: "the ingress peer has as many calls as it may have", retryAfterSeconds: 1)
            ) { $1 }
        } else if let plan {
            explain(query, plan, snapshot, table, into: &answer)
        } else {
            let failure = RoutingFailure.unknownPeer
            answer.merge(
                Self.failure(status: failure.status, reason: failure.reason, retryAfterSeconds: nil)
            ) { $1 }
        }
        return Revised(.object(answer), revision: snapshot.revision)
    }

    /// True when the ingress peer that the call comes from may not have one more call.
    private func isPeerFull(_ query: LookupQuery, _ snapshot: RoutingSnapshot) -> Bool {
        guard let source = query.source.flatMap({ IPAddress($0) }), let peer = snapshot.peer(for: source),
            let slot = state.builder.slot(ofPeer: snapshot.name(of: peer))  // of an earlier revision's: as it is now
        else { return false }
        return !peers.allows(slot, peer.limits, now: now(of: query))
    }

    /// When the call comes.
    private func now(of query: LookupQuery) -> Instant { query.at.map { clock.instant(of: $0) } ?? clock.now }

    private func explain(
        _ query: LookupQuery, _ plan: PlanNumber, _ snapshot: RoutingSnapshot, _ table: GatewayInformationTable,
        into answer: inout [String: JSONValue]
    ) {
        let now = now(of: query)
        let call = RoutingQuery(
            number: query.number, caller: query.caller, callID: query.callID, in: plan, now: now,
            wallTime: query.at ?? clock.wallTime)
        var set = TargetSet()
        let (outcome, reasons) = snapshot.explain(call, status: table, into: &set)
        answer["routing_plan"] = .string(snapshot.name(of: plan))
        answer["matched_prefix"] = reasons.matchedPrefix.map { .string($0.description) } ?? .null
        answer["routing_list"] = reasons.routingList.map { .string($0) } ?? .null
        answer["targets"] = .array(
            set.targets.enumerated().map { index, target in
                .object([
                    "gateway": .string(reasons.targetGateways[index]), "group": .string(reasons.targetGroups[index]),
                    "request_uri": .string(set.requestURI(of: target, user: query.number)),
                    "response_timeout_ms": .integer(Int64(target.timing.responseTimeoutMilliseconds)),
                    "resends": .integer(Int64(target.timing.resendLimit)),
                    "suspect": .bool(reasons.targetSuspicions[index]),
                ])
            })
        answer["left_out"] = .array(reasons.leftOut.map { json($0) })
        switch outcome {
        case .targets: answer["outcome"] = .string("targets")
        case .failure(let failure):
            let retryAfter = failure.retryAfterSeconds(at: now)
            answer.merge(
                Self.failure(status: failure.status, reason: failure.reason, retryAfterSeconds: retryAfter)
            ) { $1 }
        }
    }

    /// The plan that the call would be looked up in; nil when its source may not call.
    func plan(of query: LookupQuery, in snapshot: RoutingSnapshot) throws(Refusal) -> PlanNumber? {
        let source = query.source.flatMap { IPAddress($0) }
        guard source != nil || query.source == nil else {
            throw Refusal(.malformed, "source: an IP address is needed, such as 192.0.2.1 or 2001:db8::1.")
        }
        switch snapshot.plan(named: query.plan, ofSource: source) {
        case .plan(let plan): return plan
        case .unknownPeer: return nil
        case .noSuchPlan(let name): throw Refusal(.notFound, "plan: there is no routing plan \(name).")
        }
    }

    private func json(_ leftOut: SelectionReasons.LeftOut) -> JSONValue {
        let isOut = leftOut.status.status == .outOfService
        let status = GatewayState(leftOut.status, lastChange: lastChange(of: leftOut.gateway), clock: clock)
        return .object([
            "gateway": .string(leftOut.gateway), "group": .string(leftOut.group),
            "reason": .string(leftOut.reason.rawValue),
            "time_value": isOut ? status.timeValueJSON : .null, "cause": isOut ? status.causeJSON : .null,
        ])
    }

    private static func failure(status: Int, reason: String, retryAfterSeconds: Int64?) -> [String: JSONValue] {
        var members: [String: JSONValue] = [
            "outcome": .string("failure"), "status": .integer(Int64(status)), "reason": .string(reason),
        ]
        if let retryAfterSeconds { members["retry_after_s"] = .integer(retryAfterSeconds) }
        return members
    }
}
