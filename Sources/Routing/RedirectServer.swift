package import Addressing
package import Time

/// A redirect server elsewhere, which a proxy asks instead of the co-located one.
package struct RedirectServer: Equatable, Sendable {
    /// The URI as it stands in the settings.
    package let uri: String
    /// Where requests for it are sent.
    package let address: TransportAddress
    /// What follows the user part in the Request-URI of a request to it: `@192.0.2.5:5070`.
    package let requestURISuffix: String

    /// A redirect server of its parts.
    package init(uri: String, address: TransportAddress, requestURISuffix: String) {
        (self.uri, self.address, self.requestURISuffix) = (uri, address, requestURISuffix)
    }

    /// How often in a row it may stay silent until it is asked no more before its time value, though all others are out
    /// as well: one silence may be the network's.
    static let lastResortFailureCount: UInt32 = 3

    /// How a redirect server is asked: the times are a gateway's, but it is asked for again after a few seconds, by one
    /// call, and that it refuses a call says nothing of it.
    static func rules(timing: GatewayTiming) -> RemoteTarget.Rules {
        var rules = RemoteTarget.Rules()
        rules.timing.responseTimeoutMilliseconds = timing.responseTimeoutMilliseconds
        rules.timing.resendLimit = timing.resendLimit
        (rules.timing.holdSeconds, rules.timing.holdLimitSeconds) = (2, 30)
        // Whoever has it looked up elsewhere says 100, and then has as long again.
        rules.timing.progressTimeoutMilliseconds = timing.responseTimeoutMilliseconds
        rules.timing.answerTimeoutSeconds = 32
        rules.outOfServiceCauses = [.noResponse, .transportError]
        rules.failoverCauses = [.noResponse, .transportError, .status(503)]
        return rules
    }
}

extension TargetSet {
    /// Appends a redirect server, which has a row by its URI and address.
    mutating func append(_ server: RedirectServer, timing: GatewayTiming, in table: GatewayInformationTable) {
        let slot = table.remoteSlot(of: RemoteGateway(name: ShortText(server.uri), address: server.address))
        let start = UInt32(truncatingIfNeeded: text.count)
        text += server.requestURISuffix.utf8
        let rules = RedirectServer.rules(timing: timing)
        targets.append(
            Target(
                slot: slot, address: server.address, timing: rules.timing, failoverCauses: rules.failoverCauses,
                failsOverAfterRinging: false,
                outOfServiceCauses: slot == .shared ? CauseSet() : rules.outOfServiceCauses, recovery: .trial,
                limits: CallLimits(), isTrial: false,
                rewriting: Rewriting(NumberRewriting(), prependCount: 0), textStart: start,
                textEnd: UInt32(truncatingIfNeeded: text.count)))
    }
}

extension RoutingSnapshot {
    /// Appends the redirect servers that a call asks, in order: those that are in-service; among them those whose time
    /// value is reached, for one call at a time; behind them those that are suspect; and then those that are out and
    /// have not been silent often enough for certainty. The failure, where there is none, says when the first may be
    /// back.
    package func selectRedirectServers(
        status table: GatewayInformationTable, now: Instant, into set: inout TargetSet
    ) -> RoutingOutcome {
        set.removeAll()
        var earliest: Instant?
        var (suspects, lastResorts): (UInt64, UInt64) = (0, 0)
        for position in redirectServers.targets.indices {  // 16 at most
            let slot = redirectServers.targets[position].slot
            let status = table.status(of: slot)
            if status.status == .inService {
                guard !table.isSuspect(slot, at: now) else {
                    suspects |= 1 << UInt64(position)
                    continue
                }
                append(position, isTrial: false, to: &set)
            } else if status.isUsable(at: now), table.isTrialFree(slot, now) {
                append(position, isTrial: true, to: &set)
            } else {
                if let until = status.timeValue { earliest = min(earliest ?? until, until) }
                let failureCount = table.consecutiveFailures(of: slot)
                if failureCount < RedirectServer.lastResortFailureCount { lastResorts |= 1 << UInt64(position) }
            }
        }
        appendAll(suspects, to: &set)
        appendAll(lastResorts, to: &set)
        return set.targets.isEmpty ? .failure(.everyRedirectServerOut(until: earliest)) : .targets
    }

    /// A bit for each by its position.
    private func appendAll(_ positions: UInt64, to set: inout TargetSet) {
        guard positions != 0 else { return }
        for position in redirectServers.targets.indices where positions & 1 << UInt64(position) != 0 {
            append(position, isTrial: false, to: &set)
        }
    }

    private func append(_ position: Int, isTrial: Bool, to set: inout TargetSet) {
        var target = redirectServers.targets[position]
        target.isTrial = isTrial
        redirectServers.text.withUnsafeBufferPointer { text in
            set.append(copy: target, text: UnsafeBufferPointer(rebasing: text[target.text]))
        }
    }

    /// The redirect servers that calls ask, by their rows, in the order of the settings.
    package var redirectServerSlots: [GatewaySlot] { redirectServers.targets.map(\.slot) }

    /// The URI of the redirect server in a row; nil: it is none that calls ask.
    package func redirectServer(in slot: GatewaySlot) -> String? {
        guard let position = redirectServers.targets.firstIndex(where: { $0.slot == slot }),
            settings.redirectServers.indices.contains(position)
        else { return nil }
        return settings.redirectServers[position].uri
    }
}
