import Addressing

/// An IPv6 address in brackets, as it stands in URIs and in sent-by (RFC 3261 section 25.1, `IPv6reference`).
enum IPReference {
    /// Reads what stands between the brackets; nil for an IPv4 address alone.
    ///
    /// One colon too many before an IPv4 address at the end, `2001:db8:::192.0.2.1`, is what the grammar of RFC 3261
    /// asked for by mistake: it is read as if it weren't there (RFC 5118 section 4.10).
    static func parse(_ datagram: Span<UInt8>, _ range: ByteRange) -> IPAddress? {
        guard range.upperBound <= datagram.count else { return nil }
        let colon = Bytes.first(UInt8(ascii: ":"), in: datagram, from: range.lowerBound, to: range.upperBound)
        guard colon < range.upperBound else { return nil }
        let text = datagram.extracting(range.lowerBound..<range.upperBound)
        return IPAddress.parse(text) ?? withoutThirdColon(text)
    }

    private static func withoutThirdColon(_ text: Span<UInt8>) -> IPAddress? {
        guard text.count <= 46, let third = thirdColon(in: text) else { return nil }
        var rest = InlineArray<46, UInt8>(repeating: 0)
        for index in 0..<text.count where index != third { rest[index < third ? index : index - 1] = text[index] }
        return IPAddress.parse(rest.span.extracting(0..<text.count - 1))
    }

    /// Where the last of three colons stands that an IPv4 address follows, and nothing else.
    private static func thirdColon(in text: Span<UInt8>) -> Int? {
        var position = text.count
        while position > 0, Bytes.isDigit(text[position - 1]) || text[position - 1] == UInt8(ascii: ".") {
            position -= 1
        }
        guard position >= 3, Bytes.first(UInt8(ascii: "."), in: text, from: position, to: text.count) < text.count
        else { return nil }
        for index in position - 3..<position where text[index] != UInt8(ascii: ":") { return nil }
        return position - 1
    }
}
