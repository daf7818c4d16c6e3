import Addressing
import Proxy
import SIPMessage

/// Where a request within a dialog goes, by its Request-URI and Route values alone (RFC 3261 sections 16.4, 16.5 and
/// 16.6 steps 6 and 7). A request without a To tag or without Route is routed by its number, and none of this concerns
/// it.
struct ReceivedRoutes {
    /// True when a Route value that names us, or the Request-URI where a strict router put ours there, carries the mark
    /// that we gave out for this dialog.
    var isAuthentic: Bool { mark != nil }
    /// The worker that had the call when the mark was given out.
    var worker: UInt8? { mark?.worker }
    /// What the mark says.
    private(set) var mark: RouteMark.Reading?
    /// The first Route value that is not ours, else the Request-URI. Nil when that is not an address that we can send
    /// to, or one of our own.
    private(set) var nextHop: TransportAddress?
    /// True when it has a host name, which nobody looks up while a request waits.
    private(set) var isNamedHop = false
    /// What becomes of the Request-URI and the Route values.
    private(set) var forwarded = ForwardedRoutes(consumedCount: 0)

    /// More values of ours than this are not taken off.
    private static let ownLimitCount = 8

    /// What a request without a To tag has.
    static var outsideDialog: ReceivedRoutes { ReceivedRoutes() }

    private init() {}

    /// Reads the Route values of a request.
    init(_ request: Message, _ datagram: Span<UInt8>, _ settings: SignallingSettings) {
        guard request.toTag != nil, var target = request.target else { return }
        var targetRange = request.requestURI
        // §16.4: our own Record-Route in the Request-URI is the work of a strict router; whom the request is for
        // stands last in Route.
        if Self.isOurs(target, settings),
            let mark = RouteMark.read(by: target, of: request, in: datagram, key: settings.routeSecret),
            let last = Self.lastRoute(of: request, datagram), let lastURI = Self.uri(last.range, datagram)
        {
            self.mark = mark
            (target, targetRange) = (lastURI, last.range)
            forwarded.requestURI = last.range
            forwarded.passedLimitCount = last.precedingCount
        }
        guard let (next, range) = takeOwnRoutes(request, datagram, settings) else { return }
        if let next, let range {
            if parameter("lr", of: next.parameters, in: datagram) == nil {
                // §16.6 step 6: the next hop knows strict routing only.
                forwarded.appended = targetRange
                forwarded.requestURI = range
                forwarded.consumedCount += 1
                if forwarded.passedLimitCount < .max { forwarded.passedLimitCount -= 1 }
            }
            nextHop = Self.address(of: next, datagram)
            isNamedHop = nextHop == nil && Self.isNamed(next)
        } else {
            // §16.4: a `maddr` that names us has done its work.
            forwarded.dropsAddress = Self.namesUs(target, datagram, settings)
            nextHop =
                forwarded.dropsAddress
                ? target.address.map { TransportAddress(.udp, $0, port: 5060) } : Self.address(of: target, datagram)
            isNamedHop = nextHop == nil && Self.isNamed(target)
        }
        if let hop = nextHop, !Self.isReachable(hop, settings) { nextHop = nil }
    }

    /// Takes our values off the top.
    ///
    /// - Returns: the first value that is not ours, nils where none is left; nil when a value can't be read.
    private mutating func takeOwnRoutes(
        _ request: Message, _ datagram: Span<UInt8>, _ settings: SignallingSettings
    ) -> (SIPURI?, ByteRange?)? {
        for field in request.fields where field.name == .route {
            var values = ValueIterator(field.value)
            while let value = values.next(in: datagram) {
                // What a strict router put last is no Route value any more.
                guard forwarded.passedLimitCount > 0 else { return (nil, nil) }
                guard let range = Self.uriRange(of: value, datagram), let uri = Self.uri(range, datagram) else {
                    return nil
                }
                guard forwarded.consumedCount < Self.ownLimitCount, Self.isOurs(uri, settings) else {
                    return (uri, range)
                }
                forwarded.consumedCount += 1
                if forwarded.passedLimitCount < .max { forwarded.passedLimitCount -= 1 }
                if let mark = RouteMark.read(by: uri, of: request, in: datagram, key: settings.routeSecret) {
                    self.mark = mark
                }
            }
        }
        return (nil, nil)
    }

    /// The last Route value's URI and how many values stand before it; nil without Route or when it can't be read.
    private static func lastRoute(
        of request: Message, _ datagram: Span<UInt8>
    ) -> (range: ByteRange, precedingCount: Int)? {
        var (last, count): (ByteRange?, Int) = (nil, 0)
        for field in request.fields where field.name == .route {
            var values = ValueIterator(field.value)
            while let value = values.next(in: datagram) {
                last = value
                count += 1
            }
        }
        return last.flatMap { uriRange(of: $0, datagram) }.map { ($0, count - 1) }
    }

    private static func uriRange(of value: ByteRange, _ datagram: Span<UInt8>) -> ByteRange? {
        do {
            return try NameAddress.parse(datagram, value).uri
        } catch {
            return nil
        }
    }

    private static func uri(_ range: ByteRange, _ datagram: Span<UInt8>) -> SIPURI? {
        do {
            return try SIPURI.parse(datagram, range)
        } catch {
            return nil
        }
    }

    private static func isOurs(_ uri: SIPURI, _ settings: SignallingSettings) -> Bool {
        guard let address = uri.address else { return false }
        return isOurs(address, uri.port, settings)
    }

    private static func isOurs(_ address: IPAddress, _ port: UInt16?, _ settings: SignallingSettings) -> Bool {
        settings.listeners.contains {
            ($0.advertised.address == address && $0.advertised.port == port ?? 5060)
                || ($0.bound.address == address && $0.bound.port == port ?? 5060)
        }
    }

    /// True when the URI's `maddr`, with its port, is an address of ours.
    private static func namesUs(_ uri: SIPURI, _ datagram: Span<UInt8>, _ settings: SignallingSettings) -> Bool {
        guard let address = maddr(of: uri, datagram) else { return false }
        return isOurs(address, uri.port, settings)
    }

    /// What the `maddr` parameter says (§19.1.1: the server to be contacted in place of the host), which is hardly
    /// ever a multicast address.
    private static func maddr(of uri: SIPURI, _ datagram: Span<UInt8>) -> IPAddress? {
        guard let value = parameter("maddr", of: uri.parameters, in: datagram)?.value else { return nil }
        let isBracketed = value.count > 2 && datagram[value.lowerBound] == UInt8(ascii: "[")
        let inset = isBracketed ? 1 : 0
        return IPAddress.parse(datagram.extracting(value.lowerBound + inset..<value.upperBound - inset))
    }

    private static func address(of uri: SIPURI, _ datagram: Span<UInt8>) -> TransportAddress? {
        let transport = uri.transport ?? .udp
        guard uri.scheme == .sip, transport != .tls else { return nil }
        let address = maddr(of: uri, datagram) ?? uri.address
        return address.map { TransportAddress(transport, $0, port: uri.port ?? 5060) }
    }

    /// True for a URI that we could send to if somebody told us the address of its host.
    private static func isNamed(_ uri: SIPURI) -> Bool {
        uri.scheme == .sip && uri.address == nil && uri.transport != .tls
    }

    /// Sent to "no address", a datagram reaches this very host; sent to ourselves, it goes round until its Max-Forwards
    /// are used up.
    private static func isReachable(_ hop: TransportAddress, _ settings: SignallingSettings) -> Bool {
        !hop.address.isUnspecified && !hop.address.isMulticast && !isOurs(hop.address, hop.port, settings)
    }
}
