import Addressing
import JSON
import Routing
import Store
import Time

// Stored bodies as the values of `Routing`. A body that passed validation gives a value; of another, as a newer
// version may have stored, each of these gives nil.

extension Gateway {
    /// - Parameter body: what applies of what was set for it and for all gateways.
    init?(id: String, body: JSONValue) {
        let address: GatewayAddress
        do { address = try GatewayAddress(uri: body["uri"]?.text ?? "") } catch { return nil }
        self.init(
            id: id, uri: body["uri"]?.text ?? "", address: address.address, requestURISuffix: address.requestURISuffix,
            timing: GatewayTiming(body: body))
        administrativeState = body.word("administrative_state") ?? administrativeState
        recovery = body.word("recovery") ?? recovery
        outOfServiceCauses = body.causes("out_of_service_causes") ?? outOfServiceCauses
        if let rules = body["probe"] { probe = ProbeRules(body: rules) }
        if recovery == .probe, probe.intervalSeconds == 0 { recovery = .timed }  // no probe would ever bring it back
        limits = CallLimits(body: body)
        rampSeconds = body.whole("ramp_s") ?? rampSeconds
        rewriting = NumberRewriting(
            stripDigits: body.whole("strip_digits") ?? 0, prepend: body["prepend"]?.text ?? "",
            plus: body.word("plus") ?? .keep)
    }
}

extension GatewayTiming {
    fileprivate init(body: JSONValue) {
        let standard = GatewayTiming()
        self.init(
            responseTimeoutMilliseconds: body.whole("response_timeout_ms") ?? standard.responseTimeoutMilliseconds,
            resendLimit: body.whole("resends") ?? standard.resendLimit,
            holdSeconds: body.whole("hold_s") ?? standard.holdSeconds)
        holdLimitSeconds = max(body.whole("hold_max_s") ?? standard.holdLimitSeconds, holdSeconds)
        progressTimeoutMilliseconds = body.whole("progress_timeout_ms") ?? standard.progressTimeoutMilliseconds
        answerTimeoutSeconds = body.whole("answer_timeout_s") ?? standard.answerTimeoutSeconds
    }
}

extension RedirectServer {
    /// Nil for a URI that is none that we can send to.
    init?(uri: String) {
        let address: GatewayAddress
        do { address = try GatewayAddress(uri: uri) } catch { return nil }
        self.init(uri: uri, address: address.address, requestURISuffix: address.requestURISuffix)
    }
}

extension RemoteTarget.Rules {
    /// How gateways are tried of which nothing is known.
    ///
    /// - Parameter gateway: what was set for all gateways.
    init(gateway body: JSONValue) {
        self.init()
        timing = GatewayTiming(body: body)
        outOfServiceCauses = body.causes("out_of_service_causes") ?? outOfServiceCauses
    }
}

extension ProbeRules {
    fileprivate init(body: JSONValue) {
        self.init()
        intervalSeconds = body.whole("interval_s") ?? intervalSeconds
        timeoutMilliseconds = body.whole("timeout_ms") ?? timeoutMilliseconds
        failureLimitCount = body.whole("failures") ?? failureLimitCount
        successLimitCount = body.whole("successes") ?? successLimitCount
        downOn = body.causes("down_on") ?? downOn
        from = body["from"]?.text
    }
}

extension CallLimits {
    fileprivate init(body: JSONValue) {
        self.init(maxCalls: body.whole("max_calls"), maxCallsPerSecond: body.whole("max_calls_per_second"))
    }
}

extension GatewayGroup {
    init?(id: String, body: JSONValue) {
        var members: [Member] = []
        for entry in body.entries("members") {
            guard let gateway = entry["gateway"]?.text else { return nil }
            members.append(
                Member(gateway: gateway, priority: entry.whole("priority") ?? 0, weight: entry.whole("weight") ?? 1))
        }
        let policy: Policy
        switch body["policy"]?.text {
        case nil, "ordered"?: policy = .ordered
        case "weighted"?: policy = .weighted
        case "round-robin"?: policy = .roundRobin
        case "least-calls"?: policy = .leastCalls
        case Policy.hashName?: policy = .hash(body.word("hash_key") ?? .standard)
        case .some: return nil
        }
        self.init(
            id: id, members: members, policy: policy,
            failoverCauses: body.causes("failover_causes") ?? Self.standardFailoverCauses,
            failsOverAfterRinging: body["failover_after_ringing"] == .bool(true),
            attemptLimit: body.whole("max_attempts"))
    }
}

extension RoutingList {
    init?(id: String, body: JSONValue) {
        var entries: [Entry] = []
        for entry in body.entries("groups") {
            guard let group = entry["group"]?.text else { return nil }
            entries.append(
                Entry(group: group, priority: entry.whole("priority") ?? 0, weight: entry.whole("weight") ?? 1))
        }
        guard entries.count <= Self.entryLimitCount else { return nil }
        self.init(
            id: id, entries: entries, attemptLimit: body.whole("max_attempts") ?? 5,
            giveUpAfterMilliseconds: body.whole("give_up_after_ms"), whenAllOut: body.word("when_all_out") ?? .refuse)
    }
}

