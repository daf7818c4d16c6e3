import Addressing
import ArgumentParser

// The addresses that settings hold, and what a wrong one is told. `ArgumentParser` puts the setting's name before it.

/// `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`; port 0 means any free one.
struct APIAddress: CustomStringConvertible {
    let address: TransportAddress

    static let standard = APIAddress(TransportAddress(.tcp, .loopback, port: 8080))

    private init(_ address: TransportAddress) { self.address = address }

    /// Throws what would be accepted.
    init(setting text: String) throws(ValidationError) {
        let numeric = text.hasPrefix("localhost:") ? "127.0.0.1" + text.dropFirst(9) : text
        guard let address = TransportAddress(.tcp, hostPort: numeric) else {
            throw ValidationError(
                "an IP address or localhost and a port are accepted, as 127.0.0.1:8080 or [::1]:8080")
        }
        self.init(address)
    }

    var description: String { address.hostPort }
}

/// `127.0.0.1:5060`: UDP and TCP at one port, as RFC 3261 section 18.2.1 asks for; `udp:127.0.0.1:5060`,
/// `tcp:[::1]:5060`: that one alone. Port 0 means any free one.
struct SIPAddress: CustomStringConvertible {
    let address: TransportAddress
    let isAlsoOverTCP: Bool

    static let standardProxy = SIPAddress(TransportAddress(.udp, .loopback, port: 5060), isAlsoOverTCP: true)
    static let standardRedirect = SIPAddress(TransportAddress(.udp, .loopback, port: 5070), isAlsoOverTCP: true)

    private init(_ address: TransportAddress, isAlsoOverTCP: Bool = false) {
        (self.address, self.isAlsoOverTCP) = (address, isAlsoOverTCP)
    }

    /// Throws what would be accepted.
    init(setting text: String) throws(ValidationError) {
        let accepted =
            "an IP address and a port are accepted, with udp: or tcp: before them for that one alone, "
            + "as 127.0.0.1:5060, udp:127.0.0.1:5060 or tcp:[::1]:5060"
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts[0] != "tls" else { throw ValidationError("tls is not built yet in this version; \(accepted)") }
        let transport: TransportAddress.Transport? = parts[0] == "udp" ? .udp : parts[0] == "tcp" ? .tcp : nil
        let hostPort = transport == nil ? text : String(parts.last ?? "")
        guard let address = TransportAddress(transport ?? .udp, hostPort: hostPort) else {
            throw ValidationError(accepted)
        }
        self.init(address, isAlsoOverTCP: transport == nil)
    }

    var description: String { isAlsoOverTCP ? address.hostPort : "\(address)" }
}

/// An IP address that peers can reach.
struct AdvertisedAddress {
    let address: IPAddress

    /// Throws what would be accepted.
    init(setting text: String) throws(ValidationError) {
        guard let address = IPAddress(text), !address.isUnspecified else {
            throw ValidationError("an IP address without a port is accepted, as 192.0.2.1; a host name is not")
        }
        self.address = address
    }
}

extension IPAddress {
    fileprivate static let loopback = IPAddress(ipv4: 0x7F00_0001)
}

extension TransportAddress {
    /// Reads `192.0.2.10:5060` and `[2001:db8::1]:5060`.
    fileprivate init?(_ transport: Transport, hostPort text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.count > 2
        if isBracketed { host = host.dropFirst().dropLast() }
        guard let address = IPAddress(host), isBracketed == (address.family == .ipv6) else { return nil }
        self.init(transport, address, port: port)
    }
}
