package import Time

// What selection asks of the table besides the status.
extension GatewayInformationTable {
    /// How many calls the gateway has.
    package func liveCalls(_ slot: GatewaySlot) -> UInt32 { 0 }

    /// Whether one more call within this second keeps to the limit.
    package func rateAllows(_ slot: GatewaySlot, _ limits: CallLimits, _ now: Instant) -> Bool {
        limits.maxCallsPerSecond != 0
    }

    /// Whether no other call tries the gateway at present.
    package func isTrialFree(_ slot: GatewaySlot, _ now: Instant) -> Bool { true }

    /// Since when the gateway is back; nil when it never was out.
    package func inServiceSince(_ slot: GatewaySlot) -> Instant? { nil }

    /// Whether the fault is more likely our own network's.
    package var isNetworkSuspected: Bool { false }
}
