import Store
import Testing
import Time

@testable import NetworkManager

struct WebhookSignatureTests {
    @Test func `the signature of the known vector of Standard Webhooks`() throws {
        let key = try #require(WebhookKey(text: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        let headers = WebhookSignature.headers(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: WallTime(milliseconds: 1_614_265_330_999),
            body: Array("{\"test\": 2432232314}".utf8), keys: [key])
        #expect(headers.map(\.name) == ["webhook-id", "webhook-timestamp", "webhook-signature"])
        #expect(
            headers.map(\.value) == [
                "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ])
    }

    @Test func `two keys sign side by side`() throws {
        let keys = [WebhookKey(Array(0..<32)), WebhookKey(Array(1..<33))]
        let value = WebhookSignature.headers(id: "1", at: WallTime(milliseconds: 0), body: [], keys: keys).last?.value
        let parts = try #require(value).split(separator: " ")
        #expect(parts.count == 2 && parts.allSatisfy { $0.hasPrefix("v1,") } && parts[0] != parts[1])
    }

    @Test(arguments: [
        "", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa", "whsec_!!!!",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=", "whsec_ MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_" + String(repeating: "AAAA", count: 22),
    ])
    func `what is no key of 24 to 64 bytes in base64 is refused`(text: String) {
        #expect(WebhookKey(text: text) == nil)
    }

    @Test func `a key that was made reads back`() {
        for count in WebhookKey.lengths {
            let key = WebhookKey((0..<count).map { UInt8($0 * 7 % 256) })
            #expect(WebhookKey(text: key.exposedText) == key)
        }
    }
}
