import Addressing
import JSON
import Routing
import Store
import Time

/// The routing data as a batch of changes will make them: the committed state, and over it what the batch changed.
///
/// What comes of an operation depends on the base, the operations and the time that is handed in, and on nothing
/// else. A value: a refused change is a copy that is forgotten. Copying costs little: gateways and routes are shared in
/// parts, of which a change copies those that it touches; the first group, list or peer that a batch changes copies the
/// dictionary of its kind.
struct Candidate {
    /// How one reads what is committed.
    typealias Read = (ResourcePath) throws(StoreError) -> StoredObject?
    /// How one reads all committed gateways.
    typealias ReadGateways = () throws(StoreError) -> [StoredObject]

    /// The position that the batch is made on.
    let base: Position
    /// The routing data as values.
    var builder: SnapshotBuilder
    /// The settings as values.
    private(set) var settings: Settings
    /// The stored routing tests.
    var tests: RoutingTests
    /// The changes taken so far that change something.
    var entries: [ChangeEntry] = []
    /// The changes that wait to be confirmed.
    var confirmations: PendingConfirmations
    /// What became of those that waited before.
    var settlements: [ConfirmationSettlement] = []

    /// The objects as the batch has made them; nil: deleted.
    var changed: [ResourcePath: StoredObject?] = [:]
    /// Objects that a refused operation of a change set would have made: no reason to refuse others too.
    private var supposed: Set<ResourcePath> = []
    private let table: GatewayInformationTable
    private let read: Read
    private let readGateways: ReadGateways

    init(
        _ state: CommittedState, table: GatewayInformationTable, read: @escaping Read,
        readGateways: @escaping ReadGateways
    ) {
        (base, builder, settings, tests) = (state.position, state.builder, state.settings, state.tests)
        confirmations = state.confirmations
        (self.table, self.read, self.readGateways) = (table, read, readGateways)
    }

    /// The revision that the taken changes make.
    var revision: Revision { entries.last?.revision ?? base.revision }

    /// What is in force once the batch is on disk.
    func state(at position: Position) -> CommittedState {
        CommittedState(
            position: position, builder: builder, settings: settings, confirmations: confirmations, tests: tests)
    }

    /// What calls will follow.
    mutating func snapshot() -> RoutingSnapshot { builder.snapshot(revision: revision) }

    /// Takes all operations of a change, in order, or throws and stays as it was.
    ///
    /// - Parameter differences: what the change is to do that is no list of operations.
    mutating func take(
        _ change: Change, doing differences: [Difference] = [], at time: WallTime
    ) throws(Refusal) -> ChangeResult {
        if let wanted = change.ifRevision, wanted != revision.number { throw .stale(revision, not: wanted) }
        let isJudged =
            !change.overridesTests
            && (!tests.isEmpty || change.aim != .operations
                || change.operations.contains { $0.path.kind == .routingTests })
        // One operation is checked before it touches anything, so it needs no copy to go back to.
        if change.operations.count == 1, !change.isSet, !isJudged {
            return try carryOut(change, differences, at: time)
        }
        var trial = self
        var result = try trial.carryOut(change, differences, at: time)
        if isJudged { try trial.judge(against: self, at: time) }
        if change.isSet {
            result.basis = try basis(of: trial)
        }
        self = trial
        return result
    }

    /// What the preview of the last change is made of.
    private func basis(of trial: Candidate) throws(Refusal) -> PreviewBasis {
        let entry = trial.entries.count > entries.count ? trial.entries.last : nil
        var paths = entry?.effects.map(\.path) ?? []
        var touching = paths
        var otherRouteCount = 0
        if let stage = entry?.routes {
            // Of very many routes the first are named, and it is not asked which tests they are about.
            let named = try firstPaths(stage, limitCount: ChangePreview.nameLimitCount)
            paths += named
            otherRouteCount = stage.counts.total - named.count
            touching += stage.planIDs.map { ResourcePath(.routingPlans, $0) }
        }
        return PreviewBasis(
            before: builder, after: trial.builder, paths: paths, otherRouteCount: otherRouteCount,
            tests: trial.tests.touched(by: touching).prefix(ChangePreview.nameLimitCount).map(\.id))
    }

