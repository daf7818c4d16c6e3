internal import CMemory
import SIPMessage
import SIPTransaction

/// Requests of the redirect role that have no To tag, by what they have in common with their merged copies (RFC 3261
/// section 8.2.2.2): From tag, Call-ID and CSeq. A copy that was forked on its way here has another branch, and so a
/// server transaction of its own.
///
/// A redirect server answers as a user agent server does (section 8.3) and refuses the second copy with 482. A proxy
/// does not: a request that comes back changed is a spiral and goes on, one that comes back unchanged is a loop and is
/// known by its Via (`LoopMark`).
///
/// A place for each low part of the hash, in which a newer request displaces an older one: copies come within
/// milliseconds, so that what is displaced is over in all likelihood, and nothing grows, is searched or is taken out.
/// Another worker's requests are not seen.
struct MergedRequests {
    private struct Place: BitwiseCopyable {
        var fingerprint: UInt64
        var server: ServerRecord.Handle
    }

    private static let placeCount = 1 << 16

    private var places: [Place] = []

    /// What the copies of a request have in common with each other, and with its CANCEL and its ACK.
    static func commonHash(of request: Message, _ datagram: Span<UInt8>, key: KeyedHash.Key) -> UInt64 {
        let tag = request.fromTag ?? .empty
        var hash = KeyedHash(key)
        hash.update(UInt64(request.callID.count) << 32 | UInt64(request.cSeqNumber))
        hash.update(datagram, request.callID)
        hash.update(datagram, tag)
        return hash.finish()
    }

    /// The hash of a request's copies alone: another method is another request.
    static func fingerprint(_ method: Method, _ commonHash: UInt64) -> UInt64 {
        commonHash &+ UInt64(method.rawValue) &* 0x9E37_79B9_7F4A_7C15
    }

    /// Fetches the place of a fingerprint, so that who looks there soon does not wait.
    func prefetch(_ fingerprint: UInt64) {
        guard !places.isEmpty else { return }
        places.withUnsafeBufferPointer { places in
            guard let start = places.baseAddress else { return }
            cmem_prefetch(start + Int(fingerprint & UInt64(Self.placeCount - 1)))
        }
    }

    /// The transaction of the request with this fingerprint that came last; it may be over.
    func server(of fingerprint: UInt64) -> ServerRecord.Handle? {
        guard !places.isEmpty else { return nil }
        let place = places[Int(fingerprint & UInt64(Self.placeCount - 1))]
        return place.fingerprint == fingerprint ? place.server : nil
    }

    /// Remembers a request that has a transaction of its own.
    mutating func note(_ fingerprint: UInt64, _ server: ServerRecord.Handle) {
        if places.isEmpty {
            // An even generation is nobody's.
            let free = Place(fingerprint: 0, server: ServerRecord.Handle(slot: 0, generation: 0))
            places = Array(repeating: free, count: Self.placeCount)
        }
        places[Int(fingerprint & UInt64(Self.placeCount - 1))] = Place(fingerprint: fingerprint, server: server)
    }
}
