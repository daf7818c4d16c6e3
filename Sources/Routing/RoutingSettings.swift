/// The settings that calls follow (API section 3, `settings`).
package struct RoutingSettings: Equatable, Sendable {
    /// What becomes of status changes while the fault is more likely our own network's.
    package enum WhenNetworkSuspected: String, Sendable, BitwiseCopyable, CaseIterable {
        /// The last known status is held, and lists are tried in order.
        case hold
        /// Nothing changes.
        case ignore
    }

    /// Whether dialogs come through the proxy.
    package var isRecordRouting = true
    /// Remote redirect servers, tried in turn; empty: the co-located one.
    package var redirectServers: [RedirectServer] = []
    /// How gateways are tried of which a remote redirect server says nothing, and that server itself.
    package var remoteDefaults = RemoteTarget.Rules()
    /// What becomes of status changes while the fault is more likely our own network's.
    package var whenNetworkSuspected = WhenNetworkSuspected.hold
    /// Whether calls that wait for a first response from a gateway that others find dead move on at once.
    package var movesWaitingCallsOn = true

    /// The defaults of the API.
    package init() {}
}
