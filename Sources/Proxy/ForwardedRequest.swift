package import Addressing
package import SIPMessage
package import SIPTransaction

/// How a request leaves (RFC 3261 section 16.6): always written from the original request, so that nothing that was
/// done for one gateway leaks into the next, and a resending is the same bytes again.
package struct ForwardedRequest {
    /// What stands in the Request-URI.
    package enum RequestURI {
        /// As it came: a request within a dialog.
        case original
        /// `sip:`, the user part as it came, and the end that the target set names.
        case target(suffix: ArraySlice<UInt8>)
    }

    /// What stands in our Via.
    package var branch: Branch
    /// Keys the branch's check.
    package var branchKey: KeyedHash.Key
    /// Our address in Via and Record-Route.
    package var advertised: TransportAddress
    /// What stands in the Request-URI.
    package var requestURI: RequestURI
    /// How many Route values, from the top, are not passed on: those that were ours, or all.
    package var consumedRoutes: Int
    /// The mark for a Record-Route of ours; nil for none.
    package var recordRoute: UInt64?
    /// Our address on the caller's side where that is another one: it gets a Record-Route of its own below the other
    /// (RFC 5658 section 3), so that each side sees an address that it can reach.
    package var ingress: TransportAddress?
    /// What tells a loop (`LoopMark`); nil within a dialog, which is not routed.
    package var loopMark: UInt64?

    /// How a request leaves.
    package init(
        branch: Branch, branchKey: KeyedHash.Key, advertised: TransportAddress, requestURI: RequestURI,
        consumedRoutes: Int, recordRoute: UInt64?, ingress: TransportAddress? = nil,
        loopMark: UInt64? = nil
    ) {
        (self.branch, self.branchKey, self.advertised) = (branch, branchKey, advertised)
        (self.requestURI, self.consumedRoutes, self.recordRoute) = (requestURI, consumedRoutes, recordRoute)
        (self.ingress, self.loopMark) = (ingress, loopMark)
    }

    /// Appends the whole request: Request-URI, our Via and Record-Route on top, the upstream Via completed with
    /// `received` and `rport` (RFC 3581), Max-Forwards one less, all else byte for byte in its order.
    package func write(
        _ request: Message, in datagram: Span<UInt8>, from source: TransportAddress, into output: inout OutputBuffer
    ) {
        output.append(datagram, request.methodRange)
        writeRequestURI(request, in: datagram, into: &output)
        output.append(" SIP/2.0\r\n")
        writeVia(into: &output)
        if let recordRoute {
            Self.writeRecordRoute(advertised, mark: recordRoute, into: &output)
            if let ingress { Self.writeRecordRoute(ingress, mark: recordRoute, into: &output) }
        }
        if request.maxForwards == nil { output.append("Max-Forwards: 70\r\n") }
        var routesLeft = consumedRoutes
        var isTopVia = true
        for field in request.fields {
            switch field.name {
            case .via where isTopVia:
                isTopVia = false
                writeReceivedVia(field, of: request, in: datagram, from: source, into: &output)
            case .maxForwards:
                output.append("Max-Forwards: ")
                output.append(decimal: Int64(request.maxForwards ?? 70) - 1)
                output.append("\r\n")
            case .route where routesLeft > 0:
                writeRoutes(field, dropping: &routesLeft, in: datagram, into: &output)
            default: output.append(datagram, field.line)
            }
        }
        output.append("\r\n")
        output.append(datagram, request.body)
    }

    /// Appends the CANCEL of the request as it was sent (section 9.1): its Request-URI, its top Via alone, its Route
    /// set, and the Reason fields of the caller's own CANCEL as they came, with their line ends.
    package func writeCancel(
        of request: Message, in datagram: Span<UInt8>, reason: [UInt8], into output: inout OutputBuffer
    ) {
        writeHead("CANCEL", of: request, in: datagram, extra: reason, into: &output) {
            $0.append(datagram, request.to)
        }
    }

    /// Appends the ACK for a final response other than 2xx (section 17.1.1.3): the request's Request-URI, top Via and
    /// Route set, and the response's To.
    package func writeAcknowledgement(
        of request: Message, in datagram: Span<UInt8>, to: [UInt8], into output: inout OutputBuffer
    ) {
        writeHead("ACK", of: request, in: datagram, into: &output) { $0.append(to) }
    }

    private func writeHead(
        _ method: StaticString, of request: Message, in datagram: Span<UInt8>, extra: [UInt8] = [],
        into output: inout OutputBuffer,
        to writeTo: (inout OutputBuffer) -> Void
    ) {
        output.append(method)
        writeRequestURI(request, in: datagram, into: &output)
        output.append(" SIP/2.0\r\n")
        writeVia(into: &output)
        output.append("Max-Forwards: 70\r\nFrom: ")
        output.append(datagram, request.from)
        output.append("\r\nTo: ")
        writeTo(&output)
        output.append("\r\nCall-ID: ")
        output.append(datagram, request.callID)
        output.append("\r\nCSeq: ")
        output.append(decimal: Int64(request.cSeqNumber))
        output.append(" ")
        output.append(method)
        output.append("\r\n")
        var routesLeft = consumedRoutes
        for field in request.fields where field.name == .route {
            writeRoutes(field, dropping: &routesLeft, in: datagram, into: &output)
        }
        output.append(extra)
        output.append("Content-Length: 0\r\n\r\n")
    }

    private func writeRequestURI(_ request: Message, in datagram: Span<UInt8>, into output: inout OutputBuffer) {
        output.append(" ")
        switch requestURI {
        case .original: output.append(datagram, request.requestURI)
        case .target(let suffix):
            output.append("sip:")
            guard let user = CalledUser.range(in: request.requestURI, of: datagram) else {
                output.append(suffix.first == UInt8(ascii: "@") ? suffix.dropFirst() : suffix)  // no user, no `@`
                return
            }
            output.append(datagram, user)
            output.append(suffix)
        }
    }

    private static func writeRecordRoute(
        _ address: TransportAddress, mark: UInt64, into output: inout OutputBuffer
    ) {
        output.append("Record-Route: <sip:")
        output.append(hostPort: address)
        output.append(";lr;m=")
        output.append(hex: mark, digits: 16)
        output.append(">\r\n")
    }

    private func writeVia(into output: inout OutputBuffer) {
        output.append("Via: SIP/2.0/UDP ")
        output.append(hostPort: advertised)
        if let loopMark {
            output.append(";l=")
            output.append(hex: loopMark, digits: 16)
        }
        output.append(";branch=")
        branch.write(into: &output, key: branchKey)
        output.append("\r\n")
    }

    private func writeReceivedVia(
        _ field: HeaderField, of request: Message, in datagram: Span<UInt8>, from source: TransportAddress,
        into output: inout OutputBuffer
    ) {
        output.append("Via: ")
        request.topVia.writeReceived(from: source, in: datagram, into: &output)
        output.append(datagram, ByteRange(request.topVia.value.upperBound, field.value.upperBound))
        output.append("\r\n")
    }

    /// The field without its first `dropping` values.
    private func writeRoutes(
        _ field: HeaderField, dropping: inout Int, in datagram: Span<UInt8>, into output: inout OutputBuffer
    ) {
        var values = ValueIterator(field.value)
        var isFirst = true
        while let value = values.next(in: datagram) {
            if dropping > 0 {
                dropping -= 1
                continue
            }
            output.append(isFirst ? "Route: " : ", ")
            output.append(datagram, value)
            isFirst = false
        }
        if !isFirst { output.append("\r\n") }
    }
}

/// The user part that a call is for.
package enum CalledUser {
    /// Where the user part of a Request-URI lies, escapes and password included; nil when it has none (section 19.1.1,
    /// and section 19.1.6 for `tel:`, whose subscriber becomes the user part).
    package static func range(in requestURI: ByteRange, of datagram: Span<UInt8>) -> ByteRange? {
        do {
            return try SIPURI.parse(datagram, requestURI).userinfo
        } catch {
            return nil  // the request was checked when it came; what is no URI has no user
        }
    }
}
