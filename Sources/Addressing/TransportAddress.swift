/// Where signalling is sent to or came from: transport, IP address, port (RFC 3261 section 18).
package struct TransportAddress: Hashable, Sendable, BitwiseCopyable {
    /// The transports of RFC 3261; each socket belongs to one.
    package enum Transport: UInt8, Sendable, BitwiseCopyable, CaseIterable { case udp, tcp, tls }

    /// The transport.
    package let transport: Transport
    /// The IP address.
    package let address: IPAddress
    /// 1...65535; 0 where the port is still to be chosen.
    package let port: UInt16

    /// A transport address of its parts.
    @inlinable
    package init(_ transport: Transport, _ address: IPAddress, port: UInt16) {
        (self.transport, self.address, self.port) = (transport, address, port)
    }

    /// True when the transport loses nothing by itself: transactions over it send nothing again (RFC 3261 section 17).
    @inlinable
    package var isReliable: Bool {
        switch transport {
        case .udp: false
        case .tcp, .tls: true
        }
    }

    /// True when both are the same.
    @inlinable
    package static func == (left: TransportAddress, right: TransportAddress) -> Bool {
        left.port == right.port && left.address == right.address
            && unsafeBitCast(left.transport, to: UInt8.self) == unsafeBitCast(right.transport, to: UInt8.self)
    }
}

extension TransportAddress: CustomStringConvertible {
    /// `udp:192.0.2.10:5060`, `udp:[2001:db8::1]:5060`.
    package var description: String { "\(transport):\(hostPort)" }

    /// `192.0.2.10:5060`, `[2001:db8::1]:5060`: as it stands in a URI or a Via.
    package var hostPort: String { address.family == .ipv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}
