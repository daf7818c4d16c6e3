/// How one gateway is probed (API section 3, `probe`).
package struct ProbeRules: Equatable, Sendable {
    /// It is asked once in this time, 1...86400 s; 0: never.
    package var intervalSeconds: UInt32 = 30
    /// The predetermined wait for an answer, 100...32000 ms.
    package var timeoutMilliseconds: UInt32 = 2000
    /// So many questions in a row without an acknowledgement make it out-of-service, 1...100.
    package var failureLimitCount: UInt8 = 3
    /// So many acknowledgements in a row put it back, 1...100.
    package var successLimitCount: UInt8 = 1
    /// The final responses that acknowledge nothing; any other does.
    package var downOn: CauseSet = [.status(408), .status(503)]
    /// The URI of the From field; nil: our own address.
    package var from: String?

    /// The defaults of the API.
    package init() {}
}
