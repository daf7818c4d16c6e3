package import SIPMessage

/// How a response goes on upstream (RFC 3261 section 16.7 steps 3 and 9).
package enum ForwardedResponse {
    /// Appends the response without the topmost Via value, which is ours; all else byte for byte in its order.
    ///
    /// - Parameters:
    ///   - withholdsIdentity: P-Asserted-Identity goes no further (`IdentityPrivacy`).
    ///   - needsLength: it gets a Content-Length where it has none: it goes on by a stream (section 18.3).
    package static func write(
        _ response: Message, in datagram: Span<UInt8>, withholdsIdentity: Bool = false, needsLength: Bool = false,
        into output: inout OutputBuffer
    ) {
        output.append("SIP/2.0 ")
        output.append(decimal: Int64(response.status))
        output.append(" ")
        output.append(datagram, response.reasonPhrase)
        output.append("\r\n")
        var isTopVia = true
        for field in response.fields {
            guard field.name == .via, isTopVia else {
                if withholdsIdentity, field.name == .pAssertedIdentity { continue }
                output.append(datagram, field.line)
                continue
            }
            isTopVia = false
            var rest = ValueIterator(field.value)
            _ = rest.next(in: datagram)
            if let second = rest.next(in: datagram) {
                output.append("Via: ")
                output.append(datagram, ByteRange(second.lowerBound, field.value.upperBound))
                output.append("\r\n")
            }
        }
        if needsLength, !response.has(.contentLength) {
            output.append("Content-Length: ")
            output.append(decimal: Int64(response.body.count))
            output.append("\r\n")
        }
        output.append("\r\n")
        output.append(datagram, response.body)
    }

    /// Where further header fields can be put into a response that `write` made: before its empty line.
    package static func endOfFields(_ response: Span<UInt8>) -> Int? {
        let (cr, lf) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))
        var index = 2
        while index < response.count {
            if response[index] == lf, response[index - 1] == cr, response[index - 2] == lf { return index - 1 }
            index += 1
        }
        return nil
    }

    /// True when another Via value stands below ours: the response has somewhere to go.
    package static func hasUpstreamVia(_ response: Message, in datagram: Span<UInt8>) -> Bool {
        var count = 0
        for field in response.fields where field.name == .via {
            var values = ValueIterator(field.value)
            while values.next(in: datagram) != nil {
                count += 1
                if count > 1 { return true }
            }
        }
        return false
    }
}
