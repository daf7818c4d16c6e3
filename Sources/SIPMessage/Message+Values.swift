// The values that every message is asked for, read as their field comes by.
extension Message {
    /// Takes in the value of a field.
    mutating func take(_ name: HeaderName, _ value: ByteRange, _ datagram: Span<UInt8>) {
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
            let bad = Bytes.firstOutsideOfWord(datagram, value)
            if value.isEmpty || bad < value.upperBound { note(.malformed(.callID), bad) }
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
            .wwwAuthenticate, .proxyAuthenticate, .timestamp, .other:
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
            let address = try NameAddress.parse(datagram, value)
            if let offset = address.brokenTagOffset { note(.malformed(name), offset) }
            return address.tag
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
}
