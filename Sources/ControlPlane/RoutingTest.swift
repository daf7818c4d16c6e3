import Addressing
import JSON
import Routing
import Time

/// A stored routing test: a call, and what must come of it (API section 4).
struct RoutingTest: Equatable, Sendable {
    /// What must come of the call; nil: anything.
    struct Expectation: Equatable, Sendable {
        /// The gateways that it tries, all of them and in this order.
        var gateways: [String]?
        /// The gateway that it tries first.
        var firstGateway: String?
        /// The routing list that it is led to.
        var routingList: String?
        /// The status code that it is refused with.
        var status: Int?
    }

    /// The operator's name for it.
    let id: String
    /// What is dialled, as the user part of a Request-URI holds it.
    let number: String
    /// The plan; nil: that of the source, and without one `default`.
    let routingPlan: String?
    /// Where the call comes from; nil: from somebody who may call.
    let source: IPAddress?
    /// What must come of it.
    let expectation: Expectation
    /// The number as routes see it.
    let dialledNumber: DialledNumber

    /// The test that a stored body holds; nil for a body that no version of ours wrote.
    init?(id: String, body: JSONValue) {
        guard let number = body["number"]?.text, let expect = body["expect"] else { return nil }
        (self.id, self.number, dialledNumber) = (id, number, DialledNumber(number))
        routingPlan = body["routing_plan"]?.text
        source = body["source"]?.text.flatMap { IPAddress($0) }
        if body["source"] != nil, source == nil { return nil }
        expectation = Expectation(
            gateways: expect["gateways"] == nil ? nil : expect.entries("gateways").compactMap(\.text),
            firstGateway: expect["first_gateway"]?.text, routingList: expect["routing_list"]?.text,
            status: expect.whole("status"))
    }

    /// What its call gets by a snapshot when every unlocked gateway is in-service, by the function that routes calls.
    func outcome(by snapshot: RoutingSnapshot, at time: WallTime) -> Outcome {
        switch snapshot.plan(named: routingPlan, ofSource: source) {
        case .noSuchPlan(let name): return Outcome(reason: "there is no routing plan \(name)")
        case .unknownPeer: return Outcome(RoutingFailure.unknownPeer)
        case .plan(let plan):
            var set = TargetSet()
            let query = RoutingQuery(number: number, in: plan, now: Instant(nanoseconds: 0), wallTime: time)
            let (outcome, reasons) = snapshot.explain(query, status: Self.wellTable, into: &set)
            switch outcome {
            case .targets: return Outcome(gateways: reasons.targetGateways, routingList: reasons.routingList)
            case .failure(let failure): return Outcome(failure, routingList: reasons.routingList)
            }
        }
    }

    /// A table in which every gateway is in-service and has no call: what is live has no say in whether a change is
    /// taken.
    private static let wellTable = GatewayInformationTable()

    /// What came of a test's call.
    struct Outcome: Equatable, Sendable {
        /// The gateways that it tries, in order.
        var gateways: [String] = []
        /// The routing list that it is led to.
        var routingList: String?
        /// The status code that it is refused with; nil: it is not, or can't be looked up.
        var status: Int?
        /// Why it has no gateway.
        var reason: String?

        init(gateways: [String], routingList: String?) { (self.gateways, self.routingList) = (gateways, routingList) }

        init(_ failure: RoutingFailure, routingList: String? = nil) {
            (self.routingList, status, reason) = (routingList, failure.status, failure.reason)
        }

        init(reason: String) { self.reason = reason }

        /// As the API shows it.
        var json: JSONValue {
            var members: [String: JSONValue] = [
                "gateways": .array(gateways.map { .string($0) }),
                "first_gateway": gateways.first.map { .string($0) } ?? .null,
                "routing_list": routingList.map { .string($0) } ?? .null,
                "status": status.map { .integer(Int64($0)) } ?? .null,
            ]
            if let reason { members["reason"] = .string(reason) }
            return .object(members)
        }
    }
}

extension RoutingTest.Expectation {
    /// What is not as expected, for people: `first_gateway "lon1", gets "lon2"`; nil: all is.
    func difference(to outcome: RoutingTest.Outcome) -> String? {
        func text(_ names: [String]) -> String { "[" + names.map { "\"\($0)\"" }.joined(separator: ", ") + "]" }
        func text(_ name: String?) -> String { name.map { "\"\($0)\"" } ?? outcome.reason ?? "none" }
        if let gateways, gateways != outcome.gateways {
            return "gateways \(text(gateways)), gets " + (outcome.reason ?? text(outcome.gateways))
        }
        if let firstGateway, firstGateway != outcome.gateways.first {
            return "first_gateway \"\(firstGateway)\", gets \(text(outcome.gateways.first))"
        }
        if let routingList, routingList != outcome.routingList {
            return "routing_list \"\(routingList)\", gets \(text(outcome.routingList))"
        }
        guard let status, status != outcome.status else { return nil }
        return "status \(status), gets " + (outcome.status.map { "\($0)" } ?? outcome.reason ?? text(outcome.gateways))
    }

    /// As it was set.
    var json: JSONValue {
        var members: [String: JSONValue] = [:]
        if let gateways { members["gateways"] = .array(gateways.map { .string($0) }) }
        if let firstGateway { members["first_gateway"] = .string(firstGateway) }
        if let routingList { members["routing_list"] = .string(routingList) }
        if let status { members["status"] = .integer(Int64(status)) }
        return .object(members)
    }
}

/// In which plan a call is looked up.
enum PlanChoice: Equatable {
    case plan(PlanNumber)
    /// Its source may not call.
    case unknownPeer
    case noSuchPlan(String)
}

extension RoutingSnapshot {
    /// The plan that a call is looked up in: the named one, else that of its source, else `default`; a source decides
    /// too whether it may call at all.
    func plan(named name: String?, ofSource source: IPAddress?) -> PlanChoice {
        if let source {
            guard let ofSource = plan(for: source) else { return .unknownPeer }
            if name == nil { return .plan(ofSource) }
        }
        let name = name ?? RoutingPlan.defaultID
        return plan(named: name).map { .plan($0) } ?? .noSuchPlan(name)
    }
}

extension RoutingQuery {
    /// The call that somebody asks about in words: nil where he says nothing.
    init(
        number: String, caller: String? = nil, callID: String? = nil, in plan: PlanNumber, now: Instant,
        wallTime: WallTime
    ) {
        self.init(
            DialledNumber(number), in: plan, draw: CallDraw.number(for: callID ?? ""), now: now, wallTime: wallTime)
        user = CallDraw.number(for: number)
        self.caller = CallDraw.number(for: caller ?? "")
    }
}
