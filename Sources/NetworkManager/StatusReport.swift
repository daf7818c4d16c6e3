package import Routing
package import Time

/// What another proxy, or an OSS, saw of a gateway.
package struct StatusReport: Equatable, Sendable {
    /// The gateway's id.
    package let gateway: String
    /// What its attempt said.
    package let outcome: AttemptOutcome
    /// The Retry-After of a failure response.
    package let retryAfter: Duration?
    /// When it was seen; nil: just now.
    package let at: WallTime?
    /// The Call-ID of the call that saw it.
    package let callID: String?

    /// A report of its parts.
    package init(
        gateway: String, outcome: AttemptOutcome, retryAfter: Duration? = nil, at: WallTime? = nil,
        callID: String? = nil
    ) {
        (self.gateway, self.outcome, self.retryAfter) = (gateway, outcome, retryAfter)
        (self.at, self.callID) = (at, callID)
    }

    /// What became of a report.
    package enum Reception: Equatable, Sendable {
        /// It was taken in; true: the status changed by it.
        case taken(isChange: Bool)
        /// It speaks of a time before the gateway's last change, or of more than five minutes ago.
        case outdated
        /// There is no such gateway.
        case noSuchGateway
    }
}