    /// Throws `test-failed` when the last change makes a stored routing test fail.
    private mutating func judge(against before: Candidate, at time: WallTime) throws(Refusal) {
        guard !tests.isEmpty, entries.count > before.entries.count, let entry = entries.last else { return }
        // Of a bulk it is not asked which routes it is about.
        let plans = (entry.routes?.planIDs ?? []).map { ResourcePath(.routingPlans, $0) }
        try tests.check(
            touching: entry.effects.map(\.path) + plans, after: snapshot(),
            before: {
                var before = before
                return (before.tests, before.snapshot())
            }, at: time)
    }

    private mutating func carryOut(
        _ change: Change, _ differences: [Difference], at time: WallTime
    ) throws(Refusal) -> ChangeResult {
        if case .bulk(let bulk) = change.aim { return try carryOut(bulk, differences, of: change, at: time) }
        guard change.aim == .operations else { return try carryOut(differences, of: change, at: time) }
        let next = Revision(revision.number + 1)
        let builderBefore = change.operations.count > 1 ? builder : nil
        var before: [ResourcePath: StoredObject?] = [:]
        var order: [ResourcePath] = []
        var outcomes: [OperationResult.Outcome] = []
        var faults = ChangeSetFaults()
        for (index, operation) in change.operations.enumerated() {
            let path = operation.path
            let old = try object(path)
            if before[path] == nil {
                before[path] = .some(old)
                order.append(path)
            }
            let place = change.isSet || change.operations.count > 1 ? "/operations/\(index)" : ""
            do throws(Refusal) {
                outcomes.append(try carryOut(operation, on: old, as: next, at: time, place: place))
            } catch {
                guard change.isSet else { throw error }
                try faults.note(error, of: operation, at: index)
                supposed.insert(path)
            }
        }
        if let refusal = faults.refusal { throw refusal }
        if let builderBefore {
            builder.keepRows(ofGateways: order.filter { $0.kind == .gateways }.map(\.id), from: builderBefore)
            builder.keepRows(ofPeers: order.filter { $0.kind == .ingressPeers }.map(\.id), from: builderBefore)
        }
        var effects: [Effect] = []
        for path in order {
            let (old, new) = (before[path] ?? nil, try object(path))
            if old?.body == new?.body {
                changed[path] = .some(old)  // there and back again is no change
            } else {
                effects.append(
                    Effect(path: path, body: new?.body, createdAt: new?.createdAt ?? old?.createdAt ?? time))
            }
        }
        try confirmations.check(effects, at: time)
        var results: [OperationResult] = []
        for (outcome, operation) in zip(outcomes, change.operations) {
            let view = try object(operation.path).map { ResourceView($0, defaults: settings.gatewayDefaults) }
            results.append(OperationResult(outcome: outcome, view: outcome == .deleted ? nil : view))
        }
        return try note(effects, before: before, nil, of: change, at: time, results)
    }

    /// What is to be written of a change that has done all this, and told of it.
    ///
    /// - Parameter stage: further routes; nil: none.
    mutating func note(
        _ effects: [Effect], before: [ResourcePath: StoredObject?], _ stage: RouteStage?, of change: Change,
        at time: WallTime, _ results: [OperationResult] = []
    ) throws(Refusal) -> ChangeResult {
        let routes = stage?.counts ?? RouteCounts()
        guard !effects.isEmpty || routes.total > 0 else {
            return ChangeResult(revision: revision.number, operations: results)
        }
        let next = Revision(revision.number + 1)
        let counts = ChangeNotice.counts(of: effects, before: before, and: routes)
        var paths = effects.prefix(ChangeNotice.pathLimitCount).map(\.path.text)
        if let stage {
            paths += try firstPaths(stage, limitCount: ChangeNotice.pathLimitCount - paths.count).map(\.text)
        }
        var entry = ChangeEntry(
            revision: next, at: time, who: change.who, comment: change.comment, requestID: change.requestID,
            effects: effects,
            events: [ChangeNotice.event(counts, objects: paths, change, revision: next, at: time)]
                + ChangeNotice.administrativeStates(
                    effects, before: before, settings.gatewayDefaults, revision: next, at: time))
        if routes.total > 0 { entry.routes = stage }
        if let limit = change.confirmWithin {
            let confirmBy = time + limit
            entry.confirmBy = confirmBy
            confirmations.add(PendingConfirmation(of: next, by: confirmBy, effects, before: before))
        }
        entries.append(entry)
        return ChangeResult(
            revision: next.number, operations: results, counts: counts, confirmBy: entry.confirmBy)
    }

