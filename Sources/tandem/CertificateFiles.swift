import HTTPAPI

/// `--api-certificate` and `--api-key`.
struct CertificateFiles: Sendable {
    let certificate: String
    let key: String

    /// Reads and checks both. Throws one line that names the setting and the file at fault.
    func read() throws(Failure) -> TLSIdentity {
        let chain = try PrivateFile.readPublic(certificate, of: "--api-certificate")
        let secret = try PrivateFile.read(key, of: "--api-key")
        do {
            return try TLSIdentity(certificate: chain, key: secret)
        } catch {
            switch error {
            case .certificate(let reason):
                throw .setting("--api-certificate \(certificate) is not the API's certificate: \(reason)")
            case .key(let reason): throw .setting("--api-key \(key) is not the API's key: \(reason)")
            }
        }
    }
}
