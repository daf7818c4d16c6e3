package import Addressing
package import SIPMessage
package import SIPTransaction

/// The keyed mark in our Via that tells a request that comes round again (RFC 5393 section 4.2): it covers what routing
/// depends on (the Request-URI as it came, and the source, which decides the plan) and what makes it the same request.
/// One that comes back changed, or from elsewhere, is a spiral. Route values take no part, since none has a say in
/// where a request is routed by its number; nor has the method, so that a CANCEL has the mark of its INVITE.
///
/// It stands as the `l` parameter beside the branch, which names a transaction and is another one on each round.
package enum LoopMark {
    /// The parameter's name.
    package static let parameterName: StaticString = "l"

    /// The mark of a request that came from `source`.
    package static func make(
        for request: Message, in datagram: Span<UInt8>, from source: IPAddress, key: KeyedHash.Key
    ) -> UInt64 {
        var hash = KeyedHash(key)
        hash.update(source.high)
        hash.update(source.low)
        for part in [request.requestURI, request.callID, request.fromTag ?? .empty] {
            hash.update(UInt64(part.count))
            hash.update(datagram, part)
        }
        hash.update(UInt64(request.cSeqNumber))
        return hash.finish()
    }

    /// True when one of the Via values below the top has the mark that we would give the request. Costs a look at the
    /// parameters of those values, and nothing more where none has such a one.
    package static func isPresent(
        in request: Message, _ datagram: Span<UInt8>, from source: IPAddress, key: KeyedHash.Key
    ) -> Bool {
        var expected: UInt64?
        for field in request.fields where field.name == .via {
            var values = ValueIterator(field.value)
            while let value = values.next(in: datagram) {
                var start = value.lowerBound
                while start < value.upperBound, datagram[start] != UInt8(ascii: ";") { start += 1 }
                let parameters = ByteRange(start, value.upperBound)
                guard let text = parameter(parameterName, of: parameters, in: datagram)?.value,
                    let given = RouteMark.hexadecimal(datagram, text)
                else { continue }
                let mark = expected ?? make(for: request, in: datagram, from: source, key: key)
                expected = mark
                if given ^ mark == 0 { return true }
            }
        }
        return false
    }
}