    // MARK: one operation

    private mutating func carryOut(
        _ operation: Operation, on old: StoredObject?, as revision: Revision, at time: WallTime, place: String
    ) throws(Refusal) -> OperationResult.Outcome {
        switch operation {
        case .put(let path, let value, let precondition):
            try precondition.check(old, settings.gatewayDefaults)
            return try set(path, value, over: old, as: revision, at: time, place: place)
        case .patch(let path, let value, let precondition):
            try precondition.check(old, settings.gatewayDefaults)
            guard let old else { throw .notFound(path) }
            guard case .object = value else { throw .notAnObject }
            return try set(
                path, old.body.toCheck(after: value), over: old, as: revision, at: time, place: place)
        case .delete(let path, let precondition):
            try precondition.check(old, settings.gatewayDefaults)
            guard old != nil else { throw .notFound(path) }
            try checkUnused(path)
            builder.remove(path)
            if path.kind == .routingTests { tests.remove(path.id) }
            changed[path] = .some(nil)
            return .deleted
        }
    }

    private mutating func set(
        _ path: ResourcePath, _ value: JSONValue, over old: StoredObject?, as revision: Revision, at time: WallTime,
        place: String
    ) throws(Refusal) -> OperationResult.Outcome {
        guard case .object(let members) = value else { throw .notAnObject }
        let body = try validated(path, members, place: place)
        if let old, old.body == body { return .unchanged }
        let isFirst = old == nil || old?.revision == Revision(0)
        let object = StoredObject(
            path: path, body: body, revision: revision, createdAt: isFirst ? time : old?.createdAt ?? time,
            updatedAt: time)
        try putInForce(object)
        return old == nil ? .created : .replaced
    }

    /// Makes an object that was checked part of the data.
    mutating func putInForce(_ object: StoredObject) throws(Refusal) {
        let path = object.path
        do throws(SnapshotBuilder.Unfit) {
            if path.kind == .settings { try follow(object) }
            if path.kind == .routingTests { try keepTest(object) }
            try builder.put(path, object.body, defaults: settings.gatewayDefaults, in: table)
        } catch {
            switch error {
            case .everyRowTaken:
                throw Refusal(
                    .conflict,
                    "All \(GatewayInformationTable.slotLimitCount) rows of the gateway information table are taken; "
                        + "delete a gateway first.")
            case .everyPeerRowTaken:
                throw Refusal(
                    .conflict, "There are \(PeerTable.slotLimitCount) ingress peers, the most; delete one first.")
            case .unreadable: throw .unreadable(path)
            case .notRead(let reason): throw .internalError("The gateways can't be read: \(reason)")
            }
        }
        changed[path] = .some(object)
    }

    private mutating func keepTest(_ object: StoredObject) throws(SnapshotBuilder.Unfit) {
        guard let test = RoutingTest(id: object.path.id, body: object.body) else { throw .unreadable }
        tests.put(test)
    }

