/// A message as it went over the wire, read and written byte for byte by hand, so that no test trusts our own parser.
struct RawMessage {
    /// One header field.
    struct Field {
        /// In small letters, long form.
        let name: String
        /// All of it as it was written, folds and the last CRLF included.
        let line: [UInt8]
        /// What follows the colon, folds taken out.
        let value: String
        /// The value without any white space.
        var dense: String { value.filter { !$0.isWhitespace } }
    }

    let bytes: [UInt8]
    private(set) var startLine = ""
    private(set) var fields: [Field] = []
    /// Everything behind the empty line.
    private(set) var body: [UInt8] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var rest = bytes.drop { $0 == 13 || $0 == 10 }
        startLine = String(decoding: Self.line(&rest).dropLast(2), as: UTF8.self)
        while !rest.isEmpty {
            var line = Array(Self.line(&rest))
            if line == [13, 10] { break }
            while rest.first == 32 || rest.first == 9 { line += Self.line(&rest) }
            fields.append(Self.field(line))
        }
        body = Array(rest)
    }

    init(_ text: String) { self.init(Array(text.utf8)) }

    var isRequest: Bool { !startLine.hasPrefix("SIP/") }
    /// The request's method, as it was written.
    var method: String { words.first ?? "" }
    /// What stands between the method and the version.
    var requestURI: String { words.dropFirst().dropLast().joined(separator: " ") }
    /// The response's status code; 0 in a request.
    var status: Int { isRequest ? 0 : words.dropFirst().first.flatMap { Int($0) } ?? 0 }
    var callID: String { value("call-id") ?? "" }
    /// The number in CSeq.
    var cSeqNumber: Int { (value("cseq")?.prefix { $0.isNumber }).flatMap { Int($0) } ?? 0 }
    /// The body as Content-Length frames it.
    var framedBody: [UInt8] {
        guard let length = value("content-length").flatMap({ Int($0) }), length >= 0 else { return body }
        return Array(body.prefix(length))
    }

    func all(_ name: String) -> [Field] { fields.filter { $0.name == name } }
    func value(_ name: String) -> String? { all(name).first?.value }

    /// The values of all fields of that name, one by one, without white space.
    func values(_ name: String) -> [String] {
        all(name).flatMap { field in
            var (values, isBracketed, isQuoted) = ([""], false, false)
            for character in field.dense {
                if character == "\"" { isQuoted.toggle() }
                if character == "<" || character == ">", !isQuoted { isBracketed = character == "<" }
                if character == ",", !isBracketed, !isQuoted {
                    values.append("")
                } else {
                    values[values.count - 1].append(character)
                }
            }
            return values
        }
    }

    /// The response of whoever got this request: Via, Record-Route, From, To, Call-ID and CSeq as they came.
    func response(_ status: Int, toTag: String = "gateway", contact: String = "sip:gateway@127.0.0.1") -> RawMessage {
        var written = Array("SIP/2.0 \(status) Whatever\r\n".utf8)
        for field in fields {
            switch field.name {
            case "via", "record-route", "from", "call-id", "cseq": written += field.line
            case "to":
                let tag = field.dense.contains(";tag=") ? "" : ";tag=\(toTag)"
                written += Array("To: \(field.value)\(tag)\r\n".utf8)
            default: break
            }
        }
        return RawMessage(written + Array("Contact: <\(contact)>\r\nContent-Length: 0\r\n\r\n".utf8))
    }

    /// The ACK of a final response other than 2xx, hop by hop (RFC 3261 section 17.1.1.3).
    func acknowledgement(of response: RawMessage) -> RawMessage {
        var written = Array("ACK \(requestURI) SIP/2.0\r\n".utf8)
        for field in [all("via").first, all("from").first, response.all("to").first, all("call-id").first] {
            written += field?.line ?? []
        }
        return RawMessage(written + Array("CSeq: \(cSeqNumber) ACK\r\nMax-Forwards: 70\r\n\r\n".utf8))
    }

    private var words: [String] { startLine.split(separator: " ").map(String.init) }

    private static func line(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let end = rest.firstIndex(of: 10).map { $0 + 1 } ?? rest.endIndex
        defer { rest = rest[end...] }
        return rest[..<end]
    }

    private static func field(_ line: [UInt8]) -> Field {
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        let name = trimmed(String(decoding: line[..<colon], as: UTF8.self)).lowercased()
        let compact = [
            "v": "via", "f": "from", "t": "to", "i": "call-id", "l": "content-length", "m": "contact",
            "c": "content-type", "s": "subject",
        ]
        var value = ""
        for byte in String(decoding: line[min(colon + 1, line.endIndex)...], as: UTF8.self).unicodeScalars
        where byte != "\r" && byte != "\n" {
            value.unicodeScalars.append(byte)
        }
        return Field(name: compact[name] ?? name, line: line, value: trimmed(value))
    }

    private static func trimmed(_ text: String) -> String {
        let front = text.drop { $0 == " " || $0 == "\t" }
        return String(front.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
