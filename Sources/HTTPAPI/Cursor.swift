/// Where a walk over pages goes on: the last id, in base64url (RFC 4648 section 5) so that nobody builds on its form.
enum Cursor {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let limitBytes = 512

    /// The cursor behind an id.
    static func text(after id: String) -> String {
        var (bits, count): (UInt32, UInt32) = (0, 0)
        var text: [UInt8] = []
        for byte in id.utf8 {
            (bits, count) = (bits << 8 | UInt32(byte), count + 8)
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> count & 63)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << (6 - count) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The id of a cursor; nil when it is none of ours.
    static func id(_ text: String) -> String? {
        guard !text.isEmpty, text.utf8.count <= limitBytes else { return nil }
        var (bits, count): (UInt32, UInt32) = (0, 0)
        var bytes: [UInt8] = []
        for character in text.utf8 {
            guard let digit = alphabet.firstIndex(of: character) else { return nil }
            (bits, count) = (bits << 6 | UInt32(digit), count + 6)
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> count))
        }
        guard count < 6, bits & ((1 << count) - 1) == 0, let id = String(validating: bytes, as: UTF8.self) else {
            return nil
        }
        return id
    }
}
