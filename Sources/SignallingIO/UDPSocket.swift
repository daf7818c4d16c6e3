import Addressing
import CSignalling

/// A bound, non-blocking UDP socket, closed when it is let go.
final class UDPSocket: Sendable {
    let descriptor: Int32
    /// What it is bound to, with the port that the kernel chose where 0 was asked for.
    let bound: TransportAddress

    /// The first socket of an address is bound alone: a port that anybody else has is refused, even where both sides
    /// would share it. Further ones share the port of the first.
    init(_ address: TransportAddress, isFurther: Bool = false) throws(SocketError) {
        var wanted = csig_address(address)
        let result = csig_udp_bind(&wanted, isFurther)
        guard result >= 0 else { throw SocketError(address, result: result) }
        let portResult = csig_bound_port(result)
        guard let port = UInt16(exactly: portResult), port > 0 else {
            csig_close(result)
            throw SocketError(address, result: portResult)
        }
        descriptor = result
        bound = TransportAddress(.udp, address.address, port: port)
    }

    deinit { csig_close(descriptor) }
}

extension csig_address {
    init(_ address: TransportAddress) {
        self.init(
            high: address.address.high, low: address.address.low, port: address.port,
            is_ipv6: address.address.family == .ipv6)
    }

    /// The address as our value, of UDP.
    var udp: TransportAddress { TransportAddress(.udp, ipAddress, port: port) }

    /// The address as our value, of TCP.
    var tcp: TransportAddress { TransportAddress(.tcp, ipAddress, port: port) }

    private var ipAddress: IPAddress {
        is_ipv6 ? IPAddress(ipv6High: high, low: low) : IPAddress(ipv4: UInt32(truncatingIfNeeded: low))
    }
}
