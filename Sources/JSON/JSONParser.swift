/// Reads one JSON text (RFC 8259) byte by byte: UTF-8 without a byte order mark, nested at most `depthLimit` deep, no
/// name twice in one object (which of the two was meant can't be told), every escape a whole character.
struct JSONParser {
    /// How deep arrays and objects may nest. Values are written, compared and freed by recursion, so this bounds them.
    static let depthLimit = 128

    /// An array or object that has begun.
    private struct Frame {
        let isObject: Bool
        var elements: [JSONValue] = []
        var members: [String: JSONValue] = [:]
        /// The name that the next value belongs to.
        var name = ""
    }

    private let bytes: [UInt8]
    private var position = 0
    private var open: [Frame] = []

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The one value of the text.
    mutating func document() throws(MalformedJSON) -> JSONValue {
        skipBlanks()
        while true {
            guard var value = try begin() else { continue }
            // The value stands in the innermost frame, and ends as many of them as close behind it.
            while true {
                skipBlanks()
                guard !open.isEmpty else {
                    guard position == bytes.count else { throw malformed("something follows the value") }
                    return value
                }
                guard let whole = try put(value) else { break }
                value = whole
            }
        }
    }

    // MARK: arrays and objects

    /// Reads a value, or opens a frame that is not empty: nil.
    private mutating func begin() throws(MalformedJSON) -> JSONValue? {
        guard let byte = peek else { throw malformed("a value is missing") }
        guard byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") else { return try scalar(byte) }
        guard open.count < Self.depthLimit else { throw malformed("nested more than \(Self.depthLimit) deep") }
        position += 1
        skipBlanks()
        let isObject = byte == UInt8(ascii: "{")
        if peek == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
            position += 1
            return isObject ? .object([:]) : .array([])
        }
        open.append(Frame(isObject: isObject))
        if isObject { try readName() }
        return nil
    }

    /// Puts a value into the innermost frame. The frame's own value when it ends behind that, else nil.
    private mutating func put(_ value: JSONValue) throws(MalformedJSON) -> JSONValue? {
        let last = open.count - 1
        let isObject = open[last].isObject
        if isObject { open[last].members[open[last].name] = value } else { open[last].elements.append(value) }
        let end = isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")
        switch peek {
        case UInt8(ascii: ","):
            position += 1
            skipBlanks()
            if isObject { try readName() }
            return nil
        case end:
            position += 1
            let frame = open.removeLast()
            return isObject ? .object(frame.members) : .array(frame.elements)
        default: throw malformed(isObject ? "a comma or } is missing" : "a comma or ] is missing")
        }
    }

    private mutating func readName() throws(MalformedJSON) {
        guard peek == UInt8(ascii: "\"") else { throw malformed("the name of a member in double quotes is missing") }
        let start = position
        let name = try string()
        guard open[open.count - 1].members[name] == nil else {
            throw malformed("the name \(name.debugDescription) stands twice in one object", at: start)
        }
        open[open.count - 1].name = name
        skipBlanks()
        guard peek == UInt8(ascii: ":") else { throw malformed("a colon is missing") }
        position += 1
        skipBlanks()
    }

    // MARK: scalars

    private mutating func scalar(_ byte: UInt8) throws(MalformedJSON) -> JSONValue {
        switch byte {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: throw malformed("no value begins so")
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(MalformedJSON) -> JSONValue {
        for byte in word.utf8 {
            guard peek == byte else { throw malformed("no value begins so") }
            position += 1
        }
        return value
    }

    /// A whole number that fits is an integer, also when it is written as 2.0 or 2e3.
    private mutating func number() throws(MalformedJSON) -> JSONValue {
        let start = position
        if peek == UInt8(ascii: "-") { position += 1 }
        if peek == UInt8(ascii: "0") { position += 1 } else { try digits() }
        var isWhole = true
        if peek == UInt8(ascii: ".") {
            position += 1
            isWhole = false
            try digits()
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            position += 1
            isWhole = false
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let number = Int64(text) { return .integer(number) }
        guard let number = Double(text), number.isFinite else { throw malformed("a number out of range", at: start) }
        return Int64(exactly: number).map { .integer($0) } ?? .number(number)
    }

    private mutating func digits() throws(MalformedJSON) {
        let start = position
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw malformed("a digit is missing") }
    }

    // MARK: strings

    private mutating func string() throws(MalformedJSON) -> String {
        position += 1  // the quote
        let start = position
        var unescaped: [UInt8]?  // nil while the bytes are the text
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                let text =
                    unescaped.map { String(validating: $0, as: UTF8.self) }
                    ?? String(validating: bytes[start..<position], as: UTF8.self)
                guard let text else { throw malformed("a string is not UTF-8", at: start) }
                position += 1
                return text
            case UInt8(ascii: "\\"):
                if unescaped == nil { unescaped = Array(bytes[start..<position]) }
                let scalar = try escape()
                unescaped?.append(contentsOf: Array(String(Character(scalar)).utf8))
            case 0..<0x20: throw malformed("a control character stands in a string; write it as an escape")
            default:
                unescaped?.append(byte)
                position += 1
            }
        }
        throw malformed("a string does not end", at: start - 1)
    }

    private mutating func escape() throws(MalformedJSON) -> Unicode.Scalar {
        let start = position
        position += 1
        defer { position = min(position, bytes.count) }
        guard let byte = peek else { throw malformed("a string does not end", at: start) }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{08}"
        case UInt8(ascii: "f"): return "\u{0C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let first = try hexadecimal(from: start)
            if let scalar = Unicode.Scalar(first) { return scalar }
            // A character behind U+FFFF is two escapes: section 7.
            guard first < 0xDC00, peek == UInt8(ascii: "\\") else { break }
            position += 1
            guard peek == UInt8(ascii: "u") else { break }
            position += 1
            let second = try hexadecimal(from: start)
            guard (0xDC00...0xDFFF).contains(second) else { break }
            let code = 0x1_0000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
            if let scalar = Unicode.Scalar(code) { return scalar }
        default: break
        }
        throw malformed("an escape in a string is no character", at: start)
    }

    private mutating func hexadecimal(from start: Int) throws(MalformedJSON) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw malformed("an escape in a string is no character", at: start)
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }

    // MARK: bytes

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private func malformed(_ what: String, at offset: Int? = nil) -> MalformedJSON {
        let offset = offset ?? position
        let before = bytes[..<min(offset, bytes.count)]
        let line = before.count { $0 == 0x0A } + 1
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return MalformedJSON(
            detail: "not JSON: line \(line), column \(offset - lineStart + 1): \(what)", what: what, offset: offset)
    }
}
