package import Routing
package import Time

// What others say of a gateway: the operator, and those who report.
extension NetworkManager {
    private static var reportLimitAge: Duration { .seconds(300) }

    /// Takes reports in by the same rules as our own observations (API section 6), in their order.
    ///
    /// - Parameter reporter: the name that stands in the status records.
    /// - Returns: What became of each.
    @discardableResult
    package func report(_ reports: [StatusReport], from reporter: String) -> [StatusReport.Reception] {
        let snapshot = snapshots.latest
        let known = slots(of: Set(reports.map(\.gateway)), in: snapshot)
        var transitions: [StatusTransition] = []
        let receptions = reports.map { report -> StatusReport.Reception in
            guard let slot = known[report.gateway], let gateway = snapshot.gateway(in: slot) else {
                return .noSuchGateway
            }
            let now = clock.now
            // Whoever's clock goes ahead of ours saw it just now.
            let seen = min(now, report.at.map { clock.instant(of: $0) } ?? now)
            let isOutdated = now - seen > Self.reportLimitAge || table.lastChange(of: slot).map { seen < $0 } ?? false
            guard !isOutdated else { return .outdated }
            let callID = Array((report.callID ?? "").utf8)
            let transition = table.observe(
                slot, report.outcome, retryAfter: report.retryAfter, of: gateway.gateway.statusRules, begun: seen,
                now: now, reporter: .reported, callID: ShortText(callID.span, 0..<callID.count))
            if let transition { transitions.append(transition) }
            return .taken(isChange: transition != nil)
        }
        receive(transitions, reportedBy: reporter)
        return receptions
    }

    /// The operator's word: see `GatewayInformationTable.order`.
    ///
    /// - Parameters:
    ///   - until: nil: until he says otherwise.
    ///   - note: why, in his words; it stands in the record.
    /// - Returns: Whether that was a change; `whenRecorded` tells when it is on disk.
    @discardableResult
    package func order(_ slot: GatewaySlot, _ status: GatewayStatus, until: WallTime? = nil, note: String? = nil)
        -> Bool
    {
        let transition = table.order(slot, status, until: until.map { clock.instant(of: $0) }, now: clock.now)
        guard let transition else { return false }
        receive([transition], note: note)
        return true
    }
}
