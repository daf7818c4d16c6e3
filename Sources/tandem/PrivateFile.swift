import Foundation

/// A file that holds a secret: it is read only when nobody but its owner can read or write it.
enum PrivateFile {
    private static let limitBytes = 1 << 20

    /// The whole file. Throws one line that says what is wrong and what would help.
    ///
    /// - Parameter setting: the flag that names the file.
    static func read(_ path: String, of setting: String) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .setting("\(setting) \(path) can't be read: \(reason(errno))") }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else {
            throw .setting("\(setting) \(path) can't be read: \(reason(errno))")
        }
        guard information.st_mode & S_IFMT == S_IFREG else { throw .setting("\(setting) \(path) is no regular file") }
        guard information.st_uid == geteuid() || information.st_uid == 0 else {
            throw .setting(
                "\(setting) \(path) belongs to another user (\(information.st_uid)); it must be this one's or root's")
        }
        guard information.st_mode & 0o077 == 0 else {
            let mode = String(information.st_mode & 0o777, radix: 8)
            throw .setting(
                "\(setting) \(path) can be read or written by others (mode \(mode)): chmod 600 \(path)")
        }
        return try bytes(of: descriptor, "\(setting) \(path)")
    }

    /// A file that others may read, a certificate.
    static func readPublic(_ path: String, of setting: String) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .setting("\(setting) \(path) can't be read: \(reason(errno))") }
        defer { close(descriptor) }
        return try bytes(of: descriptor, "\(setting) \(path)")
    }

    private static func bytes(of descriptor: Int32, _ name: String) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count >= 0 else { throw .setting("\(name) can't be read: \(reason(errno))") }
            guard count > 0 else { return bytes }
            bytes += buffer.prefix(count)
            guard bytes.count <= limitBytes else { throw .setting("\(name) is larger than \(limitBytes) bytes") }
        }
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)).lowercased() }
}

/// `--admin-token-file`: a file with the admin's token, and nothing else.
enum AdminTokenFile {
    private static let setting = "--admin-token-file"
    private static let least = 12
    private static let most = 1024

    /// The token in that file. Throws one line that says what is wrong.
    static func token(in path: String) throws(Failure) -> String {
        let text = String(decoding: try PrivateFile.read(path, of: setting), as: UTF8.self)
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        // What Authorization can carry (RFC 6750 section 2.1).
        let isPlain = token.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-._~+/=".utf8.contains(byte)
            }
        }
        guard isPlain, (least...most).contains(token.utf8.count) else {
            throw .setting(
                "\(setting) \(path) must hold one token of \(least)...\(most) letters, digits and -._~+/= and nothing "
                    + "else: openssl rand -hex 32 > \(path)")
        }
        return token
    }
}
