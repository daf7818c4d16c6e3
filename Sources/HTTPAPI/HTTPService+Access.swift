import Addressing
import ControlPlane
import JSON
import Synchronization
import Time

extension HTTPService {
    /// Who sends a request, and whether the endpoint is for them (API section 2): throws `unauthorised` or `forbidden`.
    func admit(
        _ headers: RequestHeaders, from address: IPAddress?, to endpoint: Endpoint
    ) throws(HTTPProblem) -> Identity {
        let stranger = Identity(
            who: "anonymous@" + (address.map { "\($0)" } ?? "unknown"), role: .admin, ground: .open)
        guard case .role(let role) = endpoint.need else { return stranger }
        guard let authorization = headers.authorization else {
            guard settings.needsToken else { return stranger }
            throw .unauthorised("this needs a token: send the header field Authorization: Bearer TOKEN")
        }
        // A token is looked at wherever one is sent: it says who does something, on an open port too.
        let identity = try identity(authorization, from: address)
        guard identity.role >= role else {
            var problem = HTTPProblem(
                .forbidden,
                "the role \(identity.role.rawValue) of \(identity.who.debugDescription) does not allow this; it needs "
                    + "\(role.rawValue)")
            problem.headers = [
                ("WWW-Authenticate", "\(Self.realm), error=\"insufficient_scope\", scope=\"\(role.rawValue)\"")
            ]
            throw problem
        }
        return identity
    }

    private func identity(_ authorization: String, from address: IPAddress?) throws(HTTPProblem) -> Identity {
        let words = authorization.split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[0].lowercased() == "bearer" else {
            throw .unauthorised("Authorization must be Bearer TOKEN", error: "invalid_request")
        }
        let detail: String
        switch controlPlane.tokens.find(String(words[1]).trimmed) {
        case .known(let identity): return identity
        case .expired(let id, let end): detail = "the token \(id.debugDescription) ended at \(end.rfc3339)"
        case .unknown: detail = "no such token: it was never given, or it was revoked"
        }
        if let suppressedCount = refusedTokensLogged.isDue(at: clock.now) {
            log(
                .warning, "a token was refused",
                [
                    ("from", address.map { "\($0)" } ?? "unknown"), ("reason", detail),
                    ("refused_meanwhile", "\(suppressedCount)"),
                ])
        }
        throw .unauthorised(detail, error: "invalid_token")
    }

    fileprivate static let realm = "Bearer realm=\"tandem\""
}

extension HTTPProblem {
    /// - Parameter error: what the client's library is told (RFC 6750 section 3.1); nil when no token came.
    static func unauthorised(_ detail: String, error: String? = nil) -> HTTPProblem {
        var problem = HTTPProblem(.unauthorised, detail)
        let error = error.map { ", error=\"\($0)\"" } ?? ""
        problem.headers = [("WWW-Authenticate", HTTPService.realm + error)]
        return problem
    }
}

/// Bounds how often the same thing is logged: what strangers can cause must not fill a disk.
final class LogBound: Sendable {
    private let state = Mutex<(last: Instant?, suppressedCount: Int)>((nil, 0))
    private let interval: Duration

    init(every interval: Duration) { self.interval = interval }

    /// How many were passed over since the last one that was logged; nil: this one is passed over too.
    func isDue(at now: Instant) -> Int? {
        state.withLock { state in
            if let last = state.last, now - last < interval {
                state.suppressedCount += 1
                return nil
            }
            defer { state = (now, 0) }
            return state.suppressedCount
        }
    }
}
