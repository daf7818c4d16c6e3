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
    /// Calls that found no route (404).
    package var noRoute: UInt64 = 0
    /// Calls that found every gateway out-of-service (503).
    package var everyGatewayOut: UInt64 = 0
    /// New requests refused while draining or over the limit of live calls (503).
    package var shed: UInt64 = 0
    /// Requests sent to a gateway of a target set; those within a dialog are none.
    package var attempts: UInt64 = 0
    /// Attempts that were the second or a later one of their request.
    package var failovers: UInt64 = 0
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
    /// Datagrams that another worker's transaction waits for.
    package var handedOver: UInt64 = 0

    /// No counts.
    package init() {}

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
        body("tandem_requests_refused_total", "reason=\"no-route\"", refused, noRoute)
        body("tandem_requests_refused_total", "reason=\"every-gateway-out\"", refused, everyGatewayOut)
        body("tandem_requests_refused_total", "reason=\"overload\"", refused, shed)
        body("tandem_redirects_total", "", "Calls answered with targets by the redirect role.", redirected)
        body("tandem_attempts_total", "", "Requests sent to a gateway that was selected for them.", attempts)
        body("tandem_failovers_total", "", "Attempts after the first of their request.", failovers)
        let failed: StaticString = "Attempts without a response, by cause."
        body("tandem_attempts_failed_total", "cause=\"no-response\"", failed, attemptsUnanswered)
        body("tandem_attempts_failed_total", "cause=\"transport-error\"", failed, attemptsUnreachable)
        body("tandem_requests_resent_total", "", "Requests sent again for want of a response.", requestsResent)
        body("tandem_responses_sent_total", "", "Responses sent.", responsesSent)
        body("tandem_probes_total", "", "OPTIONS probes sent.", probes)
        body("tandem_probes_failed_total", "", "Probes that were not acknowledged.", probesFailed)
        body("tandem_datagrams_handed_over_total", "", "Datagrams passed to the worker that owns them.", handedOver)
    }
}
