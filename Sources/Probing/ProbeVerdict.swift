package import Routing
package import Time

/// What the end of a probe means for the gateway's status.
package enum ProbeVerdict: Equatable, Sendable, BitwiseCopyable {
    /// The status stays.
    case keep
    /// In-service: it acknowledged often enough.
    case putBack
    /// Out-of-service for the hold.
    case takeOut(StatusCause)

    /// When a gateway that probes look after changes its status.
    package struct Thresholds: Equatable, Sendable, BitwiseCopyable {
        /// Probes in a row without an acknowledgement.
        package let failureLimitCount: UInt8
        /// Acknowledgements in a row.
        package let successLimitCount: UInt8
        /// The final responses that acknowledge nothing.
        package let downOn: CauseSet
        /// How the gateway comes back.
        package let recovery: RecoveryMode

        /// The thresholds of a gateway.
        package init(_ gateway: Gateway) {
            (failureLimitCount, successLimitCount) = (gateway.probe.failureLimitCount, gateway.probe.successLimitCount)
            (downOn, recovery) = (gateway.probe.downOn, gateway.recovery)
        }

        /// True when the end of a probe says that the gateway is available.
        ///
        /// - Parameter sipStatus: of the final response; nil when none came in time.
        package func isAcknowledgement(_ sipStatus: Int?) -> Bool {
            sipStatus.map { !downOn.contains(status: $0) } ?? false
        }

        /// True when an acknowledged probe puts the gateway back.
        ///
        /// What silence or probes had begun ends; what the gateway said of itself in answer to a call lasts until its
        /// time value, since one that is busy (503) acknowledges OPTIONS as well; the operator's word lasts as long as
        /// he said. Of a gateway that is put back by a trial call, an acknowledgement ends only what probes had begun.
        package func endsByAcknowledgement(_ word: StatusWord, at now: Instant) -> Bool {
            guard word.status == .outOfService else { return false }
            switch recovery {
            case .timed: return word.isOfSilence
            case .trial: return word.cause == .probeNoResponse || word.cause == .probeFailureResponse
            case .probe: return word.isOfSilence || word.isUsable(at: now)
            }
        }
    }

    /// Judges one probe.
    ///
    /// - Parameters:
    ///   - sipStatus: of the final response; nil when none came in time.
    ///   - run: how probes ended lately, this one among them.
    package static func judge(
        sipStatus: Int?, run: GatewayInformationTable.ProbeRun, status word: StatusWord, thresholds: Thresholds,
        now: Instant
    ) -> ProbeVerdict {
        if thresholds.isAcknowledgement(sipStatus) {
            let isEnough = run.successes >= UInt32(thresholds.successLimitCount)
            return isEnough && thresholds.endsByAcknowledgement(word, at: now) ? .putBack : .keep
        }
        guard word.status == .inService, run.failures >= UInt32(max(1, thresholds.failureLimitCount)) else {
            return .keep
        }
        return .takeOut(sipStatus == nil ? .probeNoResponse : .probeFailureResponse)
    }
}
