import Routing

extension SignallingCounters {
    /// Counts how a question to a redirect server elsewhere ended.
    mutating func countInquiry(_ end: AttemptEnd) {
        switch end {
        case .redirected, .answered: inquiriesRedirected &+= 1
        case .refused: inquiriesRefused &+= 1
        case .failureResponse: inquiriesBusy &+= 1
        case .noResponse, .noProgress, .noAnswer, .gatewayFell: inquiriesUnanswered &+= 1
        case .transportError: inquiriesUnreachable &+= 1
        case .gaveUp, .cancelled, .superseded: inquiriesGivenUp &+= 1
        }
    }

    /// As `forEach`, of what has to do with redirect servers elsewhere.
    func forEachInquiry(_ body: (_ name: StaticString, _ label: StaticString, _ help: StaticString, UInt64) -> Void) {
        body("tandem_inquiries_total", "", "Requests sent to redirect servers elsewhere.", inquiries)
        let ended: StaticString = "Requests to redirect servers elsewhere, by how they ended."
        body("tandem_inquiries_ended_total", "outcome=\"targets\"", ended, inquiriesRedirected)
        body("tandem_inquiries_ended_total", "outcome=\"refused\"", ended, inquiriesRefused)
        body("tandem_inquiries_ended_total", "outcome=\"busy\"", ended, inquiriesBusy)
        body("tandem_inquiries_ended_total", "outcome=\"no-response\"", ended, inquiriesUnanswered)
        body("tandem_inquiries_ended_total", "outcome=\"transport-error\"", ended, inquiriesUnreachable)
        body("tandem_inquiries_ended_total", "outcome=\"given-up\"", ended, inquiriesGivenUp)
        body(
            "tandem_contacts_ignored_total", "", "Contacts of redirect servers that were not followed.", contactsIgnored
        )
    }
}
