import Foundation
import Glibc

/// One UDP socket on all addresses that answers each OPTIONS as so many gateways would (RFC 3261 section 11.2).
final class AnsweringGateways: Sendable {
    private static let waitMilliseconds: Int32 = 50
    private static let capabilities =
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nAccept: application/sdp\r\nSupported: timer, 100rel\r\n"

    /// Where it is reached, on any address of this host.
    let port: UInt16
    private let descriptor: Int32

    init() throws(BenchmarkFailure) {
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { [descriptor] pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard isBound else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw BenchmarkFailure(detail: "no UDP socket for the gateways: \(reason)")
        }
    }

    deinit { close(descriptor) }

    /// Answers what has come, and waits a little where nothing has.
    func answer() {
        var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&wanted, 1, Self.waitMilliseconds) == 1 else { return }
        var bytes = [UInt8](repeating: 0, count: 2048)
        var source = sockaddr_in()
        withUnsafeMutablePointer(to: &source) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                while true {
                    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
                    let count = recvfrom(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT), address, &size)
                    guard count > 0 else { return }
                    let response = Self.response(to: String(decoding: bytes[..<count], as: UTF8.self))
                    _ = sendto(descriptor, response, response.utf8.count, 0, address, size)
                }
            }
        }
    }

    /// 200 with the fields that a response copies, a tag, and what a gateway can do.
    static func response(to request: String) -> String {
        var response = "SIP/2.0 200 OK\r\n"
        for line in request.split(separator: "\r\n").dropFirst() {
            switch line.prefix(while: { $0 != ":" }) {
            case "Via", "From", "Call-ID", "CSeq": response += "\(line)\r\n"
            case "To": response += "\(line);tag=gateway\r\n"
            default: break
            }
        }
        return response + capabilities + "Content-Length: 0\r\n\r\n"
    }
}
