package import Addressing
package import Probing
package import SIPTransaction
package import SignallingCore

/// What the signalling of a process is started with.
package struct DataPlaneSettings: Sendable {
    /// An address to listen on.
    package struct Listener: Sendable {
        /// What it is for.
        package let role: SignallingSettings.Role
        /// What to bind: UDP or TCP; port 0: any free one; an unspecified address: every interface.
        package let address: TransportAddress
        /// Whether TCP is listened to at the same address and port as well, as RFC 3261 section 18.2.1 asks for.
        package let isAlsoOverTCP: Bool
        /// The address that stands in our Via and Record-Route; nil: the bound one. A must for an unspecified address.
        package let advertised: IPAddress?

        /// A listener of its parts.
        package init(
            role: SignallingSettings.Role, address: TransportAddress, isAlsoOverTCP: Bool = false,
            advertised: IPAddress? = nil
        ) {
            (self.role, self.address, self.isAlsoOverTCP) = (role, address, isAlsoOverTCP)
            self.advertised = advertised
        }
    }

    /// How many workers one process has at most: the branch, and a word of bits, name them.
    package static let workerLimitCount = 64

    /// The addresses, 1...255.
    package var listeners: [Listener]
    /// 1...`workerLimitCount`; nil: one for each processor that the process may run on.
    package var workerCount: Int?
    /// Whether workers run before every thread that is not real-time, ours and others' (SCHED_RR).
    package var isRealTime = false
    /// Keys the marks in our Record-Route; kept over restarts.
    package var routeSecret: KeyedHash.Key
    /// What `Server` and `User-Agent` say.
    package var serverName: String
    /// T1, T2, T4.
    package var timers = TimerSettings()
    /// From the last provisional above 100 to a final.
    package var timerC: Duration = .seconds(200)
    /// Whether dialogs come through us (Record-Route).
    package var isRecordRouting = true
    /// What is the same for all probes.
    package var probing = ProbeSettings()
    /// More calls than this that look for a gateway or ring, in the whole process: new ones get 503.
    package var callLimitCount = 200_000
    /// What bounds connections.
    package var streams = StreamLimits()

    /// Settings for the given listeners; all else has its default.
    package init(listeners: [Listener], routeSecret: KeyedHash.Key, serverName: String) {
        (self.listeners, self.routeSecret, self.serverName) = (listeners, routeSecret, serverName)
    }

    /// How many workers there will be.
    var effectiveWorkerCount: Int { min(max(workerCount ?? Processors.count, 1), Self.workerLimitCount) }

    /// What one worker is started with. Its secret is drawn here, so that nobody outside makes up a branch or a tag.
    func worker(_ number: Int, of count: Int, _ listeners: [SignallingSettings.Listener]) -> SignallingSettings {
        var generator = SystemRandomNumberGenerator()
        var settings = SignallingSettings(
            listeners: listeners, worker: UInt8(truncatingIfNeeded: number),
            workerCount: UInt8(truncatingIfNeeded: count), routeSecret: routeSecret,
            workerSecret: KeyedHash.Key(generator.next(), generator.next()), serverName: serverName)
        settings.timers = timers
        settings.timerC = timerC
        settings.isRecordRouting = isRecordRouting
        settings.probing = probing
        // Overload: the kernel spreads callers evenly enough that each worker may keep its share by itself.
        settings.callLimitCount = max(1, callLimitCount / count)
        settings.transactionLimitCount = max(1, settings.transactionLimitCount / count)
        settings.heldLimitBytes = max(1, settings.heldLimitBytes / count)
        settings.keptLimitBytes = max(1, settings.keptLimitBytes / count)
        return settings
    }
}
