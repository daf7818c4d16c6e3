package import SIPMessage

/// Finds the server transaction that a request belongs to (RFC 3261 section 17.2.3): a keyed hash of 128 bits of what
/// must be the same, so that no sender can make two transactions meet.
///
/// - With the cookie `z9hG4bK`: branch, sent-by and method; Call-ID and CSeq number too, which are the same in a copy,
///   an ACK and a CANCEL, so that a sender who uses a branch again for another request is not given the first one's
///   answer.
/// - Without (RFC 2543): Request-URI, From tag, Call-ID, CSeq number, what the top Via says, and method; the To tag
///   too, but for INVITE, which has none yet where its ACK has the response's: whoever finds an INVITE for an ACK
///   compares it.
///
/// Servers that share a table (the proxy and the redirect server of one worker) each have a number of their own: what
/// was sent to both are two transactions.
package struct ServerTransactionKey: Equatable, Sendable, BitwiseCopyable {
    private let low: UInt64
    private let high: UInt64

    /// The key of a request; an ACK or CANCEL finds its INVITE when `method` is `.invite`.
    package init(
        of request: Message, in datagram: Span<UInt8>, as method: Method, server: UInt8, key: KeyedHash.Key
    ) {
        var hash = KeyedHash(key)
        let via = request.topVia
        hash.update(UInt64(method.rawValue) << 8 | UInt64(server))
        if method == .other {
            hash.update(UInt64(request.methodRange.count))
            hash.update(datagram, request.methodRange)
        }
        Self.update(&hash, datagram, via.branch ?? .empty)
        Self.update(&hash, datagram, via.sentByHost)
        Self.update(&hash, datagram, request.callID)
        hash.update(UInt64(via.sentByPort ?? 0) << 32 | UInt64(request.cSeqNumber))
        if !via.hasCookie {
            Self.update(&hash, datagram, request.requestURI)
            Self.update(&hash, datagram, request.fromTag ?? .empty)
            if method != .invite { Self.update(&hash, datagram, request.toTag ?? .empty) }
        }
        (low, high) = hash.finishWide()
    }

    /// A key of a keyed hash that somebody else made, for a table of another kind.
    package init(hash: UInt64) { (low, high) = (hash, 0) }

    private static func update(_ hash: inout KeyedHash, _ datagram: Span<UInt8>, _ part: ByteRange) {
        hash.update(UInt64(part.count))
        hash.update(datagram, part)
    }

    /// 32 of its bits, for a table that compares the rest by itself.
    package var tableBits: UInt32 { UInt32(truncatingIfNeeded: low) }
}
