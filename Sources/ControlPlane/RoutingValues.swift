import Addressing
import JSON
import Routing
import Store

// Stored bodies as the values of `Routing`. A body that passed validation gives a value; of another, as a newer
// version may have stored, each of these gives nil.

extension Gateway {
    init?(id: String, body: JSONValue) {
        let address: GatewayAddress
        do { address = try GatewayAddress(uri: body["uri"]?.text ?? "") } catch { return nil }
        let standard = GatewayTiming()
        let timing = GatewayTiming(
            responseTimeoutMilliseconds: body.whole("response_timeout_ms") ?? standard.responseTimeoutMilliseconds,
            resendLimit: body.whole("resends") ?? standard.resendLimit,
            holdSeconds: body.whole("hold_s") ?? standard.holdSeconds)
        self.init(
            id: id, uri: body["uri"]?.text ?? "", address: address.address, requestURISuffix: address.requestURISuffix,
            timing: timing)
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
        self.init(id: id, members: members)
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
        self.init(id: id, entries: entries, attemptLimit: body.whole("max_attempts") ?? 5)
    }
}

extension IngressPeer {
    init?(id: String, body: JSONValue) {
        var networks: [Network] = []
        for entry in body.entries("networks") {
            guard let network = entry.text.flatMap({ Network($0) }) else { return nil }
            networks.append(network)
        }
        self.init(
            id: id, networks: networks, routingPlan: body["routing_plan"]?.text ?? RoutingPlan.defaultID,
            isIdentityTrusted: body["trusted_identity"] == .bool(true))
    }
}

extension JSONValue {
    /// A whole number that fits; nil for anything else.
    fileprivate func whole<Number: FixedWidthInteger>(_ name: String) -> Number? {
        guard case .integer(let number) = self[name] else { return nil }
        return Number(exactly: number)
    }

    fileprivate func entries(_ name: String) -> [JSONValue] {
        guard case .array(let values) = self[name] else { return [] }
        return values
    }
}

extension SnapshotBuilder {
    /// Why a stored object can't be put in.
    enum Unfit: Error { case unreadable, everyRowTaken }

    /// Puts an object in or replaces it. References are checked before.
    mutating func put(_ path: ResourcePath, _ body: JSONValue, in table: GatewayInformationTable) throws(Unfit) {
        switch path.kind {
        case .gateways:
            guard let gateway = Gateway(id: path.id, body: body) else { throw .unreadable }
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
            put(peer)
        case .routes:
            guard let plan = path.plan, let prefix = Prefix(path.id), let list = body["routing_list"]?.text else {
                throw .unreadable
            }
            changeRoutes(in: plan, [(prefix, list)])
        }
    }

    /// Takes an object out. Nothing refers to it.
    mutating func remove(_ path: ResourcePath) {
        switch path.kind {
        case .gateways: removeGateway(path.id)
        case .gatewayGroups: removeGroup(path.id)
        case .routingLists: removeList(path.id)
        case .routingPlans: removePlan(path.id)
        case .ingressPeers: removePeer(path.id)
        case .routes:
            if let plan = path.plan, let prefix = Prefix(path.id) { changeRoutes(in: plan, [(prefix, nil)]) }
        }
    }

    /// True when the object is there; for a route it says nothing, since nothing refers to one.
    func contains(_ kind: ResourceKind, _ id: String) -> Bool {
        switch kind {
        case .gateways: gateways[id] != nil
        case .gatewayGroups: groups[id] != nil
        case .routingLists: lists[id] != nil
        case .routingPlans: planIDs.contains(id)
        case .ingressPeers: peers[id] != nil
        case .routes: false
        }
    }
}
