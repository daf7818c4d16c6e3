/// One value of a Reason field: why a request was sent, or why a call ends (RFC 3326).
package struct Reason: Sendable, BitwiseCopyable {
    /// Whose codes `cause` is one of: `SIP`, `Q.850`, ..., as written.
    package let protocolName: ByteRange
    /// A status code or a Q.850 cause; nil without one.
    package let cause: UInt32?
    /// A quoted string with its quotes, or a token; nil without one.
    package let text: ByteRange?

    /// True for `SIP`, in any case.
    package func isSIP(in datagram: Span<UInt8>) -> Bool { Bytes.equalIgnoringCase(datagram, protocolName, "SIP") }

    /// Reads one value, `Q.850;cause=16;text="Terminated"`; a field may hold several (`ValueIterator`).
    package static func parse(_ datagram: Span<UInt8>, _ range: ByteRange) throws(MalformedValue) -> Reason {
        let range = range.trimmed(in: datagram)
        guard !range.isEmpty, range.upperBound <= datagram.count else {
            throw MalformedValue(rule: .missing, offset: range.lowerBound)
        }
        var position = range.lowerBound
        while position < range.upperBound, Bytes.isToken(datagram[position]) { position += 1 }
        let name = ByteRange(range.lowerBound, position)
        guard !name.isEmpty else { throw MalformedValue(rule: .unexpected, offset: position) }
        var (cause, text): (UInt32?, ByteRange?) = (nil, nil)
        var parameters = ParameterIterator(ByteRange(position, range.upperBound))
        while let parameter = parameters.next(in: datagram) {
            if Bytes.equalIgnoringCase(datagram, parameter.name, "cause") {
                let value = parameter.value ?? ByteRange(parameter.name.upperBound, parameter.name.upperBound)
                guard let number = Bytes.decimal(datagram, value, limit: 999_999) else {
                    throw MalformedValue(rule: .outOfRange, offset: value.lowerBound)
                }
                cause = number
            } else if Bytes.equalIgnoringCase(datagram, parameter.name, "text") {
                text = parameter.value
            }
        }
        if parameters.isMalformed { throw MalformedValue(rule: .parameter, offset: position) }
        return Reason(protocolName: name, cause: cause, text: text)
    }
}
