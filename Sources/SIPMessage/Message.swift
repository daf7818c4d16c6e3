// How this room works. `Message.parse` reads a datagram once and notes where its parts lie (`ByteRange`); nothing is
// copied. What lies in a part is read when somebody asks: `SIPURI`, `NameAddress`, `ParameterIterator`,
// `ValueIterator`, `Via`. What goes out is written into an `OutputBuffer`, mostly as pieces of what came in. A range
// belongs to the datagram that it was made from.

/// One received SIP message as ranges of its datagram (RFC 3261 section 7). Reused from datagram to datagram, so that
/// nothing is allocated in the steady state.
///
/// After a `parse` that threw, what was read before and behind the broken place is there all the same: `isAnswerable`
/// tells whether that is enough to tell the sender.
package struct Message: Sendable {
    /// More header fields than this are refused (API section 9).
    package static let fieldLimitCount = 256

    /// False: a response.
    package internal(set) var isRequest = false
    /// The request's method; `other` in a response.
    package internal(set) var method: Method = .other
    /// The request's method as it was written.
    package internal(set) var methodRange: ByteRange = .empty
    /// The Request-URI as it was written.
    package internal(set) var requestURI: ByteRange = .empty
    /// What the Request-URI says; nil when it says nothing that we understand, and in a response.
    package internal(set) var target: SIPURI?
    /// The response's status code, 100...699; 0 in a request.
    package internal(set) var status = 0
    /// The response's reason phrase, which may be empty.
    package internal(set) var reasonPhrase: ByteRange = .empty
    /// The first value of the first Via field.
    package internal(set) var topVia = Via()
    /// The value of From.
    package internal(set) var from: ByteRange = .empty
    /// The tag in From.
    package internal(set) var fromTag: ByteRange?
    /// The value of To.
    package internal(set) var to: ByteRange = .empty
    /// The tag in To.
    package internal(set) var toTag: ByteRange?
    /// The value of Call-ID.
    package internal(set) var callID: ByteRange = .empty
    /// The value of CSeq as it was written.
    package internal(set) var cSeq: ByteRange = .empty
    /// The number in CSeq, below 2**31 (section 8.1.1.5).
    package internal(set) var cSeqNumber: UInt32 = 0
    /// The method in CSeq.
    package internal(set) var cSeqMethod: Method = .other
    /// 0...255, a larger number reads as 255 (section 20.22); nil without the field.
    package internal(set) var maxForwards: Int?
    /// 0...255, a larger number reads as 255 (RFC 5393 section 5.3.1); nil without the field.
    package internal(set) var maxBreadth: Int?
    /// All header fields in their order.
    package internal(set) var fields: [HeaderField] = []
    /// What lies behind the empty line, as far as Content-Length goes (section 18.3).
    package internal(set) var body: ByteRange = .empty

    var cSeqMethodRange: ByteRange = .empty
    var contentLength: (length: UInt32, offset: Int)?
    private var seen: UInt32 = 0  // a bit for each header name that stands in the message
    private var broken: MalformedMessage?

    /// A message without anything.
    package init() {}

    /// True when enough of a request was read for `writeResponse`: Via, From, To, Call-ID and CSeq are there. An ACK is
    /// never answered (section 17.1.1.3).
    package var isAnswerable: Bool {
        isRequest && method != .ack && !topVia.value.isEmpty && !from.isEmpty && !to.isEmpty && !callID.isEmpty
            && !cSeq.isEmpty
    }

    /// True when a field of that name is there; looks at no field.
    package func has(_ name: HeaderName) -> Bool { seen & 1 << UInt32(name.rawValue) != 0 }

    /// The first field of that name.
    package func first(_ name: HeaderName) -> HeaderField? {
        has(name) ? fields.first { $0.name == name } : nil
    }

    /// Reads a datagram; throws the first rule that it breaks, after all of it was read.
    package mutating func parse(_ datagram: Span<UInt8>) throws(MalformedMessage) {
        forget()
        var position = 0
        while position < datagram.count, datagram[position] == Self.cr || datagram[position] == Self.lf {
            position += 1
        }
        guard position < datagram.count else { throw MalformedMessage(rule: .empty, offset: 0) }
        position = readStartLine(datagram, from: position)
        if let bodyStart = readFields(datagram, from: position) {
            readBody(datagram, from: bodyStart)
        } else {
            note(.fieldLine, datagram.count)
        }
        checkMandatory(datagram)
        if let broken { throw broken }
    }

    private static let cr = UInt8(ascii: "\r")
    private static let lf = UInt8(ascii: "\n")

    private mutating func forget() {
        var memory: [HeaderField] = []
        swap(&memory, &fields)
        memory.removeAll(keepingCapacity: true)
        self = Message()
        swap(&memory, &fields)
    }

    mutating func note(_ rule: MalformedMessage.Rule, _ offset: Int) {
        if broken == nil { broken = MalformedMessage(rule: rule, offset: offset) }
    }

    // MARK: start line

    /// Reads the start line and returns where the next line begins.
    private mutating func readStartLine(_ datagram: Span<UInt8>, from start: Int) -> Int {
        let lineEnd = Bytes.first(Self.lf, in: datagram, from: start, to: datagram.count)
        let end = lineEnd > start && datagram[lineEnd - 1] == Self.cr ? lineEnd - 1 : lineEnd
        let line = ByteRange(start, end)
        let firstSpace = Bytes.first(UInt8(ascii: " "), in: datagram, from: start, to: end)
        let first = ByteRange(start, firstSpace)
        if first.count > 4, Bytes.equalIgnoringCase(datagram, ByteRange(start, start + 4), "SIP/") {
            readStatusLine(datagram, line, version: first)
        } else {
            readRequestLine(datagram, line, method: first)
        }
        return min(lineEnd + 1, datagram.count)
    }

    private mutating func readStatusLine(_ datagram: Span<UInt8>, _ line: ByteRange, version: ByteRange) {
        checkVersion(datagram, version)
        let start = version.upperBound + 1
        let code = ByteRange(start, min(start + 3, line.upperBound))
        guard code.count == 3, let number = Bytes.decimal(datagram, code, limit: 699), number >= 100,
            code.upperBound == line.upperBound || datagram[code.upperBound] == UInt8(ascii: " ")
        else {
            note(.startLine, line.lowerBound)
            return
        }
        status = Int(number)
        reasonPhrase = ByteRange(min(code.upperBound + 1, line.upperBound), line.upperBound)
        // As in a header field: a CR alone ends a line for some readers.
        for index in reasonPhrase.lowerBound..<reasonPhrase.upperBound where datagram[index] == Self.cr {
            note(.startLine, index)
            break
        }
    }

    private mutating func readRequestLine(_ datagram: Span<UInt8>, _ line: ByteRange, method: ByteRange) {
        guard Bytes.isToken(datagram, method), method.upperBound < line.upperBound else {
            note(.startLine, line.lowerBound)
            return
        }
        isRequest = true
        (methodRange, self.method) = (method, Method(datagram, method))
        var space = line.upperBound - 1
        while datagram[space] != UInt8(ascii: " ") { space -= 1 }  // at the latest the one behind the method
        guard space > method.upperBound else {
            note(.startLine, line.lowerBound)
            return
        }
        requestURI = ByteRange(method.upperBound + 1, space)
        checkVersion(datagram, ByteRange(space + 1, line.upperBound))
        do {
            target = try SIPURI.parse(datagram, requestURI)
        } catch {
            note(.requestURI, error.offset)
        }
    }

    private mutating func checkVersion(_ datagram: Span<UInt8>, _ version: ByteRange) {
        let isOurs = version.count == 7 && Word(datagram, at: version.lowerBound, count: 7) == Word("SIP/2.0")
        if isOurs || Bytes.equalIgnoringCase(datagram, version, "SIP/2.0") { return }
        let isSIP =
            version.count > 4
            && Bytes.equalIgnoringCase(datagram, ByteRange(version.lowerBound, version.lowerBound + 4), "SIP/")
        note(isSIP ? .version : .startLine, version.lowerBound)
    }

    // MARK: header fields

    /// Reads the fields up to the empty line and returns where the body begins; nil when there is no empty line.
    private mutating func readFields(_ datagram: Span<UInt8>, from start: Int) -> Int? {
        var position = start
        while position < datagram.count {
            if datagram[position] == Self.lf { return position + 1 }
            if datagram[position] == Self.cr, position + 1 < datagram.count, datagram[position + 1] == Self.lf {
                return position + 2
            }
            guard fields.count < Self.fieldLimitCount else {
                note(.tooManyFields(limitCount: Self.fieldLimitCount), position)
                return datagram.count
            }
            guard let next = readField(datagram, from: position) else { return nil }
            position = next
        }
        return nil
    }

    /// Reads one field and returns where the next line begins; nil when the field does not end.
    private mutating func readField(_ datagram: Span<UInt8>, from start: Int) -> Int? {
        let near = min(start &+ Self.nameLimitBytes, datagram.count)
        var colon = Bytes.first(UInt8(ascii: ":"), in: datagram, from: start, to: near)
        var nameRange = ByteRange(start, colon)
        var name = colon < near ? HeaderName(datagram, nameRange) : .other
        if name == .other {  // not one of ours, or with white space before the colon: by the rules, byte for byte
            colon = start
            while colon < datagram.count, Bytes.isToken(datagram[colon]) { colon &+= 1 }
            nameRange = ByteRange(start, colon)
            while colon < datagram.count,
                datagram[colon] == UInt8(ascii: " ") || datagram[colon] == UInt8(ascii: "\t")
            {
                colon &+= 1
            }
            guard !nameRange.isEmpty, colon < datagram.count, datagram[colon] == UInt8(ascii: ":") else {
                note(.fieldLine, start)
                return endOfField(datagram, from: start)?.next
            }
            name = HeaderName(datagram, nameRange)
        }
        guard let end = endOfField(datagram, from: colon &+ 1) else { return nil }
        let value = ByteRange(colon &+ 1, end.value).trimmed(in: datagram)
        fields.append(HeaderField(name: name, value: value, line: ByteRange(start, end.next)))
        take(name, value, datagram)
        seen |= 1 << UInt32(name.rawValue)
        return end.next
    }

    /// The longest name of ours, and its colon.
    private static let nameLimitBytes = 24

    /// Where the value ends and where the next field begins: at and behind the first line end that no white space
    /// follows (section 7.3.1). A CR alone ends a line for some readers: what hides behind it must not be passed on.
    @inline(__always)
    private mutating func endOfField(_ datagram: Span<UInt8>, from start: Int) -> (value: Int, next: Int)? {
        var position = start
        while true {
            position = Bytes.firstControl(in: datagram, from: position, to: datagram.count)
            guard position < datagram.count else { return nil }
            var next = position &+ 1
            switch datagram[position] {
            case Self.lf: break
            case Self.cr where next < datagram.count && datagram[next] == Self.lf: next &+= 1
            case Self.cr:
                note(.fieldLine, position)
                position = next
                continue
            default:
                position = next
                continue
            }
            let isFolded =
                next < datagram.count
                && (datagram[next] == UInt8(ascii: " ") || datagram[next] == UInt8(ascii: "\t"))
            guard isFolded else { return (position, next) }
            position = next
        }
    }

    // MARK: the whole

    /// Over UDP a longer body is cut, and a shorter one is an error (section 18.3).
    private mutating func readBody(_ datagram: Span<UInt8>, from start: Int) {
        body = ByteRange(start, datagram.count)
        guard let contentLength else { return }
        if Int(contentLength.length) > body.count {
            note(.truncatedBody, contentLength.offset)
        } else {
            body = ByteRange(start, start + Int(contentLength.length))
        }
    }

    private mutating func checkMandatory(_ datagram: Span<UInt8>) {
        if topVia.value.isEmpty { note(.missing(.via), datagram.count) }
        checkPresent(.from, datagram)
        checkPresent(.to, datagram)
        checkPresent(.callID, datagram)
        checkPresent(.cSeq, datagram)
        guard isRequest, !cSeqMethodRange.isEmpty else { return }
        if method != cSeqMethod || !Bytes.equal(datagram, methodRange, cSeqMethodRange) {
            note(.methodMismatch, cSeqMethodRange.lowerBound)
        }
    }

    private mutating func checkPresent(_ name: HeaderName, _ datagram: Span<UInt8>) {
        if !has(name) { note(.missing(name), datagram.count) }
    }
}
