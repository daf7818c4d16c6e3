package import Addressing
import Glibc

/// Why an address can't be listened on, in one line: `udp:127.0.0.1:5060: address already in use`.
package struct SocketError: Error, Equatable, CustomStringConvertible {
    /// The address as it was asked for; nil where no address is at fault.
    package let address: TransportAddress?
    /// What is wrong, in lower case.
    package let reason: String

    /// An error about an address.
    package init(_ address: TransportAddress?, reason: String) { (self.address, self.reason) = (address, reason) }

    /// An error that the kernel gave, as a negative errno.
    init(_ address: TransportAddress?, result: Int32) {
        self.init(address, reason: Self.reason(of: -result))
    }

    package var description: String { address.map { "\($0): \(reason)" } ?? reason }

    /// The kernel's word for an errno.
    static func reason(of number: Int32) -> String {
        switch number {
        case EADDRINUSE: "address already in use"
        case EADDRNOTAVAIL: "no interface of this machine has this address"
        case EACCES: "ports below 1024 need the privilege to bind them (CAP_NET_BIND_SERVICE)"
        case EAFNOSUPPORT: "this machine does not speak this Internet protocol"
        case EMFILE, ENFILE: "too many open files"
        default: strerror(number).map { String(cString: $0) } ?? "error \(number)"
        }
    }
}
