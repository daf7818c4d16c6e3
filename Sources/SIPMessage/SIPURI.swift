package import Addressing

/// A SIP, SIPS or tel URI (RFC 3261 section 19.1, RFC 3966), as ranges of the datagram that it stands in.
package struct SIPURI: Sendable, BitwiseCopyable {
    /// What stands before the first colon.
    package enum Scheme: Sendable, BitwiseCopyable { case sip, sips, tel, other }

    /// The scheme; of an `other` nothing else is read.
    package let scheme: Scheme
    /// User part, password and all, as written; of `tel:` all that follows the colon. Nil without one.
    package private(set) var userinfo: ByteRange?
    /// As written, an IPv6 address with its brackets; empty for `tel:`.
    package private(set) var host: ByteRange = .empty
    /// The host when it is an IP address.
    package private(set) var address: IPAddress?
    /// 1...65535.
    package private(set) var port: UInt16?
    /// From the first `;` on; empty without.
    package private(set) var parameters: ByteRange = .empty
    /// From the `?` on; empty without.
    package private(set) var headers: ByteRange = .empty
    /// What the `transport` parameter says; nil without one and for a transport that we don't know.
    package private(set) var transport: TransportAddress.Transport?

    /// Why a range holds no URI.
    package struct Malformed: Error, Equatable {
        /// Bytes from the start of the datagram.
        package let offset: Int
    }

    /// Reads the URI that the whole range must be.
    package static func parse(_ datagram: Span<UInt8>, _ range: ByteRange) throws(Malformed) -> SIPURI {
        guard range.upperBound <= datagram.count else { throw Malformed(offset: range.lowerBound) }
        let colon = Bytes.first(UInt8(ascii: ":"), in: datagram, from: range.lowerBound, to: range.upperBound)
        guard colon < range.upperBound, colon > range.lowerBound, Bytes.isLetter(datagram[range.lowerBound]) else {
            throw Malformed(offset: range.lowerBound)
        }
        let forbidden = firstForbidden(datagram, range)
        guard forbidden == range.upperBound else { throw Malformed(offset: forbidden) }
        let name = ByteRange(range.lowerBound, colon)
        let rest = ByteRange(colon + 1, range.upperBound)
        let isSIP = name.count == 3 && Word(datagram, at: name.lowerBound, count: 3) == Word("sip")
        if isSIP { return try hierarchical(.sip, datagram, rest) }
        if Bytes.equalIgnoringCase(datagram, name, "sip") { return try hierarchical(.sip, datagram, rest) }
        if Bytes.equalIgnoringCase(datagram, name, "sips") { return try hierarchical(.sips, datagram, rest) }
        var uri = SIPURI(scheme: Bytes.equalIgnoringCase(datagram, name, "tel") ? .tel : .other)
        guard uri.scheme == .tel else { return uri }
        guard !rest.isEmpty else { throw Malformed(offset: rest.lowerBound) }
        // The subscriber becomes the user part of a SIP URI (§19.1.6), where an `@` would name another host.
        let at = Bytes.first(UInt8(ascii: "@"), in: datagram, from: rest.lowerBound, to: rest.upperBound)
        guard at == rest.upperBound else { throw Malformed(offset: at) }
        try checkEscapes(datagram, rest.lowerBound, rest.upperBound)
        uri.userinfo = rest
        return uri
    }

    private init(scheme: Scheme) { self.scheme = scheme }

    /// The index of the first byte that stands in no URI (white space, controls, quotes, angle brackets); the end of
    /// the range when there is none.
    private static func firstForbidden(_ datagram: Span<UInt8>, _ range: ByteRange) -> Int {
        let (less, greater) = (Word(repeating: UInt8(ascii: "<")), Word(repeating: UInt8(ascii: ">")))
        let (quote, delete) = (Word(repeating: UInt8(ascii: "\"")), Word(repeating: 0x7F))
        return Bytes.first(in: datagram, from: range.lowerBound, to: range.upperBound) { word in
            word.places(below: 0x21) | word.places(equal: less) | word.places(equal: greater)
                | word.places(equal: quote) | word.places(equal: delete)
        } _: { byte in
            byte <= 0x20 || byte == 0x7F || byte == UInt8(ascii: "<") || byte == UInt8(ascii: ">")
                || byte == UInt8(ascii: "\"")
        }
    }

    private static func hierarchical(
        _ scheme: Scheme, _ datagram: Span<UInt8>, _ range: ByteRange
    ) throws(Malformed) -> SIPURI {
        var uri = SIPURI(scheme: scheme)
        var position = range.lowerBound
        let at = Bytes.first(UInt8(ascii: "@"), in: datagram, from: position, to: range.upperBound)
        if at < range.upperBound {
            guard at > position else { throw Malformed(offset: at) }
            try checkEscapes(datagram, position, at)
            uri.userinfo = ByteRange(position, at)
            position = at + 1
        }
        position = try uri.readHost(datagram, from: position, to: range.upperBound)
        if position < range.upperBound, datagram[position] == UInt8(ascii: ":") {
            let start = position + 1
            position = start
            while position < range.upperBound, Bytes.isDigit(datagram[position]) { position += 1 }
            guard let port = Bytes.decimal(datagram, ByteRange(start, position), limit: 65_535), port > 0 else {
                throw Malformed(offset: start)
            }
            uri.port = UInt16(truncatingIfNeeded: port)
        }
        if position < range.upperBound, datagram[position] == UInt8(ascii: ";") {
            let end = Bytes.first(UInt8(ascii: "?"), in: datagram, from: position, to: range.upperBound)
            uri.parameters = ByteRange(position, end)
            try uri.readParameters(datagram)
            position = end
        }
        if position < range.upperBound, datagram[position] == UInt8(ascii: "?") {
            uri.headers = ByteRange(position, range.upperBound)
            position = range.upperBound
        }
        guard position == range.upperBound else { throw Malformed(offset: position) }
        return uri
    }

    /// Reads `host` and returns where it ends.
    private mutating func readHost(
        _ datagram: Span<UInt8>, from start: Int, to end: Int
    ) throws(Malformed) -> Int {
        guard start < end else { throw Malformed(offset: start) }
        if datagram[start] == UInt8(ascii: "[") {
            let close = Bytes.first(UInt8(ascii: "]"), in: datagram, from: start, to: end)
            guard close < end, let address = IPReference.parse(datagram, ByteRange(start + 1, close)) else {
                throw Malformed(offset: start)
            }
            (host, self.address) = (ByteRange(start, close + 1), address)
            return close + 1
        }
        var position = start
        while position < end, Bytes.isHost(datagram[position]) { position += 1 }
        guard position > start else { throw Malformed(offset: start) }
        host = ByteRange(start, position)
        address = IPAddress.parse(datagram.extracting(start..<position))
        return position
    }

    private mutating func readParameters(_ datagram: Span<UInt8>) throws(Malformed) {
        var iterator = ParameterIterator(parameters)
        while let parameter = iterator.next(in: datagram) {
            guard let value = parameter.value, Bytes.equalIgnoringCase(datagram, parameter.name, "transport") else {
                continue
            }
            transport =
                Bytes.equalIgnoringCase(datagram, value, "udp")
                ? .udp
                : Bytes.equalIgnoringCase(datagram, value, "tcp")
                    ? .tcp
                    : Bytes.equalIgnoringCase(datagram, value, "tls") ? .tls : nil
        }
        if iterator.isMalformed { throw Malformed(offset: parameters.lowerBound) }
    }

    private static func checkEscapes(_ datagram: Span<UInt8>, _ start: Int, _ end: Int) throws(Malformed) {
        var index = Bytes.first(UInt8(ascii: "%"), in: datagram, from: start, to: end)
        while index < end {
            guard index + 2 < end, Bytes.isHexadecimal(datagram[index + 1]), Bytes.isHexadecimal(datagram[index + 2])
            else {
                throw Malformed(offset: index)
            }
            index = Bytes.first(UInt8(ascii: "%"), in: datagram, from: index + 3, to: end)
        }
    }
}