    /// Puts settings in force. Other defaults make every gateway anew: each keeps its row, since its URI stays.
    private mutating func follow(_ object: StoredObject) throws(SnapshotBuilder.Unfit) {
        guard let next = Settings(object) else { throw .unreadable }
        let isOther = !next.gatewayDefaults.saysTheSame(as: settings.gatewayDefaults)
        let gateways = isOther ? try gateways() : []
        settings = next
        builder.put(next.routing, in: table)
        for gateway in gateways {
            try builder.put(gateway.path, gateway.body, defaults: next.gatewayDefaults, in: table)
        }
    }

    /// All gateways as the batch has them so far.
    private func gateways() throws(SnapshotBuilder.Unfit) -> [StoredObject] {
        var committed: [StoredObject] = []
        do { committed = try readGateways() } catch { throw .notRead(error.detail) }
        let untouched = committed.filter { changed[$0.path] == nil }
        return untouched + changed.values.compactMap { $0 }.filter { $0.path.kind == .gateways }
    }

    /// The object as the batch has it so far.
    func object(_ path: ResourcePath) throws(Refusal) -> StoredObject? {
        if let changed = changed[path] { return changed }
        do {
            return try read(path) ?? (path.kind == .settings ? .newSettings : nil)
        } catch {
            throw Refusal(.internalError, "\(path.text) can't be read: \(error.detail)")
        }
    }

    /// What is kept of the body of an object; throws with every rule that it breaks.
    ///
    /// - Parameter place: where the operation stands in the request; empty: it is the request.
    private func validated(
        _ path: ResourcePath, _ members: [String: JSONValue], place: String
    ) throws(Refusal) -> JSONValue {
        let pointer = place.isEmpty ? "" : "\(place)/value"
        let supposed = supposed
        if let plan = path.plan, !builder.contains(.routingPlans, plan),
            !supposed.contains(ResourcePath(.routingPlans, plan))
        {
            throw Refusal(.notFound, "There is no routing plan \(plan); PUT /v1/routing-plans/\(plan) makes it.")
        }
        let builder = builder
        var validation = Validation { kind, id in
            builder.contains(kind, id) || supposed.contains(ResourcePath(kind, id))
        }
        if let allowed = path.nameRule {
            validation.note(
                FieldError(place.isEmpty ? "" : "\(place)/path", .string(path.id), "not a name", allowed: allowed))
        }
        let ignored = path.kind == .routes ? readOnlyFields.union(["prefix", "routing_plan"]) : readOnlyFields
        let kept = validation.check(members, Schema.of(path.kind), at: pointer, ignoring: ignored)
        if let first = validation.errors.first {
            let more = validation.errorCount > 1 ? " (and \(validation.errorCount - 1) more)" : ""
            let place = first.pointer.isEmpty ? path.text : first.pointer
            throw Refusal(.invalid, "\(place): \(first.reason)\(more).", errors: validation.errors)
        }
        let body = JSONValue.object(kept)
        if path.kind == .routingTests, tests.isFull, tests[path.id] == nil {
            throw Refusal(.conflict, "There are \(RoutingTests.limitCount) routing tests, the most; delete one first.")
        }
        if path.kind == .ingressPeers { try checkNetworks(path.id, body, pointer: pointer) }
        return body
    }

    /// One network belongs to one peer.
    private func checkNetworks(_ id: String, _ body: JSONValue, pointer: String) throws(Refusal) {
        guard let peer = IngressPeer(id: id, body: body) else { return }
        var places: [Network: Int] = [:]
        for (index, network) in peer.networks.enumerated() { places[network] = index }
        var errors: [FieldError] = []
        for other in builder.peers.values.sorted(by: { $0.id < $1.id }) where other.id != id {
            for network in other.networks {
                guard let index = places[network], errors.count < Validation.errorLimitCount else { continue }
                errors.append(
                    FieldError(
                        "\(pointer)/networks/\(index)", .string("\(network)"), "ingress peer \(other.id) has it",
                        allowed: "a network that no other ingress peer has"))
            }
        }
        guard let first = errors.first, let network = first.value.text else { return }
        throw Refusal(.conflict, "The network \(network): \(first.reason).", errors: errors)
    }
}
