package import Time

/// How a call's routing ended, apart from the targets themselves.
package enum RoutingOutcome: Equatable, Sendable {
    /// There is at least one target.
    case targets
    /// There is none, and why.
    case failure(RoutingFailure)
}

/// Why a call gets no target.
package enum RoutingFailure: Equatable, Sendable {
    /// Its source is no ingress peer.
    case unknownPeer
    /// No prefix of the plan matches.
    case noRoute
    /// The whole number is shorter or longer than its route allows.
    case incompleteNumber
    /// Its route refuses it with this status, and this reason phrase where that is not empty.
    case rejected(status: Int, reason: String)
    /// The list has no gateway at all.
    case emptyRoutingList
    /// Every gateway of the list is out-of-service; the first comes back at this time, where one is known.
    case everyGatewayOut(until: Instant?)
    /// Every gateway of the list is at its limit or, some of them, out-of-service until this time.
    case everyGatewayFull(until: Instant?)
    /// Every gateway of the list is locked or shutting down.
    case everyGatewayLocked
    /// Nobody can be asked for routing information: every remote redirect server is out-of-service, until this time at
    /// least where one is known.
    case everyRedirectServerOut(until: Instant?)

    /// The status code of the answer (API section 10): the look-up and both roles say the same.
    package var status: Int {
        switch self {
        case .unknownPeer: 403
        case .noRoute: 404
        case .incompleteNumber: 484
        case .rejected(let status, _): status
        case .emptyRoutingList, .everyGatewayOut, .everyGatewayFull, .everyGatewayLocked, .everyRedirectServerOut: 503
        }
    }

    /// The word for it in metrics and call records.
    package var name: StaticString {
        switch self {
        case .unknownPeer: "unknown-peer"
        case .noRoute: "no-route"
        case .incompleteNumber: "incomplete-number"
        case .rejected: "rejected"
        case .emptyRoutingList: "empty-routing-list"
        case .everyGatewayOut: "every-gateway-out"
        case .everyGatewayFull: "every-gateway-full"
        case .everyGatewayLocked: "every-gateway-locked"
        case .everyRedirectServerOut: "every-redirect-server-out"
        }
    }

    /// One line for people.
    package var reason: String {
        switch self {
        case .unknownPeer: "source not allowed"
        case .noRoute: "no route matches the dialled number"
        case .incompleteNumber: "the dialled number is too short or too long for its route"
        case .rejected(_, let reason): reason.isEmpty ? "the route rejects the call" : reason
        case .emptyRoutingList: "the routing list has no gateway"
        case .everyGatewayOut: "every gateway is out-of-service"
        case .everyGatewayFull: "every gateway is at its limit or out-of-service"
        case .everyGatewayLocked: "every gateway is locked or shutting down"
        case .everyRedirectServerOut: "every redirect server is out-of-service"
        }
    }

    /// Seconds until it is worth another try, rounded up, at least 1; nil where nothing is known.
    package func retryAfterSeconds(at now: Instant) -> Int64? {
        switch self {
        case .everyGatewayOut(let until?), .everyGatewayFull(let until?), .everyRedirectServerOut(let until?):
            max(1, ((until - now).milliseconds + 999) / 1000)
        case .unknownPeer, .noRoute, .incompleteNumber, .rejected, .emptyRoutingList, .everyGatewayOut,
            .everyGatewayFull, .everyGatewayLocked, .everyRedirectServerOut:
            nil
        }
    }
}
