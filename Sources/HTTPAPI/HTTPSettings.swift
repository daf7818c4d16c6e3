package import Addressing
package import ControlPlane
package import JSON
package import Routing

/// Where and within which limits the API is served (API section 9).
package struct HTTPSettings: Sendable {
    /// The address to bind. Another than a loopback address needs tokens; the process refuses it without them.
    package var address: IPAddress
    /// 1...65535; 0 for any free port.
    package var port: UInt16
    /// Further names that `Host` and `Origin` may give, without a port, in lower case. `localhost`, the loopback
    /// addresses and the bound address are ours anyway.
    package var hostNames: Set<String> = []
    /// Whether requests must bring a token; without one, everybody who can connect is an admin.
    package var needsToken = false
    /// What clients are shown; nil: no TLS.
    package var tlsIdentity: TLSIdentity?
    /// The product's version, as `Server` and `/v1/version` say it.
    package var version = "0"
    /// Request line and header fields, bytes.
    package var headerLimitBytes = 16 * 1024
    /// A body that is no bulk, bytes.
    package var bodyLimitBytes = 1024 * 1024
    /// The body of a bulk, bytes.
    package var bulkLimitBytes = 2 << 30
    /// How fast a client must send the body of a bulk, and read an answer that is large, at least, bytes a second.
    package var leastBytesPerSecond: Int64 = 1024
    /// Connections in all.
    package var connectionLimitCount: UInt32 = 256
    /// Connections from one address.
    package var connectionsPerAddressLimitCount: UInt32 = 64
    /// Event streams in all.
    package var eventStreamLimitCount = 64
    /// How long after its connection's start a request's headers must be there, s; twice as long after the request
    /// before.
    package var headersTimeoutSeconds: UInt32 = 10
    /// How long a body may take, and how long a client may take to read its answer.
    package var bodyTimeout: Duration = .seconds(60)
    /// How often a silent event stream gets a comment.
    package var keepAliveInterval: Duration = .seconds(15)
    /// How long `stop` waits for changes that are under way.
    package var stopTimeout: Duration = .seconds(5)

    /// The settings of a fresh installation on that address.
    package init(address: IPAddress, port: UInt16) { (self.address, self.port) = (address, port) }
}

/// What the API needs of its process.
package struct HTTPSurroundings: Sendable {
    /// Why no calls should be sent here at present; empty when all is well. Reasons of the control plane are added.
    package var readiness: @Sendable () -> [String] = { [] }
    /// Adds the figures of the process to `/metrics`.
    package var metrics: @Sendable (inout PrometheusText) -> Void = { _ in }
    /// Asks a gateway out of turn and tells how it ended, once, from any thread; nil: nobody could ask.
    package var probe: @Sendable (GatewaySlot, @escaping @Sendable (ProbeOutcome?) -> Void) -> Void = { $1(nil) }
    /// The newest call records, newest first.
    package var calls: @Sendable (CallQuery) -> CallPage = { _ in CallPage(items: [], next: nil) }
    /// One call record; nil when none has that id.
    package var call: @Sendable (String) -> JSONValue? = { _ in nil }
    /// Takes the lines of the log.
    package var log: HTTPLog = { _, _, _ in }
    /// Whether lines of that level are kept at all.
    package var isLogged: @Sendable (HTTPLogLevel) -> Bool = { _ in true }

    /// Surroundings that add nothing.
    package init() {}
}

/// How much a line of the log matters.
package enum HTTPLogLevel: String, Sendable { case debug, info, warning, error }

/// Takes one structured line: level, message, fields. Must not block.
package typealias HTTPLog = @Sendable (HTTPLogLevel, String, [(name: String, value: String)]) -> Void

/// Why the API can't be served.
package struct HTTPServerError: Error, Equatable, CustomStringConvertible {
    /// One line that names the address: `127.0.0.1:8080: address already in use`.
    package let description: String

    init(_ description: String) { self.description = description }
}
