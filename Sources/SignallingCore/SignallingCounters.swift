import Routing

/// What one worker has counted since it began. Everything that is dropped is counted under a name of its own.
package struct SignallingCounters: Sendable {
    /// Requests by what became of them.
    package var invitesReceived: UInt64 = 0
    /// Requests other than INVITE, ACK and CANCEL.
    package var otherRequestsReceived: UInt64 = 0
    /// CANCEL requests.
    package var cancelsReceived: UInt64 = 0
    /// ACK requests.
    package var acknowledgementsReceived: UInt64 = 0
    /// Copies of a request whose transaction is alive.
    package var retransmissionsReceived: UInt64 = 0
    /// Responses that belong to a client transaction.
    package var responsesReceived: UInt64 = 0
    /// Responses whose branch is not ours, or whose transaction is over.
    package var strayResponses: UInt64 = 0
    /// Datagrams that are no SIP message and can't be answered.
    package var malformedDropped: UInt64 = 0
    /// Requests that were answered 400, 416 or 505.
    package var malformedAnswered: UInt64 = 0
    /// Requests from addresses that may not call.
    package var strangersRefused: UInt64 = 0
    /// ACKs that belong nowhere.
    package var strayAcknowledgements: UInt64 = 0
    /// Calls answered with targets by the redirect role.
    package var redirected: UInt64 = 0
    /// Calls of ingress peers that had as many as they may have (503).
    package var peerFull: UInt64 = 0
    /// Calls that found no route (404).
    package var noRoute: UInt64 = 0
    /// Calls whose number is too short or too long for its route (484).
    package var incompleteNumbers: UInt64 = 0
    /// Calls that their route rejects.
    package var rejected: UInt64 = 0
    /// Calls whose routing list has no gateway (503).
    package var emptyRoutingLists: UInt64 = 0
    /// Calls that found every gateway out-of-service (503).
    package var everyGatewayOut: UInt64 = 0
    /// Calls that found every gateway at its limit, or some of them out-of-service (503).
    package var everyGatewayFull: UInt64 = 0
    /// Calls that found every gateway locked or shutting down (503).
    package var everyGatewayLocked: UInt64 = 0
    /// Calls for which every remote redirect server was out-of-service (503).
    package var everyRedirectServerOut: UInt64 = 0
    /// New requests refused while draining or over the limit of live calls (503).
    package var shed: UInt64 = 0
    /// Requests sent to a gateway of a target set; those within a dialog are none.
    package var attempts: UInt64 = 0
    /// Attempts after one that got a final response which is a failover cause.
    package var failoversAfterResponse: UInt64 = 0
    /// Attempts after one that got no response of any kind.
    package var failoversAfterSilence: UInt64 = 0
    /// Attempts after one that got a 100, and then nothing in time.
    package var failoversAfterNoProgress: UInt64 = 0
    /// Attempts after one that got a provisional response, and then no final in time.
    package var failoversAfterNoAnswer: UInt64 = 0
    /// Attempts after one that ended in a transport error.
    package var failoversAfterTransportError: UInt64 = 0
    /// Attempts after one whose gateway was found dead by other calls.
    package var failoversAfterFall: UInt64 = 0
    /// Targets that got nothing since their gateway was out-of-service by then.
    package var skippedOut: UInt64 = 0
    /// Targets that got nothing since the operator had locked their gateway by then.
    package var skippedLocked: UInt64 = 0
    /// Targets that got nothing since their gateway had all the calls that it may have.
    package var skippedFull: UInt64 = 0
    /// Targets that got nothing since another call tried whether their gateway was back.
    package var skippedTrial: UInt64 = 0
    /// Times that a gateway became suspect.
    package var suspicions: UInt64 = 0
    /// Calls that were refused so often that not each of them was recorded.
    package var callsUnrecorded: UInt64 = 0
    /// Calls that were counted no longer since nothing was heard of them for too long.
    package var liveCallsExpired: UInt64 = 0
    /// First responses that took up to 5 ms, and longer than those before.
    package var firstResponses5ms: UInt64 = 0
    /// First responses that took up to 20 ms, and longer than those before.
    package var firstResponses20ms: UInt64 = 0
    /// First responses that took up to 50 ms, and longer than those before.
    package var firstResponses50ms: UInt64 = 0
    /// First responses that took up to 100 ms, and longer than those before.
    package var firstResponses100ms: UInt64 = 0
    /// First responses that took up to 200 ms, and longer than those before.
    package var firstResponses200ms: UInt64 = 0
    /// First responses that took up to 500 ms, and longer than those before.
    package var firstResponses500ms: UInt64 = 0
    /// First responses that took up to 1 s, and longer than those before.
    package var firstResponses1s: UInt64 = 0
    /// First responses that took up to 2 s, and longer than those before.
    package var firstResponses2s: UInt64 = 0
    /// First responses that took up to 5 s, and longer than those before.
    package var firstResponses5s: UInt64 = 0
    /// First responses that took up to 10 s, and longer than those before.
    package var firstResponses10s: UInt64 = 0
    /// First responses that took longer.
    package var firstResponsesLater: UInt64 = 0
    /// How long all first responses took together, us.
    package var firstResponseMicroseconds: UInt64 = 0
    /// Attempts without any response in the predetermined time.
    package var attemptsUnanswered: UInt64 = 0
    /// Attempts that ended in a transport error.
    package var attemptsUnreachable: UInt64 = 0
    /// Requests sent again by Timer A or E.
    package var requestsResent: UInt64 = 0
    /// Responses sent.
    package var responsesSent: UInt64 = 0
    /// Probes sent.
    package var probes: UInt64 = 0
    /// Probes without an acknowledgement.
    package var probesFailed: UInt64 = 0
    /// Requests sent to redirect servers elsewhere.
    package var inquiries: UInt64 = 0
    /// Inquiries that were answered with targets.
    package var inquiriesRedirected: UInt64 = 0
    /// Inquiries that were answered with a failure, which went back to the caller.
    package var inquiriesRefused: UInt64 = 0
    /// Inquiries that were answered 503: the next redirect server was asked, where there was one.
    package var inquiriesBusy: UInt64 = 0
    /// Inquiries without a response in the predetermined time, those among them that others had found dead.
    package var inquiriesUnanswered: UInt64 = 0
    /// Inquiries that ended in a transport error.
    package var inquiriesUnreachable: UInt64 = 0
    /// Inquiries that were given up: the caller had hung up, or an earlier server had answered late.
    package var inquiriesGivenUp: UInt64 = 0
    /// Contacts of redirect servers elsewhere that can't be sent to, or would be sent to twice.
    package var contactsIgnored: UInt64 = 0
    /// Datagrams that another worker's transaction waits for.
    package var handedOver: UInt64 = 0

    /// No counts.
    package init() {}

    /// Attempts that were the second or a later one of their request.
    package var failovers: UInt64 {
        failoversAfterResponse &+ failoversAfterSilence &+ failoversAfterNoProgress &+ failoversAfterNoAnswer
            &+ failoversAfterTransportError &+ failoversAfterFall
    }

    /// Counts an attempt after one that ended so.
    mutating func countFailover(_ reason: AttemptEnd) {
        switch reason {
        case .failureResponse, .refused, .answered, .cancelled, .superseded, .gaveUp, .redirected:
            failoversAfterResponse &+= 1
        case .noResponse: failoversAfterSilence &+= 1
        case .noProgress: failoversAfterNoProgress &+= 1
        case .noAnswer: failoversAfterNoAnswer &+= 1
        case .transportError: failoversAfterTransportError &+= 1
        case .gatewayFell: failoversAfterFall &+= 1
        }
    }

    /// Counts a call that gets no target.
    mutating func count(_ failure: RoutingFailure) {
        switch failure {
        case .unknownPeer: strangersRefused &+= 1
        case .noRoute: noRoute &+= 1
        case .incompleteNumber: incompleteNumbers &+= 1
        case .rejected: rejected &+= 1
        case .emptyRoutingList: emptyRoutingLists &+= 1
        case .everyGatewayOut: everyGatewayOut &+= 1
        case .everyGatewayFull: everyGatewayFull &+= 1
        case .everyGatewayLocked: everyGatewayLocked &+= 1
        case .everyRedirectServerOut: everyRedirectServerOut &+= 1
        }
    }

    /// Calls `body` with each count: the metric's name, its label as it stands in Prometheus text (empty for none),
    /// what it counts, and the number.
    package func forEach(_ body: (_ name: StaticString, _ label: StaticString, _ help: StaticString, UInt64) -> Void) {
        let requests: StaticString = "Requests received, by method."
        body("tandem_requests_received_total", "method=\"INVITE\"", requests, invitesReceived)
        body("tandem_requests_received_total", "method=\"ACK\"", requests, acknowledgementsReceived)
        body("tandem_requests_received_total", "method=\"CANCEL\"", requests, cancelsReceived)
        body("tandem_requests_received_total", "method=\"other\"", requests, otherRequestsReceived)
        body("tandem_retransmissions_received_total", "", "Copies of requests absorbed.", retransmissionsReceived)
        body("tandem_responses_received_total", "", "Responses to requests of ours.", responsesReceived)
        let dropped: StaticString = "Datagrams dropped without an answer, by reason."
        body("tandem_datagrams_dropped_total", "reason=\"malformed\"", dropped, malformedDropped)
        body("tandem_datagrams_dropped_total", "reason=\"stray-response\"", dropped, strayResponses)
        body("tandem_datagrams_dropped_total", "reason=\"stray-ack\"", dropped, strayAcknowledgements)
        let refused: StaticString = "Requests refused by us, by reason."
        body("tandem_requests_refused_total", "reason=\"malformed\"", refused, malformedAnswered)
        body("tandem_requests_refused_total", "reason=\"stranger\"", refused, strangersRefused)
        body("tandem_requests_refused_total", "reason=\"peer-full\"", refused, peerFull)
        body("tandem_requests_refused_total", "reason=\"no-route\"", refused, noRoute)
        body("tandem_requests_refused_total", "reason=\"incomplete-number\"", refused, incompleteNumbers)
        body("tandem_requests_refused_total", "reason=\"rejected\"", refused, rejected)
        body("tandem_requests_refused_total", "reason=\"empty-routing-list\"", refused, emptyRoutingLists)
        body("tandem_requests_refused_total", "reason=\"every-gateway-out\"", refused, everyGatewayOut)
        body("tandem_requests_refused_total", "reason=\"every-gateway-full\"", refused, everyGatewayFull)
        body("tandem_requests_refused_total", "reason=\"every-gateway-locked\"", refused, everyGatewayLocked)
        body(
            "tandem_requests_refused_total", "reason=\"every-redirect-server-out\"", refused, everyRedirectServerOut)
        body("tandem_requests_refused_total", "reason=\"overload\"", refused, shed)
        body("tandem_redirects_total", "", "Calls answered with targets by the redirect role.", redirected)
        body("tandem_attempts_total", "", "Requests sent to a gateway that was selected for them.", attempts)
        let moved: StaticString = "Attempts after the first of their request, by how the one before ended."
        body("tandem_failovers_total", "cause=\"failure-response\"", moved, failoversAfterResponse)
        body("tandem_failovers_total", "cause=\"no-response\"", moved, failoversAfterSilence)
        body("tandem_failovers_total", "cause=\"no-progress\"", moved, failoversAfterNoProgress)
        body("tandem_failovers_total", "cause=\"no-answer\"", moved, failoversAfterNoAnswer)
        body("tandem_failovers_total", "cause=\"transport-error\"", moved, failoversAfterTransportError)
        body("tandem_failovers_total", "cause=\"gateway-fell\"", moved, failoversAfterFall)
        let skipped: StaticString = "Selected targets that got nothing, by what had become of their gateway."
        body("tandem_targets_skipped_total", "reason=\"out-of-service\"", skipped, skippedOut)
        body("tandem_targets_skipped_total", "reason=\"locked\"", skipped, skippedLocked)
        body("tandem_targets_skipped_total", "reason=\"full\"", skipped, skippedFull)
        body("tandem_targets_skipped_total", "reason=\"trial\"", skipped, skippedTrial)
        body("tandem_gateway_suspicions_total", "", "Times that a gateway did not answer for T1.", suspicions)
        body("tandem_calls_unrecorded_total", "", "Refused calls beyond those recorded.", callsUnrecorded)
        body("tandem_live_calls_expired_total", "", "Calls without a sign of life for too long.", liveCallsExpired)
        let failed: StaticString = "Attempts without a response, by cause."
        body("tandem_attempts_failed_total", "cause=\"no-response\"", failed, attemptsUnanswered)
        body("tandem_attempts_failed_total", "cause=\"transport-error\"", failed, attemptsUnreachable)
        body("tandem_requests_resent_total", "", "Requests sent again for want of a response.", requestsResent)
        body("tandem_responses_sent_total", "", "Responses sent.", responsesSent)
        body("tandem_probes_total", "", "OPTIONS probes sent.", probes)
        body("tandem_probes_failed_total", "", "Probes that were not acknowledged.", probesFailed)
        body("tandem_datagrams_handed_over_total", "", "Datagrams passed to the worker that owns them.", handedOver)
        forEachInquiry(body)
    }
}
