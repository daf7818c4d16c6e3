import Testing

@testable import SIPMessage

@Suite struct HeaderNameTests {
    private static let names: [(String, HeaderName)] = [
        ("To", .to),
        ("Via", .via),
        ("From", .from),
        ("Cseq", .cSeq),
        ("Date", .date),
        ("Route", .route),
        ("Allow", .allow),
        ("Reason", .reason),
        ("Server", .server),
        ("Call-Id", .callID),
        ("Contact", .contact),
        ("Require", .require),
        ("Expires", .expires),
        ("Privacy", .privacy),
        ("Supported", .supported),
        ("Timestamp", .timestamp),
        ("User-Agent", .userAgent),
        ("Retry-After", .retryAfter),
        ("Unsupported", .unsupported),
        ("Max-Breadth", .maxBreadth),
        ("Max-Forwards", .maxForwards),
        ("Record-Route", .recordRoute),
        ("Content-Type", .contentType),
        ("Proxy-Require", .proxyRequire),
        ("Content-Length", .contentLength),
        ("Www-Authenticate", .wwwAuthenticate),
        ("Proxy-Authenticate", .proxyAuthenticate),
        ("P-Asserted-Identity", .pAssertedIdentity),
        ("P-Preferred-Identity", .pPreferredIdentity),
        ("v", .via), ("F", .from), ("t", .to), ("i", .callID), ("M", .contact), ("l", .contentLength),
        ("c", .contentType), ("k", .supported),
    ]

    private func read(_ text: String, between before: String = "", and after: String = "") -> HeaderName {
        let bytes = Array((before + text + after).utf8)
        let start = before.utf8.count
        return HeaderName(bytes.span, ByteRange(start, start + text.utf8.count))
    }

    @Test func `each name is known in any case, wherever it stands (RFC 3261 section 7.3.1)`() {
        for (text, name) in Self.names {
            for spelling in [text, text.lowercased(), text.uppercased()] {
                #expect(read(spelling) == name, "\(spelling)")
                #expect(read(spelling, between: "x\r\n", and: ": value and more of it\r\n") == name, "\(spelling)")
            }
        }
    }

    @Test func `what differs by one byte is another name`() {
        for (text, name) in Self.names where text.utf8.count > 1 {
            for position in 0..<text.utf8.count {
                for flip: UInt8 in [0x01, 0x20, 0x40, 0x80] {
                    var bytes = Array(text.utf8)
                    bytes[position] ^= flip
                    let isSameLetter = flip == 0x20 && Bytes.isLetter(bytes[position])
                    let found = HeaderName(bytes.span, ByteRange(0, bytes.count))
                    #expect((found == name) == isSameLetter, "\(bytes) at \(position)")
                }
            }
            #expect(read(text + "x") == .other)
        }
    }
}
