package import SIPMessage

/// What becomes of the Request-URI and the Route values of a request on its way through us (RFC 3261 sections 16.4 and
/// 16.6 step 6). Ranges lie in the datagram of the request as it came.
package struct ForwardedRoutes: Equatable, Sendable, BitwiseCopyable {
    /// How many Route values, from the top, are not passed on: those that were ours, one that became the Request-URI,
    /// or all.
    package var consumedCount: Int
    /// How many of the values below those are passed on: all, or all but the last, which a strict router had put there
    /// in place of the Request-URI.
    package var passedLimitCount = Int.max
    /// The URI that takes the place of the Request-URI within a dialog; nil: it goes as it came.
    package var requestURI: ByteRange?
    /// The URI that stands behind all Route values, since a strict router comes next.
    package var appended: ByteRange?
    /// The Request-URI loses `maddr`, `transport` and the port, which named us and not whom it is for.
    package var dropsAddress = false

    /// The first values are dropped, all else goes as it came.
    package init(consumedCount: Int) { self.consumedCount = consumedCount }
}

extension ForwardedRoutes {
    /// Appends the Request-URI of a request within a dialog.
    func writeRequestURI(of request: Message, in datagram: Span<UInt8>, into output: inout OutputBuffer) {
        let range = requestURI ?? request.requestURI
        guard dropsAddress else {
            output.append(datagram, range)
            return
        }
        do {
            let uri = try SIPURI.parse(datagram, range)
            output.append(datagram, ByteRange(range.lowerBound, uri.host.upperBound))
            var parameters = ParameterIterator(uri.parameters)
            while let parameter = parameters.next(in: datagram) {
                let namesUs =
                    parameter.name.equalsIgnoringCase("maddr", in: datagram)
                    || parameter.name.equalsIgnoringCase("transport", in: datagram)
                if !namesUs { output.append(datagram, parameter.whole) }
            }
            output.append(datagram, uri.headers)
        } catch {
            output.append(datagram, range)  // it was read when the request came
        }
    }

    /// Appends one Route field without the values that are not passed on.
    ///
    /// - Parameter seen: how many values of the request's Route fields were looked at; 0 before the first field.
    func write(
        _ field: HeaderField, in datagram: Span<UInt8>, behind seen: inout Int, into output: inout OutputBuffer
    ) {
        guard consumedCount > 0 || passedLimitCount < .max else {
            output.append(datagram, field.line)
            return
        }
        var values = ValueIterator(field.value)
        var isFirst = true
        while let value = values.next(in: datagram) {
            defer { seen += 1 }
            guard seen >= consumedCount, seen - consumedCount < passedLimitCount else { continue }
            output.append(isFirst ? "Route: " : ", ")
            output.append(datagram, value)
            isFirst = false
        }
        if !isFirst { output.append("\r\n") }
    }

    /// Appends the Route field of the URI that stands last.
    func writeAppended(in datagram: Span<UInt8>, into output: inout OutputBuffer) {
        guard let appended else { return }
        output.append("Route: <")
        output.append(datagram, appended)
        output.append(">\r\n")
    }
}
