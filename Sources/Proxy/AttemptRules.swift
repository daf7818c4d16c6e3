package import Routing

/// What a search must know of one target: how long it waits there, and which ends move it on.
package struct AttemptRules: Sendable, BitwiseCopyable {
    /// Which ends of the attempt move the search on to the next target.
    package var failoverCauses = GatewayGroup.standardFailoverCauses
    /// Whether a failure after a provisional 18x moves it on too.
    package var failsOverAfterRinging = false
    /// Which final responses say that the gateway and not the callee failed.
    package var outOfServiceCauses = Gateway.standardOutOfServiceCauses
    /// After a 100, how long to wait for more; nil: no bound of its own.
    package var progressTimeout: Duration?
    /// Timer C: from the last provisional above 100 to a final.
    package var answerTimeout: Duration

    /// Rules with the API's causes.
    package init(answerTimeout: Duration) { self.answerTimeout = answerTimeout }

    /// The rules of a target of a target set.
    package init(of target: TargetSet.Target) {
        failoverCauses = target.failoverCauses
        failsOverAfterRinging = target.failsOverAfterRinging
        outOfServiceCauses = target.outOfServiceCauses
        let progress = target.timing.progressTimeoutMilliseconds
        progressTimeout = progress == 0 ? nil : .milliseconds(Int64(progress))
        answerTimeout = .seconds(Int64(target.timing.answerTimeoutSeconds))
    }
}

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
        }
    }
}
