import Addressing
import CSignalling

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
