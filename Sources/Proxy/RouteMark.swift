package import SIPMessage
package import SIPTransaction

/// The keyed mark in our Record-Route: what tells a Route that we once gave out from a made-up one, without any state
/// and over a restart (API section 10).
///
/// It stands as the `m` parameter of the URI and covers the Call-ID and the caller's tag: the From tag of the request
/// that makes the dialog. Within the dialog that tag stands in From or in To, as the request goes one way or the other.
package enum RouteMark {
    /// The parameter's name.
    package static let parameterName: StaticString = "m"

    /// The mark for the dialog that a request would make.
    ///
    /// - Parameter worker: the worker that has the call: it stands in the lowest eight bits, by exclusive or.
    package static func make(
        for request: Message, in datagram: Span<UInt8>, worker: UInt8, key: KeyedHash.Key
    ) -> UInt64 {
        value(request.callID, tag: request.fromTag, in: datagram, key: key) ^ UInt64(worker)
    }

    /// What a mark tells of a request that it is in.
    package struct Reading: Equatable, Sendable, BitwiseCopyable {
        /// The worker that has the call.
        package let worker: UInt8
        /// True for a request of the one who called; false for one of whom he called.
        package let isFromCaller: Bool
    }

    /// Reads the mark when the Route value's URI carries that of the dialog that the request claims to be in; nil when
    /// it does not. 56 bits must be right.
    package static func read(
        by route: SIPURI, of request: Message, in datagram: Span<UInt8>, key: KeyedHash.Key
    ) -> Reading? {
        guard let parameter = parameter(parameterName, of: route.parameters, in: datagram), let mark = parameter.value,
            let given = hexadecimal(datagram, mark)
        else { return nil }
        // Both are computed in any case, so that the time tells nothing of which one was nearer.
        let asCaller = value(request.callID, tag: request.fromTag, in: datagram, key: key) ^ given
        let asCallee = value(request.callID, tag: request.toTag, in: datagram, key: key) ^ given
        let isFromCaller = asCaller <= UInt64(UInt8.max)
        let worker = UInt8(exactly: isFromCaller ? asCaller : asCallee)
        return worker.map { Reading(worker: $0, isFromCaller: isFromCaller) }
    }

    /// Names a dialog in either direction, for tables that all workers can be asked about.
    package static func dialog(of message: Message, in datagram: Span<UInt8>, key: KeyedHash.Key) -> UInt64 {
        value(message.callID, tag: message.fromTag, in: datagram, key: key)
            &+ value(message.callID, tag: message.toTag, in: datagram, key: key)
    }

    private static func value(
        _ callID: ByteRange, tag: ByteRange?, in datagram: Span<UInt8>, key: KeyedHash.Key
    ) -> UInt64 {
        var hash = KeyedHash(key)
        hash.update(UInt64(callID.count))
        hash.update(datagram, callID)
        if let tag { hash.update(datagram, tag) }
        return hash.finish()
    }

    /// The number that a mark or a tag of ours says; nil when it is not sixteen digits in lower case.
    package static func hexadecimal(_ datagram: Span<UInt8>, _ range: ByteRange) -> UInt64? {
        guard range.count == 16 else { return nil }
        var value: UInt64 = 0
        for index in range.lowerBound..<range.upperBound {
            switch datagram[index] {
            case let byte where (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
                value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
            case let byte where (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte):
                value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}
