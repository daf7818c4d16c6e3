/// How many calls a gateway or an ingress peer may have.
package struct CallLimits: Equatable, Sendable, BitwiseCopyable {
    /// Live calls at once; nil: no limit; 0: none.
    package var maxCalls: UInt32?
    /// New calls a second; nil: no limit; 0: none.
    package var maxCallsPerSecond: UInt32?

    /// The given limits; what is left out has none.
    package init(maxCalls: UInt32? = nil, maxCallsPerSecond: UInt32? = nil) {
        (self.maxCalls, self.maxCallsPerSecond) = (maxCalls, maxCallsPerSecond)
    }
}
