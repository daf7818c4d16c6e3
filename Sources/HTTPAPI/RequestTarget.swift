/// The target of a request in origin form (RFC 9112 section 3.2.1), decoded once: `/v1/lookup?number=%2B44`.
struct RequestTarget: Sendable {
    /// The host and port of a target in absolute form; nil for one in origin form.
    let authority: String?
    /// As it was sent.
    let text: String
    /// The path as it was sent.
    let path: String
    /// The path's segments, each decoded on its own, so that `%2F` stays inside one.
    let segments: [String]
    /// The query's parameters in order, decoded. A `+` stands for itself, as in a dialled number.
    let parameters: [(name: String, value: String)]

    /// At most so many segments and parameters are looked at.
    private static let partLimitCount = 64

    /// Reads what stood in the request line. Throws `malformed` when that can't be decoded.
    init(_ text: String) throws(HTTPProblem) {
        self.text = text
        var rest = text[...]
        if rest.hasPrefix("/") {
            authority = nil
        } else {  // absolute form, as a proxy gets it
            guard let scheme = rest.firstRange(of: "://"),
                let slash = rest[scheme.upperBound...].firstIndex(of: "/")
            else { throw HTTPProblem(.malformed, "the request target must be a path that begins with /") }
            authority = String(rest[scheme.upperBound..<slash])
            rest = rest[slash...]
        }
        let halves = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(halves.first ?? "/")
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= Self.partLimitCount else {
            throw HTTPProblem(.malformed, "the path has more than \(Self.partLimitCount) segments")
        }
        var segments: [String] = []
        for part in parts {
            guard let segment = Percent.decoded(part) else {
                throw HTTPProblem(
                    .malformed, "the path is not UTF-8 in percent-encoding (RFC 3986 section 2.1), or holds a NUL")
            }
            segments.append(segment)
        }
        self.segments = segments
        parameters = halves.count < 2 ? [] : try Self.parameters(of: halves[1])
    }

    private static func parameters(of query: Substring) throws(HTTPProblem) -> [(name: String, value: String)] {
        let parts = query.split(separator: "&")
        guard parts.count <= partLimitCount else {
            throw HTTPProblem(.malformed, "the query has more than \(partLimitCount) parameters")
        }
        var parameters: [(name: String, value: String)] = []
        for part in parts {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Percent.decoded(sides[0]), let value = Percent.decoded(sides.count < 2 ? "" : sides[1])
            else {
                throw HTTPProblem(
                    .malformed,
                    "the query parameter \(sides[0].debugDescription) is not UTF-8 in percent-encoding, or holds a NUL")
            }
            guard !parameters.contains(where: { $0.name == name }) else {
                throw HTTPProblem(.malformed, "the query parameter \(name.debugDescription) is given twice")
            }
            parameters.append((name, value))
        }
        return parameters
    }
}

/// Percent-encoding (RFC 3986 section 2.1).
enum Percent {
    /// The text behind the encoding; nil when it is broken, not UTF-8, or holds a NUL.
    static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        guard !bytes.contains(0) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The text as one segment or one query value: everything but unreserved characters is encoded.
    static func encoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "*"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += digits.count < 2 ? "%0" + digits : "%" + digits
            }
        }
        return encoded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
