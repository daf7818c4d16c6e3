import Addressing
import Proxy
import SIPMessage

/// The Route values of a received request, as far as they concern us (RFC 3261 section 16.4 and 16.6 step 6).
struct ReceivedRoutes {
    /// True when the request has no Route field at all.
    private(set) var isEmpty = true
    /// How many values at the top name us.
    private(set) var ownCount = 0
    /// True when one of those carries the mark that we gave out for this dialog.
    private(set) var isAuthentic = false
    /// Where a request within a dialog goes: the first Route value that is not ours, else the Request-URI. Nil when
    /// that is not an address that we can send to.
    private(set) var nextHop: TransportAddress?

    /// Reads the Route values of a request; at most eight of ours are taken off.
    init(_ request: Message, _ datagram: Span<UInt8>, _ settings: SignallingSettings) {
        for field in request.fields where field.name == .route {
            isEmpty = false
            var values = ValueIterator(field.value)
            while let value = values.next(in: datagram) {
                guard let uri = Self.uri(of: value, datagram) else { return }
                guard ownCount < 8, Self.isOurs(uri, settings) else {
                    nextHop = Self.address(of: uri)
                    return
                }
                ownCount += 1
                if RouteMark.isAuthentic(uri, of: request, in: datagram, key: settings.routeSecret) {
                    isAuthentic = true
                }
            }
        }
        do {
            nextHop = Self.address(of: try SIPURI.parse(datagram, request.requestURI))
        } catch {
            nextHop = nil
        }
    }

    private static func uri(of value: ByteRange, _ datagram: Span<UInt8>) -> SIPURI? {
        do {
            return try SIPURI.parse(datagram, NameAddress.parse(datagram, value).uri)
        } catch {
            return nil
        }
    }

    private static func isOurs(_ uri: SIPURI, _ settings: SignallingSettings) -> Bool {
        guard let address = uri.address else { return false }
        return settings.listeners.contains {
            ($0.advertised.address == address && $0.advertised.port == uri.port ?? 5060)
                || ($0.bound.address == address && $0.bound.port == uri.port ?? 5060)
        }
    }

    private static func address(of uri: SIPURI) -> TransportAddress? {
        guard uri.scheme == .sip, let address = uri.address, uri.transport ?? .udp == .udp else { return nil }
        // Sent to "no address", a datagram reaches this very host.
        guard !address.isUnspecified, !address.isMulticast else { return nil }
        return TransportAddress(.udp, address, port: uri.port ?? 5060)
    }
}
