package import Routing
package import SIPMessage

/// The header fields of a redirect server's answers (RFC 3261 sections 8.3 and 21.3).
package enum RedirectResponse {
    /// 302 for one target, 300 for several.
    package static func status(for set: TargetSet) -> Int { set.targets.count == 1 ? 302 : 300 }

    /// Appends one Contact field a target, in order, with `q` falling from 1.
    package static func writeContacts(
        _ set: TargetSet, for request: Message, in datagram: Span<UInt8>, into output: inout OutputBuffer
    ) {
        let user: ByteRange?
        do {
            user = try SIPURI.parse(datagram, request.requestURI).userinfo
        } catch {
            user = nil
        }
        for (position, target) in set.targets.enumerated() {
            output.append("Contact: <sip:")
            let suffix = set.text[target.suffix]
            if let user { output.append(datagram, user) }
            output.append(user == nil && suffix.first == UInt8(ascii: "@") ? suffix.dropFirst() : suffix)
            output.append(">;q=")
            let thousandths = 1000 - position * 1000 / set.targets.count
            QValue(thousandths: UInt16(clamping: thousandths)).write(into: &output)
            output.append("\r\n")
        }
    }
}
