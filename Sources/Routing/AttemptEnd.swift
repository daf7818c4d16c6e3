/// Why the attempt at one target ended.
package enum AttemptEnd: UInt8, Equatable, Sendable, BitwiseCopyable, CaseIterable {
    /// A 2xx came.
    case answered = 1
    /// A final response that ended the search.
    case refused
    /// A final response that is a failover cause.
    case failureResponse
    /// No response of any kind in the predetermined time.
    case noResponse
    /// A 100, and then nothing in time.
    case noProgress
    /// Timer C: a provisional response, and then no final in time.
    case noAnswer
    /// The transport failed.
    case transportError
    /// Other calls found the gateway dead while this one waited.
    case gatewayFell
    /// The time for the whole search was over.
    case gaveUp
    /// The upstream element sent CANCEL.
    case cancelled
    /// Another target answered or declined the call.
    case superseded
    /// A redirect server said where the call goes.
    case redirected

    /// The word for it in call records and metrics.
    package var name: String {
        switch self {
        case .answered: "answered"
        case .refused: "refused"
        case .failureResponse: "failure-response"
        case .noResponse: "no-response"
        case .noProgress: "no-progress"
        case .noAnswer: "no-answer"
        case .transportError: "transport-error"
        case .gatewayFell: "gateway-fell"
        case .gaveUp: "gave-up"
        case .cancelled: "cancelled"
        case .superseded: "superseded"
        case .redirected: "redirected"
        }
    }
}
