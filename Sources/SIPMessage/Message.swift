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
    package private(set) var isRequest = false
    /// The request's method; `other` in a response.
    package private(set) var method: Method = .other
    /// The request's method as it was written.
    package private(set) var methodRange: ByteRange = .empty
    /// The Request-URI as it was written.
    package private(set) var requestURI: ByteRange = .empty
    /// The response's status code, 100...699; 0 in a request.
    package private(set) var status = 0
    /// The response's reason phrase, which may be empty.
    package private(set) var reasonPhrase: ByteRange = .empty
    /// The first value of the first Via field.
    package private(set) var topVia = Via()
    /// The value of From.
    package private(set) var from: ByteRange = .empty
    /// The tag in From.
    package private(set) var fromTag: ByteRange?
    /// The value of To.
    package private(set) var to: ByteRange = .empty
    /// The tag in To.
    package private(set) var toTag: ByteRange?
    /// The value of Call-ID.
    package private(set) var callID: ByteRange = .empty
    /// The value of CSeq as it was written.
    package private(set) var cSeq: ByteRange = .empty
    /// The number in CSeq, below 2**31 (section 8.1.1.5).
    package private(set) var cSeqNumber: UInt32 = 0
    /// The method in CSeq.
    package private(set) var cSeqMethod: Method = .other
    /// 0...255, a larger number reads as 255 (section 20.22); nil without the field.
    package private(set) var maxForwards: Int?
    /// 0...255, a larger number reads as 255 (RFC 5393 section 5.3.1); nil without the field.
    package private(set) var maxBreadth: Int?
    /// All header fields in their order.
    package private(set) var fields: [HeaderField] = []
    /// What lies behind the empty line, as far as Content-Length goes (section 18.3).
    package private(set) var body: ByteRange = .empty

    private var cSeqMethodRange: ByteRange = .empty
    private var contentLength: (length: UInt32, offset: Int)?
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

    private mutating func note(_ rule: MalformedMessage.Rule, _ offset: Int) {
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
            _ = try SIPURI.parse(datagram, requestURI)
        } catch {
            note(.requestURI, error.offset)
        }
    }

    private mutating func checkVersion(_ datagram: Span<UInt8>, _ version: ByteRange) {
        if Bytes.equalIgnoringCase(datagram, version, "SIP/2.0") { return }
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
            guard let end = endOfField(datagram, from: position) else { return nil }
            guard fields.count < Self.fieldLimitCount else {
                note(.tooManyFields(limitCount: Self.fieldLimitCount), position)
                return datagram.count
            }
            readField(datagram, ByteRange(position, end))
            position = end
        }
        return nil
    }

    /// Where the next field begins: behind the first line end that no white space follows (section 7.3.1).
    private mutating func endOfField(_ datagram: Span<UInt8>, from start: Int) -> Int? {
        var position = start
        while position < datagram.count {
            let end = Bytes.first(Self.lf, in: datagram, from: position, to: datagram.count)
            checkReturns(datagram, from: position, to: end)
            guard end < datagram.count else { return nil }
            position = end + 1
            let isFolded =
                position < datagram.count
                && (datagram[position] == UInt8(ascii: " ") || datagram[position] == UInt8(ascii: "\t"))
            if !isFolded { return position }
        }
        return nil
    }

    /// A CR alone ends a line for some readers: whatever hides behind it must not be passed on. `end` is where an LF
    /// stands, or the end of the datagram.
    private mutating func checkReturns(_ datagram: Span<UInt8>, from start: Int, to end: Int) {
        var position = start
        while true {
            position = Bytes.first(Self.cr, in: datagram, from: position, to: end)
            guard position + 1 < end else { return }
            note(.fieldLine, position)
            position += 1
        }
    }

    private mutating func readField(_ datagram: Span<UInt8>, _ line: ByteRange) {
        var position = line.lowerBound
        while position < line.upperBound, Bytes.isToken(datagram[position]) { position += 1 }
        let nameRange = ByteRange(line.lowerBound, position)
        while position < line.upperBound,
            datagram[position] == UInt8(ascii: " ") || datagram[position] == UInt8(ascii: "\t")
        {
            position += 1
        }
        guard !nameRange.isEmpty, position < line.upperBound, datagram[position] == UInt8(ascii: ":") else {
            note(.fieldLine, line.lowerBound)
            return
        }
        let value = ByteRange(position + 1, line.upperBound).trimmed(in: datagram)
        let name = HeaderName(datagram, nameRange)
        fields.append(HeaderField(name: name, nameRange: nameRange, value: value, line: line))
        take(name, value, datagram)
        seen |= 1 << UInt32(name.rawValue)
    }

    private mutating func take(_ name: HeaderName, _ value: ByteRange, _ datagram: Span<UInt8>) {
        switch name {
        case .via:
            guard topVia.value.isEmpty else { return }
            if !topVia.parse(datagram, value) { note(.malformed(.via), value.lowerBound) }
        case .from:
            guard isFirst(.from, value) else { return }
            (from, fromTag) = (value, tag(of: .from, value, datagram))
        case .to:
            guard isFirst(.to, value) else { return }
            (to, toTag) = (value, tag(of: .to, value, datagram))
        case .callID:
            guard isFirst(.callID, value) else { return }
            callID = value
            if value.isEmpty { note(.malformed(.callID), value.lowerBound) }
            for index in value.lowerBound..<value.upperBound where datagram[index] <= 0x20 || datagram[index] == 0x7F {
                note(.malformed(.callID), index)
                break
            }
        case .cSeq: if isFirst(.cSeq, value) { readCSeq(datagram, value) }
        case .maxForwards:
            guard isFirst(.maxForwards, value) else { return }
            maxForwards = decimalClamped(datagram, value, limit: 255)
            if maxForwards == nil { note(.malformed(.maxForwards), value.lowerBound) }
        case .maxBreadth:
            guard isFirst(.maxBreadth, value) else { return }
            maxBreadth = decimalClamped(datagram, value, limit: 255)
            if maxBreadth == nil { note(.malformed(.maxBreadth), value.lowerBound) }
        case .contentLength:
            guard isFirst(.contentLength, value) else { return }
            if let length = Bytes.decimal(datagram, value, limit: .max) {
                contentLength = (length, value.lowerBound)
            } else {
                note(.malformed(.contentLength), value.lowerBound)
            }
        case .contact, .route, .recordRoute, .contentType, .require, .proxyRequire, .supported, .unsupported,
            .retryAfter,
            .reason, .allow, .server, .userAgent, .expires, .date, .pAssertedIdentity, .pPreferredIdentity, .privacy,
            .wwwAuthenticate, .proxyAuthenticate, .other:
            break
        }
    }

    private mutating func isFirst(_ name: HeaderName, _ value: ByteRange) -> Bool {
        guard !has(name) else {
            note(.repeated(name), value.lowerBound)
            return false
        }
        return true
    }

    private mutating func tag(of name: HeaderName, _ value: ByteRange, _ datagram: Span<UInt8>) -> ByteRange? {
        do {
            return try NameAddress.parse(datagram, value).tag(in: datagram)
        } catch {
            note(.malformed(name), error.offset)
            return nil
        }
    }

    private mutating func readCSeq(_ datagram: Span<UInt8>, _ value: ByteRange) {
        cSeq = value
        var position = value.lowerBound
        while position < value.upperBound, Bytes.isDigit(datagram[position]) { position += 1 }
        let number = Bytes.decimal(datagram, ByteRange(value.lowerBound, position), limit: 0x7FFF_FFFF)
        let name = ByteRange(position, value.upperBound).trimmed(in: datagram)
        guard let number, name.lowerBound > position, Bytes.isToken(datagram, name) else {
            note(.malformed(.cSeq), value.lowerBound)
            return
        }
        (cSeqNumber, cSeqMethod, cSeqMethodRange) = (number, Method(datagram, name), name)
    }

    /// The decimal number, or the limit when it is above; nil when it is none.
    private func decimalClamped(_ datagram: Span<UInt8>, _ range: ByteRange, limit: UInt32) -> Int? {
        guard !range.isEmpty else { return nil }
        for index in range.lowerBound..<range.upperBound where !Bytes.isDigit(datagram[index]) { return nil }
        return Int(Bytes.decimal(datagram, range, limit: limit) ?? limit)
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
