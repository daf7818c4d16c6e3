import Addressing
import Routing
import Store
import Time

// How lint works. `Linter` looks at the values of one committed state, which never change under it, on a thread of its
// own: once at every gateway, group, list, peer and test, and once along the routes of each plan in the order of their
// digits (`RouteLinter`). What it keeps is bounded: so many findings of each rule are told, the rest is counted.

/// Looks for what is allowed and yet likely wrong.
struct Linter {
    private let state: CommittedState
    private let time: WallTime
    private var findings = LintFindings()
    private var usableGroups: Set<String> = []

    private init(_ state: CommittedState, at time: WallTime) { (self.state, self.time) = (state, time) }

    /// All that is found in a state.
    static func report(of state: CommittedState, at time: WallTime) -> LintReport {
        var linter = Linter(state, at: time)
        linter.lookAtGateways()
        linter.lookAtGroups()
        linter.lookAtLists()
        linter.lookAtPeers()
        linter.lookAtTests()
        linter.lookAtSettings()
        for plan in state.builder.planIDs.sorted() { linter.lookAtPlan(plan) }
        return linter.findings.report(of: state.position.revision.number)
    }

    private var builder: SnapshotBuilder { state.builder }

    private mutating func note(
        _ rule: LintRule, _ severity: LintFinding.Severity, _ kind: ResourceKind, _ id: String, _ detail: String
    ) {
        findings.note(rule, severity, ResourcePath(kind, id), detail)
    }

    private mutating func lookAtGateways() {
        var atAddress: [TransportAddress: [String]] = [:]
        for id in builder.gateways.keys.sorted() {
            guard let gateway = builder.gateways[id] else { continue }
            atAddress[gateway.address, default: []].append(id)
            if !builder.isMember(id) { note(.gatewayInNoGroup, .note, .gateways, id, "it is in no gateway group") }
        }
        for (address, ids) in atAddress where ids.count > 1 {
            // One switch may well take calls for two carriers by different digits in front.
            let rewritings = ids.compactMap { builder.gateways[$0]?.rewriting }
            let differ = rewritings.dropFirst().contains { $0 != rewritings[0] }
            let named = ids.prefix(5).joined(separator: ", ") + (ids.count > 5 ? " and \(ids.count - 5) more" : "")
            note(
                .gatewaysShareAnAddress, differ ? .note : .warning, .gateways, ids[0],
                "the gateways \(named) have the same address \(address)")
        }
    }

    private mutating func lookAtGroups() {
        var listed: Set<String> = []
        for list in builder.lists.values { listed.formUnion(list.entries.map(\.group)) }
        for (id, group) in builder.groups.sorted(by: { $0.key < $1.key }) {
            let isUsable = group.members.contains { builder.gateways[$0.gateway]?.takesCalls ?? false }
            if isUsable { usableGroups.insert(id) }
            if group.members.isEmpty {
                note(.groupWithoutMember, .warning, .gatewayGroups, id, "it has no member")
            } else if !isUsable {
                note(
                    .groupWithoutUsableGateway, .warning, .gatewayGroups, id,
                    "each of its gateways is locked, shutting down or limited to no calls")
            }
            if !listed.contains(id) { note(.groupInNoList, .note, .gatewayGroups, id, "it is in no routing list") }
        }
    }

    private mutating func lookAtLists() {
        for (id, list) in builder.lists.sorted(by: { $0.key < $1.key }) {
            let isRouted = builder.isRouted(list: id)
            if !list.entries.contains(where: { usableGroups.contains($0.group) }) {
                note(
                    .listWithoutUsableGateway, isRouted ? .error : .warning, .routingLists, id,
                    isRouted
                        ? "routes lead to it, and it has no gateway that takes calls: they get 503"
                        : "it has no gateway that takes calls")
            }
            if !isRouted { note(.listInNoRoute, .note, .routingLists, id, "no route leads to it") }
        }
    }

    private mutating func lookAtPeers() {
        for (id, peer) in builder.peers.sorted(by: { $0.key < $1.key }) where !peer.limits.allowCalls {
            note(.peerTakesNoCalls, .note, .ingressPeers, id, "it is limited to no calls")
        }
    }

    private mutating func lookAtTests() {
        guard !state.tests.isEmpty else { return }
        var builder = builder
        let snapshot = builder.snapshot(revision: state.position.revision)
        for failure in state.tests.failures(by: snapshot, at: time) {
            note(.testFails, .error, .routingTests, failure.test.id, "it fails: it expects \(failure.difference)")
        }
    }

    private mutating func lookAtSettings() {
        guard isApart, state.settings.reportTo == nil else { return }
        findings.note(
            .redirectServersNotTold, .warning, .settings,
            "redirect servers elsewhere are asked, and never told which of their gateways fail")
    }

    /// True when calls are routed elsewhere, so that routes are for the redirect role alone.
    private var isApart: Bool { !state.settings.routing.redirectServers.isEmpty }

    private mutating func lookAtPlan(_ plan: String) {
        let hasPeer = builder.peers.values.contains { $0.routingPlan == plan }
        if !hasPeer {
            note(.planWithoutPeer, .warning, .routingPlans, plan, "no ingress peer's calls are looked up in it")
        }
        guard builder.routeCount(in: plan) > 0 else {
            guard !isApart else { return }
            return note(.planWithoutRoute, .warning, .routingPlans, plan, "it has no route")
        }
        var routes = RouteLinter(plan: plan, at: time)
        builder.forEachRoute(in: plan) { prefix, route in
            routes.add(prefix, route, to: &findings)
            return true
        }
        routes.finish(&findings)
    }
}

/// What was found, bounded.
struct LintFindings {
    private var told: [LintRule: [LintFinding]] = [:]
    private var counts: [LintFinding.Severity: Int] = [:]

    /// - Parameter path: made only when the finding is told.
    mutating func note(
        _ rule: LintRule, _ severity: LintFinding.Severity, _ path: @autoclosure () -> ResourcePath,
        _ detail: @autoclosure () -> String
    ) {
        counts[severity, default: 0] += 1
        guard told[rule, default: []].count < LintReport.findingsOfRuleLimitCount else { return }
        told[rule, default: []].append(
            LintFinding(
                severity: severity, rule: rule.rawValue, object: path().text, detail: detail(), remedy: rule.remedy))
    }

    func report(of revision: Int64) -> LintReport {
        var findings: [LintFinding] = []
        let ordered = LintRule.allCases.flatMap { rule in (told[rule] ?? []).sorted { $0.object < $1.object } }
        for severity in LintFinding.Severity.allCases { findings += ordered.filter { $0.severity == severity } }
        return LintReport(findings: findings, counts: counts, revision: revision)
    }
}

extension Gateway {
    /// Whether a call may be sent to it when it is in-service.
    fileprivate var takesCalls: Bool { administrativeState == .unlocked && limits.allowCalls }
}

extension CallLimits {
    fileprivate var allowCalls: Bool { maxCalls != 0 && maxCallsPerSecond != 0 }
}
