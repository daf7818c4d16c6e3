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
