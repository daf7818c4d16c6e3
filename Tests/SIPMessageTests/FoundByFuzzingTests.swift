import SIPMessage
import Testing

/// What `deploy/fuzz` has found in the reading of messages, each as a test of its own.
@Suite struct FoundByFuzzingTests {
    @Test func `a tag without a value is no tag to complete: refused (§19.3)`() {
        let request = BugClassTests.request(replacing: ["To": "Bob <sip:c@d>;tag;q=1"])
        #expect(brokenRule(request) == .malformed(.to))
    }

    @Test func `half an escape in a tel URI would be half of one in a user part: refused (§19.1.6)`() {
        for uri in ["tel:+44-20;ext%1", "tel:+44%", "tel:+44;x=%g0"] {
            #expect(brokenRule(BugClassTests.request("OPTIONS", uri: uri)) == .requestURI)
        }
        #expect(brokenRule(BugClassTests.request("OPTIONS", uri: "tel:+44;x=%20")) == nil)
    }
}