extension Route {
    init?(body: JSONValue) {
        let disposition: Disposition
        if let list = body["routing_list"]?.text {
            disposition = .routingList(list)
        } else if let reject = body["reject"], let status: UInt16 = reject.whole("status") {
            disposition = .reject(status: status, reason: reject["reason"]?.text ?? "")
        } else {
            return nil
        }
        self.init(
            disposition, minDigits: body.whole("min_digits") ?? 0, maxDigits: body.whole("max_digits") ?? .max,
            validFrom: body["valid_from"]?.text.flatMap { WallTime(rfc3339: $0) },
            validUntil: body["valid_until"]?.text.flatMap { WallTime(rfc3339: $0) })
    }
}

extension IngressPeer {
    init?(id: String, body: JSONValue) {
        guard let networks = body.networks("networks") else { return nil }
        self.init(
            id: id, networks: networks, routingPlan: body["routing_plan"]?.text ?? RoutingPlan.defaultID,
            isIdentityTrusted: body["trusted_identity"] == .bool(true), limits: CallLimits(body: body))
    }
}

extension JSONValue {
    /// A whole number that fits; nil for anything else.
    func whole<Number: FixedWidthInteger>(_ name: String) -> Number? {
        guard case .integer(let number) = self[name] else { return nil }
        return Number(exactly: number)
    }

    /// One of the words of an enumeration; nil for anything else.
    func word<Word: RawRepresentable>(_ name: String) -> Word? where Word.RawValue == String {
        self[name]?.text.flatMap { Word(rawValue: $0) }
    }

    /// The values of a list; none for anything else.
    func entries(_ name: String) -> [JSONValue] {
        guard case .array(let values) = self[name] else { return [] }
        return values
    }

    /// A list of blocks of addresses; nil when one of them is none.
    func networks(_ name: String) -> [Network]? {
        var networks: [Network] = []
        for entry in entries(name) {
            guard let network = entry.text.flatMap({ Network($0) }) else { return nil }
            networks.append(network)
        }
        return networks
    }

    /// A list of causes; nil when there is none.
    fileprivate func causes(_ name: String) -> CauseSet? {
        guard self[name] != nil else { return nil }
        var set = CauseSet()
        for cause in entries(name).compactMap({ $0.text.flatMap { CauseSet.Cause(name: $0) } }) {
            _ = set.insert(cause)
        }
        return set
    }
}

extension SnapshotBuilder {
    /// Why a stored object can't be put in.
    enum Unfit: Error {
        case unreadable, everyRowTaken, everyPeerRowTaken
        /// What must be looked at too can't be read, and why.
        case notRead(String)
    }

    /// Puts an object in or replaces it. References are checked before.
    ///
    /// - Parameter defaults: what was set for all gateways.
    mutating func put(
        _ path: ResourcePath, _ body: JSONValue, defaults: GatewayDefaults = GatewayDefaults(),
        in table: GatewayInformationTable
    ) throws(Unfit) {
        switch path.kind {
        case .settings, .routingTests: break  // whoever keeps them puts their values in
        case .gateways:
            guard let gateway = Gateway(id: path.id, body: defaults.applied(to: body)) else { throw .unreadable }
            guard gateways[path.id] != gateway else { return }
            guard put(gateway, in: table) else { throw .everyRowTaken }
        case .gatewayGroups:
            guard let group = GatewayGroup(id: path.id, body: body) else { throw .unreadable }
            put(group)
        case .routingLists:
            guard let list = RoutingList(id: path.id, body: body) else { throw .unreadable }
            put(list)
        case .routingPlans: putPlan(path.id)
        case .ingressPeers:
            guard let peer = IngressPeer(id: path.id, body: body) else { throw .unreadable }
            guard put(peer) else { throw .everyPeerRowTaken }
        case .routes:
            guard let plan = path.plan, let prefix = Prefix(path.id), let route = Route(body: body) else {
                throw .unreadable
            }
            changeRoutes(in: plan, [(prefix, route)])
        }
    }

    /// Takes an object out. Nothing refers to it.
    mutating func remove(_ path: ResourcePath) {
        switch path.kind {
        case .settings, .routingTests: break
        case .gateways: removeGateway(path.id)
        case .gatewayGroups: removeGroup(path.id)
        case .routingLists: removeList(path.id)
        case .routingPlans: removePlan(path.id)
        case .ingressPeers: removePeer(path.id)
        case .routes:
            if let plan = path.plan, let prefix = Prefix(path.id) { changeRoutes(in: plan, [(prefix, nil)]) }
        }
    }

    /// True when the object is there; for a route or a test it says nothing, since nothing refers to one.
    func contains(_ kind: ResourceKind, _ id: String) -> Bool {
        switch kind {
        case .settings: true
        case .gateways: gateways[id] != nil
        case .gatewayGroups: groups[id] != nil
        case .routingLists: lists[id] != nil
        case .routingPlans: planIDs.contains(id)
        case .ingressPeers: peers[id] != nil
        case .routes, .routingTests: false
        }
    }
}
