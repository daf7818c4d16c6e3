package import Addressing
package import Probing
package import SIPTransaction

/// What does not change while a worker lives.
package struct SignallingSettings: Sendable {
    /// What a listener's address is for.
    package enum Role: String, Sendable { case proxy, redirect }

    /// One address that requests come to.
    package struct Listener: Sendable {
        /// What it is for.
        package let role: Role
        /// What its socket is bound to.
        package let bound: TransportAddress
        /// What stands in our Via and Record-Route: the bound address, or what `--advertise` says.
        package let advertised: TransportAddress

        /// A listener of its parts.
        package init(role: Role, bound: TransportAddress, advertised: TransportAddress) {
            (self.role, self.bound, self.advertised) = (role, bound, advertised)
        }
    }

    /// All listeners; the same for every worker.
    package var listeners: [Listener]
    /// Which worker this is, 0..<`workerCount`.
    package var worker: UInt8
    /// How many workers share the listeners.
    package var workerCount: UInt8
    /// Keys the marks in our Record-Route; kept over restarts.
    package var routeSecret: KeyedHash.Key
    /// Keys branches, tags and transaction keys; new in each process, another in each worker.
    package var workerSecret: KeyedHash.Key
    /// What `Server` and `User-Agent` say.
    package var serverName: String
    /// T1, T2, T4.
    package var timers = TimerSettings()
    /// From the last provisional above 100 to a final (RFC 3261 section 16.6 step 11: more than 3 minutes), within
    /// dialogs; a gateway has its own.
    package var timerC: Duration = .seconds(200)
    /// Whether dialogs come through us (Record-Route).
    package var isRecordRouting = true
    /// Whether the gateways are within our trust domain (RFC 3325): what they assert is believed, and they are told of
    /// identities that are to be kept private.
    package var areGatewaysTrusted = true
    /// Whether calls that wait for a first response from a gateway that others find dead move on at once.
    package var movesWaitingCallsOn = true
    /// How long a live call is counted without any request within it; one with a session timer (RFC 4028) half as long
    /// again as that.
    package var callLease: Duration = .seconds(6 * 3600)
    /// What is the same for all probes; only worker 0 probes.
    package var probing = ProbeSettings()
    /// More live response contexts than this: new calls get 503.
    package var callLimitCount = 200_000
    /// More live server transactions than this, which may be of calls that are over: new requests get 503.
    package var transactionLimitCount = 2_000_000
    /// More bytes of requests under way than this: new requests get 503.
    package var heldLimitBytes = 1 << 29
    /// More bytes of messages that may have to be sent again, answers to calls that are over among them, than this: new
    /// requests get 503. Far above what so many transactions keep unless somebody makes their answers long.
    package var keptLimitBytes = 1 << 31

    /// Settings for the given listeners; all else has its default.
    package init(
        listeners: [Listener], worker: UInt8 = 0, workerCount: UInt8 = 1, routeSecret: KeyedHash.Key,
        workerSecret: KeyedHash.Key, serverName: String
    ) {
        (self.listeners, self.worker, self.workerCount) = (listeners, worker, workerCount)
        (self.routeSecret, self.workerSecret, self.serverName) = (routeSecret, workerSecret, serverName)
    }
}
