/// What decides how a gateway's failures and answers change its status (API section 6).
package struct StatusRules: Sendable, BitwiseCopyable {
    /// Its hold, and up to what that doubles.
    package let timing: GatewayTiming
    /// Which failures say that the gateway and not the callee failed.
    package let outOfServiceCauses: CauseSet
    /// How it comes back.
    package let recovery: RecoveryMode

    /// Rules of their parts.
    package init(
        timing: GatewayTiming = GatewayTiming(),
        outOfServiceCauses: CauseSet = Gateway.standardOutOfServiceCauses, recovery: RecoveryMode = .timed
    ) {
        (self.timing, self.outOfServiceCauses, self.recovery) = (timing, outOfServiceCauses, recovery)
    }

    /// How long it is left out when it fails for the (`repeats` + 1)th time without a success between.
    func hold(repeats: UInt32) -> Duration {
        let limit = UInt64(max(timing.holdSeconds, timing.holdLimitSeconds))
        let seconds = min(UInt64(timing.holdSeconds) << UInt64(min(repeats, 31)), limit)
        return .seconds(Int64(clamping: seconds))
    }
}

extension Gateway {
    /// What decides how its status changes.
    package var statusRules: StatusRules {
        StatusRules(timing: timing, outOfServiceCauses: outOfServiceCauses, recovery: recovery)
    }
}

extension TargetSet.Target {
    /// What decides how its status changes.
    package var statusRules: StatusRules {
        StatusRules(timing: timing, outOfServiceCauses: outOfServiceCauses, recovery: recovery)
    }
}

/// What an attempt says about its gateway, whoever made it.
package enum AttemptOutcome: Equatable, Sendable, BitwiseCopyable {
    /// It lives: a provisional response, or a final one that no cause set names.
    case answered
    /// No response of any kind in the predetermined time.
    case noResponse
    /// The transport failed.
    case transportError
    /// A final response, 300...699. One that is no out-of-service cause is an answer: the gateway has done its part.
    case failureResponse(status: Int)
}
