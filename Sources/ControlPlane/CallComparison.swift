import Addressing
import JSON
import NetworkManager
import Routing
import Time

/// How recorded calls would be routed by two snapshots, with the status that gateways have now: how many would go
/// elsewhere first, and how many nowhere any more.
struct CallComparison {
    private static let exampleLimitCount = 20

    /// A call that would be routed otherwise: the ids of the gateways that it is sent to first; nil: to none.
    struct Example {
        let number: String
        let plan: String?
        let before: String?
        let after: String?
    }

    private(set) var consideredCount = 0
    private(set) var otherFirstCount = 0
    private(set) var lostCount = 0
    private(set) var gainedCount = 0
    private(set) var examples: [Example] = []

    private struct FirstTarget: Equatable {
        let gateway: String
        let address: TransportAddress
    }

    mutating func compare(
        _ calls: [CallLog.Call], before: RoutingSnapshot, after: RoutingSnapshot, status table: GatewayInformationTable,
        now: Instant, wallTime: WallTime
    ) {
        for call in calls {
            let plans = (before.plan(for: call.source.address), after.plan(for: call.source.address))
            guard plans.0 != nil || plans.1 != nil else { continue }
            consideredCount += 1
            let first = Self.first(of: call, in: plans.0, before, table, now, wallTime)
            let next = Self.first(of: call, in: plans.1, after, table, now, wallTime)
            guard first != next else { continue }
            if next == nil { lostCount += 1 } else if first == nil { gainedCount += 1 } else { otherFirstCount += 1 }
            guard examples.count < Self.exampleLimitCount else { continue }
            let plan = plans.1.map { after.name(of: $0) } ?? plans.0.map { before.name(of: $0) }
            examples.append(
                Example(number: call.dialled, plan: plan, before: first?.gateway, after: next?.gateway))
        }
    }

    private static func first(
        of call: CallLog.Call, in plan: PlanNumber?, _ snapshot: RoutingSnapshot, _ table: GatewayInformationTable,
        _ now: Instant, _ wallTime: WallTime
    ) -> FirstTarget? {
        guard let plan else { return nil }
        var query = RoutingQuery(
            DialledNumber(call.dialled), in: plan, draw: CallDraw.number(for: call.callID), now: now,
            wallTime: wallTime)
        query.user = CallDraw.number(for: call.dialled)
        query.caller = CallDraw.number(for: call.caller)
        var set = TargetSet()
        let reasons = snapshot.explain(query, status: table, into: &set).reasons
        guard let target = set.targets.first, let gateway = reasons.targetGateways.first else { return nil }
        return FirstTarget(gateway: gateway, address: target.address)
    }

    var json: JSONValue {
        .object([
            "considered": .integer(Int64(consideredCount)), "other_first_gateway": .integer(Int64(otherFirstCount)),
            "last_gateway_lost": .integer(Int64(lostCount)), "first_gateway_gained": .integer(Int64(gainedCount)),
            "examples": .array(
                examples.map { example in
                    .object([
                        "number": .string(example.number), "routing_plan": example.plan.map { .string($0) } ?? .null,
                        "before": example.before.map { .string($0) } ?? .null,
                        "after": example.after.map { .string($0) } ?? .null,
                    ])
                }),
        ])
    }
}
