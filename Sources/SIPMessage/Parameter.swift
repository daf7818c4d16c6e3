/// One `;name=value` of a URI or a header field value.
package struct Parameter: Sendable, BitwiseCopyable {
    /// The name, never empty.
    package let name: ByteRange
    /// What stands behind `=`, a quoted string with its quotes; nil without `=`.
    package let value: ByteRange?
    /// All of it, from its `;` on.
    package let whole: ByteRange
}

/// The parameters in a range that begins at the first `;`. White space is allowed where header fields allow it.
package struct ParameterIterator {
    private var position: Int
    private let end: Int
    /// True when the iteration ended at something that is not a parameter.
    package private(set) var isMalformed = false

    /// The parameters in this range.
    package init(_ range: ByteRange) { (position, end) = (range.lowerBound, range.upperBound) }

    /// The next parameter; nil at the end, and at what is not one.
    package mutating func next(in datagram: Span<UInt8>) -> Parameter? {
        guard end <= datagram.count else { return nil }
        skipWhitespace(datagram)
        guard position < end else { return nil }
        let start = position
        guard datagram[position] == UInt8(ascii: ";") else { return fail() }
        position += 1
        skipWhitespace(datagram)
        let name = token(datagram)
        guard !name.isEmpty else { return fail() }
        skipWhitespace(datagram)
        guard position < end, datagram[position] == UInt8(ascii: "=") else {
            return Parameter(name: name, value: nil, whole: ByteRange(start, name.upperBound))
        }
        position += 1
        skipWhitespace(datagram)
        let value = position < end && datagram[position] == UInt8(ascii: "\"") ? quoted(datagram) : token(datagram)
        guard let value, !value.isEmpty else { return fail() }
        return Parameter(name: name, value: value, whole: ByteRange(start, value.upperBound))
    }

    private mutating func fail() -> Parameter? {
        (isMalformed, position) = (true, end)
        return nil
    }

    @inline(__always)
    private mutating func skipWhitespace(_ datagram: Span<UInt8>) {
        while position < end, datagram[position] <= UInt8(ascii: " "), Bytes.isWhitespace(datagram[position]) {
            position &+= 1
        }
    }

    /// A token, or what URIs and hosts hold beside: `[ ] : / ? & $ @` and escapes.
    private mutating func token(_ datagram: Span<UInt8>) -> ByteRange {
        let start = position
        while position < end, Self.isValue(datagram[position]) { position &+= 1 }
        return ByteRange(start, position)
    }

    private static func isValue(_ byte: UInt8) -> Bool { byte >= 0x80 || ByteSet.parameterValue.contains(byte) }

    private mutating func quoted(_ datagram: Span<UInt8>) -> ByteRange? {
        let start = position
        position += 1
        while position < end {
            switch datagram[position] {
            case UInt8(ascii: "\\"): position += 2
            case UInt8(ascii: "\""):
                position += 1
                return ByteRange(start, position)
            default: position += 1
            }
        }
        return nil
    }
}

/// The first parameter of that name, in any case.
///
/// - Parameter range: begins at the first `;`.
package func parameter(_ name: StaticString, of range: ByteRange, in datagram: Span<UInt8>) -> Parameter? {
    var parameters = ParameterIterator(range)
    while let parameter = parameters.next(in: datagram) {
        if Bytes.equalIgnoringCase(datagram, parameter.name, name) { return parameter }
    }
    return nil
}
