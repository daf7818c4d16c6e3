/// The parameters of a Contact (RFC 3261 section 20.10, `contact-extension`) by which a redirect server tells a proxy
/// elsewhere which gateway a Contact is and how it is tried. Others ignore them.
///
/// `tandem-gateway` stands in each of our Contacts; what has the API's default is left out beside it. A Contact without
/// it says nothing of how it is tried.
package enum ContactParameters {
    /// The gateway's id.
    package static let gateway: StaticString = "tandem-gateway"
    /// How long an attempt waits for any response, ms.
    package static let responseTimeout: StaticString = "tandem-response-timeout-ms"
    /// How often the request is sent again in that time.
    package static let resends: StaticString = "tandem-resends"
    /// After a 100, how long to wait for more, ms.
    package static let progressTimeout: StaticString = "tandem-progress-timeout-ms"
    /// Timer C, s.
    package static let answerTimeout: StaticString = "tandem-answer-timeout-s"
    /// Which ends say that the gateway failed: the words of `out_of_service_causes`, quoted, with blanks between.
    package static let outOfServiceCauses: StaticString = "tandem-out-of-service-causes"
    /// Which ends move the call on: the words of `failover_causes`, quoted, with blanks between.
    package static let failoverCauses: StaticString = "tandem-failover-causes"
    /// A failure after a provisional 18x moves the call on too. Without a value.
    package static let failsOverAfterRinging: StaticString = "tandem-failover-after-ringing"
    /// How long the whole search may take, ms; in the first Contact.
    package static let giveUpAfter: StaticString = "tandem-give-up-after-ms"

    /// What a gateway's Contacts have.
    static func text(of gateway: Gateway) -> String {
        let (timing, standard) = (gateway.timing, GatewayTiming())
        var text = ";\(self.gateway)=\(gateway.id)"
        if timing.responseTimeoutMilliseconds != standard.responseTimeoutMilliseconds {
            text += ";\(responseTimeout)=\(timing.responseTimeoutMilliseconds)"
        }
        if timing.resendLimit != standard.resendLimit { text += ";\(resends)=\(timing.resendLimit)" }
        if timing.progressTimeoutMilliseconds != standard.progressTimeoutMilliseconds {
            text += ";\(progressTimeout)=\(timing.progressTimeoutMilliseconds)"
        }
        if timing.answerTimeoutSeconds != standard.answerTimeoutSeconds {
            text += ";\(answerTimeout)=\(timing.answerTimeoutSeconds)"
        }
        if gateway.outOfServiceCauses != Gateway.standardOutOfServiceCauses {
            text += ";\(outOfServiceCauses)=\"\(gateway.outOfServiceCauses.words)\""
        }
        return text
    }

    /// What the Contacts of a group's gateways have besides.
    static func text(of group: GatewayGroup) -> String {
        var text = ""
        if group.failoverCauses != GatewayGroup.standardFailoverCauses {
            text += ";\(failoverCauses)=\"\(group.failoverCauses.words)\""
        }
        if group.failsOverAfterRinging { text += ";\(failsOverAfterRinging)" }
        return text
    }
}

extension CauseSet {
    /// The words of the API, with blanks between.
    fileprivate var words: String {
        var words: [String] = []
        if holdsNoResponse { words.append("no-response") }
        if holdsTransportError { words.append("transport-error") }
        for number in 3...6 where holds(class: number) { words.append("\(number)xx") }
        return (words + singleStatuses.map { "\($0)" }).joined(separator: " ")
    }
}
