import Addressing
import Synchronization

/// Keeps web pages of elsewhere away from an open port (API section 2): `Host` must name us, and where a browser sends
/// `Origin` it must be what `Host` names: a page of another port of the same host is one of elsewhere (RFC 6454
/// section 5).
final class HostGuard: Sendable {
    private let names: Set<String>
    private let bound: IPAddress
    private let isTLS: Bool
    /// The `Host` that was ours last: nearly every request has the same.
    private let last = Mutex<String?>(nil)

    init(_ settings: HTTPSettings) {
        names = settings.hostNames.union(["localhost"])
        bound = settings.address
        isTLS = settings.tlsIdentity != nil
    }

    /// Throws `forbidden` for a request that is not meant for us.
    func check(_ headers: RequestHeaders) throws(HTTPProblem) {
        if let host = headers.host, last.withLock({ $0 != host }) {
            guard isOurs(host) else {
                throw HTTPProblem(
                    .forbidden,
                    "the Host \(host.debugDescription) is not a name of this server; use localhost or its address")
            }
            last.withLock { $0 = host }
        }
        guard let origin = headers.origin else { return }
        guard let host = headers.host, isSame(origin: origin, asHost: host) else {
            throw HTTPProblem(.forbidden, "web pages of the origin \(origin.debugDescription) may not use this server")
        }
    }

    /// The same for the authority of a target in absolute form: it counts instead of `Host` (RFC 9112 section 3.2.2).
    func check(authority: String) throws(HTTPProblem) {
        guard isOurs(authority) else {
            throw HTTPProblem(
                .forbidden,
                "the target's host \(authority.debugDescription) is not a name of this server; use localhost or its "
                    + "address")
        }
    }

    /// True when a page of the origin came from the host that the request is for. The scheme of an origin is ours: with
    /// TLS https; without, https too, since a proxy before us may be what has it.
    private func isSame(origin: String, asHost host: String) -> Bool {
        let origin = origin.trimmed.lowercased()
        guard let separator = origin.firstRange(of: "://") else { return false }
        let scheme = origin[..<separator.lowerBound]
        guard scheme == "https" || scheme == "http" && !isTLS else { return false }
        let usual = scheme == "https" ? ":443" : ":80"
        func withoutUsualPort(_ authority: String) -> Substring {
            authority.hasSuffix(usual) ? authority.dropLast(usual.count) : authority[...]
        }
        let authority = String(origin[separator.upperBound...])
        return isOurs(authority) && withoutUsualPort(authority) == withoutUsualPort(host.trimmed.lowercased())
    }

    /// True for a name or address of ours, with any port.
    private func isOurs(_ authority: String) -> Bool {
        guard let host = Self.host(of: authority.trimmed.lowercased()) else { return false }
        if names.contains(host) { return true }
        guard let address = IPAddress(host) else { return false }
        // Bound to every address, any literal is ours: a name that was made to point here is what must not pass.
        return address.isLoopback || address == bound || bound.isUnspecified
    }

    /// The host of `host`, `host:port`, `[address]`, `[address]:port`, without brackets; nil when it is none of these.
    private static func host(of authority: String) -> String? {
        let host: Substring
        let rest: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[authority.index(after: authority.startIndex)..<end]
            rest = authority[authority.index(after: end)...]
            guard host.contains(":") else { return nil }
        } else {
            host = authority.prefix { $0 != ":" }
            rest = authority[host.endIndex...]
        }
        let isPort = rest.isEmpty || (rest.first == ":" && rest.dropFirst().allSatisfy { $0.isASCII && $0.isNumber })
        return host.isEmpty || !isPort ? nil : String(host)
    }
}
