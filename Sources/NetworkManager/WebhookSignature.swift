import Crypto
import Foundation
import Store
import Time

/// The header fields of a delivery as Standard Webhooks 1.0 wants them.
enum WebhookSignature {
    /// `webhook-id`, `webhook-timestamp`, and `webhook-signature` with one signature for each key.
    static func headers(
        id: String, at time: WallTime, body: [UInt8], keys: [WebhookKey]
    ) -> [(name: String, value: String)] {
        let seconds = String(time.milliseconds / 1000)
        let signed = Data("\(id).\(seconds).".utf8) + Data(body)
        let signatures = keys.map { key in
            let code = HMAC<SHA256>.authenticationCode(for: signed, using: SymmetricKey(data: Data(key.bytes)))
            return "v1," + Data(code).base64EncodedString()
        }
        return [
            ("webhook-id", id), ("webhook-timestamp", seconds),
            ("webhook-signature", signatures.joined(separator: " ")),
        ]
    }
}

extension WebhookKey {
    /// Bytes that a key may have.
    package static let lengths = 24...64
    /// What the text of a key begins with.
    private static let prefix = "whsec_"

    /// Reads `whsec_` and base64 of 24...64 bytes; nil for anything else.
    package init?(text: String) {
        guard text.hasPrefix(Self.prefix), text.utf8.count <= 128,
            let bytes = Data(base64Encoded: String(text.dropFirst(Self.prefix.count))),
            Self.lengths.contains(bytes.count)
        else { return nil }
        self.init([UInt8](bytes))
        guard exposedText == text else { return nil }  // more padding than there should be, say
    }

    /// The key as its receiver needs it: for the one answer that hands it over.
    package var exposedText: String { Self.prefix + Data(bytes).base64EncodedString() }
}
