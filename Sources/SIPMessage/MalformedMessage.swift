/// Why received bytes are not a message that we may act on.
package struct MalformedMessage: Error, Equatable {
    /// The rule that is broken.
    package enum Rule: Equatable, Sendable {
        /// Nothing but line ends: a keep-alive (RFC 5626 section 4.4.1).
        case empty
        case startLine
        case requestURI
        /// Another version of SIP than 2.0.
        case version
        /// A line that is no header field, or a header that does not end.
        case fieldLine
        case tooManyFields(limitCount: Int)
        case missing(HeaderName)
        case repeated(HeaderName)
        case malformed(HeaderName)
        /// The method in CSeq is not the request's.
        case methodMismatch
        /// Content-Length promises more than there is.
        case truncatedBody
    }

    /// The rule.
    package let rule: Rule
    /// Bytes from the start of the datagram.
    package let offset: Int

    /// What the stream says of a message that is well-formed but for that (RFC 3261 section 18.3).
    package static func withoutContentLength(headBytes: Int) -> MalformedMessage {
        MalformedMessage(rule: .missing(.contentLength), offset: headBytes)
    }

    /// The status code of the answer where one may be given: 400 or 505.
    package var status: Int { rule == .version ? 505 : 400 }

    /// The reason phrase that tells the sender what is wrong (RFC 3261 section 21.4.1).
    package var reasonPhrase: StaticString {
        switch rule {
        case .empty: "Empty Message"
        case .startLine: "Bad Request-Line"
        case .requestURI: "Bad Request-URI"
        case .version: "Version Not Supported"
        case .fieldLine: "Bad Header Field"
        case .tooManyFields: "Too Many Header Fields"
        case .missing(let name): Self.missing(name)
        case .repeated(let name): Self.repeated(name)
        case .malformed(let name): Self.malformed(name)
        case .methodMismatch: "CSeq Method Mismatch"
        case .truncatedBody: "Body Shorter Than Content-Length"
        }
    }

    private static func missing(_ name: HeaderName) -> StaticString {
        switch name {
        case .via: "Missing Via"
        case .from: "Missing From"
        case .to: "Missing To"
        case .callID: "Missing Call-ID"
        case .cSeq: "Missing CSeq"
        case .contentLength: "Missing Content-Length"
        default: "Missing Header Field"
        }
    }

    private static func repeated(_ name: HeaderName) -> StaticString {
        switch name {
        case .from: "Repeated From"
        case .to: "Repeated To"
        case .callID: "Repeated Call-ID"
        case .cSeq: "Repeated CSeq"
        case .maxForwards: "Repeated Max-Forwards"
        case .maxBreadth: "Repeated Max-Breadth"
        case .contentLength: "Repeated Content-Length"
        default: "Repeated Header Field"
        }
    }

    private static func malformed(_ name: HeaderName) -> StaticString {
        switch name {
        case .via: "Bad Via"
        case .from: "Bad From"
        case .to: "Bad To"
        case .callID: "Bad Call-ID"
        case .cSeq: "Bad CSeq"
        case .maxForwards: "Bad Max-Forwards"
        case .maxBreadth: "Bad Max-Breadth"
        case .contentLength: "Bad Content-Length"
        default: "Bad Header Field"
        }
    }
}
