package import SIPMessage

/// Finds the server transaction that a request belongs to (RFC 3261 section 17.2.3): a keyed hash of 128 bits of what
/// must be the same, so that no sender can make two transactions meet.
///
/// - With the cookie `z9hG4bK`: branch, sent-by and method.
/// - Without (RFC 2543): Request-URI, From tag, Call-ID, CSeq number, the top Via value and method; the To tag too, but
///   for INVITE, which has none yet where its ACK has the response's: whoever finds an INVITE for an ACK compares it.
package struct ServerTransactionKey: Hashable, Sendable, BitwiseCopyable {
    private let low: UInt64
    private let high: UInt64

    /// The key of a request; an ACK or CANCEL finds its INVITE when `method` is `.invite`.
    package init(of request: Message, in datagram: Span<UInt8>, as method: Method, key: KeyedHash.Key) {
        var hash = KeyedHash(key)
        let via = request.topVia
        hash.update(UInt64(method.rawValue))
        if method == .other {
            hash.update(UInt64(request.methodRange.count))
            hash.update(datagram, request.methodRange)
        }
        if via.hasCookie, let branch = via.branch {
            hash.update(UInt64(branch.count))
            hash.update(datagram, branch)
            hash.update(UInt64(via.sentByPort ?? 0))
            hash.update(datagram, via.sentByHost)
        } else {
            for part in [request.requestURI, request.fromTag ?? .empty, request.callID, via.value] {
                hash.update(UInt64(part.count))
                hash.update(datagram, part)
            }
            hash.update(UInt64(request.cSeqNumber))
            if method != .invite { hash.update(datagram, request.toTag ?? .empty) }
        }
        (low, high) = hash.finishWide()
    }

    /// The bits are a hash already.
    package func hash(into hasher: inout Hasher) { hasher.combine(low) }
}
