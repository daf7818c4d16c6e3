import CMicrohttpd
import Glibc
import Synchronization
package import Time

/// The certificate and key that the API shows to clients, checked: they belong together.
package final class TLSIdentity: Sendable {
    /// Why bytes are no certificate and key.
    package enum Flaw: Error, Equatable, Sendable {
        /// In the certificate; one line.
        case certificate(String)
        /// In the key; one line.
        case key(String)
    }

    /// GnuTLS' values; read by handshakes, freed with this object.
    private struct Loaded: @unchecked Sendable {
        var identity: tandem_tls_identity
    }

    /// From when on clients refuse the certificate.
    package let expiresAt: WallTime
    private let loaded: Loaded

    /// - Parameters:
    ///   - certificate: PEM: the server's certificate, then those that issued it, in order.
    ///   - key: PEM, without a password.
    package init(certificate: [UInt8], key: [UInt8]) throws(Flaw) {
        var identity = tandem_tls_identity()
        var isKeyAtFault: Int32 = 0
        let code = certificate.withUnsafeBytes { certificate in
            key.withUnsafeBytes { key in
                tandem_tls_load(
                    certificate.baseAddress, certificate.count, key.baseAddress, key.count, &identity, &isKeyAtFault)
            }
        }
        guard code == 0 else {
            let said = String(cString: gnutls_strerror(code))
            switch (isKeyAtFault != 0, code) {
            case (_, GNUTLS_E_CERTIFICATE_KEY_MISMATCH): throw .key("it is not the key of the certificate")
            case (true, GNUTLS_E_DECRYPTION_FAILED): throw .key("it is protected by a password; none can be given")
            case (true, _): throw .key("it holds no private key in PEM (\(said))")
            case (false, _): throw .certificate("it holds no certificates in PEM (\(said))")
            }
        }
        loaded = Loaded(identity: identity)
        expiresAt = WallTime(milliseconds: Int64(clamping: identity.expires_at).multipliedReportingOverflow(by: 1000).0)
    }

    deinit {
        var identity = loaded.identity
        tandem_tls_free(&identity)
    }

    /// Gives a handshake what it needs; what it gets stays good as long as this object lives.
    fileprivate func lend(
        _ chain: UnsafeMutablePointer<UnsafeMutablePointer<gnutls_pcert_st>?>, _ count: UnsafeMutablePointer<UInt32>,
        _ key: UnsafeMutablePointer<gnutls_privkey_t?>
    ) {
        chain.pointee = loaded.identity.chain
        count.pointee = loaded.identity.count
        key.pointee = loaded.identity.key
    }
}

/// Which identity a listening port shows. GnuTLS asks at each handshake, with nothing but the session to go by.
enum TLSIdentities {
    private struct Shown: Sendable {
        var present: TLSIdentity
        /// Those that handshakes may still be using, and when they were replaced.
        var retired: [(identity: TLSIdentity, at: Instant)] = []
    }

    /// Much longer than a handshake may take.
    private static let retirement = Duration.seconds(3600)
    private static let shown = Mutex<[UInt16: Shown]>([:])

    /// Shows an identity on a port from the next handshake on.
    static func show(_ identity: TLSIdentity, port: UInt16, at now: Instant) {
        shown.withLock { shown in
            guard var entry = shown[port] else {
                shown[port] = Shown(present: identity)
                return
            }
            entry.retired.removeAll { now - $0.at > retirement }
            entry.retired.append((entry.present, now))
            entry.present = identity
            shown[port] = entry
        }
    }

    /// The port is about to be another's. No handshake is under way any more.
    static func forget(port: UInt16) { shown.withLock { $0[port] = nil } }

    /// What GnuTLS calls.
    static let retrieve: tandem_tls_retrieve = { session, _, _, _, _, chain, count, key in
        guard let session, let chain, let count, let key,
            let port = SocketAddress.localPort(of: gnutls_transport_get_int(session)),
            let identity = shown.withLock({ $0[port]?.present })
        else { return -1 }
        identity.lend(chain, count, key)
        return 0
    }
}
