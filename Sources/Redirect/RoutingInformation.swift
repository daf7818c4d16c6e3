package import Addressing
package import Routing
package import SIPMessage
package import Time

// How this room works. `RoutingInformation.find` is the redirect server proper: one request and one snapshot give an
// ordered target list or a failure. The proxy calls it as a function; the redirect role sends its answer as a response,
// which `RedirectResponse` writes. No transactions, no state.

/// The answer to one call: an ordered target list, or a failure and its cause.
package enum RoutingInformation: Equatable, Sendable {
    /// The targets are in the target set.
    case targets
    /// There is none: the status code of the response, and seconds for its Retry-After.
    case failure(status: Int, retryAfterSeconds: Int64?)

    /// A longer user part is nobody's number (414): each Contact of a redirection repeats it, and a small request must
    /// not make a large answer.
    private static let userLimitBytes = 256

    /// Routes a request by one snapshot (the method, step 3): who asks decides the plan, the user part of the
    /// Request-URI the route, the Call-ID the draw among equals.
    package static func find(
        for request: Message, in datagram: Span<UInt8>, from source: IPAddress, in snapshot: RoutingSnapshot,
        status table: GatewayInformationTable, now: Instant, into set: inout TargetSet
    ) -> RoutingInformation {
        guard let plan = snapshot.plan(for: source) else { return .failure(status: 403, retryAfterSeconds: nil) }
        guard let uri = request.target else { return .failure(status: 400, retryAfterSeconds: nil) }
        guard uri.scheme != .other else { return .failure(status: 416, retryAfterSeconds: nil) }
        let user = uri.userinfo ?? .empty
        guard user.count <= userLimitBytes else { return .failure(status: 414, retryAfterSeconds: nil) }
        let number = DialledNumber(user: datagram.extracting(user.lowerBound..<user.upperBound))
        let draw = CallDraw.number(for: datagram.extracting(request.callID.lowerBound..<request.callID.upperBound))
        switch snapshot.select(number, in: plan, draw: draw, status: table, now: now, into: &set) {
        case .targets: return .targets
        case .failure(let failure):
            return .failure(status: failure.status, retryAfterSeconds: failure.retryAfterSeconds(at: now))
        }
    }
}
