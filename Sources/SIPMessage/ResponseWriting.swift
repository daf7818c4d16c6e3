package import Addressing

/// Appends a response of our own to a request (RFC 3261 section 8.2.6): all Via values in their order, the top one
/// completed with `received` and `rport` (RFC 3581), From, To, Call-ID and CSeq as they came, nothing of the body.
/// Record-Route stays out, since none of our own responses makes a dialog.
///
/// The request need only be answerable (`Message.isAnswerable`): one that broke a rule is answered from what was read
/// of it.
///
/// - Parameters:
///   - ownPhrase: stands in place of the reason phrase when it is not empty; it has no control characters.
///   - toTag: goes into To when that has no tag; nil leaves To as it came (a 100).
///   - server: what `Server` says.
///   - extraFields: appends further header fields, each with its CRLF.
package func writeResponse(
    _ status: Int, _ reasonPhrase: StaticString, saying ownPhrase: String = "", to request: Message,
    in datagram: Span<UInt8>, from source: TransportAddress, toTag: UInt64?, server: String,
    into output: inout OutputBuffer,
    extraFields: (inout OutputBuffer) -> Void = { _ in }
) {
    output.append("SIP/2.0 ")
    output.append(decimal: Int64(status))
    output.append(" ")
    if ownPhrase.isEmpty { output.append(reasonPhrase) } else { output.append(text: ownPhrase) }
    output.append("\r\n")
    var isTopVia = true
    for field in request.fields where field.name == .via {
        output.append("Via: ")
        if isTopVia, !field.value.isEmpty {
            isTopVia = false
            request.topVia.writeReceived(from: source, in: datagram, into: &output)
            output.append(datagram, ByteRange(request.topVia.value.upperBound, field.value.upperBound))
        } else {
            output.append(datagram, field.value)
        }
        output.append("\r\n")
    }
    output.append("From: ")
    output.append(datagram, request.from)
    output.append("\r\nTo: ")
    output.append(datagram, request.to)
    if let toTag, request.toTag == nil {
        output.append(";tag=")
        output.append(hex: toTag, digits: 16)
    }
    output.append("\r\nCall-ID: ")
    output.append(datagram, request.callID)
    output.append("\r\nCSeq: ")
    output.append(datagram, request.cSeq)
    output.append("\r\n")
    extraFields(&output)
    output.append("Server: ")
    output.append(text: server)
    output.append("\r\nContent-Length: 0\r\n\r\n")
}
