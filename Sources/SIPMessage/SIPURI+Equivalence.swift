// When two URIs are the same (RFC 3261 section 19.1.4 with RFC 5954 section 4.2; RFC 3966 section 4 for `tel:`). They
// may stand in different datagrams.
extension SIPURI {
    /// More parameters or header components than this in one of two URIs, and they are taken as different: comparing
    /// them costs the product of both counts.
    private static let componentLimitCount = 32

    /// True when both ranges hold URIs and those are equivalent. URIs of other schemes than sip, sips and tel are
    /// compared byte by byte.
    package static func areEquivalent(
        _ left: ByteRange, in leftDatagram: Span<UInt8>, _ right: ByteRange, in rightDatagram: Span<UInt8>
    ) -> Bool {
        do {
            let (one, other) = (try parse(leftDatagram, left), try parse(rightDatagram, right))
            guard one.scheme == other.scheme else { return false }
            switch one.scheme {
            case .sip, .sips: return one.isEquivalent(in: leftDatagram, to: other, in: rightDatagram)
            case .tel:
                guard let number = one.userinfo, let otherNumber = other.userinfo else { return false }
                return TelephoneSubscriber.areEquivalent(number, in: leftDatagram, otherNumber, in: rightDatagram)
            case .other:
                return EscapedText.areEqual(left, in: leftDatagram, right, in: rightDatagram, caseFolded: false)
            }
        } catch {
            return false
        }
    }

    /// Two URIs of the same scheme, sip or sips.
    private func isEquivalent(in datagram: Span<UInt8>, to other: SIPURI, in otherDatagram: Span<UInt8>) -> Bool {
        guard port == other.port, (userinfo == nil) == (other.userinfo == nil) else { return false }
        if let userinfo, let otherInfo = other.userinfo {
            guard EscapedText.areEqual(userinfo, in: datagram, otherInfo, in: otherDatagram, caseFolded: false) else {
                return false
            }
        }
        if address != nil || other.address != nil {  // by value, not by spelling (RFC 5954 section 4.2)
            guard address == other.address else { return false }
        } else {
            guard EscapedText.areEqual(host, in: datagram, other.host, in: otherDatagram, caseFolded: true) else {
                return false
            }
        }
        return haveMatchingParameters(datagram, other, otherDatagram)
            && Self.headersMatch(headers, datagram, other.headers, otherDatagram)
    }

    private func haveMatchingParameters(
        _ datagram: Span<UInt8>, _ other: SIPURI, _ otherDatagram: Span<UInt8>
    ) -> Bool {
        Self.parametersMatch(parameters, datagram, other.parameters, otherDatagram)
            && Self.parametersMatch(other.parameters, otherDatagram, parameters, datagram)
    }

    /// Each parameter here is the same there, or is not there and may be absent.
    private static func parametersMatch(
        _ range: ByteRange, _ datagram: Span<UInt8>, _ otherRange: ByteRange, _ otherDatagram: Span<UInt8>
    ) -> Bool {
        var (iterator, count) = (ParameterIterator(range), 0)
        while let parameter = iterator.next(in: datagram) {
            count += 1
            guard count <= componentLimitCount else { return false }
            var (others, otherCount) = (ParameterIterator(otherRange), 0)
            var isFound = false
            while !isFound, let other = others.next(in: otherDatagram) {
                otherCount += 1
                guard otherCount <= componentLimitCount else { return false }
                guard
                    EscapedText.areEqual(parameter.name, in: datagram, other.name, in: otherDatagram, caseFolded: true)
                else { continue }
                isFound = true
                guard
                    EscapedText.areEqual(
                        parameter.value ?? .empty, in: datagram, other.value ?? .empty, in: otherDatagram,
                        caseFolded: true)
                else { return false }
            }
            if !isFound, mustBeInBoth(parameter.name, datagram) { return false }
        }
        return true
    }

    /// Those that change where or how a request goes.
    private static func mustBeInBoth(_ name: ByteRange, _ datagram: Span<UInt8>) -> Bool {
        func names(_ text: StaticString) -> Bool { Bytes.equalIgnoringCase(datagram, name, text) }
        return names("user") || names("ttl") || names("method") || names("maddr") || names("transport")
    }

    /// Header components are never ignored, and stand in any order.
    private static func headersMatch(
        _ range: ByteRange, _ datagram: Span<UInt8>, _ otherRange: ByteRange, _ otherDatagram: Span<UInt8>
    ) -> Bool {
        if range.isEmpty || otherRange.isEmpty { return range.isEmpty && otherRange.isEmpty }
        guard let count = headerCount(range, datagram), count == headerCount(otherRange, otherDatagram) else {
            return false
        }
        var iterator = HeaderComponentIterator(range)
        while let component = iterator.next(in: datagram) {
            let here = occurrences(of: component, in: datagram, among: range, datagram)
            guard here == occurrences(of: component, in: datagram, among: otherRange, otherDatagram) else {
                return false
            }
        }
        return true
    }

    /// Nil: too many.
    private static func headerCount(_ range: ByteRange, _ datagram: Span<UInt8>) -> Int? {
        var (iterator, count) = (HeaderComponentIterator(range), 0)
        while iterator.next(in: datagram) != nil {
            count += 1
            if count > componentLimitCount { return nil }
        }
        return count
    }

    private static func occurrences(
        of component: HeaderComponentIterator.Component, in datagram: Span<UInt8>, among range: ByteRange,
        _ otherDatagram: Span<UInt8>
    ) -> Int {
        var (iterator, count) = (HeaderComponentIterator(range), 0)
        while let other = iterator.next(in: otherDatagram) {
            if EscapedText.areEqual(component.name, in: datagram, other.name, in: otherDatagram, caseFolded: true),
                EscapedText.areEqual(component.value, in: datagram, other.value, in: otherDatagram, caseFolded: false)
            {
                count += 1
            }
        }
        return count
    }
}

/// The components `?name=value&name=value` of a URI (RFC 3261 section 19.1.1).
private struct HeaderComponentIterator {
    struct Component {
        let name: ByteRange
        let value: ByteRange
    }

    private var position: Int
    private let end: Int

    /// - Parameter range: begins at the `?`.
    init(_ range: ByteRange) { (position, end) = (range.lowerBound, range.upperBound) }

    mutating func next(in datagram: Span<UInt8>) -> Component? {
        guard end <= datagram.count, position < end else { return nil }
        let start = position + 1  // behind `?` or `&`
        let stop = Bytes.first(UInt8(ascii: "&"), in: datagram, from: min(start, end), to: end)
        let equals = Bytes.first(UInt8(ascii: "="), in: datagram, from: min(start, stop), to: stop)
        position = stop
        return Component(name: ByteRange(start, equals), value: ByteRange(equals + 1, stop))
    }
}
