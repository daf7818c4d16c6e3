/// A name-addr or addr-spec with the parameters behind it, as From, To, Contact and Route hold it (RFC 3261 section
/// 20.10).
package struct NameAddress: Sendable, BitwiseCopyable {
    /// A quoted string with its quotes, or tokens; empty without.
    package let displayName: ByteRange
    /// The URI, without angle brackets.
    package let uri: ByteRange
    /// The field's own parameters, from the first `;` on; empty without.
    package let parameters: ByteRange
    /// The value of the `tag` parameter, which From and To have at most once (section 20.20).
    let tag: ByteRange?
    /// Where a `tag` without a value, or a second one, begins: From and To are malformed then.
    let brokenTagOffset: Int?

    /// Why a range holds no address.
    package struct Malformed: Error, Equatable {
        /// Bytes from the start of the datagram.
        package let offset: Int
    }

    /// Reads the address that the whole range must be. The URI inside is not read.
    package static func parse(_ datagram: Span<UInt8>, _ range: ByteRange) throws(Malformed) -> NameAddress {
        let range = range.trimmed(in: datagram)
        guard !range.isEmpty, range.upperBound <= datagram.count else { throw Malformed(offset: range.lowerBound) }
        var position = range.lowerBound
        if datagram[position] == UInt8(ascii: "\"") { position = try endOfQuoted(datagram, range) }
        let open = Bytes.first(UInt8(ascii: "<"), in: datagram, from: position, to: range.upperBound)
        guard open < range.upperBound else {
            guard position == range.lowerBound else { throw Malformed(offset: position) }
            return try addressSpecification(datagram, range)
        }
        for index in position..<open {  // the display name: quoted alone, or tokens and spaces
            let byte = datagram[index]
            let isName =
                Bytes.isWhitespace(byte) || (position == range.lowerBound && (Bytes.isToken(byte) || byte >= 0x80))
            guard isName else { throw Malformed(offset: index) }
        }
        let close = Bytes.first(UInt8(ascii: ">"), in: datagram, from: open, to: range.upperBound)
        guard close < range.upperBound, close > open + 1 else { throw Malformed(offset: open) }
        let rest = try parameters(datagram, from: close + 1, to: range.upperBound)
        return NameAddress(
            displayName: ByteRange(range.lowerBound, open).trimmed(in: datagram), uri: ByteRange(open + 1, close),
            parameters: rest.range, tag: rest.tag, brokenTagOffset: rest.brokenTagOffset)
    }

    /// Without angle brackets every parameter is the field's (section 20), and the URI ends at the first `;`.
    private static func addressSpecification(
        _ datagram: Span<UInt8>, _ range: ByteRange
    ) throws(Malformed) -> NameAddress {
        let end = Bytes.first(UInt8(ascii: ";"), in: datagram, from: range.lowerBound, to: range.upperBound)
        let uri = ByteRange(range.lowerBound, end).trimmed(in: datagram)
        let colon = Bytes.first(UInt8(ascii: ":"), in: datagram, from: uri.lowerBound, to: uri.upperBound)
        guard colon > uri.lowerBound, colon < uri.upperBound else { throw Malformed(offset: range.lowerBound) }
        for index in uri.lowerBound..<uri.upperBound
        where Bytes.isWhitespace(datagram[index]) || datagram[index] == UInt8(ascii: "\"")
            || datagram[index] == UInt8(ascii: ">")
        {
            throw Malformed(offset: index)
        }
        let rest = try parameters(datagram, from: end, to: range.upperBound)
        return NameAddress(
            displayName: .empty, uri: uri, parameters: rest.range, tag: rest.tag,
            brokenTagOffset: rest.brokenTagOffset)
    }

    private static func parameters(
        _ datagram: Span<UInt8>, from start: Int, to end: Int
    ) throws(Malformed) -> (range: ByteRange, tag: ByteRange?, brokenTagOffset: Int?) {
        guard start < end else { return (ByteRange(end, end), nil, nil) }
        let range = ByteRange(start, end).trimmed(in: datagram)
        var iterator = ParameterIterator(range)
        var (tag, brokenTagOffset): (ByteRange?, Int?) = (nil, nil)
        while let parameter = iterator.next(in: datagram) {
            guard parameter.name.count == 3,
                Word(datagram, at: parameter.name.lowerBound, count: 3).folded == Word("tag")
            else { continue }
            if tag != nil || parameter.value == nil { brokenTagOffset = parameter.name.lowerBound }
            tag = tag ?? parameter.value
        }
        if iterator.isMalformed { throw Malformed(offset: start) }
        return (range, tag, brokenTagOffset)
    }

    private static func endOfQuoted(_ datagram: Span<UInt8>, _ range: ByteRange) throws(Malformed) -> Int {
        var index = range.lowerBound + 1
        while index < range.upperBound {
            switch datagram[index] {
            case UInt8(ascii: "\\"): index += 2
            case UInt8(ascii: "\""): return index + 1
            default: index += 1
            }
        }
        throw Malformed(offset: range.lowerBound)
    }
}
