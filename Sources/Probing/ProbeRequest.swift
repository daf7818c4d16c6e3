package import Addressing
package import SIPMessage
package import SIPTransaction

/// The question: OPTIONS outside a dialog (RFC 3261 section 11), with a Call-ID and a tag of its own.
package struct ProbeRequest {
    /// Whom it goes to.
    package var gateway: TransportAddress
    /// Our address.
    package var advertised: TransportAddress
    /// Names the client transaction; makes Call-ID and tag as well.
    package var branch: Branch
    /// Keys the branch's check.
    package var branchKey: KeyedHash.Key
    /// What `User-Agent` says.
    package var userAgent: String
    /// The URI of the From field; nil, or one that would not stay within its brackets: our own address.
    package var from: String?

    /// A question of its parts.
    package init(
        gateway: TransportAddress, advertised: TransportAddress, branch: Branch, branchKey: KeyedHash.Key,
        userAgent: String, from: String? = nil
    ) {
        (self.gateway, self.advertised, self.branch) = (gateway, advertised, branch)
        (self.branchKey, self.userAgent, self.from) = (branchKey, userAgent, from)
    }

    /// Appends the request; a resending is the same bytes again.
    package func write(into output: inout OutputBuffer) {
        var hash = KeyedHash(branchKey)
        hash.update(UInt64(branch.slot) << 32 | UInt64(branch.generation))
        let identity = hash.finish()
        output.append("OPTIONS sip:")
        output.append(hostPort: gateway)
        if gateway.transport == .tcp { output.append(";transport=tcp") }
        output.append(advertised.transport == .tcp ? " SIP/2.0\r\nVia: SIP/2.0/TCP " : " SIP/2.0\r\nVia: SIP/2.0/UDP ")
        output.append(hostPort: advertised)
        output.append(";rport;branch=")
        branch.write(into: &output, key: branchKey)
        output.append("\r\nMax-Forwards: 70\r\nFrom: <")
        if let from, Self.staysWithinBrackets(from) {
            output.append(text: from)
        } else {
            output.append("sip:")
            output.append(hostPort: advertised)
        }
        output.append(">;tag=")
        output.append(hex: identity, digits: 16)
        output.append("\r\nTo: <sip:")
        output.append(hostPort: gateway)
        output.append(">\r\nCall-ID: probe-")
        output.append(hex: identity &* 0x9E37_79B9_7F4A_7C15, digits: 16)
        output.append("\r\nCSeq: 1 OPTIONS\r\nUser-Agent: ")
        output.append(text: userAgent)
        output.append("\r\nContent-Length: 0\r\n\r\n")
    }

    private static func staysWithinBrackets(_ uri: String) -> Bool {
        !uri.isEmpty
            && uri.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">") }
    }
}
