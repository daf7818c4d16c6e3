import Addressing
import Testing

@testable import HTTPClient

struct WebURLTests {
    @Test(arguments: [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/Hook?a=b%20c", "https://example.com/Hook?a=b%20c"),
        ("http://192.0.2.10:8080/x", "http://192.0.2.10:8080/x"),
        ("http://192.0.2.10?x", "http://192.0.2.10/?x"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"),
        ("https://[::ffff:127.0.0.1]/", "https://127.0.0.1/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://my_host/", "https://my_host/"),
    ])
    func `a plain URL is read, and written as it will be sent to`(text: String, sent: String) throws {
        #expect(try WebURL(text).text == sent)
    }

    @Test(arguments: [
        "", "example.com", "//example.com", "ftp://example.com", "file:///etc/passwd", "gopher://x", "https://",
        "https:///path", "https://user@example.com", "https://user:pw@example.com/", "https://@example.com",
        "https://example.com@127.0.0.1", "https://example.com#frag", "https://example.com/#@127.0.0.1",
        "https://example.com.", "https://127.0.0.1.", "https://2130706433/", "https://0x7f000001/", "https://127.1/",
        "https://127.0.1/", "https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://127.0.0.1.5/", "https://1.2.3.256/",
        "https://10.0.0.08/", "https://a.b.0x1/", "https://a.0x", "https://[::1", "https://[::1]x/",
        "https://[fe80::1%25eth0]/", "https://[127.0.0.1]/", "https://::1/", "https://a:b:c/", "https://a:0/",
        "https://a:65536/", "https://a:/", "https://a:+1/", "https://a:8 0/", "https://a b/", "https://a\\b/",
        "https://a/\r\nX: y", "https://a/\u{e9}", "https://\u{ff11}27.0.0.1/", "https://a%2eb/", "https://-a/",
        "https://a..b/", "https://.a/", "https://a/%zz", "https://a/%2", "https://a/<x>",
        "https://" + String(repeating: "a", count: 64) + "/", "https://a/" + String(repeating: "a", count: 2048),
    ])
    func `what two readers could take for two places is refused`(text: String) {
        #expect(throws: WebURL.Malformed.self) { try WebURL(text) }
    }

    @Test func `another path on the same host`() throws {
        let url = try WebURL("http://[::1]:8080/base?x=1")
        #expect(try url.replacing(target: "/v1/status-reports").text == "http://[::1]:8080/v1/status-reports")
        #expect(url.address == IPAddress(ipv6High: 0, low: 1) && url.port == 8080 && !url.isEncrypted)
    }
}
