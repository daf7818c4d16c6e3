package import Addressing
package import Routing
package import SIPMessage
package import SIPTransaction

/// How a request leaves (RFC 3261 section 16.6): always written from the original request, so that nothing that was
/// done for one gateway leaks into the next, and a resending is the same bytes again.
package struct ForwardedRequest {
    /// What stands in the Request-URI.
    package enum RequestURI {
        /// As it came, or as its Route values say: a request within a dialog.
        case original
        /// The user part as it came, made into the URI of a target.
        case target(TargetURI)
    }

    /// The Max-Breadth that we add, and the most that we pass on (RFC 5393 section 5.3.3).
    private static let breadthLimit = 60

    /// What stands in our Via.
    package var branch: Branch
    /// Keys the branch's check.
    package var branchKey: KeyedHash.Key
    /// Our address in Via and Record-Route.
    package var advertised: TransportAddress
    /// What stands in the Request-URI.
    package var requestURI: RequestURI
    /// What becomes of the Route values.
    package var routes: ForwardedRoutes
    /// The mark for a Record-Route of ours; nil for none.
    package var recordRoute: UInt64?
    /// Our address on the caller's side where that is another one: it gets a Record-Route of its own below the other
    /// (RFC 5658 section 3), so that each side sees an address that it can reach.
    package var ingress: TransportAddress?
    /// What tells a loop (`LoopMark`); nil within a dialog, which is not routed.
    package var loopMark: UInt64?
    /// P-Asserted-Identity goes no further (`IdentityPrivacy`).
    package var withholdsIdentity: Bool

    /// How a request leaves.
    package init(
        branch: Branch, branchKey: KeyedHash.Key, advertised: TransportAddress, requestURI: RequestURI,
        routes: ForwardedRoutes, recordRoute: UInt64?, ingress: TransportAddress? = nil,
        loopMark: UInt64? = nil, withholdsIdentity: Bool = false
    ) {
        (self.branch, self.branchKey, self.advertised) = (branch, branchKey, advertised)
        (self.requestURI, self.routes, self.recordRoute) = (requestURI, routes, recordRoute)
        (self.ingress, self.loopMark, self.withholdsIdentity) = (ingress, loopMark, withholdsIdentity)
    }

    /// Appends the whole request: Request-URI, our Via and Record-Route on top, the upstream Via completed with
    /// `received` and `rport` (RFC 3581), Max-Forwards one less, one Max-Breadth of at most 60 (RFC 5393 section
    /// 5.3.3), no P-Preferred-Identity (RFC 3325 section 6), a Content-Length where it leaves by a stream, all else
    /// byte for byte in its order.
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
        if request.maxBreadth == nil { output.append("Max-Breadth: 60\r\n") }
        // A datagram ends where it ends; in a stream nobody would know (§18.3, §20.14).
        if advertised.isReliable, !request.has(.contentLength) {
            output.append("Content-Length: ")
            output.append(decimal: Int64(request.body.count))
            output.append("\r\n")
        }
        var routesSeen = 0
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
            case .route: routes.write(field, in: datagram, behind: &routesSeen, into: &output)
            // A serial search has one branch at a time, so that each may have all of it.
            case .maxBreadth where (request.maxBreadth ?? 0) > Self.breadthLimit: output.append("Max-Breadth: 60\r\n")
            case .pPreferredIdentity: break
            case .pAssertedIdentity where withholdsIdentity: break
            default: output.append(datagram, field.line)
            }
        }
        routes.writeAppended(in: datagram, into: &output)
        output.append("\r\n")
        output.append(datagram, request.body)
    }

    /// Appends the CANCEL of the request as it was sent (section 9.1): its Request-URI, its top Via alone, its Route
    /// set, and the Reason fields of the caller's own CANCEL as they came, with their line ends.
    package func writeCancel(
        of request: Message, in datagram: Span<UInt8>, reason: UnsafeBufferPointer<UInt8>,
        into output: inout OutputBuffer
    ) {
        writeHead("CANCEL", of: request, in: datagram, to: datagram, request.to, extra: reason.span, into: &output)
    }

    /// Appends the ACK for a final response other than 2xx (section 17.1.1.3): the request's Request-URI, top Via and
    /// Route set, and the response's To.
    package func writeAcknowledgement(
        of request: Message, in datagram: Span<UInt8>, to: ByteRange, in response: Span<UInt8>,
        into output: inout OutputBuffer
    ) {
        writeHead("ACK", of: request, in: datagram, to: response, to, extra: Span(), into: &output)
    }

    private func writeHead(
        _ method: StaticString, of request: Message, in datagram: Span<UInt8>, to message: Span<UInt8>, _ to: ByteRange,
        extra: Span<UInt8>, into output: inout OutputBuffer
    ) {
        output.append(method)
        writeRequestURI(request, in: datagram, into: &output)
        output.append(" SIP/2.0\r\n")
        writeVia(into: &output)
        output.append("Max-Forwards: 70\r\nFrom: ")
        output.append(datagram, request.from)
        output.append("\r\nTo: ")
        output.append(message, to)
        output.append("\r\nCall-ID: ")
        output.append(datagram, request.callID)
        output.append("\r\nCSeq: ")
        output.append(decimal: Int64(request.cSeqNumber))
        output.append(" ")
        output.append(method)
        output.append("\r\n")
        var routesSeen = 0
        for field in request.fields where field.name == .route {
            routes.write(field, in: datagram, behind: &routesSeen, into: &output)
        }
        routes.writeAppended(in: datagram, into: &output)
        output.append(extra)
        output.append("Content-Length: 0\r\n\r\n")
    }

    private func writeRequestURI(_ request: Message, in datagram: Span<UInt8>, into output: inout OutputBuffer) {
        output.append(" ")
        switch requestURI {
        case .original: routes.writeRequestURI(of: request, in: datagram, into: &output)
        case .target(let uri):
            if let user = request.target?.userinfo {
                let end = min(user.upperBound, datagram.count)
                uri.write(user: datagram.extracting(min(user.lowerBound, end)..<end)) { output.append($0) }
            } else {
                uri.write(user: nil) { output.append($0) }
            }
        }
    }

    private static func writeRecordRoute(
        _ address: TransportAddress, mark: UInt64, into output: inout OutputBuffer
    ) {
        output.append("Record-Route: <sip:")
        output.append(hostPort: address)
        if address.transport == .tcp { output.append(";transport=tcp") }
        output.append(";lr;m=")
        output.append(hex: mark, digits: 16)
        output.append(">\r\n")
    }

    private func writeVia(into output: inout OutputBuffer) {
        output.append(advertised.transport == .tcp ? "Via: SIP/2.0/TCP " : "Via: SIP/2.0/UDP ")
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
}
