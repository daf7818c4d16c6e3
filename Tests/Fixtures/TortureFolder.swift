import Glibc

/// Messages of RFC 4475, RFC 5118 and RFC 3665 from a folder beside the repository, where it is there.
package enum TortureFolder {
    /// `sip-torture`; nil where it isn't there.
    package static let path: String? = SharedFolder.path(of: "sip-torture")

    package static func bytes(of name: String) -> [UInt8]? {
        guard let path, let file = fopen(path + "/" + name, "rb") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// The rows of a table under its head line.
    package static func rows(of name: String) -> [[String]] {
        guard let bytes = bytes(of: name) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst()
            .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map { String($0) } }
    }
}
