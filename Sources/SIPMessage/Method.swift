/// The method of a request, or of the request that a response answers. Names are case-sensitive (RFC 3261 section 7.1).
package enum Method: UInt8, Sendable, BitwiseCopyable {
    case invite, ack, bye, cancel, options, register, info, prack, update, message, subscribe, notify, refer, publish
    /// One that we know nothing about; its name stands in the datagram.
    case other

    /// Compared by their bits, as header names are.
    @inlinable
    @inline(__always)
    package static func == (left: Method, right: Method) -> Bool {
        unsafeBitCast(left, to: UInt8.self) == unsafeBitCast(right, to: UInt8.self)
    }

    init(_ datagram: Span<UInt8>, _ range: ByteRange) {
        let word = Word(datagram, at: range.lowerBound, count: range.count)
        @inline(__always)
        func names(_ text: StaticString) -> Bool { word == Word(text) }
        switch range.count {
        case 3: self = names("ACK") ? .ack : names("BYE") ? .bye : .other
        case 4: self = names("INFO") ? .info : .other
        case 5: self = names("REFER") ? .refer : names("PRACK") ? .prack : .other
        case 6:
            self =
                names("INVITE")
                ? .invite
                : names("CANCEL")
                    ? .cancel
                    : names("UPDATE")
                        ? .update
                        : names("NOTIFY") ? .notify : .other
        case 7:
            self = names("OPTIONS") ? .options : names("MESSAGE") ? .message : names("PUBLISH") ? .publish : .other
        case 8: self = names("REGISTER") ? .register : .other
        case 9: self = Bytes.equal(datagram, range, "SUBSCRIBE") ? .subscribe : .other
        default: self = .other
        }
    }
}
