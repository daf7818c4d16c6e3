import Addressing
import CSignalling

/// One socket of one listener and worker: bound, non-blocking, closed when it is let go. One of a stream transport
/// listens for connections.
final class ListenerSocket: Sendable {
    private static let pairLimitCount = 32

    let descriptor: Int32
    /// What it is bound to, with the port that the kernel chose where 0 was asked for.
    let bound: TransportAddress

    /// The first socket of an address is bound alone: a port that anybody else has is refused, even where both sides
    /// would share it. Further ones share the port of the first.
    init(_ address: TransportAddress, isFurther: Bool = false) throws(SocketError) {
        var wanted = csig_address(address)
        let result: Int32
        switch address.transport {
        case .udp: result = csig_udp_bind(&wanted, isFurther)
        case .tcp: result = csig_tcp_listen(&wanted, isFurther)
        case .tls: throw SocketError(address, reason: "tls is not built so far")
        }
        guard result >= 0 else { throw SocketError(address, result: result) }
        let portResult = csig_bound_port(result)
        guard let port = UInt16(exactly: portResult), port > 0 else {
            csig_close(result)
            throw SocketError(address, result: portResult)
        }
        descriptor = result
        bound = TransportAddress(address.transport, address.address, port: port)
    }

    deinit { csig_close(descriptor) }

    /// True: it takes connections. Else datagrams.
    var isStream: Bool { bound.transport != .udp }

    /// What epoll is to give back.
    func tag(_ listener: Int) -> UInt32 {
        isStream ? StreamTag.listening(listener) : UInt32(truncatingIfNeeded: listener)
    }

    /// Another worker's socket of the same address.
    func further() throws(SocketError) -> ListenerSocket { try ListenerSocket(bound, isFurther: true) }

    /// The first sockets of a listener: one, or two that have one port. Where any free port will do, one that is free
    /// for both is looked for.
    static func bind(_ listener: DataPlaneSettings.Listener) throws(SocketError) -> [ListenerSocket] {
        var attempt = 1
        while true {
            let first = try ListenerSocket(listener.address)
            guard listener.isAlsoOverTCP, !first.isStream else { return [first] }
            let second = TransportAddress(.tcp, first.bound.address, port: first.bound.port)
            do {
                return [first, try ListenerSocket(second)]
            } catch {
                guard listener.address.port == 0, attempt < pairLimitCount else { throw error }
                attempt += 1
            }
        }
    }
}
