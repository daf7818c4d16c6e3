package import Addressing
package import Routing
package import SIPMessage
package import Time

// How this room works. `RoutingInformation.find` is the redirect server proper: one request and one snapshot give an
// ordered target list or a failure. The proxy calls it as a function; the redirect role sends its answer as a response,
// which `RedirectResponse` writes and `FollowedContacts` reads, where a proxy asks from elsewhere. No transactions, no
// state.

/// The answer to one call: an ordered target list, or a failure and its cause.
package enum RoutingInformation: Equatable, Sendable {
    /// The targets are in the target set.
    case targets
    /// There is none.
    case failure(Failure)

    /// What a call that gets no target is answered.
    package struct Failure: Equatable, Sendable {
        /// The status code.
        package let status: Int
        /// The reason phrase; empty: the usual one of the status.
        package let reasonPhrase: String
        /// Seconds for its Retry-After.
        package let retryAfterSeconds: Int64?
        /// Why; nil where it is the request itself that can't be routed.
        package let cause: RoutingFailure?

        fileprivate init(status: Int) {
            (self.status, reasonPhrase, retryAfterSeconds, cause) = (status, "", nil, nil)
        }

        /// The failure of a call that gets no target.
        package init(_ cause: RoutingFailure, at now: Instant) {
            (status, retryAfterSeconds, self.cause) = (cause.status, cause.retryAfterSeconds(at: now), cause)
            if case .rejected(_, let reason) = cause { reasonPhrase = reason } else { reasonPhrase = "" }
        }
    }

    /// A longer user part is nobody's number (414): each Contact of a redirection repeats it, and a small request must
    /// not make a large answer.
    private static let userLimitBytes = 256

    /// Routes a request by one snapshot (the method, step 3): who asks decides the plan, the user part of the
    /// Request-URI the route, the Call-ID the draw among equals.
    ///
    /// - Parameters:
    ///   - memory: whose turn it is, as this worker remembers.
    ///   - wallTime: by which the validity of routes is judged; `now` is what all else goes by.
    package static func find(
        for request: Message, in datagram: Span<UInt8>, from source: IPAddress, in snapshot: RoutingSnapshot,
        status table: GatewayInformationTable, memory: inout SelectionMemory, now: Instant, wallTime: WallTime,
        into set: inout TargetSet
    ) -> RoutingInformation {
        guard let plan = snapshot.plan(for: source) else { return .failure(Failure(.unknownPeer, at: now)) }
        guard let uri = request.target else { return .failure(Failure(status: 400)) }
        guard uri.scheme != .other else { return .failure(Failure(status: 416)) }
        let user = uri.userinfo ?? .empty
        guard user.count <= userLimitBytes else { return .failure(Failure(status: 414)) }
        let userPart = datagram.extracting(user.lowerBound..<user.upperBound)
        let draw = CallDraw.number(for: datagram.extracting(request.callID.lowerBound..<request.callID.upperBound))
        var query = RoutingQuery(
            DialledNumber(user: userPart), in: plan, draw: draw, now: now, wallTime: wallTime)
        if !query.number.isNumber { query.user = CallDraw.number(for: userPart) }
        if snapshot.isCallerHashed { query.caller = caller(of: request, in: datagram) }
        switch snapshot.select(query, status: table, memory: &memory, into: &set) {
        case .targets: return .targets
        case .failure(let failure): return .failure(Failure(failure, at: now))
        }
    }

    /// What stands for the caller: the user part of the URI in From, else the whole URI.
    private static func caller(of request: Message, in datagram: Span<UInt8>) -> UInt64 {
        let part: ByteRange
        do {
            let uri = try NameAddress.parse(datagram, request.from).uri
            part = try SIPURI.parse(datagram, uri).userinfo ?? uri
        } catch {
            part = request.from
        }
        let end = min(part.upperBound, datagram.count)
        return CallDraw.number(for: datagram.extracting(min(part.lowerBound, end)..<end))
    }
}
