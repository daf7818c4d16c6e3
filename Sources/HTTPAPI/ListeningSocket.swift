import Addressing
import CMicrohttpd
import Glibc

/// The socket that clients connect to.
struct ListeningSocket {
    /// The kernel's number of it.
    let descriptor: Int32
    /// What it is bound to; the port is never 0.
    let address: TransportAddress

    /// Binds and listens. A port that waits out its last connections (TIME_WAIT) can be bound again at once; one that
    /// another socket listens on can't.
    init(_ address: IPAddress, port: UInt16, backlogCount: Int32) throws(HTTPServerError) {
        let wanted = TransportAddress(.tcp, address, port: port)
        let family = address.family == .ipv4 ? AF_INET : AF_INET6
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { throw Self.failure(wanted) }
        var yes: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, size)
        if family == AF_INET6 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, size) }
        var storage = sockaddr_storage()
        let length = SocketAddress.write(address, port: port, into: &storage)
        let isBound = withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) == 0 }
        }
        guard isBound, listen(descriptor, backlogCount) == 0 else {
            let error = Self.failure(wanted)
            close(descriptor)
            throw error
        }
        var boundLength = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let bound = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name -> (IPAddress, UInt16)? in
                getsockname(descriptor, name, &boundLength) == 0 ? SocketAddress.read(name) : nil
            }
        }
        guard let bound else {
            let error = Self.failure(wanted)
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.address = TransportAddress(.tcp, address, port: bound.1)
    }

    /// What the last call of the kernel said, in one line.
    private static func failure(_ address: TransportAddress) -> HTTPServerError {
        let text = String(cString: strerror(errno))
        return HTTPServerError("\(address.hostPort): \(text.prefix(1).lowercased() + text.dropFirst())")
    }
}

/// The kernel's form of addresses.
enum SocketAddress {
    /// The port that a socket is bound to; nil when it is none.
    static func localPort(of descriptor: Int32) -> UInt16? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                getsockname(descriptor, name, &length) == 0 ? read(name)?.1 : nil
            }
        }
    }

    /// The address and port in a `sockaddr`; nil for another family.
    static func read(_ name: UnsafePointer<sockaddr>) -> (IPAddress, UInt16)? {
        switch Int32(name.pointee.sa_family) {
        case AF_INET:
            return name.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { inet in
                (
                    IPAddress(ipv4: UInt32(bigEndian: inet.pointee.sin_addr.s_addr)),
                    UInt16(bigEndian: inet.pointee.sin_port)
                )
            }
        case AF_INET6:
            return name.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { inet in
                let halves = unsafeBitCast(inet.pointee.sin6_addr, to: (UInt64, UInt64).self)
                let address = IPAddress(
                    ipv6High: UInt64(bigEndian: halves.0), low: UInt64(bigEndian: halves.1))
                return (address, UInt16(bigEndian: inet.pointee.sin6_port))
            }
        default: return nil
        }
    }

    /// Writes an address and port; returns how many bytes they take.
    static func write(_ address: IPAddress, port: UInt16, into storage: inout sockaddr_storage) -> socklen_t {
        withUnsafeMutablePointer(to: &storage) { pointer in
            guard address.family == .ipv6 else {
                return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { inet in
                    inet.pointee.sin_family = sa_family_t(AF_INET)
                    inet.pointee.sin_port = port.bigEndian
                    inet.pointee.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.low).bigEndian
                    return socklen_t(MemoryLayout<sockaddr_in>.size)
                }
            }
            return pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { inet in
                inet.pointee.sin6_family = sa_family_t(AF_INET6)
                inet.pointee.sin6_port = port.bigEndian
                let halves = (address.high.bigEndian, address.low.bigEndian)
                inet.pointee.sin6_addr = unsafeBitCast(halves, to: in6_addr.self)
                return socklen_t(MemoryLayout<sockaddr_in6>.size)
            }
        }
    }
}
