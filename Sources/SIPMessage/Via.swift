package import Addressing

/// One Via value (RFC 3261 section 20.42).
package struct Via: Sendable, BitwiseCopyable {
    /// Whether the sender asked for its port (RFC 3581).
    package enum ResponsePort: Equatable, Sendable, BitwiseCopyable {
        case absent, requested
        case given
    }

    /// The whole value, up to a comma or the end of the field.
    package private(set) var value: ByteRange = .empty
    /// `UDP`, `TCP`, ... as written.
    package private(set) var transport: ByteRange = .empty
    /// The host of sent-by, an IPv6 address with its brackets.
    package private(set) var sentByHost: ByteRange = .empty
    /// The port of sent-by.
    package private(set) var sentByPort: UInt16?
    /// The `branch` parameter.
    package private(set) var branch: ByteRange?
    /// The `rport` parameter.
    package private(set) var responsePort: ResponsePort = .absent
    /// True when the branch begins with `z9hG4bK`: it names the transaction (section 8.1.1.7).
    package private(set) var hasCookie = false
    /// From the first `;` on.
    private var parameters: ByteRange = .empty
    /// True when there is a `received` or an `rport`, which the next server writes anew.
    private var isCompleted = false

    /// No Via.
    init() {}

    /// Reads as much of the first value in the range as makes sense.
    ///
    /// - Returns: false when something of it breaks the grammar, or a value behind it is empty; what was read before
    ///   that is kept, so that the sender can be told.
    mutating func parse(_ datagram: Span<UInt8>, _ field: ByteRange) -> Bool {
        self = Via()
        if parsePlain(datagram, field) {
            return value.upperBound == field.upperBound || isFollowedByValues(datagram, field)
        }
        self = Via()
        return parseAny(datagram, field) && isFollowedByValues(datagram, field)
    }

    /// False when a comma stands behind the value, or behind one of those that follow it, and no value behind that.
    private func isFollowedByValues(_ datagram: Span<UInt8>, _ field: ByteRange) -> Bool {
        guard value.upperBound < field.upperBound, field.upperBound <= datagram.count else { return true }
        var values = ValueIterator(ByteRange(value.upperBound, field.upperBound))
        _ = values.next(in: datagram)  // what is left of this one, up to its comma
        while let value = values.next(in: datagram) { if value.isEmpty { return false } }
        return datagram[field.upperBound - 1] != UInt8(ascii: ",")
    }

    /// The form that almost every Via has, in one pass: no white space but the one behind the transport, no quotes, a
    /// name or an IPv4 address. False for any other, well-formed or not.
    private mutating func parsePlain(_ datagram: Span<UInt8>, _ field: ByteRange) -> Bool {
        let (start, end) = (field.lowerBound, field.upperBound)
        guard end <= datagram.count, field.count > 12, Word(datagram, at: start, count: 8) == Word("SIP/2.0/") else {
            return false
        }
        var cursor = start &+ 8
        while cursor < end, Bytes.isToken(datagram[cursor]) { cursor &+= 1 }
        transport = ByteRange(start &+ 8, cursor)
        guard !transport.isEmpty, cursor < end, datagram[cursor] == UInt8(ascii: " ") else { return false }
        let host = cursor &+ 1
        cursor = host
        while cursor < end, Bytes.isHost(datagram[cursor]) { cursor &+= 1 }
        guard cursor > host else { return false }
        sentByHost = ByteRange(host, cursor)
        if cursor < end, datagram[cursor] == UInt8(ascii: ":") {
            let digits = cursor &+ 1
            cursor = digits
            while cursor < end, Bytes.isDigit(datagram[cursor]) { cursor &+= 1 }
            guard let port = Bytes.decimal(datagram, ByteRange(digits, cursor), limit: 65_535), port > 0 else {
                return false
            }
            sentByPort = UInt16(truncatingIfNeeded: port)
        }
        let parameters = cursor
        while cursor < end, datagram[cursor] == UInt8(ascii: ";") {
            guard let parameter = plainParameter(datagram, from: cursor, to: end) else { return false }
            take(parameter, datagram)
            cursor = parameter.whole.upperBound
        }
        guard cursor == end || datagram[cursor] == UInt8(ascii: ",") else { return false }
        value = ByteRange(start, cursor)
        self.parameters = ByteRange(parameters, cursor)
        setCookie(datagram)
        return true
    }

    /// `;name` or `;name=value` without white space and quotes.
    private func plainParameter(_ datagram: Span<UInt8>, from start: Int, to end: Int) -> Parameter? {
        var cursor = start &+ 1
        while cursor < end, Bytes.isToken(datagram[cursor]) { cursor &+= 1 }
        let name = ByteRange(start &+ 1, cursor)
        guard !name.isEmpty else { return nil }
        guard cursor < end, datagram[cursor] == UInt8(ascii: "=") else {
            return Parameter(name: name, value: nil, whole: ByteRange(start, cursor))
        }
        let value = cursor &+ 1
        cursor = value
        while cursor < end, ByteSet.parameterValue.contains(datagram[cursor]) { cursor &+= 1 }
        guard cursor > value else { return nil }
        return Parameter(name: name, value: ByteRange(value, cursor), whole: ByteRange(start, cursor))
    }

    private mutating func parseAny(_ datagram: Span<UInt8>, _ field: ByteRange) -> Bool {
        var values = ValueIterator(field)
        guard let value = values.next(in: datagram) else { return false }
        self.value = value
        parameters = ByteRange(value.upperBound, value.upperBound)
        var cursor = value.lowerBound
        func skip() { while cursor < value.upperBound, Bytes.isWhitespace(datagram[cursor]) { cursor += 1 } }
        func token() -> ByteRange {
            let start = cursor
            while cursor < value.upperBound, Bytes.isToken(datagram[cursor]) { cursor += 1 }
            defer { skip() }
            return ByteRange(start, cursor)
        }
        func slash() -> Bool {
            guard cursor < value.upperBound, datagram[cursor] == UInt8(ascii: "/") else { return false }
            cursor += 1
            skip()
            return true
        }
        let name = token()
        guard slash() else { return false }
        let version = token()
        guard slash() else { return false }
        // Another version is read as well, so that its sender can be told at the port that he names.
        let isSIP = Bytes.equalIgnoringCase(datagram, name, "SIP") && Bytes.equal(datagram, version, "2.0")
        transport = token()
        guard !transport.isEmpty, readSentBy(datagram, &cursor) else { return false }
        parameters = ByteRange(cursor, value.upperBound)
        return readParameters(datagram) && isSIP
    }

    private mutating func readSentBy(_ datagram: Span<UInt8>, _ cursor: inout Int) -> Bool {
        let (start, end) = (cursor, value.upperBound)
        if cursor < end, datagram[cursor] == UInt8(ascii: "[") {
            let close = Bytes.first(UInt8(ascii: "]"), in: datagram, from: cursor, to: end)
            guard close < end, IPReference.parse(datagram, ByteRange(cursor + 1, close)) != nil else { return false }
            cursor = close + 1
        } else {
            while cursor < end, Bytes.isHost(datagram[cursor]) { cursor += 1 }
        }
        guard cursor > start else { return false }
        sentByHost = ByteRange(start, cursor)
        while cursor < end, Bytes.isWhitespace(datagram[cursor]) { cursor += 1 }
        guard cursor < end, datagram[cursor] == UInt8(ascii: ":") else { return true }
        cursor += 1
        while cursor < end, Bytes.isWhitespace(datagram[cursor]) { cursor += 1 }
        let digits = cursor
        while cursor < end, Bytes.isDigit(datagram[cursor]) { cursor += 1 }
        guard let port = Bytes.decimal(datagram, ByteRange(digits, cursor), limit: 65_535), port > 0 else {
            return false
        }
        sentByPort = UInt16(truncatingIfNeeded: port)
        return true
    }

    private mutating func readParameters(_ datagram: Span<UInt8>) -> Bool {
        var iterator = ParameterIterator(parameters)
        while let parameter = iterator.next(in: datagram) { take(parameter, datagram) }
        setCookie(datagram)
        return !iterator.isMalformed
    }

    @inline(__always)
    private mutating func take(_ parameter: Parameter, _ datagram: Span<UInt8>) {
        let name = Word(datagram, at: parameter.name.lowerBound, count: parameter.name.count).folded
        if parameter.name.count == 6, name == Word("branch") {
            branch = parameter.value
        } else if parameter.name.count == 5, name == Word("rport") {
            responsePort = parameter.value == nil ? .requested : .given
            isCompleted = true
        } else if parameter.name.count == 8, name == Word("received") {
            isCompleted = true
        }
    }

    private mutating func setCookie(_ datagram: Span<UInt8>) {
        guard let branch, branch.count > 7 else { return }
        let cookie = Word(datagram, at: branch.lowerBound, count: 7)
        hasCookie = cookie.folded == Word("z9hG4bK").folded
    }

    /// Appends the value as the server that received it must complete it: `received` where the source differs from
    /// sent-by, both it and `rport` where the sender asked (section 18.2.1, RFC 3581 section 4). What the sender put
    /// there himself goes.
    package func writeReceived(
        from source: TransportAddress, in datagram: Span<UInt8>, into output: inout OutputBuffer
    ) {
        if isCompleted {
            output.append(datagram, ByteRange(value.lowerBound, parameters.lowerBound))
            var iterator = ParameterIterator(parameters)
            while let parameter = iterator.next(in: datagram) {
                let isOurs =
                    Bytes.equalIgnoringCase(datagram, parameter.name, "received")
                    || Bytes.equalIgnoringCase(datagram, parameter.name, "rport")
                if !isOurs { output.append(datagram, parameter.whole) }
            }
        } else {
            output.append(datagram, value)
        }
        if responsePort != .absent {
            output.append(";rport=")
            output.append(decimal: Int64(source.port))
        }
        if responsePort != .absent || sentByAddress(datagram) != source.address {
            output.append(";received=")
            output.append(source.address)
        }
    }

    private func sentByAddress(_ datagram: Span<UInt8>) -> IPAddress? {
        guard !sentByHost.isEmpty else { return nil }
        let isBracketed = datagram[sentByHost.lowerBound] == UInt8(ascii: "[")
        let inset = isBracketed && sentByHost.count > 2 ? 1 : 0
        return IPAddress.parse(datagram.extracting(sentByHost.lowerBound + inset..<sentByHost.upperBound - inset))
    }
}

/// Where the responses to a request go: back to the address that it came from; over a stream by the connection that it
/// came by, else the port is that of the source when the sender asked for it with `rport` (RFC 3581), else that of
/// sent-by (RFC 3261 section 18.2.2).
///
/// `maddr` is not followed: it would let whoever writes a Via choose where we send.
package func responseDestination(
    of request: Message, in datagram: Span<UInt8>, source: TransportAddress
) -> TransportAddress {
    guard source.transport == .udp else { return source }
    let port = request.topVia.responsePort == .absent ? request.topVia.sentByPort ?? 5060 : source.port
    return TransportAddress(source.transport, source.address, port: port)
}
