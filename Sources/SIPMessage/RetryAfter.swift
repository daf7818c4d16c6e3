/// Retry-After: how long somebody will not take what was refused (RFC 3261 section 20.33).
package struct RetryAfter: Equatable, Sendable, BitwiseCopyable {
    /// Seconds from the receipt on; a number that is beyond 2**32-1 reads as that.
    package let seconds: UInt32
    /// What stands between the parentheses; empty without.
    package let comment: ByteRange
    /// How many seconds it will then be there; nil: for good.
    package let durationSeconds: UInt32?

    /// Reads `120`, `18000;duration=3600`, `120 (I'm in a meeting)`.
    package static func parse(_ datagram: Span<UInt8>, _ range: ByteRange) throws(MalformedValue) -> RetryAfter {
        let range = range.trimmed(in: datagram)
        guard !range.isEmpty, range.upperBound <= datagram.count else {
            throw MalformedValue(rule: .missing, offset: range.lowerBound)
        }
        var position = range.lowerBound
        let seconds = try number(datagram, from: &position, to: range.upperBound)
        func skip() {
            while position < range.upperBound, Bytes.isWhitespace(datagram[position]) { position += 1 }
        }
        skip()
        var comment = ByteRange.empty
        if position < range.upperBound, datagram[position] == UInt8(ascii: "(") {
            let end = try endOfComment(datagram, ByteRange(position, range.upperBound))
            (comment, position) = (ByteRange(position + 1, end - 1), end)
            skip()
        }
        var duration: UInt32?
        var parameters = ParameterIterator(ByteRange(position, range.upperBound))
        while let parameter = parameters.next(in: datagram) {
            guard Bytes.equalIgnoringCase(datagram, parameter.name, "duration") else { continue }
            guard let value = parameter.value else {
                throw MalformedValue(rule: .missing, offset: parameter.name.upperBound)
            }
            var start = value.lowerBound
            duration = try number(datagram, from: &start, to: value.upperBound)
            guard start == value.upperBound else { throw MalformedValue(rule: .unexpected, offset: start) }
        }
        if parameters.isMalformed { throw MalformedValue(rule: .parameter, offset: position) }
        return RetryAfter(seconds: seconds, comment: comment, durationSeconds: duration)
    }

    /// Reads digits of any number; what is beyond 2**32-1 stays there (section 25.1: `delta-seconds` has no limit).
    private static func number(
        _ datagram: Span<UInt8>, from position: inout Int, to end: Int
    ) throws(MalformedValue) -> UInt32 {
        let start = position
        var value: UInt64 = 0
        while position < end, Bytes.isDigit(datagram[position]) {
            value = min(value * 10 + UInt64(datagram[position] - UInt8(ascii: "0")), UInt64(UInt32.max))
            position += 1
        }
        guard position > start else { throw MalformedValue(rule: .unexpected, offset: start) }
        return UInt32(truncatingIfNeeded: value)
    }

    /// Where the comment that begins the range ends, behind its last parenthesis: comments nest (section 25.1).
    private static func endOfComment(_ datagram: Span<UInt8>, _ range: ByteRange) throws(MalformedValue) -> Int {
        var (position, depth) = (range.lowerBound, 0)
        while position < range.upperBound {
            switch datagram[position] {
            case UInt8(ascii: "\\"): position += 1
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"):
                depth -= 1
                if depth == 0 { return position + 1 }
            default: break
            }
            position += 1
        }
        throw MalformedValue(rule: .unterminated, offset: range.lowerBound)
    }
}
