import Addressing
import CSignalling

/// A listening, non-blocking TCP socket, closed when it is let go.
final class StreamListener: Sendable {
    let descriptor: Int32
    /// What it is bound to, with the port that the kernel chose where 0 was asked for.
    let bound: TransportAddress

    /// As for UDP: the first of an address alone finds a port in use, further ones join it.
    init(_ address: TransportAddress, isFurther: Bool = false) throws(SocketError) {
        var wanted = csig_address(address)
        let result = csig_tcp_listen(&wanted, isFurther)
        guard result >= 0 else { throw SocketError(address, result: result) }
        let portResult = csig_bound_port(result)
        guard let port = UInt16(exactly: portResult), port > 0 else {
            csig_close(result)
            throw SocketError(address, result: portResult)
        }
        descriptor = result
        bound = TransportAddress(.tcp, address.address, port: port)
    }

    deinit { csig_close(descriptor) }
}

/// One socket of one listener and worker.
enum ListenerSocket: Sendable {
    case datagrams(UDPSocket)
    case streams(StreamListener)

    private static let pairLimitCount = 32

    var descriptor: Int32 {
        switch self {
        case .datagrams(let socket): socket.descriptor
        case .streams(let socket): socket.descriptor
        }
    }

    var bound: TransportAddress {
        switch self {
        case .datagrams(let socket): socket.bound
        case .streams(let socket): socket.bound
        }
    }

    var isStream: Bool {
        switch self {
        case .datagrams: false
        case .streams: true
        }
    }

    /// What epoll is to give back.
    func tag(_ listener: Int) -> UInt32 {
        isStream ? StreamTag.listening(listener) : UInt32(truncatingIfNeeded: listener)
    }

    private init(_ address: TransportAddress, isFurther: Bool) throws(SocketError) {
        switch address.transport {
        case .udp: self = .datagrams(try UDPSocket(address, isFurther: isFurther))
        case .tcp: self = .streams(try StreamListener(address, isFurther: isFurther))
        case .tls: throw SocketError(address, reason: "tls is not built so far")
        }
    }

    /// Another worker's socket of the same address.
    func further() throws(SocketError) -> ListenerSocket { try ListenerSocket(bound, isFurther: true) }

    /// The first sockets of a listener: one, or two that have one port. Where any free port will do, one that is free
    /// for both is looked for.
    static func bind(_ listener: DataPlaneSettings.Listener) throws(SocketError) -> [ListenerSocket] {
        var attempt = 1
        while true {
            let first = try ListenerSocket(listener.address, isFurther: false)
            guard listener.isAlsoOverTCP, !first.isStream else { return [first] }
            let second = TransportAddress(.tcp, first.bound.address, port: first.bound.port)
            do {
                return [first, try ListenerSocket(second, isFurther: false)]
            } catch {
                guard listener.address.port == 0, attempt < pairLimitCount else { throw error }
                attempt += 1
            }
        }
    }
}
